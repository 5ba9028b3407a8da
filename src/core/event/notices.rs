//! What the server says about messages to new contacts. Plain data.

/// What the server says about messages to new contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimelockNotice {
    /// They are refused.
    Active {
        /// Until then, wall milliseconds, if it says so.
        until: Option<i64>,
    },
    /// They are taken again.
    Lifted,
}

/// What the server says about its quota of new chats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QuotaNotice {
    /// How far it is used.
    pub level: QuotaLevel,
    /// New chats of this cycle.
    pub used: Option<u32>,
    /// How many there may be.
    pub total: Option<u32>,
    /// When the cycle ends, wall milliseconds.
    pub until: Option<i64>,
}

/// How far the quota of new chats is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuotaLevel {
    /// It is no concern.
    Fine,
    /// The server warns.
    Warning,
    /// It is used up.
    UsedUp,
}
