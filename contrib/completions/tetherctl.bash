# Completions of tetherctl: the program itself prints them, so they are always those of its version.
eval "$(tetherctl completions bash 2>/dev/null)"
