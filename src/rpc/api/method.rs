//! The methods: their names, and who may call them.

use serde::{Deserialize, Serialize};

/// Who may call a method. Each tier includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
pub enum Method {
    /// `version`.
    Version,
    /// `status`.
    Status,
    /// `explain`.
    Explain,
    /// `message.send`.
    MessageSend,
    /// `message.get`.
    MessageGet,
    /// `queue.list`.
    QueueList,
    /// `queue.clear`.
    QueueClear,
    /// `queue.cancel`.
    QueueCancel,
    /// `queue.pause`.
    QueuePause,
    /// `queue.resume`.
    QueueResume,
    /// `queue.retry`.
    QueueRetry,
    /// `session.pair`.
    SessionPair,
    /// `session.reconnect`.
    SessionReconnect,
    /// `session.takeover`.
    SessionTakeover,
    /// `session.logout`.
    SessionLogout,
    /// `phone.check`.
    PhoneCheck,
    /// `phone.heartbeat`.
    PhoneHeartbeat,
    /// `queue.restore`.
    QueueRestore,
    /// `queue.release`.
    QueueRelease,
    /// `inbox.list`.
    InboxList,
    /// `inbox.file`.
    InboxFile,
    /// `events.subscribe`.
    EventsSubscribe,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 22] = [
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
            | Method::EventsSubscribe => None,
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
            | Method::EventsSubscribe => Tier::Read,
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
