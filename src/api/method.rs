//! The methods: their names, and who may call them.

use serde::{Deserialize, Serialize};

/// Who may call a method. Each tier includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Look.
    Read,
    /// Also send.
    Send,
    /// Everything.
    Admin,
}

impl Tier {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Read => "read",
            Tier::Send => "send",
            Tier::Admin => "admin",
        }
    }
}

/// A method of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Method {
    /// Which daemon this is, and which version of this contract it speaks.
    Version,
    /// The whole state: the session, the queue, the pacer, the store, the phone, and what holds
    /// the queue.
    Status,
    /// Why messages wait: every cause with its evidence, the messages that it touches, what
    /// happens by itself, and what helps.
    Explain,
    /// Accepts one message. The reply comes when the message is on disk; it leaves when its turn
    /// comes, and its way is told by `message.get` and by events.
    ///
    /// A caller that gives a `key` may repeat the call when no reply came: the message is
    /// accepted once.
    MessageSend,
    /// One message, with its whole text: a live one, or a finished one that is still in the
    /// history.
    MessageGet,
    /// The messages that wait, are under way or are set aside, in the order of acceptance; with
    /// a filter by state, finished ones too.
    QueueList,
    /// Withdraws all messages that wait or are parked and are not under way, or those that a
    /// filter selects. `queue.restore` takes it back for a while.
    QueueClear,
    /// Withdraws single messages, each with an answer of its own. `queue.restore` takes it back
    /// for a while.
    QueueCancel,
    /// Stops sending. Messages are still accepted, and wait; it holds over restarts, until
    /// `queue.resume`.
    QueuePause,
    /// Ends what `queue.pause` began.
    QueueResume,
    /// Puts parked messages back into the queue, under their old ids.
    QueueRetry,
    /// Pairs with a phone: answers what to scan with it, or what to type on it. A pairing that
    /// runs already, in the same way, answers its code again; in another way, it is replaced.
    SessionPair,
    /// Connects now: ends a wait between tries, or replaces a connection that seems dead.
    SessionReconnect,
    /// Takes the session back from another WhatsApp Web session that took over.
    SessionTakeover,
    /// Unlinks this device from the account. The queue stays.
    SessionLogout,
    /// Asks whether numbers are on the network. Answers are remembered.
    PhoneCheck,
    /// Takes a report about the account's own phone, and answers what is known of it then.
    PhoneHeartbeat,
    /// Brings back what `queue.clear` and `queue.cancel` withdrew, while that can be done.
    QueueRestore,
    /// Confirms that a backlog which waited for long (the hold `stale_backlog`) may leave.
    QueueRelease,
    /// Messages that came in, the oldest first, by cursor.
    InboxList,
    /// The file of a message that came in: as a descriptor with the reply, or inline.
    InboxFile,
    /// From here on, this connection is told what happens, as events. Once a connection.
    EventsSubscribe,
    /// This contract as an OpenRPC document, made from the same types as the daemon.
    RpcDiscover,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 23] = [
        Method::Version,
        Method::Status,
        Method::Explain,
        Method::MessageSend,
        Method::MessageGet,
        Method::QueueList,
        Method::QueueClear,
        Method::QueueCancel,
        Method::QueuePause,
        Method::QueueResume,
        Method::QueueRetry,
        Method::SessionPair,
        Method::SessionReconnect,
        Method::SessionTakeover,
        Method::SessionLogout,
        Method::PhoneCheck,
        Method::PhoneHeartbeat,
        Method::QueueRestore,
        Method::QueueRelease,
        Method::InboxList,
        Method::InboxFile,
        Method::EventsSubscribe,
        Method::RpcDiscover,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Method::Version => "version",
            Method::Status => "status",
            Method::Explain => "explain",
            Method::MessageSend => "message.send",
            Method::MessageGet => "message.get",
            Method::QueueList => "queue.list",
            Method::QueueClear => "queue.clear",
            Method::QueueCancel => "queue.cancel",
            Method::QueuePause => "queue.pause",
            Method::QueueResume => "queue.resume",
            Method::QueueRetry => "queue.retry",
            Method::SessionPair => "session.pair",
            Method::SessionReconnect => "session.reconnect",
            Method::SessionTakeover => "session.takeover",
            Method::SessionLogout => "session.logout",
            Method::PhoneCheck => "phone.check",
            Method::PhoneHeartbeat => "phone.heartbeat",
            Method::QueueRestore => "queue.restore",
            Method::QueueRelease => "queue.release",
            Method::InboxList => "inbox.list",
            Method::InboxFile => "inbox.file",
            Method::EventsSubscribe => "events.subscribe",
            Method::RpcDiscover => "rpc.discover",
        }
    }

    /// The old service's name, where it had one.
    pub const fn alias(self) -> Option<&'static str> {
        match self {
            Method::MessageSend => Some("sendMessage"),
            Method::QueueList => Some("showMessagesQueue"),
            Method::QueueClear => Some("clearMessagesQueue"),
            Method::PhoneCheck => Some("checkPhone"),
            Method::SessionTakeover => Some("takeover"),
            Method::SessionLogout => Some("logout"),
            Method::Version
            | Method::Status
            | Method::Explain
            | Method::MessageGet
            | Method::QueueCancel
            | Method::QueuePause
            | Method::QueueResume
            | Method::QueueRetry
            | Method::SessionPair
            | Method::SessionReconnect
            | Method::PhoneHeartbeat
            | Method::QueueRestore
            | Method::QueueRelease
            | Method::InboxList
            | Method::InboxFile
            | Method::EventsSubscribe
            | Method::RpcDiscover => None,
        }
    }

    /// Finds a method by its name or alias.
    pub fn find(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|m| m.name() == name || m.alias() == Some(name))
    }

    /// The tier that a caller needs.
    pub const fn tier(self) -> Tier {
        match self {
            Method::Version
            | Method::Status
            | Method::Explain
            | Method::MessageGet
            | Method::QueueList
            | Method::InboxList
            | Method::InboxFile
            | Method::EventsSubscribe
            | Method::RpcDiscover => Tier::Read,
            Method::MessageSend | Method::PhoneCheck | Method::PhoneHeartbeat => Tier::Send,
            Method::QueueClear
            | Method::QueueCancel
            | Method::QueuePause
            | Method::QueueResume
            | Method::QueueRetry
            | Method::QueueRestore
            | Method::QueueRelease
            | Method::SessionPair
            | Method::SessionReconnect
            | Method::SessionTakeover
            | Method::SessionLogout => Tier::Admin,
        }
    }
}
