# shellcheck shell=sh
# Speaks to tetherd from shell scripts. Source it: . /path/to/tetherd.sh
#
#     . ./tetherd.sh
#     id=$(tetherd_send +15550100 "hello" greeting-1) || exit
#     tetherd_wait "$id" delivered 60
#
# Needs awk, od, sed and tr, and one of socat, nc (OpenBSD's, for -U and -N) and python3.
# Runs under `set -eu`, in dash, bash and busybox's ash; leaves no variable behind.
#
# The daemon is looked for as tetherctl does: TETHERD_SOCKET, or the user's own daemon, then
# the system's. TETHERD_TIMEOUT is how many seconds an answer may take (30).
#
# What goes wrong is one sentence on stderr, and the exit code that tetherctl ends with:
#     1  the answer was no          65  what was given makes no sense
#    66  not there                  69  no daemon, or nothing to reach it with
#    70  a bug                      74  the outcome is unknown: send again with the same key
#    75  not now: try again later   76  not understood
#    77  not allowed               124  the time is over (tetherd_wait)
#
# No text, number or key is given to a program as an argument: `ps` shows none of them.
# Files cannot be sent from here, nor fetched: descriptors do not go through socat or nc. Use
# tetherctl or tetherd.py. Events are for a program that reads them steadily: tetherctl events.

# tetherd_call METHOD [PARAMS]: the result, a line of JSON.
tetherd_call() (
    reply=$(_tetherd_ask "$1" "${2:-"{}"}") || exit
    if printf '%s\n' "$reply" | _tetherd_json result raw; then
        exit 0
    fi
    kind=$(printf '%s\n' "$reply" | _tetherd_json error.data.kind) ||
        _tetherd_fail 76 'the answer is not understood'
    sentence=$(printf '%s\n' "$reply" | _tetherd_json error.message) || sentence=$kind
    remedy=$(printf '%s\n' "$reply" | _tetherd_json error.data.remedy) || remedy=
    case $remedy in "tetherctl "*) remedy="run \`$remedy\`" ;; esac
    _tetherd_fail "$(_tetherd_code "$kind")" "${sentence%.}${remedy:+; $remedy}"
)

# tetherd_send NUMBER TEXT [KEY]: sends a text, and prints the message's id. The number may be
# a JID; the text `-` is read from stdin, without its last line end.
tetherd_send() (
    params=$(_tetherd_text "$@") || exit
    result=$(tetherd_call message.send "$params") || exit
    printf '%s\n' "$result" | _tetherd_json message.id
)

# tetherd_send_until SECONDS NUMBER TEXT KEY: the same, and again while there is no place, no
# daemon or no answer. The key is what makes that safe: the message leaves once.
tetherd_send_until() (
    _tetherd_needs_way >/dev/null || exit
    [ -n "${4:-}" ] || _tetherd_fail 64 'tetherd_send_until SECONDS NUMBER TEXT KEY'
    end=$(($(date +%s) + $1)) pause=1
    shift
    params=$(_tetherd_text "$@") || exit
    while :; do
        code=0
        result=$(tetherd_call message.send "$params") || code=$?
        case $code in
        0)
            printf '%s\n' "$result" | _tetherd_json message.id
            exit
            ;;
        69 | 74 | 75) ;;
        *) exit "$code" ;;
        esac
        left=$((end - $(date +%s)))
        [ "$left" -gt 0 ] || exit "$code"
        [ "$pause" -le "$left" ] || pause=$left
        sleep "$pause"
        [ "$pause" -ge 30 ] || pause=$((pause * 2))
    done
)

# tetherd_state ID: where a message stands.
tetherd_state() (
    params=$(_tetherd_object id "$1") || exit
    result=$(tetherd_call message.get "$params") || exit
    printf '%s\n' "$result" | _tetherd_json state
)

# tetherd_wait ID [sent|delivered [SECONDS]]: waits until a message is as far as that, and
# prints where it is. 1: it will not get there. 124: the time is over, and it waits on.
tetherd_wait() (
    # Without one there is nothing to wait for.
    _tetherd_needs_way >/dev/null || exit
    until=${2:-sent} seconds=${3:-}
    [ -z "$seconds" ] || end=$(($(date +%s) + seconds))
    while :; do
        code=0
        state=$(tetherd_state "$1") || code=$?
        case $code:$state:$until in
        0:sent:sent | 0:delivered:* | 0:read:*)
            printf '%s\n' "$state"
            exit 0
            ;;
        0:parked:* | 0:failed:* | 0:expired:* | 0:cancelled:*)
            printf '%s\n' "$state"
            exit 1
            ;;
        # The daemon may be starting again.
        0:* | 69:* | 74:* | 75:*) ;;
        *) exit "$code" ;;
        esac
        if [ -n "$seconds" ] && [ "$(date +%s)" -ge "$end" ]; then
            [ "$code" -eq 0 ] || exit "$code"
            printf '%s\n' "$state"
            exit 124
        fi
        sleep 1
    done
)

# tetherd_why: why messages wait, in sentences, and what to type.
tetherd_why() (
    result=$(tetherd_call explain) || exit
    printf '%s\n' "$result" | _tetherd_json summary
    n=0
    while why=$(printf '%s\n' "$result" | _tetherd_json "conditions.$n.why"); do
        if [ "$(printf '%s\n' "$result" | _tetherd_json "conditions.$n.active")" = true ]; then
            kind=$(printf '%s\n' "$result" | _tetherd_json "conditions.$n.kind")
            by_itself=$(printf '%s\n' "$result" | _tetherd_json "conditions.$n.by_itself")
            printf '%s: %s %s\n' "$kind" "$why" "$by_itself"
            remedy=$(printf '%s\n' "$result" | _tetherd_json "conditions.$n.remedy") &&
                printf '  %s\n' "$remedy"
        fi
        n=$((n + 1))
    done
)

# tetherd_clear [FILTER]: withdraws what matches a filter such as {"to":"+15550100"}; without
# one, everything that has not left. Tells how many. tetherd_would_clear changes nothing.
tetherd_clear() (
    result=$(tetherd_call queue.clear "{\"filter\":${1:-"{}"}}") || exit
    printf '%s\n' "$result" | _tetherd_json cleared
)
tetherd_would_clear() (
    result=$(tetherd_call queue.clear "{\"filter\":${1:-"{}"},\"dry_run\":true}") || exit
    printf '%s\n' "$result" | _tetherd_json cleared
)

# tetherd_cancel ID: withdraws one message. 1: it is on its way, or finished.
tetherd_cancel() (
    id=$(printf '%s' "$1" | tetherd_string) || exit
    result=$(tetherd_call queue.cancel "{\"ids\":[$id]}") || exit
    if printf '%s\n' "$result" | _tetherd_json cancelled.0 >/dev/null; then
        exit 0
    fi
    state=$(printf '%s\n' "$result" | _tetherd_json not_cancelled.0.state) ||
        _tetherd_fail 66 "there is no message $1"
    _tetherd_fail 1 "$1 is $state and cannot be withdrawn"
)

# tetherd_retry [FILTER]: puts parked messages back. tetherd_restore [FILTER]: takes clear and
# cancel back. Each prints how many.
tetherd_retry() (
    result=$(tetherd_call queue.retry "{\"filter\":${1:-"{}"}}") || exit
    printf '%s\n' "$result" | _tetherd_count requeued
)
tetherd_restore() (
    result=$(tetherd_call queue.restore "{\"filter\":${1:-"{}"}}") || exit
    printf '%s\n' "$result" | _tetherd_count restored
)

tetherd_pause() { tetherd_call queue.pause >/dev/null; }
tetherd_resume() { tetherd_call queue.resume >/dev/null; }
tetherd_release() { tetherd_call queue.release >/dev/null; }

# tetherd_status, tetherd_list [FILTER]: the daemon's JSON, for jq or tetherd_field.
tetherd_status() { tetherd_call status; }
tetherd_list() { tetherd_call queue.list "{\"filter\":${1:-"{}"}}"; }

# tetherd_field PATH: out of JSON on stdin, the value at a path such as `messages.0.to`. A
# string comes as it is, anything else as JSON. 1: there is none.
tetherd_field() { _tetherd_json "$1"; }

# tetherd_string: what is on stdin, every byte of it, as a JSON string. 65: it is not UTF-8.
# The string is ASCII, so that no locale and no awk can spoil it.
tetherd_string() (
    od -An -v -tu1 | LC_ALL=C awk '
        function unit(n) { printf "\\u%04x", n }
        function spoilt() { bad = 1; exit 65 }
        BEGIN { printf "\"" }
        {
            for (i = 1; i <= NF; i++) {
                byte = $i + 0
                if (more) {
                    # The second byte of a sequence is what shows overlong ones, surrogates,
                    # and what lies beyond the last character.
                    if (byte < low || byte > high) spoilt()
                    low = 128; high = 191
                    point = point * 64 + byte - 128
                    if (--more) continue
                    if (point < 65536) { unit(point); continue }
                    point -= 65536
                    unit(55296 + int(point / 1024)); unit(56320 + point % 1024)
                } else if (byte == 34) printf "\\\""
                else if (byte == 92) printf "\\\\"
                else if (byte < 32 || byte == 127) unit(byte)
                else if (byte < 127) printf "%c", byte
                else {
                    low = 128; high = 191
                    if (byte >= 194 && byte <= 223) { more = 1; point = byte - 192 }
                    else if (byte >= 224 && byte <= 239) { more = 2; point = byte - 224 }
                    else if (byte >= 240 && byte <= 244) { more = 3; point = byte - 240 }
                    else spoilt()
                    if (byte == 224) low = 160
                    if (byte == 237) high = 159
                    if (byte == 240) low = 144
                    if (byte == 244) high = 143
                }
            }
        }
        END {
            if (bad || more) exit 65
            printf "\"\n"
        }
    ' || _tetherd_fail 65 'the text is not UTF-8'
)

# What follows is for the functions above.

_tetherd_fail() {
    printf 'tetherd: %s\n' "$2" >&2
    exit "$1"
}

# The exit code for each kind of error.
_tetherd_code() {
    case $1 in
    already_paired | account_barred | not_paired | pairing_failed | wrong_state) echo 1 ;;
    passkey_refused | passkey_timed_out) echo 1 ;;
    passkey_malformed | passkey_wrong_origin | passkey_wrong_challenge) echo 65 ;;
    passkey_wrong_credential | passkey_code_differs) echo 65 ;;
    key_conflict | bad_recipient | bad_text | bad_file | bad_url) echo 65 ;;
    file_too_large | frame_too_long | invalid_params | feed_renewed) echo 65 ;;
    not_found | file_gone) echo 66 ;;
    internal_error) echo 70 ;;
    outcome_unknown) echo 74 ;;
    queue_full | shutting_down | too_many_connections | spool_full | too_slow) echo 75 ;;
    check_budget_spent | disk_full) echo 75 ;;
    parse_error | invalid_request | method_not_found) echo 76 ;;
    denied) echo 77 ;;
    *) echo 76 ;;
    esac
}

# Parameters of message.send from NUMBER TEXT [KEY].
_tetherd_text() {
    [ $# -ge 2 ] || _tetherd_fail 64 'a number and a text are needed'
    if [ "$2" = - ]; then
        # The shell cuts line ends off, all of them: one is to go.
        text=$(
            cat
            echo .
        )
        text=${text%.}
        newline='
'
        set -- "$1" "${text%"$newline"}" "${3:-}"
    fi
    if [ -n "${3:-}" ]; then
        _tetherd_object to "$1" text "$2" key "$3"
    else
        _tetherd_object to "$1" text "$2"
    fi
}

# An object of strings from NAME VALUE...
_tetherd_object() {
    object=
    while [ $# -gt 0 ]; do
        value=$(printf '%s' "$2" | tetherd_string) || return
        object="$object${object:+,}\"$1\":$value"
        shift 2
    done
    printf '{%s}\n' "$object"
}

_tetherd_count() (
    list=$(cat) n=0
    while printf '%s\n' "$list" | _tetherd_json "$1.$n" >/dev/null; do n=$((n + 1)); done
    echo "$n"
)

# Asks the first socket that has a daemon. The whole answer, a line of JSON.
_tetherd_ask() (
    params=$(printf '%s' "$2" | tr '\n' ' ')
    request=$(printf '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}' "$1" "$params")
    way=$(_tetherd_needs_way) || exit
    tried=
    if [ -n "${TETHERD_SOCKET:-}" ]; then
        set -- "$TETHERD_SOCKET"
    else
        set -- /run/tetherd/control.sock
        case ${XDG_RUNTIME_DIR:-} in
        /*) [ "$(id -u)" = 0 ] || set -- "$XDG_RUNTIME_DIR/tetherd/control.sock" "$@" ;;
        esac
    fi
    for path in "$@"; do
        said=$(printf '%s\n' "$request" | _tetherd_pass "$way" "$path" 2>&1) || true
        case $said in
        '{'*)
            printf '%s\n' "$said"
            exit 0
            ;;
        *'Connection refused'* | *'No such file'*) tried="$tried${tried:+ or }$path" ;;
        *'Permission denied'*)
            remedy='ask for membership in the group that may ([socket] in the configuration)'
            _tetherd_fail 77 "no permission to open $path; $remedy"
            ;;
        # A daemon that hangs takes no more callers.
        *'temporarily unavailable'* | *'timed out'*) _tetherd_fail 69 "nobody takes calls at $path" ;;
        *'onnect'*'rror'* | *'onnect'*'fail'*) _tetherd_fail 69 "cannot connect to $path" ;;
        *)
            remedy='send again with the same key, or look what became of it'
            _tetherd_fail 74 "the daemon did not answer; $remedy"
            ;;
        esac
    done
    _tetherd_fail 69 "no daemon listens at $tried; start tetherd, or name its socket in TETHERD_SOCKET"
)

_tetherd_needs_way() {
    _tetherd_way || _tetherd_fail 69 'one of socat, nc (with -U and -N) and python3 is needed'
}

# What there is to reach a socket with.
_tetherd_way() {
    if command -v socat >/dev/null; then
        echo socat
    elif command -v nc >/dev/null && nc -h 2>&1 | grep -q -e '-N.*[Ss]hutdown'; then
        echo nc
    elif command -v python3 >/dev/null; then
        echo python3
    else
        return 1
    fi
}

# Passes stdin to a socket, and what comes back to stdout. The daemon answers what it was
# asked before it takes the end of our side for a goodbye.
_tetherd_pass() {
    seconds=${TETHERD_TIMEOUT:-30}
    case $1 in
    socat)
        # socat has its own words and marks in an address.
        address=$(printf '%s' "$2" | LC_ALL=C sed 's/[][\\:,!"'\''(){}]/\\&/g')
        LC_ALL=C socat -t "$seconds" - "UNIX-CONNECT:$address,connect-timeout=$seconds"
        ;;
    # Its own limit does not hold while it connects.
    nc)
        if command -v timeout >/dev/null; then set -- "$1" "$2" timeout "$((seconds + 1))"; fi
        path=$2
        shift 2
        LC_ALL=C "$@" nc -N -U -w "$seconds" "$path"
        ;;
    python3)
        LC_ALL=C python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(float(sys.argv[2]))
try:
    s.connect(sys.argv[1])
except OSError as error:
    sys.exit("connect error: %s" % (error.strerror or error))
try:
    s.sendall(sys.stdin.buffer.read())
    sys.stdout.buffer.write(s.makefile("rb").readline())
except OSError as error:
    sys.exit("lost")
' "$2" "$seconds"
        ;;
    esac
}

# _tetherd_json PATH [raw]: the value at a path out of the JSON on stdin.
_tetherd_json() {
    _TETHERD_PATH=$1 _TETHERD_RAW=${2:-} LC_ALL=C awk '
        function blank() { while (index(" \t\r\n", at(0)) && here <= size) here++ }
        function at(n) { return substr(text, here + n, 1) }
        function fail() { failed = 1; exit 2 }
        function hex(n, i, from) {
            for (i = from; i < from + 4; i++)
                n = n * 16 + index("0123456789abcdef", tolower(substr(text, i, 1))) - 1
            return n
        }
        function utf8(n) {
            if (n < 128) return sprintf("%c", n)
            if (n < 2048) return sprintf("%c%c", 192 + int(n / 64), 128 + n % 64)
            if (n < 65536)
                return sprintf("%c%c%c", 224 + int(n / 4096), 128 + int(n / 64) % 64, 128 + n % 64)
            return sprintf("%c%c%c%c", 240 + int(n / 262144), 128 + int(n / 4096) % 64, 128 + int(n / 64) % 64, 128 + n % 64)
        }
        # The string that begins here, without its escapes.
        function string(out, from, c, n) {
            if (at(0) != "\"") fail()
            from = ++here
            while ((c = at(0)) != "\"") {
                if (here > size) fail()
                if (c != "\\") { here++; continue }
                out = out substr(text, from, here - from)
                c = at(1)
                here += 2
                if (c == "u") {
                    n = hex(0, 0, here)
                    here += 4
                    if (n >= 55296 && n < 56320) {
                        n = 65536 + (n - 55296) * 1024 + hex(0, 0, here + 2) - 56320
                        here += 6
                    }
                    if (n) out = out utf8(n)
                } else if (c in escapes) out = out escapes[c]
                else out = out c
                from = here
            }
            out = out substr(text, from, here - from)
            here++
            return out
        }
        # Whatever begins here; printed if its path is the one that is wanted.
        function value(path, from, c, n, out, is_string) {
            blank()
            from = here
            c = at(0)
            if (c == "{" || c == "[") n = members(path, c)
            else if (c == "\"") { is_string = 1; out = string() }
            else {
                while (here <= size && !index(",]} \t\r\n", at(0))) here++
                if (here == from) fail()
            }
            if (path == wanted && !found) {
                found = 1
                print is_string && !raw ? out : substr(text, from, here - from)
            }
        }
        function members(path, open, close_, n, name) {
            close_ = open == "{" ? "}" : "]"
            here++
            blank()
            if (at(0) == close_) { here++; return }
            for (n = 0; ; n++) {
                name = n
                if (open == "{") {
                    blank()
                    name = string()
                    blank()
                    if (at(0) != ":") fail()
                    here++
                }
                value(path == "" ? name : path "." name)
                blank()
                here++
                if (at(-1) == close_) return
                if (at(-1) != ",") fail()
            }
        }
        BEGIN {
            wanted = ENVIRON["_TETHERD_PATH"]
            raw = ENVIRON["_TETHERD_RAW"] != ""
            escapes["n"] = "\n"; escapes["t"] = "\t"; escapes["r"] = "\r"
            escapes["b"] = "\b"; escapes["f"] = "\f"
        }
        { text = text (NR > 1 ? "\n" : "") $0 }
        END {
            if (!failed) {
                here = 1
                size = length(text)
                value("")
            }
            exit failed ? 2 : !found
        }
    '
}
