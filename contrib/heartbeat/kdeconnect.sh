#!/bin/sh
# Reports the phone's battery to tetherd: asks KDE Connect over D-Bus, as the user who
# runs it. TETHERD_KDECONNECT_DEVICE is the device's id (`kdeconnect-cli --list-devices`).
# With --parse three lines are read from stdin instead, as busctl prints them: whether
# the phone is reachable, its battery, and whether it is charging.
set -eu

ctl=${TETHERCTL:-tetherctl}

case ${1-} in
--parse) answer=$(cat) ;;
'')
	device=/modules/kdeconnect/devices/${TETHERD_KDECONNECT_DEVICE:?name the device by its id}
	answer=$(
		busctl --user get-property org.kde.kdeconnect "$device" \
			org.kde.kdeconnect.device isReachable
		busctl --user get-property org.kde.kdeconnect "$device/battery" \
			org.kde.kdeconnect.device.battery charge isCharging
	)
	;;
*)
	echo "usage: $0 [--parse]" >&2
	exit 64
	;;
esac

line() {
	printf '%s\n' "$answer" | sed -n "$1s/^[bi] //p"
}

# KDE Connect remembers the last battery of a phone that it does not see: that is not news.
if [ "$(line 1)" != true ]; then
	echo "KDE Connect does not reach the phone; nothing is reported" >&2
	exit 0
fi
percent=$(line 2)
case $percent in
'' | *[!0-9]*)
	# -1: the phone has not reported yet.
	echo "KDE Connect knows no battery" >&2
	exit 65
	;;
esac

set -- --battery "$percent" --source kdeconnect
case $(line 3) in
true) set -- "$@" --charging ;;
false) set -- "$@" --not-charging ;;
esac
exec "$ctl" heartbeat "$@"
