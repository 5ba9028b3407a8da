//! Every key: its documentation, type, default, limits, and whether a running daemon takes
//! a new value over. The only place where a default or a limit stands. Reads nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use tetherd_core::config::LinkPolicy;
use tetherd_core::phone::HoldBattery;
use tetherd_core::{OnRateLimit, TAKEOVERS_PER_HOUR_MAX};

use crate::form::{
    client_version, device_name, duration, duration_or_off, endpoint, group, levels, networks,
    number, one_of, optional_path, path, size, socket_path, switch, time_zone, week_hours,
};
use crate::hours::WeekHours;
use crate::table::{Key, Section, as_format, settings};
use crate::value::{ClientVersion, ConflictPolicy, Level};

/// What the network is known to tolerate: this many messages ...
pub const TOLERATED_MESSAGES: usize = 5;
/// ... in any span of this length.
pub const TOLERATED_WINDOW: Duration = Duration::from_secs(120);

/// Longest `session.connect_timeout`: with the login after it, an attempt must end before
/// the core gives it up.
pub const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(25);
/// Longest `session.send_timeout`: the session must give up before the core does.
pub const SEND_TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// Shortest `session.takeover_after`: sooner is a fight with whoever took over. Against the
/// simulator, which is all that a build with it connects to, it may be a second.
const TAKEOVER_AFTER_MIN: Duration = if cfg!(feature = "sim") { SECOND } else { MINUTE };
/// Shortest `pacing.window`. Against the simulator it may be as short as no pace at all, to
/// measure what a message costs.
const WINDOW_MIN: Duration = if cfg!(feature = "sim") { MILLISECOND } else { SECOND };

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// The network takes no larger files.
const FILE_MAX: u64 = 2 * GIB;

/// A running daemon takes a new value over on SIGHUP.
const RELOAD: bool = true;
/// It does not.
const RESTART: bool = false;

settings! {
    /// Where the daemon keeps what must not be lost.
    state: StateSection {
        /// The state directory: the queue, its files, the inbox and the session's keys. One
        /// account, one daemon, one directory. Default: $STATE_DIRECTORY if systemd sets it;
        /// /var/lib/tetherd for root; else $XDG_STATE_HOME/tetherd or ~/.local/state/tetherd.
        dir: PathBuf = PathBuf::new(), path(), RESTART;
        /// A file of 32 bytes or more (head -c 32 /dev/urandom) that the session's secrets are
        /// encrypted with in the store: who copies the state directory without it cannot act
        /// as the account. Texts, files and numbers stay plain. Default: the credential
        /// tetherd.key, if systemd passes one (/etc/credstore/tetherd.key); else "", no
        /// encryption. A key that is given later encrypts what is stored at the next start;
        /// remains of the plain secrets stay in the database's file until it is overwritten,
        /// so pair anew where that matters. A lost key cannot be recovered: keep a copy.
        key_file: Option<PathBuf> = None, optional_path(), RESTART;
    }

    /// The control socket, and who may use it besides root and the daemon's own user.
    socket: SocketSection {
        /// Default: control.sock in $RUNTIME_DIRECTORY if systemd sets it;
        /// /run/tetherd/control.sock for root; else $XDG_RUNTIME_DIR/tetherd/control.sock.
        path: PathBuf = PathBuf::new(), socket_path(), RESTART;
        /// Members of this group may read everything and change nothing.
        group_read: Option<String> = None, group(), RESTART;
        /// Members of this group may also send.
        group_send: Option<String> = None, group(), RESTART;
        /// Members of this group may do everything.
        group_admin: Option<String> = None, group(), RESTART;
    }

    /// How much is kept, and for how long.
    queue: QueueSection {
        /// Places for messages that wait or are in flight. One more is refused with
        /// queue_full and a hint of when to try again; nothing is dropped to make room. 400
        /// messages take 2 h 40 min to leave at the default pace: a longer queue mostly hides
        /// that something holds it.
        capacity: usize = 400, number(1, 4_000), RELOAD;
        /// Places for parked messages. One more, and the oldest of them fails; it keeps its
        /// reason.
        parked_max: usize = 400, number(1, 10_000), RELOAD;
        /// Finished messages stay readable: at most this many. Idempotency keys are remembered
        /// as long.
        history_max: usize = 2_000, number(0, 100_000), RELOAD;
        /// The same: at most this long.
        history_age: Duration = 7 * DAY, duration(HOUR, YEAR), RELOAD;
        /// For how long `tetherctl restore` brings back what `clear` and `cancel` withdrew;
        /// "off": not at all. Counted while the daemon runs. As long, they stay readable
        /// beyond the limits above.
        undo: Option<Duration> = Some(10 * MINUTE), duration_or_off(Duration::ZERO, DAY), RELOAD;
        /// A backlog held longer than this (no connection, another session, the phone offline
        /// or its battery critical) is not sent until an operator confirms it with `tetherctl
        /// release`: what it says may be out of date. What is accepted later waits behind it.
        /// "off": it is sent without a confirmation.
        confirm_after: Option<Duration> = None, duration_or_off(SECOND, 30 * DAY), RELOAD;
    }

    /// How fast messages leave. The network publishes no limit; the default is a cautious
    /// one. Faster is allowed, for tests: the daemon and `tetherd check-config` warn, because
    /// it can get the account banned.
    pacing: PacingSection {
        /// At most this many messages leave in any window.
        messages: usize = TOLERATED_MESSAGES, number(1, 60), RELOAD;
        /// The window's length.
        window: Duration = TOLERATED_WINDOW,
            duration(WINDOW_MIN, DAY).described_as(duration(SECOND, DAY)), RELOAD;
        /// How many of them are kept for messages of high priority, so that an urgent one does
        /// not wait for the others; fewer than `messages`. No window ever has more.
        reserve: usize = 0, number(0, 59), RELOAD;
        /// Days and times at which messages leave, such as `["Mon-Fri 08:00-18:00", "Sat
        /// 09:00-12:30"]`. 24:00 is midnight; an end before its beginning is that of the next day;
        /// 00:00-24:00 is a whole day. Outside, messages are accepted and wait (`tetherctl why` says
        /// outside_hours); one that would expire before they begin is refused. Empty: at any time.
        hours: WeekHours = WeekHours::default(), week_hours(), RELOAD;
        /// The time zone of `hours`, such as "Europe/Berlin". "" is the machine's.
        time_zone: Option<String> = None, time_zone(), RELOAD;
        /// Whether messages of high priority leave outside the hours too.
        high_at_any_time: bool = false, switch(), RELOAD;
        /// When the server answers "too many" (429): "slow" makes a pause, slow_first long at
        /// first and twice as long each time, at most slow_cap; half an hour without such an
        /// answer halves it again. "pause" pauses the queue as well, until `tetherctl resume`.
        /// No restart shortens it.
        on_rate_limit: OnRateLimit = OnRateLimit::Slow, one_of(), RELOAD;
        /// The first such pause.
        slow_first: Duration = 2 * MINUTE, duration(SECOND, HOUR), RELOAD;
        /// The longest.
        slow_cap: Duration = HOUR, duration(SECOND, DAY), RELOAD;
    }

    /// What is checked before a message leaves.
    preflight: PreflightSection {
        /// Whether a message waits until the network has confirmed that its recipient's number
        /// is registered. If it is not, the message is parked (not_on_network) before anything
        /// is sent; if it cannot be asked, the message is not held for long.
        numbers: bool = true, switch(), RELOAD;
        /// How long an answer of the network is remembered: yes ...
        yes_for: Duration = 30 * DAY, duration(SECOND, YEAR), RELOAD;
        /// ... and no.
        no_for: Duration = DAY, duration(SECOND, YEAR), RELOAD;
        /// The least time between two lookups of at most 50 numbers each; a few may follow
        /// each other at once. Many lookups can get an account banned.
        check_every: Duration = 2 * SECOND, duration(10 * MILLISECOND, HOUR), RELOAD;
        /// Numbers that callers of `phone.check` (`tetherctl check`) may look up in any 24
        /// hours; an answer that is remembered costs nothing. Looking up numbers in bulk gets
        /// accounts banned. Recipients of messages are not counted.
        checks_per_day: usize = 300, number(0, 10_000), RELOAD;
        /// The first three links (http, https) of a text are checked when it is accepted: with
        /// HEAD, for 10 seconds at most. Only where a server refuses HEAD (400, 405, 501) or
        /// says that nothing is there, GET for one byte follows. Where punctuation or another
        /// script follows an address directly, it is asked without that too. A text with a link
        /// that certainly leads nowhere (404, 410, no such host) is parked ("park"), or sent
        /// with a warning ("warn"). Whatever else is wrong is only a warning. "off" checks none.
        links: LinkPolicy = LinkPolicy::Park, one_of(), RELOAD;
    }

    /// A file is copied into the folder "spool" of the state directory when its message is
    /// accepted, and removed once nothing needs it: the message was sent, or can no longer be
    /// brought back. A file larger than the limit of its kind, which is what the network's own
    /// clients allow, is refused with file_too_large; "0B" accepts none.
    files: FilesSection {
        /// All files of messages that wait, together. One more is refused with spool_full.
        quota: u64 = 2 * GIB, size(1_024 * GIB), RESTART;
        /// The largest image.
        image_max: u64 = 16 * MIB, size(FILE_MAX), RESTART;
        /// The largest video.
        video_max: u64 = 100 * MIB, size(FILE_MAX), RESTART;
        /// The largest audio file or voice message.
        audio_max: u64 = 100 * MIB, size(FILE_MAX), RESTART;
        /// The largest document.
        document_max: u64 = 2_000 * MIB, size(FILE_MAX), RESTART;
    }

    /// For files by web address, and for link checks (`links` of `[preflight]`).
    fetch: FetchSection {
        /// Files: over http too, not over https only. Links are checked over both.
        allow_http: bool = false, switch(), RESTART;
        /// Private, loopback, link-local and other special addresses are never connected to,
        /// whatever name leads to them; except for these networks, such as `["10.0.0.0/8",
        /// "fd00::/8"]` in a lab. Everybody who may send can then reach them.
        allow_addresses: Vec<IpNet> = Vec::new(), networks(), RESTART;
        /// A PEM file with the only certificate authorities to trust. "" is the system's, or
        /// Mozilla's where the system has none.
        ca_file: Option<PathBuf> = None, optional_path(), RESTART;
        /// A file that could not be fetched (the server is down, or busy) is tried again after
        /// this time, and once more after four times as long.
        retry_pause: Duration = 5 * SECOND, duration(100 * MILLISECOND, MINUTE), RELOAD;
    }

    /// The connection to the network.
    session: SessionSection {
        /// The server. A build with the simulator refuses every endpoint outside loopback.
        endpoint: String = String::from("wss://web.whatsapp.com/ws/chat"), endpoint(), RESTART;
        /// A PEM file with the only certificate authorities to trust. "" is the system's, or
        /// Mozilla's where the system has none.
        ca_file: Option<PathBuf> = None, optional_path(), RESTART;
        /// Which WhatsApp Web the session claims to be; the default is the version that the
        /// protocol library was made from. If the network refuses it as outdated (`tetherctl
        /// why` says client_outdated), write a newer one here.
        client_version: ClientVersion = ClientVersion(2, 3000, 1_042_742_319),
            client_version(), RESTART;
        /// The name in the phone's list of linked devices; read when pairing.
        device_name: String = String::from("tetherd"), device_name(), RESTART;
        /// How long name resolution, TCP, TLS and websocket may take together.
        connect_timeout: Duration = 15 * SECOND, duration(SECOND, CONNECT_TIMEOUT_MAX), RESTART;
        /// How long building, encrypting and writing one message may take.
        send_timeout: Duration = 45 * SECOND, duration(SECOND, SEND_TIMEOUT_MAX), RESTART;
        /// How long the server's answer may take before a message's outcome counts as unknown.
        ack_timeout: Duration = 20 * SECOND, duration(SECOND, HOUR), RELOAD;
        /// Attempts to connect wait a random time: at most this long at first, then twice as
        /// long each time (but in the first five minutes without a network at most 8 s) ...
        backoff_first: Duration = SECOND, duration(100 * MILLISECOND, HOUR), RELOAD;
        /// ... and never longer than this.
        backoff_cap: Duration = 5 * MINUTE, duration(SECOND, DAY), RELOAD;
        /// When another WhatsApp Web session takes over: "hold" waits for `tetherctl takeover`;
        /// "takeover_after" takes the session back without a command.
        on_conflict: ConflictPolicy = ConflictPolicy::Hold, one_of(), RELOAD;
        /// It is taken back after this time, and up to a quarter more.
        takeover_after: Duration = 10 * MINUTE,
            duration(TAKEOVER_AFTER_MIN, DAY).described_as(duration(MINUTE, DAY)), RELOAD;
        /// At most so many times in any hour that the daemon runs. A command is always
        /// allowed.
        takeovers_per_hour: usize = 3, number(0, TAKEOVERS_PER_HOUR_MAX), RELOAD;
    }

    /// What is done while the phone is offline or its battery is low.
    phone: PhoneSection {
        /// Whether messages wait while the phone is offline: that is, while it leaves a
        /// question unanswered that every phone answers.
        hold_when_offline: bool = true, switch(), RELOAD;
        /// At which battery level they wait: "critical", "low" (and critical), or "never". The
        /// protocol does not report the battery: another program has to, with `tetherctl
        /// heartbeat`. Scripts that do come with tetherd, in contrib/heartbeat.
        hold_when_battery: HoldBattery = HoldBattery::Critical, one_of(), RELOAD;
        /// If the phone's last sign of life is older than this, it is asked before messages
        /// leave.
        silent_after: Duration = 30 * MINUTE, duration(SECOND, DAY), RELOAD;
        /// It is also asked if it does not confirm its copy of a message for this long, and
        /// not more often than this.
        ask_after: Duration = 2 * MINUTE, duration(SECOND, HOUR), RELOAD;
        /// It is offline if it does not answer for this long.
        offline_after: Duration = 3 * MINUTE, duration(SECOND, DAY), RELOAD;
        /// The percentage at or below which a battery that is not charging is low ...
        battery_low: u8 = 15, number(0, 100), RELOAD;
        /// ... and critical.
        battery_critical: u8 = 5, number(0, 100), RELOAD;
        /// A battery report that is older than this is ignored.
        battery_stale_after: Duration = 30 * MINUTE, duration(SECOND, DAY), RELOAD;
    }

    /// Incoming messages are stored before they are acknowledged to the server.
    inbox: InboxSection {
        /// At most this many; the oldest are removed. 0 switches the inbox off: incoming
        /// messages are then acknowledged and discarded.
        max: usize = 2_000, number(0, 100_000), RELOAD;
        /// At most this long.
        max_age: Duration = 30 * DAY, duration(HOUR, YEAR), RELOAD;
        /// The largest file of an incoming message that is fetched for a caller.
        file_max: u64 = 100 * MIB, size(FILE_MAX), RELOAD;
    }

    /// How much is logged. Texts, numbers and keys are never logged.
    log: LogSection {
        /// The level of the daemon.
        level: Level = Level::Info, one_of(), RELOAD;
        /// The protocol library's own records. They may name people: for debugging only.
        library: Level = Level::Off, one_of(), RELOAD;
        /// Other levels for single modules, or for a part of one, such as "daemon::server".
        /// Usually written as a section `[log.modules]` with lines such as `store = "debug"`.
        modules: BTreeMap<String, Level> = BTreeMap::new(), levels(), RELOAD;
    }
}
