# Sourced by the scripts beside it: a simulator and a daemon in a fresh folder, paired,
# and words to speak to them. Expects BIN, the folder of the built binaries.
# shellcheck shell=bash

LAB=$(mktemp -d "${TMPDIR:-/tmp}/tetherd-lab-XXXXXX")
LAB_SOCKET=$LAB/control.sock
LAB_WAIT_S=60
lab_pids=()

lab_end() {
    local pid
    for pid in "${lab_pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$LAB"
}
trap lab_end EXIT

die() { printf '%s: %s\n' "$0" "$*" >&2; exit 1; }

# until_true WHAT COMMAND...: tries until the command succeeds.
until_true() {
    local what=$1 end=$((SECONDS + LAB_WAIT_S)); shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || die "waited too long for $what; see: $(tail -n 3 "$LAB"/*.log)"
        sleep 0.05
    done
}

# request ID METHOD [PARAMS]: one line for `rpc`.
request() {
    local params=${3:-}
    printf '{"jsonrpc":"2.0","id":"%s","method":"%s","params":%s}\n' "$1" "$2" "${params:-{\}}"
}
rpc() { "$BIN/examples/lines" "$LAB_SOCKET"; }
sim() { request 1 "$@" | "$BIN/examples/lines" "$LAB/sim.sock"; }
status() { request 1 status | rpc; }
# field NAME: its string or number, out of one line of JSON.
field() { sed -E "s/.*\"$1\":\"?([^\",}]*).*/\1/"; }

lab_sim() {
    "$BIN/tether-sim" --control "$LAB/sim.sock" --dir "$LAB/sim" >"$LAB/ready" 2>"$LAB/sim.log" &
    lab_pids+=($!)
    until_true 'the simulator' grep -q endpoint "$LAB/ready"
    lab_config
    cat >>"$LAB/tetherd.toml" <<TOML
[session]
endpoint = "$(field endpoint <"$LAB/ready")"
ca_file = "$(field ca_file <"$LAB/ready")"
TOML
}

lab_config() {
    cat >"$LAB/tetherd.toml" <<TOML
[state]
dir = "$LAB/state"
[socket]
path = "$LAB_SOCKET"
[pacing]
window = "1h"
TOML
}

# lab_daemon [WRAPPER...]: starts the daemon, under the wrapper if there is one.
lab_daemon() {
    : >"$LAB/daemon.log"
    "$@" "$BIN/tetherd" --config "$LAB/tetherd.toml" 2>>"$LAB/daemon.log" &
    lab_pids+=($!)
    DAEMON=$!
    until_true 'the daemon' grep -q ' ready' "$LAB/daemon.log"
}

lab_stop() { kill "$DAEMON"; wait "$DAEMON" || die "the daemon ended with $?"; }

connected() { status | grep -q '"state":"connected"'; }

lab_pair() {
    local qr
    qr=$(request 1 session.pair | rpc | sed -E 's/.*"qr":"([^"]*)".*/\1/')
    sim phone.scan "{\"qr\":\"$qr\"}" | grep -q device || die 'the phone cannot scan the code'
    until_true 'the session' connected
}

# send_requests FIRST LAST: as many lines for `rpc`. The key lies in the message's record;
# the text has its number after the 80 characters that the record previews.
send_requests() {
    awk -v first="$1" -v last="$2" 'BEGIN {
        rest = sprintf("%90s", ""); gsub(" ", ".", rest)
        for (n = first; n <= last; n++)
            printf "{\"jsonrpc\":\"2.0\",\"id\":\"ask-%04d\",\"method\":\"message.send\",\"params\":{\"to\":\"+15550%03d\",\"text\":\"%s body-%04d\",\"key\":\"record-%04d\"}}\n", n, 101 + n % 5, rest, n, n
    }'
}

lab_people() {
    local n
    for n in 1 2 3 4 5; do sim recipient.add "{\"number\":\"+1555010$n\"}" >/dev/null; done
}

# quiet N: whether N messages have been read and none is on its way.
quiet() {
    status | grep -q '"sending":0,"unknown":0' &&
        request 1 queue.list '{"filter":{"states":["read"]},"limit":1}' | rpc | grep -q "\"total\":$1"
}
