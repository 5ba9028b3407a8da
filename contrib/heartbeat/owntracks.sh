#!/bin/sh
# Reports the phone's battery to tetherd: listens to what OwnTracks publishes over MQTT,
# one JSON object a line, and reports each. Runs until the broker goes away.
#
# TETHERD_OWNTRACKS_TOPIC is the phone's topic, such as owntracks/me/phone. What else
# mosquitto_sub needs is in TETHERD_MOSQUITTO: "-h broker.lan -u me -P secret"; better in
# the file that it reads by itself, ~/.config/mosquitto_sub.
# With --parse the lines are read from stdin instead.
set -eu

ctl=${TETHERCTL:-tetherctl}

# One member of a JSON object on one line: a number, or a word in quotes.
member() {
	printf '%s' "$line" | sed -n 's/.*[{,] *"'"$1"'" *: *"\{0,1\}\([^",} ]*\).*/\1/p'
}

number() {
	case $1 in '' | *[!0-9]*) return 1 ;; esac
}

report() {
	status=0
	while IFS= read -r line; do
		# Others of its messages report no battery.
		[ "$(member _type)" = location ] || continue
		percent=$(member batt)
		number "$percent" || continue
		set -- --battery "$percent" --source owntracks
		# 0: unknown.
		case $(member bs) in
		1) set -- "$@" --not-charging ;;
		2 | 3) set -- "$@" --charging ;;
		esac
		case $(member conn) in
		w) set -- "$@" --network wifi ;;
		m) set -- "$@" --network cellular ;;
		esac
		# What the broker had kept, or the phone sends late, is as old as it says.
		at=$(member created_at)
		number "$at" || at=$(member tst)
		if number "$at"; then set -- "$@" --at "$at"; fi
		"$ctl" heartbeat "$@" || status=$?
	done
	return "$status"
}

case ${1-} in
--parse) report ;;
'')
	# Words are split on purpose: options.
	# shellcheck disable=SC2086
	mosquitto_sub ${TETHERD_MOSQUITTO-} \
		-t "${TETHERD_OWNTRACKS_TOPIC:?name the topic, such as owntracks/me/phone}" | report
	;;
*)
	echo "usage: $0 [--parse]" >&2
	exit 64
	;;
esac
