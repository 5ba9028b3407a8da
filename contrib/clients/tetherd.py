"""A client of tetherd's control socket, with nothing but the standard library.

    from tetherd import Client

    with Client() as client:
        sent = client.send_text("+15550100", "hello", key="greeting-1")
        print(sent["message"]["id"], sent["message"]["state"])

Copy this file to where your program is. It needs Python 3.9 or later, on Linux.

A method of the socket, `noun.verb`, is a method of `Client`, `noun_verb`; `message.send` is
`send_text` and its sisters. Answers are what the daemon wrote, as dictionaries; the classes
below only name their fields. A daemon that is newer than this file may answer fields, names
of states and so on that are not listed here: leave alone what you do not know.

Whatever goes wrong is a `TetherdError`; what this file can tell from the arguments alone is a
`ValueError` or `TypeError`, and a file that cannot be opened an `OSError`. Two of them mean
that nobody knows whether a call was carried out (`OutcomeUnknown`, of which `ConnectionLost`
is one). A message that was sent with a `key` can be sent again under the same key: it leaves
once. `retry_for` does that by itself.

A `Client` may be used by several threads: calls wait for each other. An `EventStream` is for
one thread at a time. `close` of either may be called from any thread, and ends what another
one waits for. Do not use either in a process that was forked after it was made.
"""

from __future__ import annotations

import array
import base64
import datetime
import json
import os
import random
import socket
import stat
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import (
    IO,
    TYPE_CHECKING,
    Any,
    BinaryIO,
    Literal,
    NamedTuple,
    Optional,
    TypedDict,
    Union,
    cast,
)

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

__all__ = [
    "BadFile",
    "BadRecipient",
    "Client",
    "ConnectionLost",
    "EventStream",
    "InboxFile",
    "InvalidParams",
    "KeyConflict",
    "NoDaemon",
    "NotAllowed",
    "NotFound",
    "OutcomeUnknown",
    "ProtocolError",
    "QueueFull",
    "ShuttingDown",
    "TetherdError",
    "WrongState",
    "socket_paths",
]

SYSTEM_SOCKET = "/run/tetherd/control.sock"
"""Where the system's daemon listens."""
FRAME_BYTES_MAX = 1024 * 1024
"""Longest line in either direction, in bytes, its newline included."""
CALL_TIMEOUT_S = 30.0
"""How long a call waits for its answer, by default."""
FILE_TIMEOUT_S = 660.0
"""How long a call waits that passes a file: the daemon copies it before it answers."""
RETRY_PAUSE_S_MAX = 60.0
"""Longest pause of `retry_for`: room may be made before the time that the daemon expects."""
RECONNECT_PAUSE_S_MAX = 10.0
"""Longest pause between two tries of an event stream to reconnect."""
_RETRY_PAUSE_S = 0.1
_READ_BYTES = 64 * 1024
_FDS_MAX = 4
_CONNECT_PAUSE_S = 0.02

Path = Union[str, "os.PathLike[str]"]
When = Union[str, datetime.datetime]
"""A time: RFC 3339, or a `datetime` that knows its time zone."""


# What goes over the wire. Fields that may be absent are in the class that says total=False.

Kind = Literal[
    "text",
    "image",
    "video",
    "audio",
    "voice",
    "document",
    "location",
    "contact",
    "reaction",
    "edit",
    "revoke",
]
State = Literal[
    "preparing", "queued", "sending", "unknown", "parked",
    "sent", "delivered", "read", "failed", "expired", "cancelled",
]  # fmt: skip
Priority = Literal["high", "normal", "low"]
Replace = Literal["new", "edit"]


class Reason(TypedDict, total=False):
    """Why a message is parked, failed or unknown. `kind` is always there."""

    kind: str
    code: int
    detail: str


class _FileInfo(TypedDict):
    bytes: int
    mime: str
    sha256: str


class FileInfo(_FileInfo, total=False):
    """What is known about a message's file."""

    name: str


class _Message(TypedDict):
    id: str
    wa_id: str
    to: str
    state: State
    kind: Kind
    preview: str
    chars: int
    attempts: int
    accepted_at: str
    changed_at: str


class Message(_Message, total=False):
    """One message. `text` is in the answer of `message_get` only."""

    reason: Reason
    key: str
    reply_to: str
    file: FileInfo
    priority: Priority
    not_before: str
    expires_at: str
    undo_until: str
    text: str
    sent_at: str
    delivered_at: str
    read_at: str
    position: int
    expected_at: str
    held_by: str
    after: str


class _SendResult(TypedDict):
    message: Message
    duplicate: bool


class SendResult(_SendResult, total=False):
    """The message as it stands, whether the key named one that was already there, and with
    `replace` the id of the one that it is in place of."""

    replaces: str


class ReadResult(TypedDict):
    """How many were marked as read."""

    read: int


class Filter(TypedDict, total=False):
    """Selects messages: all given conditions must hold. An empty one selects all."""

    states: Sequence[State]
    to: str
    reason: str
    older_than_s: int
    key_prefix: str
    ids: Sequence[str]


class _ListResult(TypedDict):
    messages: list[Message]
    total: int


class ListResult(_ListResult, total=False):
    """A page of messages; `next` is what the following page comes `after`."""

    next: str


class ClearExample(TypedDict):
    """One message that was cleared."""

    id: str
    to: str
    preview: str


class _ClearResult(TypedDict):
    cleared: int
    in_flight: list[str]
    examples: list[ClearExample]
    dry_run: bool


class ClearResult(_ClearResult, total=False):
    """What `queue_clear` withdrew, and until when `queue_restore` brings it back."""

    undo_until: str


class NotCancelled(TypedDict):
    """A message that `queue_cancel` left alone, and where it stands."""

    id: str
    state: State


class _CancelResult(TypedDict):
    cancelled: list[str]
    not_cancelled: list[NotCancelled]
    not_found: list[str]
    dry_run: bool


class CancelResult(_CancelResult, total=False):
    """What `queue_cancel` withdrew, and until when `queue_restore` brings it back."""

    undo_until: str


class RetryResult(TypedDict):
    """What `queue_retry` put back, and what the queue has no place for."""

    requeued: list[str]
    no_place: list[str]
    dry_run: bool


class RestoreResult(TypedDict):
    """What `queue_restore` brought back, and what the queue has no place for."""

    restored: list[str]
    no_place: list[str]
    dry_run: bool


class _CheckedNumber(TypedDict):
    number: str
    answer: Literal["on_network", "not_on_network", "unknown"]
    cached: bool


class CheckedNumber(_CheckedNumber, total=False):
    """Whether a number is on the network. `unknown` is never a no; `why` says more."""

    checked_at: str
    why: str


class CheckResult(TypedDict):
    """One for each number, in the order of the question."""

    numbers: list[CheckedNumber]


class _Group(TypedDict):
    jid: str
    name: str
    size: int
    may_send: bool


class Group(_Group, total=False):
    """A group, whether this account may send to it, and why not."""

    why_not: str
    announcement: bool
    admin: bool
    community: str


class GroupListResult(TypedDict):
    """The account's groups; `current` says whether the answer is good still."""

    groups: list[Group]
    total: int
    asked_at: str
    current: bool


class _BatteryStatus(TypedDict):
    level: Literal["ok", "low", "critical", "unknown"]
    at: str
    received_at: str
    stale: bool


class BatteryStatus(_BatteryStatus, total=False):
    """The last report about the phone's battery."""

    percent: int
    charging: bool
    network: str
    source: str


class _PhoneStatus(TypedDict):
    state: Literal["online", "silent", "offline", "unknown"]
    since: str
    reasons: list["Evidence"]


class PhoneStatus(_PhoneStatus, total=False):
    """Whether the phone is there, and why it is taken to be so."""

    last_seen_at: str
    last_sign: str
    probing_since: str
    unlinked_at: str
    battery: BatteryStatus


class _SessionStatus(TypedDict):
    state: str
    since: str
    connections: int
    replaced: int
    replaced_last_hour: int


class SessionStatus(_SessionStatus, total=False):
    """Where the session with the network stands."""

    account: str
    detail: str
    next_try_at: str
    takeover_at: str
    timelock_until: str


class _QueueStatus(TypedDict):
    capacity: int
    free: int
    preparing: int
    queued: int
    sending: int
    unknown: int
    parked: int
    history: int
    paused: bool


class QueueStatus(_QueueStatus, total=False):
    """How many messages are where."""

    next_send_at: str
    last_send_at: str


class _PacingStatus(TypedDict):
    limit: int
    window_ms: int
    spent: int


class PacingStatus(_PacingStatus, total=False):
    """At most `limit` attempts in any `window_ms`."""

    reserve: int
    next_slot_at: str
    opens_at: str
    slowed_until: str


class StoreStatus(TypedDict):
    """Whether secrets lie encrypted, how many damaged records were quarantined, and the name
    of the feed of events."""

    sealed: bool
    quarantined: int
    feed: str


class Status(TypedDict):
    """The whole state."""

    started_at: str
    session: SessionStatus
    queue: QueueStatus
    pacing: PacingStatus
    store: StoreStatus
    phone: PhoneStatus
    conditions: list["Condition"]


class _Evidence(TypedDict):
    what: str


class Evidence(_Evidence, total=False):
    """Something that was seen."""

    at: str
    age_s: int


class Affected(TypedDict):
    """How many messages a condition touches, and the first of them."""

    count: int
    ids: list[str]


class _Condition(TypedDict):
    kind: str
    active: bool
    holds: Literal["none", "some", "all"]
    ends_by_itself: bool
    why: str
    evidence: list[Evidence]
    affected: Affected
    by_itself: str


class Condition(_Condition, total=False):
    """One thing that makes messages wait, what happens by itself, and what to type."""

    since: str
    until: str
    by_itself_at: str
    remedy: str


class _Explanation(TypedDict):
    summary: str
    waiting: int
    conditions: list[Condition]


class Explanation(_Explanation, total=False):
    """Why messages wait."""

    next_send_at: str
    last_send_at: str


class _Version(TypedDict):
    name: str
    version: str
    protocol: int
    sim: bool


class Version(_Version, total=False):
    """What answers, and which version of the contract it speaks."""

    revision: str


class PairOffer(TypedDict, total=False):
    """What the phone scans (`qr`) or its owner types (`code`), by `method`; then, where the
    phone asks for a passkey, the `request` for a browser, and the `code` that it shows too."""

    method: Literal["qr", "code", "passkey", "passkey_code"]
    qr: str
    code: str
    request: Any
    confirm: bool
    expires_at: str


class PairResult(TypedDict):
    """The first code; later ones come as `pairing` events."""

    offer: PairOffer


class PairEnd(TypedDict, total=False):
    """How a pairing ended. `result` is always there."""

    result: Literal["paired", "timed_out", "failed"]
    account: str
    kind: str
    why: str
    remedy: str


class _Incoming(TypedDict):
    cursor: int
    wa_id: str
    chat: str
    sender: str
    from_me: bool
    sent_at: str
    received_at: str
    kind: str


class Incoming(_Incoming, total=False):
    """A message that somebody sent to the account."""

    name: str
    username: str
    text: str
    cut: bool
    geo: str
    vcard: str
    file: FileInfo
    reply_to: str


Gap = TypedDict("Gap", {"from": int, "to": int})
"""Cursors, or numbers of the changes feed, whose messages are kept no more."""


class _InboxListResult(TypedDict):
    messages: list[Incoming]
    newest: int


class InboxListResult(_InboxListResult, total=False):
    """A page of incoming messages."""

    gap: Gap


class InboxFile(NamedTuple):
    """A file that somebody sent, open for reading. Close it: `with result.file as file:`."""

    info: FileInfo
    file: BinaryIO


class _Frame(TypedDict):
    seq: int
    at: str


class StatusEvent(_Frame):
    """The status, whole."""

    event: Literal["status"]
    status: Status


class MessageEvent(_Frame):
    """A message was accepted, or changed."""

    event: Literal["message"]
    message: Message


class IncomingEvent(_Frame):
    """Somebody sent a message: each exactly once and in order."""

    event: Literal["incoming"]
    message: Incoming


class GapEvent(_Frame):
    """Something that was not sent is kept no more: incoming messages, or messages that finished.

    After `of` "messages" forget those that you take for live; the live ones are sent again.
    """

    event: Literal["gap"]
    of: Literal["messages", "incoming"]
    gap: Gap


class SnapshotEndEvent(_Frame):
    """All that was there has been sent; what follows are changes."""

    event: Literal["snapshot_end"]


class _PairingEvent(_Frame):
    event: Literal["pairing"]


class PairingEvent(_PairingEvent, total=False):
    """Pairing goes on, or ended. Only administrators receive the `offer`."""

    offer: PairOffer
    ended: PairEnd


Event = Union[
    StatusEvent, MessageEvent, IncomingEvent, GapEvent, SnapshotEndEvent, PairingEvent
]
_EVENTS = ("status", "message", "incoming", "gap", "snapshot_end", "pairing")


class SendOptions(TypedDict, total=False):
    """What every kind of message can be sent with.

    `key` makes it safe to send again: the same key with the same content answers the same
    message. `retry_for`, in seconds, sends again by itself while the queue is full or the
    daemon is away, until it is accepted or the time is over; it needs a `key`. The message is
    not sent before `not_before`, and never after `expires_at`. With `replace` the newest content
    of the key wins: while its message waits, it gets this content; once it has left, a new one
    follows ("new") or it is edited ("edit").
    """

    key: str
    replace: Replace
    retry_for: float
    priority: Priority
    not_before: When
    expires_at: When


class FileOptions(SendOptions, total=False):
    """What a file can be sent with, besides.

    `kind` is what it is sent as (`image`, `video`, `audio`, `voice` or `document`) and `mime`
    its type: without them the content decides. `name` is what a document is shown under,
    `caption` a text under it.
    """

    kind: Kind
    name: str
    mime: str
    caption: str


# What goes wrong.


class TetherdError(Exception):
    """Something went wrong. `str` of it is a whole sentence for people."""

    code: Optional[int]
    """The daemon's number; none if the error was made here."""
    kind: str
    """The stable name: the daemon's, or one of those that `tetherctl --json` gives."""
    message: str
    """A sentence."""
    remedy: Optional[str]
    """What to do about it."""
    retry_after: Optional[float]
    """In how many seconds trying again makes sense."""

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        code: Optional[int] = None,
        remedy: Optional[str] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        super().__init__(_sentence(message, remedy))
        self.message = message
        self.kind = kind
        self.code = code
        self.remedy = remedy
        self.retry_after = retry_after

    @property
    def exit_code(self) -> int:
        """What `tetherctl` would end with: `sys.exit(error.exit_code)`."""
        return _EXIT_CODES.get(self.kind, 76)

    @property
    def is_temporary(self) -> bool:
        """Whether the same call may succeed later without anybody's doing."""
        return self.kind in _TEMPORARY or self.retry_after is not None


class NoDaemon(TetherdError):
    """Nobody listens at the socket. Nothing was done."""


class NotAllowed(TetherdError):
    """The socket, or the method, is not open to this user. `remedy` names the group."""


class QueueFull(TetherdError):
    """All places are taken. `retry_after` says when one is expected to be free."""


class ShuttingDown(TetherdError):
    """The daemon is going down. Nothing was done."""


class OutcomeUnknown(TetherdError):
    """What was asked may or may not have been done. A send with a `key` can be repeated."""


class ConnectionLost(OutcomeUnknown):
    """The connection ended before the answer came, or it did not come in time."""


class KeyConflict(TetherdError):
    """The key belongs to a message with other content."""


class NotFound(TetherdError):
    """No such message, or its file cannot be had any more."""


class InvalidParams(TetherdError):
    """The parameters do not fit, or a text or an address among them."""


class BadRecipient(InvalidParams):
    """The recipient is neither a number nor a JID."""


class BadFile(InvalidParams):
    """The file cannot be taken."""


class WrongState(TetherdError):
    """The session is in a state that the call does not fit: paired, or not paired."""


class FeedRenewed(TetherdError):
    """`after` cannot be continued: the daemon's state is another one, or an older copy. Begin
    with 0, and take what comes as new."""


class ProtocolError(TetherdError):
    """The two sides do not understand each other: compare their versions."""


_CLASSES: Mapping[str, type[TetherdError]] = {
    "queue_full": QueueFull,
    "shutting_down": ShuttingDown,
    "outcome_unknown": OutcomeUnknown,
    "key_conflict": KeyConflict,
    "denied": NotAllowed,
    "not_found": NotFound,
    "file_gone": NotFound,
    "invalid_params": InvalidParams,
    "bad_text": InvalidParams,
    "bad_url": InvalidParams,
    "frame_too_long": InvalidParams,
    "bad_recipient": BadRecipient,
    "bad_file": BadFile,
    "file_too_large": BadFile,
    "already_paired": WrongState,
    "account_barred": WrongState,
    "not_paired": WrongState,
    "pairing_failed": WrongState,
    "wrong_state": WrongState,
    "passkey_refused": WrongState,
    "passkey_timed_out": WrongState,
    "passkey_malformed": InvalidParams,
    "passkey_wrong_origin": InvalidParams,
    "passkey_wrong_challenge": InvalidParams,
    "passkey_wrong_credential": InvalidParams,
    "passkey_code_differs": InvalidParams,
    "feed_renewed": FeedRenewed,
    "parse_error": ProtocolError,
    "invalid_request": ProtocolError,
    "method_not_found": ProtocolError,
}

_EXIT_CODES: Mapping[str, int] = {
    "already_paired": 1,
    "account_barred": 1,
    "not_paired": 1,
    "pairing_failed": 1,
    "wrong_state": 1,
    "passkey_refused": 1,
    "passkey_timed_out": 1,
    "passkey_malformed": 65,
    "passkey_wrong_origin": 65,
    "passkey_wrong_challenge": 65,
    "passkey_wrong_credential": 65,
    "passkey_code_differs": 65,
    "feed_renewed": 65,
    "key_conflict": 65,
    "bad_recipient": 65,
    "bad_text": 65,
    "bad_file": 65,
    "bad_url": 65,
    "file_too_large": 65,
    "frame_too_long": 65,
    "invalid_params": 65,
    "not_found": 66,
    "file_gone": 66,
    "no_daemon": 69,
    "cannot_connect": 69,
    "internal_error": 70,
    "outcome_unknown": 74,
    "closed": 74,
    "no_answer": 74,
    "queue_full": 75,
    "shutting_down": 75,
    "too_many_connections": 75,
    "spool_full": 75,
    "disk_full": 75,
    "too_slow": 75,
    "check_budget_spent": 75,
    "parse_error": 76,
    "invalid_request": 76,
    "method_not_found": 76,
    "not_understood": 76,
    "denied": 77,
    "socket_denied": 77,
}

_TEMPORARY = frozenset(
    [
        "queue_full",
        "spool_full",
        "disk_full",
        "shutting_down",
        "too_many_connections",
        "too_slow",
        "check_budget_spent",
        "outcome_unknown",
        "no_daemon",
        "cannot_connect",
        "closed",
        "no_answer",
    ]
)


def _sentence(message: str, remedy: Optional[str]) -> str:
    """Both in one, as `tetherctl` prints them: a remedy is a command, or a sentence."""
    if not remedy:
        return message
    if remedy.startswith("tetherctl "):
        remedy = f"run `{remedy}`"
    return f"{message.rstrip('.')}; {remedy[0].lower()}{remedy[1:].rstrip('.')}"


def _closed(message: str) -> ConnectionLost:
    remedy = "send again with the same key, or look what became of it"
    return ConnectionLost(message, kind="closed", remedy=remedy)


def _error_of(error: Mapping[str, Any]) -> TetherdError:
    data = error.get("data")
    data = data if isinstance(data, dict) else {}
    code = error.get("code")
    kind = str(data.get("kind", _JSON_RPC_KINDS.get(code, "internal_error")))
    after = data.get("retry_after_ms")
    return _CLASSES.get(kind, TetherdError)(
        str(error.get("message", kind)),
        kind=kind,
        code=code if isinstance(code, int) else None,
        remedy=data.get("remedy"),
        retry_after=after / 1000 if isinstance(after, (int, float)) else None,
    )


_JSON_RPC_KINDS: Mapping[Any, str] = {
    -32700: "parse_error",
    -32600: "invalid_request",
    -32601: "method_not_found",
    -32602: "invalid_params",
    -32603: "internal_error",
}


# The socket.


def socket_paths() -> list[str]:
    """The sockets that are tried when none is named, in this order, as `tetherctl` does.

    TETHERD_SOCKET alone if it is set; else the user's own daemon (not for root), then the
    system's.
    """
    named = os.environ.get("TETHERD_SOCKET")
    if named:
        return [named]
    paths = [SYSTEM_SOCKET]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and os.geteuid() != 0:
        paths.insert(0, os.path.join(runtime, "tetherd", "control.sock"))
    return paths


class _Deadline:
    """A point in time that all steps of one call share."""

    def __init__(self, seconds: Optional[float]) -> None:
        self._at = None if seconds is None else time.monotonic() + seconds

    def left(self) -> Optional[float]:
        """Seconds left, 0 at least; none: no end."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    def within(self, seconds: float) -> float:
        """This pause, or what is left of the time if that is less."""
        left = self.left()
        return seconds if left is None else min(seconds, left)

    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self.left() == 0


class _TimeOver(Exception):
    """A deadline passed. What was read so far is kept."""


class _Connection:
    """Lines over one connected socket, and the descriptors that came with them."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._buffer = bytearray()
        self._searched = 0
        self._fds: list[int] = []

    @classmethod
    def open(cls, paths: Sequence[str], deadline: _Deadline) -> _Connection:
        """Connects to the first socket that has a daemon."""
        for path in paths:
            connected = _connect(path, deadline)
            if connected is not None:
                return cls(connected)
        raise NoDaemon(
            f"no daemon listens at {' or '.join(paths)}",
            kind="no_daemon",
            remedy="start tetherd, or name its socket in TETHERD_SOCKET",
        )

    def write(self, line: bytes, fds: Sequence[int], deadline: _Deadline) -> None:
        """Writes a line; the descriptors go with its first byte."""
        try:
            rest = memoryview(line)
            if fds:
                self._set_timeout(deadline)
                rest = rest[socket.send_fds(self._socket, [line], list(fds)) :]
            self._set_timeout(deadline)
            self._socket.sendall(rest)
        except socket.timeout:
            raise _TimeOver from None
        except (BrokenPipeError, ConnectionResetError):
            # The daemon may have said why before it closed: the reader finds out.
            pass

    def read_line(self, deadline: _Deadline) -> bytes:
        """The next line, without its end."""
        while True:
            end = self._buffer.find(b"\n", self._searched)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                self._searched = 0
                return line
            self._searched = len(self._buffer)
            if self._searched >= FRAME_BYTES_MAX:
                sentence = "the daemon wrote a line that is too long"
                raise ProtocolError(sentence, kind="not_understood")
            self._receive(deadline)

    def read(self, deadline: _Deadline) -> dict[str, Any]:
        """The next line, as the object that it is."""
        line = self.read_line(deadline)
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise ProtocolError("the daemon wrote a line that is no object", kind="not_understood")
        return cast("dict[str, Any]", value)

    def take_fds(self) -> list[int]:
        """The descriptors that came; they are the caller's now."""
        fds, self._fds = self._fds, []
        return fds

    def is_stale(self) -> bool:
        """Whether an idle connection cannot be used: closed, or the daemon said something."""
        try:
            self._socket.settimeout(0)
            self._socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            pass
        return True

    def shutdown(self) -> None:
        """Ends the conversation, and wakes whoever reads. May be called by any thread."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self) -> None:
        """Frees the socket, and descriptors that nobody took."""
        _close_all(self.take_fds())
        self._socket.close()

    def _receive(self, deadline: _Deadline) -> None:
        self._set_timeout(deadline)
        room = socket.CMSG_LEN(_FDS_MAX * array.array("i").itemsize)
        try:
            data, control, flags, _ = self._socket.recvmsg(
                _READ_BYTES, room, socket.MSG_CMSG_CLOEXEC
            )
        except socket.timeout:
            raise _TimeOver from None
        except OSError as error:
            raise _closed(f"the connection to tetherd broke: {error.strerror}") from None
        for level, kind, content in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds = array.array("i")
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
                self._fds.extend(fds)
        if flags & socket.MSG_CTRUNC:
            raise _closed("a descriptor could not be received: this process has too many open")
        if not data:
            raise _closed("the connection to tetherd ended before the answer came")
        self._buffer += data

    def _set_timeout(self, deadline: _Deadline) -> None:
        left = deadline.left()
        if left == 0:
            # What is there already may still be taken: 0 would mean "do not wait" to Python,
            # and raise another error.
            left = 0.000_001
        self._socket.settimeout(left)


def _connect(path: str, deadline: _Deadline) -> Optional[socket.socket]:
    """Connects; none if nobody listens there."""
    new = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        while True:
            try:
                # A full backlog is an error to a socket that does not block, and no event says
                # when there is room.
                new.setblocking(False)
                new.connect(path)
                return new
            except BlockingIOError:
                if deadline.is_over():
                    raise
                time.sleep(deadline.within(_CONNECT_PAUSE_S))
    except BaseException as error:
        new.close()
        if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
            return None
        if isinstance(error, PermissionError):
            remedy = "ask for membership in the group that may ([socket] in the configuration)"
            sentence = f"no permission to open {path}"
            raise NotAllowed(sentence, kind="socket_denied", remedy=remedy) from None
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            sentence = f"cannot connect to {path}: {reason}"
            raise NoDaemon(sentence, kind="cannot_connect") from None
        raise


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            pass


def _request(number: int, method: str, params: Mapping[str, Any]) -> bytes:
    request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    try:
        text = json.dumps(request, allow_nan=False, ensure_ascii=False)
        line = text.encode("utf-8") + b"\n"
    except ValueError as error:
        sentence = f"the request cannot be written: {error}"
        raise InvalidParams(sentence, kind="invalid_params") from None
    if len(line) > FRAME_BYTES_MAX:
        sentence = f"the request is longer than {FRAME_BYTES_MAX} bytes"
        raise InvalidParams(sentence, kind="frame_too_long")
    return line


def _answer(line: Mapping[str, Any], number: int) -> Optional[dict[str, Any]]:
    """The result of this request; none if the line is about something else."""
    error = line.get("error")
    if isinstance(error, dict) and line.get("id") in (number, None):
        # One without an id is about the whole connection, which ends with it.
        raise _error_of(error)
    if line.get("id") != number or "result" not in line:
        return None
    result = line["result"]
    if not isinstance(result, dict):
        raise ProtocolError("the daemon's answer is no object", kind="not_understood")
    return cast("dict[str, Any]", result)


def _given(**params: Any) -> dict[str, Any]:
    """The parameters that were given; a time among them as the wire writes it."""
    return {name: _wire(value) for name, value in params.items() if value is not None}


def _wire(value: Any) -> Any:
    if not isinstance(value, datetime.datetime):
        return value
    if value.utcoffset() is None:
        raise ValueError("a time without its time zone: use datetime.now(timezone.utc)")
    return value.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")


class Client:
    """The daemon. It is connected to at the first call, and again after a connection broke.

    Without a path the daemon is looked for as `tetherctl` does: see `socket_paths`. A call
    waits `timeout` seconds for its answer, one that passes a file `FILE_TIMEOUT_S` at least.
    """

    def __init__(self, path: Optional[Path] = None, timeout: float = CALL_TIMEOUT_S) -> None:
        self._paths = None if path is None else [os.fspath(path)]
        self._timeout = timeout
        self._lock = threading.Lock()
        self._connection: Optional[_Connection] = None
        self._last_id = 0
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection. A call that another thread waits for is `ConnectionLost`."""
        self._closed.set()
        connection = self._connection
        if connection is not None:
            connection.shutdown()
        with self._lock:
            self._drop()

    # Any method.

    def call(self, method: str, /, **params: Any) -> dict[str, Any]:
        """Calls a method by its name on the wire: `call("queue.list", limit=10)`."""
        result, fds = self._exchange(method, params)
        _close_all(fds)
        return result

    def _exchange(
        self, method: str, params: Mapping[str, Any], fds: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]:
        """The result, and the descriptors that came with it."""
        with_file = bool(fds) or method == "inbox.file"
        seconds = max(self._timeout, FILE_TIMEOUT_S) if with_file else self._timeout
        deadline = _Deadline(seconds)
        with self._lock:
            self._last_id += 1
            number = self._last_id
            line = _request(number, method, params)
            connection = self._connected(deadline)
            try:
                connection.write(line, fds, deadline)
                while True:
                    reply = connection.read(deadline)
                    if reply.get("id") is None and "error" in reply:
                        self._drop()
                    result = _answer(reply, number)
                    if result is not None:
                        return result, connection.take_fds()
            except _TimeOver:
                self._drop()
                sentence = f"the daemon did not answer within {seconds:g} s"
                remedy = "send again with the same key, or look what became of it"
                raise ConnectionLost(sentence, kind="no_answer", remedy=remedy) from None
            except TetherdError as error:
                # An answer to this very request leaves the connection as it was.
                _close_all(connection.take_fds())
                if error.code is None:
                    self._drop()
                raise
            except BaseException:
                # Interrupted in the middle: the answer would be taken for the next call's.
                self._drop()
                raise

    def _connected(self, deadline: _Deadline) -> _Connection:
        if self._connection is not None and self._connection.is_stale():
            self._drop()
        if self._closed.is_set():
            raise _closed("this client was closed")
        if self._connection is None:
            self._connection = _Connection.open(self._paths or socket_paths(), deadline)
            if self._closed.is_set():
                self._drop()
                raise _closed("this client was closed")
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # The daemon.

    def version(self) -> Version:
        """What answers."""
        return cast(Version, self.call("version"))

    def rpc_discover(self) -> dict[str, Any]:
        """The whole contract, as an OpenRPC document."""
        return self.call("rpc.discover")

    def status(self) -> Status:
        """The whole state."""
        return cast(Status, self.call("status"))

    def explain(self) -> Explanation:
        """Why messages wait: every cause, what happens by itself, and what to type."""
        return cast(Explanation, self.call("explain"))

    # One message.

    def send_text(
        self,
        to: str,
        text: str,
        *,
        preview: Optional[Mapping[str, str]] = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Sends a text to a number (`+` and digits) or a JID.

        `preview` is what is shown for a link in it: `url`, `title`, and where wanted
        `description` and `thumbnail`.
        """
        return self._send(_given(to=to, text=text, preview=preview), options)

    def send_file(
        self, to: str, file: Union[Path, IO[Any]], **options: Unpack[FileOptions]
    ) -> SendResult:
        """Sends a file by its path, or one that is open.

        It is opened here, with this program's rights, and copied by the daemon before this
        returns: what happens to it afterwards does not matter. An open regular file is sent
        from its beginning, anything else (a pipe) to its end.
        """
        if isinstance(file, (str, os.PathLike)):
            own = os.path.basename(os.fspath(file))
            options.setdefault("name", own.encode("utf-8", "replace").decode("utf-8"))
            with open(file, "rb") as opened:
                return self.send_file(to, opened, **options)
        fd = file.fileno()
        if "retry_for" in options and not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("what is no regular file can be read once: retry_for cannot repeat it")
        return self._send_file(to, {"fd": 0}, options, [fd])

    def send_bytes(self, to: str, content: bytes, **options: Unpack[FileOptions]) -> SendResult:
        """Sends a file that is in memory, 512 KiB at most; for more use `send_file`."""
        encoded = base64.b64encode(content).decode("ascii")
        return self._send_file(to, {"base64": encoded}, options)

    def send_url(self, to: str, url: str, **options: Unpack[FileOptions]) -> SendResult:
        """Sends a file that the daemon fetches from the web, once, in the background."""
        return self._send_file(to, {"url": url}, options)

    def send_location(
        self,
        to: str,
        latitude: float,
        longitude: float,
        *,
        name: Optional[str] = None,
        address: Optional[str] = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Sends a place, in degrees north and east."""
        place = _given(latitude=latitude, longitude=longitude, name=name, address=address)
        return self._send({"to": to, "location": place}, options)

    def send_contact(
        self,
        to: str,
        name: str,
        phones: Sequence[str] = (),
        *,
        vcard: Optional[str] = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Sends a contact's card: one made of the name and numbers, or a vCard as it is."""
        card = _given(name=name, phones=list(phones) or None, vcard=vcard)
        return self._send({"to": to, "contact": card}, options)

    def _send_file(
        self, to: str, file: dict[str, Any], options: FileOptions, fds: Sequence[int] = ()
    ) -> SendResult:
        more: dict[str, Any] = dict(options)
        more["as"] = more.pop("kind", None)
        for name in ("as", "name", "mime", "caption"):
            file.update(_given(**{name: more.pop(name, None)}))
        return self._send({"to": to, "file": file}, cast(SendOptions, more), fds)

    def _send(
        self, params: dict[str, Any], options: SendOptions, fds: Sequence[int] = ()
    ) -> SendResult:
        more: dict[str, Any] = dict(options)
        retry_for: Optional[float] = more.pop("retry_for", None)
        unknown = set(more) - {"key", "replace", "priority", "not_before", "expires_at"}
        if unknown:
            raise TypeError(f"there is no option {unknown.pop()!r}")
        params.update(_given(**more))
        if retry_for is None:
            return cast(SendResult, self._exchange("message.send", params, fds)[0])
        if "key" not in params:
            raise ValueError("retry_for needs a key: without one a message may be sent twice")
        return self._send_again(params, fds, _Deadline(retry_for))

    def _send_again(
        self, params: Mapping[str, Any], fds: Sequence[int], deadline: _Deadline
    ) -> SendResult:
        pause = _RETRY_PAUSE_S
        while True:
            try:
                return cast(SendResult, self._exchange("message.send", params, fds)[0])
            except TetherdError as error:
                if not error.is_temporary or deadline.is_over() or self._closed.is_set():
                    raise
                wanted = pause if error.retry_after is None else error.retry_after
                pause = min(pause * 2, RECONNECT_PAUSE_S_MAX)
                wanted = min(max(wanted, _RETRY_PAUSE_S), RETRY_PAUSE_S_MAX)
                # Once more when the time is over: a place may have become free.
                self._closed.wait(deadline.within(wanted))

    def message_react(self, message: str, emoji: str, *, key: Optional[str] = None) -> SendResult:
        """Reacts to a message: `m42` of the daemon's, or `i17` of the inbox."""
        params = _given(message=message, emoji=emoji, key=key)
        return cast(SendResult, self.call("message.react", **params))

    def message_edit(self, id: str, text: str, *, key: Optional[str] = None) -> SendResult:
        """Another wording for a text: in its place while it waits, else by an edit."""
        return cast(SendResult, self.call("message.edit", **_given(id=id, text=text, key=key)))

    def message_revoke(self, id: str, *, key: Optional[str] = None) -> SendResult:
        """Takes a message back: it is withdrawn while it waits, else revoked."""
        return cast(SendResult, self.call("message.revoke", **_given(id=id, key=key)))

    def message_read(self, cursors: Sequence[int]) -> ReadResult:
        """Marks incoming messages as read; refused while there is no connection."""
        return cast(ReadResult, self.call("message.read", cursors=list(cursors)))

    def message_get(
        self,
        id: Optional[str] = None,  # noqa: A002
        *,
        wa_id: Optional[str] = None,
        key: Optional[str] = None,
    ) -> Message:
        """One message, with its whole text, by exactly one of the three."""
        return cast(Message, self.call("message.get", **_given(id=id, wa_id=wa_id, key=key)))

    def wait(
        self,
        id: str,  # noqa: A002
        until: Literal["sent", "delivered"] = "sent",
        timeout: Optional[float] = None,
    ) -> Message:
        """Waits until a message is as far as that, or will not get there.

        Look at the `state` of what is answered. `TimeoutError`: it waits on.
        """
        deadline = _Deadline(timeout)
        done = {"delivered", "read", "parked", "failed", "expired", "cancelled"}
        if until == "sent":
            done.add("sent")
        with self.events() as events:
            # After the subscription: nothing can happen unseen between the two.
            message = self.message_get(id)
            while message["state"] not in done:
                event = events.read(deadline.left())
                if event is None:
                    raise TimeoutError(f"{id} is still {message['state']}")
                if event["event"] == "message" and event["message"]["id"] == id:
                    message = event["message"]
        return message

    # The queue.

    def queue_list(
        self,
        filter: Optional[Filter] = None,  # noqa: A002
        *,
        after: Optional[str] = None,
        limit: Optional[int] = None,
    ) -> ListResult:
        """A page of messages, in the order of acceptance; without states, the live ones."""
        params = _given(filter=filter, after=after, limit=limit)
        return cast(ListResult, self.call("queue.list", **params))

    def queue_iter(
        self,
        filter: Optional[Filter] = None,  # noqa: A002
        *,
        page: Optional[int] = None,
    ) -> Iterator[Message]:
        """All messages that match, page by page."""
        after: Optional[str] = None
        while True:
            result = self.queue_list(filter, after=after, limit=page)
            yield from result["messages"]
            after = result.get("next")
            if after is None:
                return

    def queue_clear(
        self,
        filter: Optional[Filter] = None,  # noqa: A002
        *,
        dry_run: bool = False,
    ) -> ClearResult:
        """Withdraws what matches; without a filter, everything that has not left."""
        params = _given(filter=filter, dry_run=dry_run)
        return cast(ClearResult, self.call("queue.clear", **params))

    def queue_cancel(
        self,
        ids: Sequence[str] = (),
        *,
        filter: Optional[Filter] = None,  # noqa: A002
        dry_run: bool = False,
    ) -> CancelResult:
        """Withdraws these messages, those that match, or those of the first that match."""
        params = _given(ids=list(ids) or None, filter=filter, dry_run=dry_run)
        return cast(CancelResult, self.call("queue.cancel", **params))

    def queue_retry(
        self,
        filter: Optional[Filter] = None,  # noqa: A002
        *,
        dry_run: bool = False,
    ) -> RetryResult:
        """Puts parked messages back; without a filter, all of them."""
        params = _given(filter=filter, dry_run=dry_run)
        return cast(RetryResult, self.call("queue.retry", **params))

    def queue_restore(
        self,
        filter: Optional[Filter] = None,  # noqa: A002
        *,
        dry_run: bool = False,
    ) -> RestoreResult:
        """Takes `queue_clear` and `queue_cancel` back."""
        params = _given(filter=filter, dry_run=dry_run)
        return cast(RestoreResult, self.call("queue.restore", **params))

    def queue_pause(self) -> Status:
        """Lets nothing leave until `queue_resume`."""
        return cast(Status, self.call("queue.pause"))

    def queue_resume(self) -> Status:
        """Takes `queue_pause` back."""
        return cast(Status, self.call("queue.resume"))

    def queue_release(self) -> Status:
        """Confirms a backlog that waited for long, so that it leaves."""
        return cast(Status, self.call("queue.release"))

    # The session.

    def session_pair(self, phone: Optional[str] = None) -> PairResult:
        """Begins to pair: by QR, or with the phone's number by a code that is typed there."""
        return cast(PairResult, self.call("session.pair", **_given(phone=phone)))

    def session_passkey(self, response: Mapping[str, Any]) -> Status:
        """Gives what a browser made of the phone's request for a passkey."""
        return cast(Status, self.call("session.passkey", response=response))

    def session_passkey_confirm(self, code: str) -> Status:
        """Confirms that the phone shows this code."""
        return cast(Status, self.call("session.passkey_confirm", code=code))

    def session_reconnect(self) -> Status:
        """Connects now instead of after the pause."""
        return cast(Status, self.call("session.reconnect"))

    def session_takeover(self) -> Status:
        """Takes the session back from another WhatsApp Web session."""
        return cast(Status, self.call("session.takeover"))

    def session_logout(self) -> Status:
        """Unlinks this device from the phone."""
        return cast(Status, self.call("session.logout"))

    # The phone.

    def phone_check(self, numbers: Sequence[str], *, fresh: bool = False) -> CheckResult:
        """Whether numbers are on the network, at most 100 at once."""
        params = _given(numbers=list(numbers), fresh=fresh)
        return cast(CheckResult, self.call("phone.check", **params))

    def group_list(self, *, fresh: bool = False) -> GroupListResult:
        """The groups that the account is in, and whether it may send to them."""
        return cast(GroupListResult, self.call("group.list", **_given(fresh=fresh)))

    def phone_heartbeat(
        self,
        *,
        battery_percent: Optional[int] = None,
        charging: Optional[bool] = None,
        network: Optional[str] = None,
        at: Optional[When] = None,
        source: Optional[str] = None,
    ) -> PhoneStatus:
        """Reports what another program knows about the phone."""
        params = _given(
            battery_percent=battery_percent,
            charging=charging,
            network=network,
            at=at,
            source=source,
        )
        return cast(PhoneStatus, self.call("phone.heartbeat", **params))

    # What came in.

    def inbox_list(
        self, *, after: Optional[int] = None, limit: Optional[int] = None
    ) -> InboxListResult:
        """A page of incoming messages, the oldest first."""
        return cast(InboxListResult, self.call("inbox.list", **_given(after=after, limit=limit)))

    def inbox_iter(self, after: Optional[int] = None) -> Iterator[Incoming]:
        """The incoming messages that are kept, after this cursor, page by page."""
        while True:
            page = self.inbox_list(after=after)
            yield from page["messages"]
            gap = page.get("gap")
            last = after or 0
            if page["messages"]:
                last = page["messages"][-1]["cursor"]
            elif gap is not None:
                last = gap["to"]
            # A page that does not move on would be asked for again and again.
            if last >= page["newest"] or last <= (after or 0):
                return
            after = last

    def inbox_file(self, cursor: int) -> InboxFile:
        """The file of an incoming message, open for reading. Close it."""
        result, fds = self._exchange("inbox.file", {"cursor": cursor})
        if len(fds) != 1:
            _close_all(fds)
            raise ProtocolError("the daemon answered without the file", kind="not_understood")
        try:
            return InboxFile(cast(FileInfo, result["file"]), os.fdopen(fds[0], "rb"))
        except BaseException:
            _close_all(fds)
            raise

    def inbox_file_bytes(self, cursor: int) -> bytes:
        """The content of an incoming message's file, 512 KiB at most."""
        result = self.call("inbox.file", cursor=cursor, inline=True)
        return base64.b64decode(result["base64"], validate=True)

    def events(
        self,
        after: Optional[int] = None,
        *,
        feed: Optional[str] = None,
        give_up_after: Optional[float] = None,
    ) -> EventStream:
        """Subscribes: the status and the live messages, then what happens.

        With `after` (an event's `seq`) it continues: every message that changed later, as it
        is now, and every message that came in later; 0: everything that is kept. With the
        stream's `feed` that the number is of, it raises `FeedRenewed` where it cannot continue.
        A lost connection is made again, for `give_up_after` seconds (none: for ever).
        """
        return EventStream(self._paths, self._timeout, after, feed, give_up_after)


class EventStream:
    """What happens, as it happens: `for event in client.events(): ...`.

    It has a connection of its own. One that is lost is made again, and continues after the
    last event: the status comes again, then each message that changed meanwhile, as it is
    now, and each message that came in, once. Keep `seq` and `feed` once an event is dealt with
    and give them as `after` and `feed` to do the same over a restart of your program. Who reads
    slowly gets fewer and newer states, and misses none. Events that this file does not know are
    left out.
    """

    seq: int
    """The number of the last event, to continue after."""

    feed: Optional[str]
    """The feed that it is of."""

    def __init__(
        self,
        paths: Optional[Sequence[str]],
        timeout: float,
        after: Optional[int],
        feed: Optional[str],
        give_up_after: Optional[float],
    ) -> None:
        self._paths = paths
        self._timeout = timeout
        self._give_up_after = give_up_after
        self._closed = threading.Event()
        self._reading = threading.Lock()
        self._connection: Optional[_Connection] = None
        # While there is no connection: until when, and when next, it is tried.
        self._give_up = _Deadline(None)
        self._next_try = _Deadline(0)
        self._pause = _RETRY_PAUSE_S
        # A snapshot that was cut off is begun again.
        self._continues = after is not None
        self.feed = feed
        connection, newest = self._subscribe(after)
        self._connection = connection
        self.seq = newest if after is None else after

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = self.read()
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        """Ends the stream. A thread that waits for an event gets its end."""
        self._closed.set()
        connection = self._connection
        if connection is not None:
            connection.shutdown()
        self._free()

    def read(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next event; none when the time is over, or the stream was closed.

        The time may be exceeded while a connection is made, by the client's timeout at most.
        """
        deadline = _Deadline(timeout)
        try:
            with self._reading:
                return self._read(deadline)
        finally:
            if self._closed.is_set():
                self._free()

    def _read(self, deadline: _Deadline) -> Optional[Event]:
        while not self._closed.is_set():
            try:
                if self._connection is None:
                    self._reconnect(deadline)
                    continue
                frame = self._connection.read(deadline)
            except _TimeOver:
                return None
            except ConnectionLost as error:
                self._lose(error)
                continue
            if frame.get("method") != "event":
                # Not about one request: the daemon says why it closes.
                error_of_all = frame.get("error")
                if isinstance(error_of_all, dict):
                    self._lose(_error_of(error_of_all))
                continue
            event = self._told(frame.get("params"))
            if event is not None:
                return event
        return None

    def _told(self, params: Any) -> Optional[Event]:
        """The event, unless it is none for the caller."""
        if not isinstance(params, dict):
            raise ProtocolError("the daemon wrote an event that is none", kind="not_understood")
        name = params.get("event")
        if name == "snapshot_end":
            self._continues = True
        if self._continues:
            self.seq = max(self.seq, params["seq"])
        return cast(Event, params) if name in _EVENTS else None

    def _lose(self, error: TetherdError) -> None:
        self._drop()
        if self._closed.is_set():
            return
        if not error.is_temporary:
            raise error
        self._give_up = _Deadline(self._give_up_after)
        self._pause = _RETRY_PAUSE_S
        self._next_try = _Deadline(0)

    def _reconnect(self, deadline: _Deadline) -> None:
        pause = self._next_try.left() or 0
        self._closed.wait(deadline.within(pause))
        if self._closed.is_set():
            return
        if not self._next_try.is_over():
            raise _TimeOver
        try:
            connection, _ = self._subscribe(self.seq if self._continues else None)
        except TetherdError as error:
            if not error.is_temporary or self._give_up.is_over():
                raise
            # Not all at once after a restart.
            self._next_try = _Deadline(self._pause * random.uniform(0.5, 1.0))
            self._pause = min(self._pause * 2, RECONNECT_PAUSE_S_MAX)
            return
        self._connection = connection

    def _subscribe(self, after: Optional[int]) -> tuple[_Connection, int]:
        deadline = _Deadline(self._timeout)
        connection = _Connection.open(self._paths or socket_paths(), deadline)
        # From now on `close` reaches it.
        self._connection = connection
        try:
            if self._closed.is_set():
                raise _closed("this stream was closed")
            given = _given(after=after, feed=None if after is None else self.feed)
            connection.write(_request(1, "events.subscribe", given), (), deadline)
            while True:
                result = _answer(connection.read(deadline), 1)
                if result is not None:
                    # It continues the one before.
                    self.feed = result.get("feed")
                    return connection, int(result["seq"])
        except BaseException as error:
            self._drop()
            if isinstance(error, _TimeOver):
                sentence = f"the daemon did not answer within {self._timeout:g} s"
                raise ConnectionLost(sentence, kind="no_answer") from None
            raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _free(self) -> None:
        """Closes the connection, unless somebody reads: then they do."""
        if self._reading.acquire(blocking=False):
            try:
                self._drop()
            finally:
                self._reading.release()
