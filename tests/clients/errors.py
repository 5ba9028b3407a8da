"""What the Python client does when things go wrong, against a paired daemon with 3 places.

Argument: the simulator's socket. Daemons that misbehave are played here, on sockets beside.
"""

import array
import datetime
import json
import os
import socket
import sys
import tempfile
import threading

import tetherd
from tetherd import Client, TetherdError

FRIEND = "+15550111"
DAEMON = os.environ["TETHERD_SOCKET"]
FOLDER = tempfile.mkdtemp(prefix="tetherd-test-")

sim = Client(sys.argv[1])


def raises(kind, exit_code, of, method, *args, **options):
    """Calls, and answers the error, which must be of this kind and class."""
    try:
        method(*args, **options)
    except TetherdError as error:
        assert (error.kind, error.exit_code) == (kind, exit_code), (error.kind, error.exit_code)
        assert isinstance(error, of), type(error)
        assert error.message and str(error).startswith(error.message.rstrip("."))
        return error
    raise AssertionError(f"no error of kind {kind}")


def misused(method, *args, of=ValueError, **options):
    try:
        method(*args, **options)
    except of:
        return
    raise AssertionError("taken")


class Played:
    """A daemon that is played: each connection goes to the next of these functions."""

    made = 0

    def __init__(self, *scenes):
        Played.made += 1
        self.path = os.path.join(FOLDER, f"{Played.made}.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.connections = 0
        self.ended = threading.Semaphore(0)
        threading.Thread(target=self.serve, args=(scenes,), daemon=True).start()

    def serve(self, scenes):
        for scene in scenes:
            connection, _ = self.listener.accept()
            self.connections += 1
            with connection, connection.makefile("rb") as lines:
                scene(connection, lines)
            self.ended.release()
        self.listener.close()


def say(connection, **line):
    connection.sendall(json.dumps(line).encode() + b"\n")


def answers(*results):
    """Answers so many requests, and closes."""

    def scene(connection, lines):
        for result in results:
            request = json.loads(lines.readline())
            say(connection, id=0, result={"of": "another"})
            say(connection, something="new")
            say(connection, id=request["id"], result=result)

    return scene


def closes(connection, lines):
    lines.readline()


def stalls(connection, lines):
    lines.read()


def what_the_daemon_refuses(client):
    raises("bad_recipient", 65, tetherd.BadRecipient, client.send_text, "nobody", "x")
    raises("bad_text", 65, tetherd.InvalidParams, client.send_text, FRIEND, "")
    raises("not_found", 66, tetherd.NotFound, client.message_get, "m999")
    raises("not_found", 66, tetherd.NotFound, client.inbox_file, 999)
    error = raises("invalid_params", 65, tetherd.InvalidParams, client.call, "queue.clear", x=1)
    assert error.code == -32602
    error = raises("method_not_found", 76, tetherd.ProtocolError, client.call, "queue.clean")
    assert error.remedy is not None and "queue.clear" in error.remedy
    with tempfile.TemporaryFile() as empty:
        raises("bad_file", 65, tetherd.BadFile, client.send_file, FRIEND, empty)
    long = "x" * tetherd.FRAME_BYTES_MAX
    raises("frame_too_long", 65, tetherd.InvalidParams, client.send_text, FRIEND, long)
    raises("bad_text", 65, tetherd.InvalidParams, client.send_text, FRIEND, long[:70_000])
    raises("invalid_params", 65, tetherd.InvalidParams, client.send_text, FRIEND, "\udcff")
    raises("invalid_params", 65, tetherd.InvalidParams, client.send_location, FRIEND, 9e999, 0)
    misused(client.send_text, FRIEND, "x", retry_for=1)
    misused(client.send_text, FRIEND, "x", not_before=datetime.datetime(2099, 1, 1))
    misused(client.send_text, FRIEND, "x", at="tomorrow", of=TypeError)
    misused(client.send_file, FRIEND, os.path.join(FOLDER, "none"), of=FileNotFoundError)
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as pipe:
        os.close(writer)
        misused(client.send_file, FRIEND, pipe, key="k", retry_for=1)


def a_full_queue_is_waited_for(client):
    client.queue_pause()
    for n in range(3):
        client.send_text(FRIEND, f"place {n}", key=f"place-{n}")
    raises("queue_full", 75, tetherd.QueueFull, client.send_text, FRIEND, "no place")
    raises(
        "queue_full", 75, tetherd.QueueFull, client.send_text, FRIEND, "x", key="x", retry_for=0.3
    )
    raises("key_conflict", 65, tetherd.KeyConflict, client.send_text, FRIEND, "y", key="place-1")
    accepted = []

    def send():
        accepted.append(client.send_text(FRIEND, "after all", key="late", retry_for=60))

    sender = threading.Thread(target=send)
    sender.start()
    client.queue_resume()
    sender.join()
    assert client.wait(accepted[0]["message"]["id"], timeout=60)["state"] != "parked"
    texts = [m["text"] for m in sim.call("recipient.inbox", number=FRIEND)["messages"]]
    assert texts == ["place 0", "place 1", "place 2", "after all"], texts


def forwards(drop):
    """Hands the request to the daemon; its answer is lost, or comes back."""

    def scene(connection, lines):
        with socket.socket(socket.AF_UNIX) as daemon:
            daemon.connect(DAEMON)
            daemon.sendall(lines.readline())
            answer = daemon.makefile("rb").readline()
        if not drop:
            connection.sendall(answer)

    return scene


def an_answer_that_is_lost_is_asked_for_again(client):
    played = Played(forwards(True), forwards(True), forwards(False))
    with Client(played.path) as lossy:
        error = raises(
            "closed", 74, tetherd.ConnectionLost, lossy.send_text, FRIEND, "once", key="once"
        )
        assert isinstance(error, tetherd.OutcomeUnknown) and error.remedy
        sent = lossy.send_text(FRIEND, "once", key="once", retry_for=60)
    assert sent["duplicate"] and played.connections == 3
    client.wait(sent["message"]["id"], timeout=60)
    texts = [m["text"] for m in sim.call("recipient.inbox", number=FRIEND)["messages"]]
    assert texts.count("once") == 1


def there_is_no_daemon():
    nowhere = os.path.join(FOLDER, "nowhere.sock")
    with Client(nowhere) as client:
        error = raises("no_daemon", 69, tetherd.NoDaemon, client.status)
        assert nowhere in error.message
        raises("no_daemon", 69, tetherd.NoDaemon, client.events)
        raises(
            "no_daemon", 69, tetherd.NoDaemon, client.send_text, "+1", "x", key="x", retry_for=0.2
        )
    stale = os.path.join(FOLDER, "stale.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(stale)
    raises("no_daemon", 69, tetherd.NoDaemon, Client(stale).status)
    raises("cannot_connect", 69, tetherd.NoDaemon, Client("/x" * 100).status)


def connections_that_end_are_made_again():
    played = Played(answers({"n": 1}, {"n": 2}), answers({"n": 3}), closes, answers({"n": 4}))
    with Client(played.path, timeout=30) as client:
        assert [client.call("status")["n"] for _ in range(2)] == [1, 2]
        # Before it ended, the next call would have been lost with it.
        played.ended.acquire()
        assert client.call("status")["n"] == 3
        played.ended.acquire()
        raises("closed", 74, tetherd.ConnectionLost, client.status)
        assert client.call("status")["n"] == 4
    with Client(Played(stalls, answers({"n": 5})).path, timeout=0.2) as client:
        raises("no_answer", 74, tetherd.ConnectionLost, client.status)
        client._timeout = 60
        assert client.call("status")["n"] == 5
    client = Client(Played(stalls).path)
    waiting = threading.Thread(
        target=raises, args=("closed", 74, tetherd.ConnectionLost, client.status)
    )
    waiting.start()
    client.close()
    waiting.join()
    raises("closed", 74, tetherd.ConnectionLost, client.status)


def what_is_said_is_bounded_and_understood():
    def endless(connection, lines):
        try:
            while True:
                connection.sendall(b"x" * 65536)
        except OSError:
            pass

    def nonsense(connection, lines):
        lines.readline()
        connection.sendall(b"hello\n")

    def busy(connection, lines):
        error = {"code": 1013, "message": "too many", "data": {"kind": "too_many_connections"}}
        say(connection, id=None, error=error)

    def newer(connection, lines):
        request = json.loads(lines.readline())
        error = {
            "code": 2000,
            "message": "new",
            "data": {"kind": "brand_new", "retry_after_ms": 1500},
        }
        say(connection, id=request["id"], error=error)

    with Client(Played(endless).path) as client:
        raises("not_understood", 76, tetherd.ProtocolError, client.status)
    with Client(Played(nonsense).path) as client:
        raises("not_understood", 76, tetherd.ProtocolError, client.status)
    with Client(Played(busy).path) as client:
        assert raises("too_many_connections", 75, TetherdError, client.status).is_temporary
    with Client(Played(newer).path) as client:
        assert raises("brand_new", 76, TetherdError, client.status).retry_after == 1.5


def no_descriptor_is_left_open():
    passed = os.path.join(FOLDER, "passed")
    with open(passed, "w", encoding="ascii"):
        pass

    def generous(connection, lines):
        for count in (2, 0, 1):
            request = json.loads(lines.readline())
            line = json.dumps({"id": request["id"], "result": {"file": {}}}).encode() + b"\n"
            fd = os.open(passed, os.O_RDONLY)
            rights = array.array("i", [fd] * count)
            connection.sendmsg([line], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            os.close(fd)

    played = Played(generous)
    with Client(played.path) as client:
        raises("not_understood", 76, tetherd.ProtocolError, client.inbox_file, 1)
        raises("not_understood", 76, tetherd.ProtocolError, client.inbox_file, 1)
        client.status()
        played.ended.acquire()
        opened = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
        assert passed not in [os.readlink(fd) for fd in opened if os.path.islink(fd)]


def threads_may_share_a_client(client):
    wrong = []

    def ask(name):
        for _ in range(20):
            method = client.version if name % 2 else client.status
            if ("protocol" in method()) != bool(name % 2):
                wrong.append(name)

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def event(connection, seq, **params):
    say(connection, method="event", params={"seq": seq, "at": "2026-01-01T00:00:00Z", **params})


asked_after = []


def tells(*seqs, cut=False):
    def scene(connection, lines):
        request = json.loads(lines.readline())
        asked_after.append((request["params"].get("after"), request["params"].get("feed")))
        say(connection, id=request["id"], result={"seq": 7, "feed": "one"})
        event(connection, 3, event="message", message={})
        if cut:
            return
        event(connection, 7, event="snapshot_end")
        event(connection, 7, event="brand_new")
        for seq in seqs:
            event(connection, seq, event="incoming", message={"cursor": seq})

    return scene


def a_stream_goes_on_where_it_was(client):
    gap = {"from": 12, "to": 19}

    def refuses(connection, lines):
        lines.readline()
        error = {"code": 1012, "message": "going down", "data": {"kind": "shutting_down"}}
        say(connection, id=1, error=error)

    def told_gap(connection, lines):
        request = json.loads(lines.readline())
        asked_after.append((request["params"].get("after"), request["params"].get("feed")))
        say(connection, id=request["id"], result={"seq": 21, "feed": "two"})
        event(connection, 11, event="gap", of="incoming", gap=gap)
        event(connection, 20, event="incoming", message={"cursor": 20})
        stalls(connection, lines)

    # A snapshot that is cut off is begun again; after it, the last number counts.
    played = Played(tells(cut=True), tells(8, 9), refuses, tells(10, 11), told_gap)
    with Client(played.path) as here, here.events() as events:
        told = []
        while events.seq < 20:
            one = events.read(timeout=60)
            assert one is not None
            told.append((one["event"], one["seq"]))
        nothing = (None, None)
        assert asked_after == [nothing, nothing, (9, "one"), (11, "one")], asked_after
        assert events.feed == "two"
        wanted = [("message", 3), ("message", 3), ("snapshot_end", 7), ("incoming", 8)]
        wanted += [("incoming", 9), ("message", 3), ("snapshot_end", 7), ("incoming", 10)]
        assert told == wanted + [("incoming", 11), ("gap", 11), ("incoming", 20)], told
        assert events.read(timeout=0.05) is None
        reader = threading.Thread(target=lambda: told.extend(events))
        reader.start()
        events.close()
        reader.join()
        assert list(events) == []


def a_stream_gives_up_where_trying_again_is_no_use():
    def denies(connection, lines):
        lines.readline()
        error = {"code": 1006, "message": "no", "data": {"kind": "denied"}}
        say(connection, id=1, error=error)

    with Client(Played(tells(8), denies).path).events() as events:
        raises("denied", 77, tetherd.NotAllowed, lambda: list(events))
    played = Played(tells(8))
    with Client(played.path).events(give_up_after=0.3) as events:
        error = raises("no_daemon", 69, tetherd.NoDaemon, lambda: list(events))
        assert played.path in error.message
    # A close from another thread also ends the wait for a daemon that does not come back.
    events = Client(Played(tells(8)).path).events()
    reader = threading.Thread(target=lambda: list(events))
    reader.start()
    events.close()
    reader.join()


def the_socket_is_looked_for_as_tetherctl_does():
    saved = dict(os.environ)
    own = [] if os.geteuid() == 0 else ["/run/user/7/tetherd/control.sock"]
    try:
        del os.environ["TETHERD_SOCKET"]
        os.environ["XDG_RUNTIME_DIR"] = "/run/user/7"
        assert tetherd.socket_paths() == own + [tetherd.SYSTEM_SOCKET]
        os.environ["XDG_RUNTIME_DIR"] = "relative"
        assert tetherd.socket_paths() == [tetherd.SYSTEM_SOCKET]
        os.environ["TETHERD_SOCKET"] = "/named"
        assert tetherd.socket_paths() == ["/named"]
    finally:
        os.environ.update(saved)


with sim, Client() as client:
    what_the_daemon_refuses(client)
    a_full_queue_is_waited_for(client)
    an_answer_that_is_lost_is_asked_for_again(client)
    threads_may_share_a_client(client)
    there_is_no_daemon()
    connections_that_end_are_made_again()
    what_is_said_is_bounded_and_understood()
    no_descriptor_is_left_open()
    a_stream_goes_on_where_it_was(client)
    a_stream_gives_up_where_trying_again_is_no_use()
    the_socket_is_looked_for_as_tetherctl_does()
for name in os.listdir(FOLDER):
    os.unlink(os.path.join(FOLDER, name))
os.rmdir(FOLDER)
print("done")
