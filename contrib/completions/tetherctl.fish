# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_tetherctl_global_optspecs
    string join \n socket= json h/help V/version
end

function __fish_tetherctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_tetherctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_tetherctl_using_subcommand
    set -l cmd (__fish_tetherctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c tetherctl -n "__fish_tetherctl_needs_command" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_needs_command" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -s V -l version -d 'Print version'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "status" -d 'Show the session, the phone, the queue and the pace at a glance'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "why" -d 'Say why messages wait, what to do about it, and when the next one leaves'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "send" -d 'Put a message into the queue; answers when it is on disk'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "show" -d 'Show one message, with its whole text'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "queue" -d 'List the messages that wait, are on their way, or are parked; with --state, others too'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "clear" -d 'Withdraw waiting and parked messages in bulk; `restore` brings them back'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "cancel" -d 'Withdraw messages by their ids or by conditions; `restore` brings them back'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "restore" -d 'Bring back what `clear` and `cancel` withdrew lately, each to its old place'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "retry" -d 'Put parked messages back into the queue; without ids and conditions, all of them'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "check" -d 'Ask which numbers are on the network; nothing is sent to them'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "pause" -d 'Let nothing leave until `resume`; messages are still accepted'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "resume" -d 'Let messages leave again after `pause`'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "release" -d 'Let a backlog leave that was held for longer than `confirm_after` allows'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "heartbeat" -d 'Report how the phone\'s battery stands, which the network does not tell'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "pair" -d 'Link a phone: shows a QR code, or with --code what to type on the phone'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "reconnect" -d 'Try to connect now instead of waiting for the next try'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "takeover" -d 'Take the session back after another WhatsApp Web session took over'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "logout" -d 'Unlink this device from the phone; waiting messages stay in the queue'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "events" -d 'Print what happens as it happens, after the state as it is now. A line begins with the number to continue after'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "inbox" -d 'List the messages that came in; `inbox file` fetches the file of one'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "doctor" -d 'Check the installation: configuration, rights, socket, state, clock, network'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "version" -d 'Show the versions of this program and of the daemon'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c tetherctl -n "__fish_tetherctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand status" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand status" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand status" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand why" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand why" -s a -l all -d 'Also name every condition that is not the case, with what that is known from'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand why" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand why" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -s f -l file -d 'A file; - is stdin. The daemon has copied it when it answers: it can go away then' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -l url -d 'A file by its address: https://... The daemon fetches it once, in the background' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -l caption -d 'With --file or --url: a text under the image, video or document' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -l as -d 'With --file or --url: what to send it as. Without it the content decides' -r -f -a "image\t''
video\t''
audio\t''
voice\t''
document\t''"
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -l name -d 'With --file or --url: the name that it is shown under. Without it: the file\'s own' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -l location -d 'A place: degrees north and east, such as 48.8584,2.2945' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -l place -d 'With --location: the name of the place' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -l contact -d 'A contact\'s card with this name, which needs --phone' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -l phone -d 'With --contact: its number (+ and digits); can be given more than once' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -s k -l key -d 'Idempotency key: the same key with the same content is the same message' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -l expires -d 'Never send it after this: 2h, 14:30, "2026-01-31 14:30", or RFC 3339' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -l at -d 'Do not send it before this, written as for --expires; holds no other message back' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -l in -d 'Do not send it for so long (90s, 10m, 2h)' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -s p -l priority -d 'Which of those that wait goes first; within a chat and a priority, they keep their order' -r -f -a "high\t''
normal\t''
low\t''"
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -s w -l wait -d 'Wait until the message is sent, or delivered' -r -f -a "sent\t'The server has taken it'
delivered\t'A device of the recipient has it'"
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -l timeout -d 'With --wait: give up after this time (120s, 10m) and end with 124; the message stays in the queue' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand show" -l key -d 'Find it by the key that it was sent with' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand show" -l wa-id -d 'Find it by its id on the network' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand show" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand show" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand show" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand queue" -s s -l state -d 'Those in this state; can be given more than once. `all` lists finished ones too' -r -f -a "preparing\t''
queued\t''
sending\t''
unknown\t''
parked\t''
sent\t''
delivered\t''
read\t''
failed\t''
expired\t''
cancelled\t''
all\t''"
complete -c tetherctl -n "__fish_tetherctl_using_subcommand queue" -l to -d 'Those to this number or JID' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand queue" -l reason -d 'Those with this reason' -r -f -a "refused\t''
reachout_timelock\t''
not_on_network\t''
not_sendable\t''
no_answer\t''
shelf_full\t''
link_broken\t''
file_unreadable\t''
too_large\t''
upload_failed\t''"
complete -c tetherctl -n "__fish_tetherctl_using_subcommand queue" -l key-prefix -d 'Those with a key that begins so' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand queue" -l older-than -d 'Those accepted at least this long ago (90s, 2h, 3d)' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand queue" -s n -l limit -d 'List at most this many' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand queue" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand queue" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand queue" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand clear" -s s -l state -d 'Those in this state; can be given more than once. Without it: preparing, queued and parked' -r -f -a "preparing\t''
queued\t''
sending\t''
unknown\t''
parked\t''
sent\t''
delivered\t''
read\t''
failed\t''
expired\t''
cancelled\t''
all\t''"
complete -c tetherctl -n "__fish_tetherctl_using_subcommand clear" -l to -d 'Those to this number or JID' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand clear" -l reason -d 'Those with this reason' -r -f -a "refused\t''
reachout_timelock\t''
not_on_network\t''
not_sendable\t''
no_answer\t''
shelf_full\t''
link_broken\t''
file_unreadable\t''
too_large\t''
upload_failed\t''"
complete -c tetherctl -n "__fish_tetherctl_using_subcommand clear" -l key-prefix -d 'Those with a key that begins so' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand clear" -l older-than -d 'Those accepted at least this long ago (90s, 2h, 3d)' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand clear" -l id -d 'Those with this id, such as m42; can be given more than once' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand clear" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand clear" -l dry-run -d 'Say what would be withdrawn, and change nothing'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand clear" -s y -l yes -d 'Do not ask for a confirmation. Needed where there is no terminal to ask on'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand clear" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand clear" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand cancel" -s s -l state -d 'Those in this state; can be given more than once' -r -f -a "preparing\t''
queued\t''
sending\t''
unknown\t''
parked\t''
sent\t''
delivered\t''
read\t''
failed\t''
expired\t''
cancelled\t''
all\t''"
complete -c tetherctl -n "__fish_tetherctl_using_subcommand cancel" -l to -d 'Those to this number or JID' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand cancel" -l reason -d 'Those with this reason' -r -f -a "refused\t''
reachout_timelock\t''
not_on_network\t''
not_sendable\t''
no_answer\t''
shelf_full\t''
link_broken\t''
file_unreadable\t''
too_large\t''
upload_failed\t''"
complete -c tetherctl -n "__fish_tetherctl_using_subcommand cancel" -l key-prefix -d 'Those with a key that begins so' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand cancel" -l older-than -d 'Those accepted at least this long ago (90s, 2h, 3d)' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand cancel" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand cancel" -l dry-run -d 'Say what would be withdrawn, and change nothing'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand cancel" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand cancel" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand restore" -s s -l state -d 'Those withdrawn in this state; can be given more than once' -r -f -a "preparing\t''
queued\t''
sending\t''
unknown\t''
parked\t''
sent\t''
delivered\t''
read\t''
failed\t''
expired\t''
cancelled\t''
all\t''"
complete -c tetherctl -n "__fish_tetherctl_using_subcommand restore" -l to -d 'Those to this number or JID' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand restore" -l reason -d 'Those with this reason' -r -f -a "refused\t''
reachout_timelock\t''
not_on_network\t''
not_sendable\t''
no_answer\t''
shelf_full\t''
link_broken\t''
file_unreadable\t''
too_large\t''
upload_failed\t''"
complete -c tetherctl -n "__fish_tetherctl_using_subcommand restore" -l key-prefix -d 'Those with a key that begins so' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand restore" -l older-than -d 'Those accepted at least this long ago (90s, 2h, 3d)' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand restore" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand restore" -l dry-run -d 'Say what would come back, and change nothing'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand restore" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand restore" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand retry" -l to -d 'Those to this number or JID' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand retry" -l reason -d 'Those with this reason' -r -f -a "refused\t''
reachout_timelock\t''
not_on_network\t''
not_sendable\t''
no_answer\t''
shelf_full\t''
link_broken\t''
file_unreadable\t''
too_large\t''
upload_failed\t''"
complete -c tetherctl -n "__fish_tetherctl_using_subcommand retry" -l key-prefix -d 'Those with a key that begins so' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand retry" -l older-than -d 'Those accepted at least this long ago (90s, 2h, 3d)' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand retry" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand retry" -l dry-run -d 'Say what would be put back, and change nothing'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand retry" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand retry" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand check" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand check" -l fresh -d 'Ask the network even where an answer is remembered'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand check" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand pause" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand pause" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand pause" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand resume" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand resume" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand resume" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand release" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand release" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand release" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand heartbeat" -l battery -d 'The battery\'s charge in percent, 0 to 100' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand heartbeat" -l network -d 'What the phone is connected to: wifi, cellular, none, ...' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand heartbeat" -l at -d 'When that was measured: seconds since 1970, or as in 2026-01-02T03:04:05Z. Without it: now. A report that is older than the last one changes nothing' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand heartbeat" -l source -d 'Who reports, such as termux' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand heartbeat" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand heartbeat" -l charging -d 'The phone is being charged'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand heartbeat" -l not-charging -d 'The phone is not being charged'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand heartbeat" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand heartbeat" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand pair" -l code -d 'Show a code to type on the phone with this number (+ and digits), not a QR code' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand pair" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand pair" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand pair" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand reconnect" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand reconnect" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand reconnect" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand takeover" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand takeover" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand takeover" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand logout" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand logout" -s y -l yes -d 'Do not ask for a confirmation'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand logout" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand logout" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand events" -l after -d 'Continue after this number: every message that changed later, as it is now, and every message that came in later. 0: everything that is kept' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand events" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand events" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand events" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand inbox; and not __fish_seen_subcommand_from file help" -l after -d 'List those after this cursor, the oldest first. Without it: the newest' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand inbox; and not __fish_seen_subcommand_from file help" -s n -l limit -d 'List at most this many. Without it: all after the cursor, or the newest 20' -r
complete -c tetherctl -n "__fish_tetherctl_using_subcommand inbox; and not __fish_seen_subcommand_from file help" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand inbox; and not __fish_seen_subcommand_from file help" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand inbox; and not __fish_seen_subcommand_from file help" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand inbox; and not __fish_seen_subcommand_from file help" -f -a "file" -d 'Fetch the file of a message: to stdout, or to a new file'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand inbox; and not __fish_seen_subcommand_from file help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand inbox; and __fish_seen_subcommand_from file" -s o -l output -d 'Write it to this new file; one that is there already is not overwritten' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand inbox; and __fish_seen_subcommand_from file" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand inbox; and __fish_seen_subcommand_from file" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand inbox; and __fish_seen_subcommand_from file" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand inbox; and __fish_seen_subcommand_from help" -f -a "file" -d 'Fetch the file of a message: to stdout, or to a new file'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand inbox; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand doctor" -l config -d 'Look at the daemon of this configuration file, and at the socket that it names' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand doctor" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand doctor" -l offline -d 'Do not try the way to the server (name, TCP, TLS)'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand doctor" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand version" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand version" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand version" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand completions" -l socket -d 'The daemon\'s socket. Without it: the user\'s own daemon\'s, else the system\'s' -r -F
complete -c tetherctl -n "__fish_tetherctl_using_subcommand completions" -l json -d 'Print the daemon\'s JSON instead of text for people'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand completions" -s h -l help -d 'Print help'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "status" -d 'Show the session, the phone, the queue and the pace at a glance'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "why" -d 'Say why messages wait, what to do about it, and when the next one leaves'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "send" -d 'Put a message into the queue; answers when it is on disk'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "show" -d 'Show one message, with its whole text'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "queue" -d 'List the messages that wait, are on their way, or are parked; with --state, others too'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "clear" -d 'Withdraw waiting and parked messages in bulk; `restore` brings them back'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "cancel" -d 'Withdraw messages by their ids or by conditions; `restore` brings them back'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "restore" -d 'Bring back what `clear` and `cancel` withdrew lately, each to its old place'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "retry" -d 'Put parked messages back into the queue; without ids and conditions, all of them'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "check" -d 'Ask which numbers are on the network; nothing is sent to them'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "pause" -d 'Let nothing leave until `resume`; messages are still accepted'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "resume" -d 'Let messages leave again after `pause`'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "release" -d 'Let a backlog leave that was held for longer than `confirm_after` allows'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "heartbeat" -d 'Report how the phone\'s battery stands, which the network does not tell'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "pair" -d 'Link a phone: shows a QR code, or with --code what to type on the phone'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "reconnect" -d 'Try to connect now instead of waiting for the next try'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "takeover" -d 'Take the session back after another WhatsApp Web session took over'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "logout" -d 'Unlink this device from the phone; waiting messages stay in the queue'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "events" -d 'Print what happens as it happens, after the state as it is now. A line begins with the number to continue after'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "inbox" -d 'List the messages that came in; `inbox file` fetches the file of one'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "doctor" -d 'Check the installation: configuration, rights, socket, state, clock, network'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "version" -d 'Show the versions of this program and of the daemon'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "completions" -d 'Print a completion script for a shell'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and not __fish_seen_subcommand_from status why send show queue clear cancel restore retry check pause resume release heartbeat pair reconnect takeover logout events inbox doctor version completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c tetherctl -n "__fish_tetherctl_using_subcommand help; and __fish_seen_subcommand_from inbox" -f -a "file" -d 'Fetch the file of a message: to stdout, or to a new file'
