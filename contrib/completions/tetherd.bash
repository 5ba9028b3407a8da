# Completions of tetherd: the program itself prints them, so they are always those of its version.
eval "$(tetherd completions bash 2>/dev/null)"
