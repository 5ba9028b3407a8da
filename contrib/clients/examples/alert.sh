#!/bin/sh
# Sends what is on stdin, waits until the server has it, and says why if that takes long.
#
#     smartctl -H /dev/sda | alert.sh +15550100 [KEY [SECONDS]]
#
# Without a key, two alerts with the same text are two messages. Ends as tetherctl does: 0 sent,
# 1 parked or given up, 75 no place now, 77 not allowed, 124 not sent yet (it will be).
set -eu
# shellcheck source=contrib/clients/tetherd.sh
. "$(dirname "$0")/../tetherd.sh"

[ $# -ge 1 ] || {
    echo "usage: $0 NUMBER [KEY [SECONDS]]" >&2
    exit 64
}
id=$(tetherd_send "$1" - "${2:-}")
code=0
state=$(tetherd_wait "$id" sent "${3:-60}") || code=$?
echo "$id ${state:-unknown}"
[ "$code" -eq 0 ] || tetherd_why >&2
exit "$code"
