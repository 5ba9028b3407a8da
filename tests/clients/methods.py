"""Every method of the Python client, once, against a paired daemon.

Arguments: the simulator's socket, a folder to write to, and the names of all methods. Each
answer is compared with the class that names its fields: none may be missing or unknown.
"""

import datetime
import hashlib
import os
import sys
import typing

import tetherd
from tetherd import Client

FRIEND = "+15550111"
OTHER = "+15550112"
NOBODY = "+15550188"
ACCOUNT = "15550100"
JPEG_BYTES = 3000

simulator, folder, *methods = sys.argv[1:]
sim = Client(simulator)
called = set()


class Watched(Client):
    """Notes which methods were called."""

    def _exchange(self, method, params, fds=()):
        called.add(method)
        return super()._exchange(method, params, fds)


def conform(value, kind, where="answer"):
    """Fails unless the value is what the type says, with no field beside."""
    origin = typing.get_origin(kind)
    if kind is typing.Any:
        return
    if origin is typing.Union:
        names = [t for t in typing.get_args(kind) if value.get("event") in event_names(t)]
        assert len(names) == 1, f"{where}: {value}"
        conform(value, names[0], where)
    elif origin is typing.Literal:
        assert value in typing.get_args(kind), f"{where}: {value!r}"
    elif origin is list:
        for n, item in enumerate(value):
            conform(item, typing.get_args(kind)[0], f"{where}[{n}]")
    elif hasattr(kind, "__required_keys__"):
        fields = typing.get_type_hints(kind)
        assert not set(value) - set(fields), f"{where}: unknown {set(value) - set(fields)}"
        missing = kind.__required_keys__ - set(value)
        assert not missing, f"{where}: {missing} missing"
        for name, item in value.items():
            conform(item, fields[name], f"{where}.{name}")
    else:
        assert isinstance(value, kind), f"{where}: {value!r} is no {kind}"


def event_names(kind):
    return typing.get_args(typing.get_type_hints(kind)["event"])


def check(method, kind, *args, **options):
    """Calls, and compares the answer with its type."""
    answer = method(*args, **options)
    conform(answer, kind)
    return answer


def inbox(number):
    return sim.call("recipient.inbox", number=number)["messages"]


def left(client, *sent):
    for one in sent:
        state = client.wait(one["message"]["id"], "delivered", timeout=60)["state"]
        assert state in ("delivered", "read"), state


def send_everything(client):
    sends = [client.send_text(FRIEND, 'hello \U0001f600\n"quoted" \\', key="greeting-1")]
    again = client.send_text(FRIEND, 'hello \U0001f600\n"quoted" \\', key="greeting-1")
    assert again["duplicate"] and again["message"]["id"] == sends[0]["message"]["id"]
    contents = [b"\x89PNG\r\n\x1a\n and some more", b"from a pipe", b"in memory"]
    path = os.path.join(folder, "picture.png")
    with open(path, "wb") as out:
        out.write(contents[0])
    sends.append(client.send_file(FRIEND, path, caption="see this", kind="document"))
    with open(path, "rb") as opened:
        opened.seek(5)
        sends.append(client.send_file(FRIEND, opened, name="again.png", kind="document"))
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as pipe:
        os.write(writer, contents[1])
        os.close(writer)
        sends.append(client.send_file(FRIEND, pipe, mime="text/plain", name="pipe.txt"))
    sends.append(client.send_bytes(FRIEND, contents[2], name="memory.bin", kind="document"))
    sends.append(client.send_location(FRIEND, 52.5, 13.25, name="a place", address="a street"))
    sends.append(client.send_contact(FRIEND, "Somebody", [OTHER], priority="high"))
    preview = {"url": "https://example.com/", "title": "A page"}
    sends.append(client.send_text(FRIEND, "see https://example.com/", preview=preview))
    for sent in sends:
        conform(sent, tetherd.SendResult)
    left(client, *sends)
    arrived = [entry["content"] for entry in inbox(FRIEND)]
    hashes = {content["sha256"] for content in arrived if content and "sha256" in content}
    assert hashes == {hashlib.sha256(content).hexdigest() for content in contents}, arrived
    others = {content["kind"] for content in arrived if content and "sha256" not in content}
    assert others == {"location", "contact", "link"}, arrived
    assert inbox(FRIEND)[0]["text"] == 'hello \U0001f600\n"quoted" \\'
    message = check(client.message_get, tetherd.Message, key="greeting-1")
    assert message["text"] == 'hello \U0001f600\n"quoted" \\'
    assert client.message_get(wa_id=message["wa_id"])["id"] == message["id"]
    reaction = check(client.message_react, tetherd.SendResult, message["id"], "\U0001f44d")
    edit = check(client.message_edit, tetherd.SendResult, message["id"], "hello again")
    revoked = check(client.message_revoke, tetherd.SendResult, message["id"], key="revoked-1")
    assert edit["message"]["reply_to"] == message["id"], edit
    left(client, reaction, edit, revoked)
    # From a host that nobody knows.
    sent = check(client.send_url, tetherd.SendResult, OTHER, "https://lost.example/x", name="x")
    assert client.queue_cancel([sent["message"]["id"]])["not_found"] == []
    try:
        client.send_url(FRIEND, "ftp://example.com/x", name="x")
        raise AssertionError("taken")
    except tetherd.InvalidParams as error:
        assert error.kind == "bad_url", error.kind


def clean_the_queue(client):
    status = check(client.queue_pause, tetherd.Status)
    assert status["queue"]["paused"]
    now = datetime.datetime.now(datetime.timezone.utc)
    later = now + datetime.timedelta(hours=1)
    for n in range(7):
        client.send_text(
            OTHER, f"text {n}", key=f"list-{n}", not_before=later, expires_at="2099-12-31T00:00:00Z"
        )
    listed = [m["key"] for m in client.queue_iter({"key_prefix": "list-"}, page=3)]
    assert listed == [f"list-{n}" for n in range(7)], listed
    page = check(client.queue_list, tetherd.ListResult, {"to": OTHER}, limit=2)
    assert (len(page["messages"]), page["total"]) == (2, 7)
    ids = [m["id"] for m in client.queue_iter({"to": OTHER})]
    would = check(client.queue_clear, tetherd.ClearResult, {"to": OTHER}, dry_run=True)
    assert (would["cleared"], would["dry_run"]) == (7, True)
    cancelled = check(client.queue_cancel, tetherd.CancelResult, ids[:2] + ["m9999"])
    assert cancelled["cancelled"] == ids[:2] and cancelled["not_found"] == ["m9999"]
    again = check(client.queue_cancel, tetherd.CancelResult, ids[:1])
    assert again["not_cancelled"] == [{"id": ids[0], "state": "cancelled"}], again
    would = client.queue_cancel(filter={"to": OTHER, "ids": ids[:3]}, dry_run=True)
    assert (would["cancelled"], would["dry_run"]) == (ids[2:3], True), would
    cleared = check(client.queue_clear, tetherd.ClearResult, {"to": OTHER})
    assert cleared["cleared"] == 5 and "undo_until" in cleared
    restored = check(client.queue_restore, tetherd.RestoreResult, {"ids": ids[:3]})
    assert restored["restored"] == ids[:3], restored
    assert client.queue_clear()["cleared"] == 3
    check(client.queue_resume, tetherd.Status)
    sent = client.send_text(NOBODY, "to nobody")
    assert client.wait(sent["message"]["id"], timeout=60)["state"] == "parked"
    explanation = check(client.explain, tetherd.Explanation)
    assert "not_on_network" in [c["kind"] for c in explanation["conditions"] if c["active"]]
    retried = check(client.queue_retry, tetherd.RetryResult, {"states": ["parked"]}, dry_run=True)
    assert retried["requeued"] == [sent["message"]["id"]]
    check(client.queue_release, tetherd.Status)


def ask_about_the_phone(client):
    checked = check(client.phone_check, tetherd.CheckResult, [FRIEND, NOBODY], fresh=True)
    assert [n["answer"] for n in checked["numbers"]] == ["on_network", "not_on_network"]
    members = [FRIEND, f"+{ACCOUNT}"]
    sim.call("group.add", subject="Walks", members=members)
    groups = check(client.group_list, tetherd.GroupListResult, fresh=True)
    assert [g["name"] for g in groups["groups"]] == ["Walks"]
    now = datetime.datetime.now(datetime.timezone.utc)
    phone = check(
        client.phone_heartbeat,
        tetherd.PhoneStatus,
        battery_percent=80,
        charging=False,
        network="wifi",
        at=now,
        source="test",
    )
    assert phone["battery"]["percent"] == 80


def read_the_inbox(client):
    with client.events(after=0) as events:
        sim.call("recipient.reply", number=FRIEND, text="an answer")
        picture = {"kind": "image", "mime": "image/jpeg", "bytes": JPEG_BYTES, "caption": "look"}
        sim.call("media.send", number=FRIEND, file=picture)
        seen = []
        while len(seen) < 2:
            event = events.read(timeout=60)
            assert event is not None
            conform(event, tetherd.Event)
            if event["event"] == "incoming":
                seen.append(event["message"])
        last, feed = events.seq, events.feed
    try:
        client.events(after=last, feed="00000000000000ff")
        raise AssertionError("another feed is continued")
    except tetherd.FeedRenewed as error:
        assert error.exit_code == 65, error
    with client.events(after=last, feed=feed) as events:
        while (event := events.read(timeout=60))["event"] != "snapshot_end":
            assert event["event"] != "incoming", event
    assert [m.get("text") for m in seen] == ["an answer", "look"], seen
    assert check(client.message_read, tetherd.ReadResult, [1, 2]) == {"read": 2}
    page = check(client.inbox_list, tetherd.InboxListResult, after=0, limit=1)
    assert page["messages"] == seen[:1] and page["newest"] == 2
    assert list(client.inbox_iter()) == seen and list(client.inbox_iter(after=2)) == []
    info, file = client.inbox_file(2)
    conform(info, tetherd.FileInfo)
    with file:
        content = file.read()
        assert not os.get_inheritable(file.fileno())
    assert len(content) == JPEG_BYTES == info["bytes"]
    assert client.inbox_file_bytes(2) == content


def end_the_session(client):
    with client.events() as events:
        sim.call("server.replace_session")
        wait_session(events, "replaced")
        check(client.session_takeover, tetherd.Status)
        wait_session(events, "connected")
        check(client.session_reconnect, tetherd.Status)
        try:
            client.session_pair()
            raise AssertionError("paired twice")
        except tetherd.WrongState as error:
            assert (error.kind, error.exit_code) == ("already_paired", 1)
        check(client.session_logout, tetherd.Status)
        offer = check(client.session_pair, tetherd.PairResult)["offer"]
        assert offer["method"] == "qr" and offer["qr"]
        sim.call("phone.passkey", account=ACCOUNT, on=True, proof="ignored")
        sim.call("phone.scan", qr=offer["qr"], account=ACCOUNT)
        wait_session(events, "passkey_needed")
        offer = check(client.session_pair, tetherd.PairResult)["offer"]
        sign = {"account": ACCOUNT, "options": offer["request"]}
        other = sim.call("phone.sign_passkey", other_credential=True, **sign)
        try:
            client.session_passkey(other)
            raise AssertionError("taken")
        except tetherd.InvalidParams as error:
            assert error.kind == "passkey_wrong_credential"
        check(client.session_passkey, tetherd.Status, sim.call("phone.sign_passkey", **sign))
        code = next(
            event["offer"]["code"]
            for event in events
            if event.get("offer", {}).get("method") == "passkey_code"
        )
        check(client.session_passkey_confirm, tetherd.Status, code)
        sim.call("phone.compare_passkey", account=ACCOUNT, code=code)
        for event in events:
            conform(event, tetherd.Event)
            if event["event"] == "pairing" and "ended" in event:
                assert event["ended"]["result"] == "paired"
                break


def wait_session(events, state):
    for event in events:
        conform(event, tetherd.Event)
        if event["event"] == "status" and event["status"]["session"]["state"] == state:
            return


with sim, Watched() as client:
    assert check(client.version, tetherd.Version)["sim"]
    check(client.status, tetherd.Status)
    if "rpc.discover" in methods:
        assert client.rpc_discover()["openrpc"]
    sim.call("server.stats")
    open_before = os.listdir("/proc/self/fd")
    send_everything(client)
    clean_the_queue(client)
    ask_about_the_phone(client)
    read_the_inbox(client)
    # Whoever calls it by its name has no use for the descriptor: it is closed.
    assert client.call("inbox.file", cursor=2)["file"]["bytes"] == JPEG_BYTES
    assert len(os.listdir("/proc/self/fd")) == len(open_before)
    end_the_session(client)
called.add("events.subscribe")
assert set(methods) <= called, f"never called: {set(methods) - called}"
print("done")
