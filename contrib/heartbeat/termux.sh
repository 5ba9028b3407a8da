#!/bin/sh
# Reports the phone's battery to tetherd: asks Termux on the phone over ssh.
#
# On the phone: Termux with sshd, and the packages termux-api and openssh.
# Here: TETHERD_PHONE_SSH names the phone as ssh does; it may hold options too:
#   TETHERD_PHONE_SSH="-p 8022 u0_a123@phone.lan" ./termux.sh
# With --parse the answer of termux-battery-status is read from stdin instead.
set -eu

ctl=${TETHERCTL:-tetherctl}

case ${1-} in
--parse) answer=$(cat) ;;
'')
	# Words are split on purpose: options and host.
	# shellcheck disable=SC2086
	answer=$(ssh -o BatchMode=yes -o ConnectTimeout=20 \
		${TETHERD_PHONE_SSH:?name the phone, such as \"-p 8022 phone.lan\"} \
		termux-battery-status </dev/null)
	;;
*)
	echo "usage: $0 [--parse]" >&2
	exit 64
	;;
esac

# One member of a flat JSON object: its value, without quotes.
member() {
	printf '%s' "$answer" | tr '\n\r\t' '   ' |
		sed -n 's/.*[{,] *"'"$1"'" *: *"\{0,1\}\([^",} ]*\).*/\1/p'
}

percent=$(member percentage)
case $percent in
'' | *[!0-9]*)
	echo "termux-battery-status named no percentage" >&2
	exit 65
	;;
esac

set -- --battery "$percent" --source termux
case $(member status) in
CHARGING | FULL) set -- "$@" --charging ;;
DISCHARGING) set -- "$@" --not-charging ;;
NOT_CHARGING)
	# On a charger and full enough, or not on one.
	case $(member plugged) in
	UNPLUGGED | '') set -- "$@" --not-charging ;;
	*) set -- "$@" --charging ;;
	esac
	;;
esac
exec "$ctl" heartbeat "$@"
