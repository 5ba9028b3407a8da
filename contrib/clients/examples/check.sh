#!/bin/sh
# A check for a monitoring system: 0 all is well, 1 messages are parked, 2 something holds the
# queue, or nobody answers. One line, then the conditions.
set -eu
# shellcheck source=contrib/clients/tetherd.sh
. "$(dirname "$0")/../tetherd.sh"

status=$(tetherd_status) || exit 2
number() { printf '%s\n' "$status" | tetherd_field "queue.$1"; }
waiting=$(($(number preparing) + $(number queued) + $(number sending) + $(number unknown)))
parked=$(number parked)
code=0
[ "$parked" -eq 0 ] || code=1
# The first condition that holds everything is the weightiest. Pacing is as it should be.
condition() { printf '%s\n' "$status" | tetherd_field "conditions.$n.$1"; }
n=0 hold=
while [ -z "$hold" ] && kind=$(condition kind); do
    [ "$(condition holds)" != all ] || hold=$kind
    n=$((n + 1))
done
case $hold in '' | pacing) ;; *) code=2 ;; esac
set -- OK WARNING CRITICAL
shift "$code"
echo "TETHERD $1: $waiting waiting, $parked parked${hold:+, held by $hold}"
[ "$code" -eq 0 ] || tetherd_why
exit "$code"
