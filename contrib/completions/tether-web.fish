# Completions of tether-web: the program itself prints them, so they are always those of its version.
tether-web completions fish 2>/dev/null | source
