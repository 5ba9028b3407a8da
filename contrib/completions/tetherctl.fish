# Completions of tetherctl: the program itself prints them, so they are always those of its version.
tetherctl completions fish 2>/dev/null | source
