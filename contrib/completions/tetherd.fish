# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_tetherd_global_optspecs
    string join \n config= h/help V/version
end

function __fish_tetherd_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_tetherd_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_tetherd_using_subcommand
    set -l cmd (__fish_tetherd_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c tetherd -n "__fish_tetherd_needs_command" -l config -d 'Read this configuration instead of the usual one' -r -F
complete -c tetherd -n "__fish_tetherd_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c tetherd -n "__fish_tetherd_needs_command" -s V -l version -d 'Print version'
complete -c tetherd -n "__fish_tetherd_needs_command" -f -a "run" -d 'Run the daemon in the foreground (the default)'
complete -c tetherd -n "__fish_tetherd_needs_command" -f -a "check-config" -d 'Check the configuration, print every value that is in force, and end'
complete -c tetherd -n "__fish_tetherd_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c tetherd -n "__fish_tetherd_using_subcommand run" -l config -d 'Read this configuration instead of the usual one' -r -F
complete -c tetherd -n "__fish_tetherd_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c tetherd -n "__fish_tetherd_using_subcommand check-config" -l config -d 'Read this configuration instead of the usual one' -r -F
complete -c tetherd -n "__fish_tetherd_using_subcommand check-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c tetherd -n "__fish_tetherd_using_subcommand help; and not __fish_seen_subcommand_from run check-config help" -f -a "run" -d 'Run the daemon in the foreground (the default)'
complete -c tetherd -n "__fish_tetherd_using_subcommand help; and not __fish_seen_subcommand_from run check-config help" -f -a "check-config" -d 'Check the configuration, print every value that is in force, and end'
complete -c tetherd -n "__fish_tetherd_using_subcommand help; and not __fish_seen_subcommand_from run check-config help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
