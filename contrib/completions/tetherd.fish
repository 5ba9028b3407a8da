# Completions of tetherd: the program itself prints them, so they are always those of its version.
tetherd completions fish 2>/dev/null | source
