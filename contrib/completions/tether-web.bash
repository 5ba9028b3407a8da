# Completions of tether-web: the program itself prints them, so they are always those of its version.
eval "$(tether-web completions bash 2>/dev/null)"
