# shellcheck shell=sh
# What the shell functions do with texts that would break something, and with refusals.
# Arguments: a folder, and how the daemon is reached (told in the texts, to tell runs apart).
set -eu
folder=$1 run=$2
# shellcheck source=contrib/clients/tetherd.sh
. "$folder/clients/tetherd.sh"
cd "$folder"

fail() {
    echo "failed: $*" >&2
    exit 1
}

# expect CODE PART COMMAND...: it ends so, and says this.
expect() {
    wanted=$1 part=$2
    shift 2
    code=0
    said=$("$@" 2>&1) || code=$?
    [ "$code" -eq "$wanted" ] || fail "$* ended with $code: $said"
    case $said in *"$part"*) ;; *) fail "$* said: $said" ;; esac
}

newline='
'
n=0
while IFS= read -r text; do
    n=$((n + 1)) last=$text
    id=$(tetherd_send +15550111 "$text$newline$run" "$run-key-$n")
    [ "$(tetherd_send +15550111 "$text$newline$run" "$run-key-$n")" = "$id" ] || fail "key $n"
done <texts
tetherd_wait "$id" delivered 60 >/dev/null || fail 'not delivered'

# What comes back is what went out, through either way.
back=$(tetherd_call message.get "{\"id\":\"$id\"}" | tetherd_field text)
[ "$back" = "$last$newline$run" ] || fail "$back"
id=$(printf 'from stdin, two line ends\n\n' | tetherd_send +15550111 -)
back=$(
    tetherd_call message.get "{\"id\":\"$id\"}" | tetherd_field text
    echo .
)
[ "$back" = "from stdin, two line ends$newline$newline." ] || fail "$back"
tetherd_wait "$id" >/dev/null

# Every kind of escape that JSON has, and values of every kind.
json='{"a":"\u00e9\ud83d\ude00\"\\\/\n\t!","b":[1,{"c":[]},true,null,-1.5e3],"":{},"a.b":2}'
[ "$(printf '%s' "$json" | tetherd_field a)" = "é😀\"\\/$newline	!" ] || fail 'unescaped'
[ "$(printf '%s' "$json" | tetherd_field b.4)" = -1.5e3 ] || fail 'a number'
[ "$(printf '%s' "$json" | tetherd_field b.1)" = '{"c":[]}' ] || fail 'an object'
[ "$(printf '%s' "$json" | tetherd_field b.2)" = true ] || fail 'true'
for path in b.5 c a.a ''; do
    code=0
    printf '%s' "$json" | tetherd_field "$path" >/dev/null || code=$?
    [ "$code" -eq "$([ -n "$path" ] && echo 1 || echo 0)" ] || fail "$path: $code"
done
for broken in '' '{' '{"a"' '{"a":1' '[1,' '{"a" 1}' '"a'; do
    ! printf '%s' "$broken" | tetherd_field x >/dev/null || fail "taken: $broken"
done
for bytes in '\377' '\300\200' '\355\240\200' '\364\220\200\200' '\342\202' '\342\202x'; do
    # shellcheck disable=SC2059
    bad=$(printf "$bytes")
    expect 65 'not UTF-8' tetherd_send +15550111 "$bad"
done

expect 65 'a recipient is' tetherd_send "nobody'; ls" x
expect 65 '' tetherd_send +15550111 ''
expect 65 'tetherctl show' tetherd_send +15550111 'something else' "$run-key-1"
expect 66 'no such message' tetherd_state m999
expect 66 'm999' tetherd_cancel m999
expect 1 'cannot be withdrawn' tetherd_cancel "$id"
expect 65 'there is no parameter' tetherd_call queue.clear '{"states":[]}'
expect 76 'there is no method' tetherd_call queue.clean
expect 64 'tetherd_send_until' tetherd_send_until 1 +15550111 x
nowhere() { TETHERD_SOCKET="$folder/no where's, :it!" tetherd_status; }
expect 69 "no daemon listens at $folder/no where's, :it!" nowhere
stale() { TETHERD_SOCKET="$folder/stale.sock" tetherd_status; }
expect 69 'no daemon listens at' stale
not_one() { TETHERD_SOCKET="$folder/texts" tetherd_status; }
expect 69 '' not_one
strange() { TETHERD_SOCKET="$folder/it's, a:!\"\\ (link)" tetherd_field_of_status; }
tetherd_field_of_status() { tetherd_status | tetherd_field session.state; }
expect 0 connected strange

parked=$(tetherd_send +15550188 "to nobody, $run")
expect 1 parked tetherd_wait "$parked"
expect 0 not_on_network tetherd_why
[ "$(tetherd_retry "{\"ids\":[\"$parked\"]}")" = 1 ] || fail retry
expect 1 parked tetherd_wait "$parked"
[ "$(tetherd_clear '{"states":["parked"]}')" = 1 ] || fail 'clear parked'
tetherd_pause
for n in 1 2 3 4 5 6 7 8 9 10; do id=$(tetherd_send +15550112 "place $n"); done
expect 124 queued tetherd_wait "$id" sent 0
expect 75 'places' tetherd_send +15550112 'no place'
expect 75 'places' tetherd_send_until 1 +15550112 'no place' "$run-none"
tetherd_release
[ "$(tetherd_list '{"to":"+15550112"}' | tetherd_field total)" = 10 ] || fail list
[ "$(tetherd_would_clear)" = 10 ] || fail would_clear
tetherd_cancel "$id"
[ "$(tetherd_clear '{"to":"+15550112"}')" = 9 ] || fail clear
[ "$(tetherd_restore '{"to":"+15550112"}')" = 10 ] || fail restore
[ "$(tetherd_clear)" = 10 ] || fail 'clear all'
tetherd_resume
expect 0 m tetherd_send_until 60 +15550112 'in the end' "$run-until"

if set | grep -E '^(_tetherd_[a-z]+|reply|params|result|object|request)='; then
    fail 'variables are left behind'
fi
echo 'done'
