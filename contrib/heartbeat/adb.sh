#!/bin/sh
# Reports the phone's battery to tetherd: asks Android over adb (USB, or `adb connect`).
# ANDROID_SERIAL names the phone if there are several. With --parse the answer of
# `dumpsys battery` is read from stdin instead.
set -eu

ctl=${TETHERCTL:-tetherctl}

case ${1-} in
--parse) answer=$(cat) ;;
'') answer=$(adb shell dumpsys battery </dev/null) ;;
*)
	echo "usage: $0 [--parse]" >&2
	exit 64
	;;
esac

# One line of `  name: value`.
value() {
	printf '%s\n' "$answer" | tr -d '\r' | sed -n "s/^ *$1: *//p" | sed -n 1p
}

level=$(value level)
scale=$(value scale)
for number in "$level" "$scale"; do
	case $number in
	'' | *[!0-9]* | 0[0-9]*)
		echo "dumpsys named no level and scale" >&2
		exit 65
		;;
	esac
done
[ "$scale" -gt 0 ] || exit 65

set -- --battery $((level * 100 / scale)) --source adb
# BatteryManager: 1 unknown, 2 charging, 3 discharging, 4 not charging, 5 full.
case $(value status) in
2 | 5) set -- "$@" --charging ;;
3) set -- "$@" --not-charging ;;
4)
	# On a charger and full enough, or not on one.
	case "$(value 'AC powered') $(value 'USB powered') $(value 'Wireless powered')" in
	*true*) set -- "$@" --charging ;;
	*) set -- "$@" --not-charging ;;
	esac
	;;
esac
exec "$ctl" heartbeat "$@"
