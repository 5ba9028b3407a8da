# Reads `strace -f -y` of tetherd and checks what it shows from outside:
# - each message: the writes of its record and body to the journal, then an fdatasync on it
#   that begins after them and succeeds, and only then its reply on the socket;
# - those up to `alone`, sent one at a time with nothing else going on: not one write to
#   the journal between that fdatasync and the reply;
# - between the replies `idle-begin` and `idle-end`: no write to a file, and no sync.
# Needs: -v messages=N -v alone=N.

function fail(what) { print "outside: " what; failures++ }

# A call's name, its descriptor's path, and whether this line begins or ends it (or both).
function read_line(   text, at) {
    pid = $1
    begins = ends = 0
    if (match($0, /<\.\.\. [a-z0-9_]+ resumed>/)) {
        call = substr($0, RSTART + 5, RLENGTH - 14)
        path = open_path[pid]
        ends = 1
    } else if (match($0, /^[0-9]+ +[a-z0-9_]+\(/)) {
        text = substr($0, 1, RSTART + RLENGTH - 2)
        sub(/^[0-9]+ +/, "", text)
        call = text
        path = ""
        text = substr($0, RSTART + RLENGTH, 4096)
        if (match(text, /^[0-9]+</)) {
            path = substr(text, RSTART + RLENGTH)
            at = index(path, ">,")
            if (!at) at = index(path, ">)")
            if (!at) at = index(path, "> <unfinished")
            path = substr(path, 1, at - 1)
        }
        begins = 1
        if ($0 ~ /<unfinished \.\.\.>$/) open_path[pid] = path
        else ends = 1
    }
}

# Notes the first line with each marker: `wrote` when its write began, `done` when it was over.
function note_markers(   rest, marker, n) {
    rest = $0
    n = 0
    while (match(rest, /(record|body)-[0-9][0-9][0-9][0-9]/)) {
        marker = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        if (!(marker in seen)) {
            seen[marker] = 1
            pending[pid, ++n] = marker
        }
    }
    pending_count[pid] = n
}

{
    read_line()
    if (!begins && !ends) next
    is_journal = path ~ /\/store\/journal$/
    if (call == "pwrite64") {
        if (begins && is_journal) { last_write = NR; note_markers() }
        if (ends && is_journal) {
            if ($0 !~ /= [1-9][0-9]*$/) fail("a write to the journal failed: line " NR)
            for (n = 1; n <= pending_count[pid]; n++) done[pending[pid, n]] = NR
            pending_count[pid] = 0
        }
        if (idle && begins) fail("idle, and wrote to " path)
    } else if (call == "fdatasync" || call == "fsync") {
        if (begins && is_journal && call == "fdatasync") sync_began[pid] = NR
        # The latest sync that is over, by when it began: what was written before is safe.
        if (ends && is_journal && call == "fdatasync") {
            if ($0 !~ /= 0$/) fail("a sync of the journal failed: line " NR)
            if (sync_began[pid] > safe) safe = sync_began[pid]
            syncs++
        }
        if (idle && begins) fail("idle, and synced " path)
    } else if (begins && path ~ /socket|UNIX/ && match($0, /\\"id\\":\\"[a-z]+-[a-z0-9]+\\"/)) {
        id = substr($0, RSTART + 9, RLENGTH - 11)
        if (id == "idle-begin") { idle = 1; idles++ }
        else if (id == "idle-end") { idle = 0; idles++ }
        else if (id ~ /^ask-/) {
            n = substr(id, 5)
            if ($0 !~ /\\"result\\":/) fail("message " n " was refused")
            replies++
            for (k = 1; k <= 2; k++) {
                marker = (k == 1 ? "record-" : "body-") n
                if (!(marker in done)) fail(marker " was answered before it was written")
                else if (done[marker] > safe) fail(marker " was answered before it was synced")
            }
            if (n + 0 <= alone && last_write > safe)
                fail("something was written between the sync and the reply of " n)
        }
    } else if (idle && begins && call == "write" && path ~ /^\// && path !~ /daemon\.log$/) {
        fail("idle, and wrote to " path)
    }
}

END {
    if (replies != messages) fail(replies + 0 " replies were seen, not " messages)
    if (idles != 2) fail("the idle time was not seen")
    if (failures) { print "outside: " failures " failures"; exit 1 }
    printf "outside: %d replies, each after the sync of its record (%d syncs of the journal); ", replies, syncs
    print "nothing written or synced while idle"
}
