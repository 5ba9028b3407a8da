//! Codes of the server that the core acts upon. Any other is only reported.

/// Too many requests, as the server says it in acks, requests and stream errors.
pub const RATE_LIMITED: u32 = 429;

/// The server misses a privacy token of the recipient, or refuses messages to new contacts
/// (reachout timelock): it has to be asked which.
pub const TOKEN_MISSING: u32 = 463;

/// The account's quota of new chats is used up.
pub const NEW_CHAT_QUOTA: u32 = 475;

/// The server cannot make anything of the stanza.
pub const MALFORMED: u32 = 400;

/// The server knows no such recipient.
pub const NO_RECIPIENT: u32 = 404;

/// The group names its members in another way than the stanza did.
pub const STALE_GROUP: u32 = 421;

/// Something in the stanza is out of date: an address, or a session.
pub const INVALID_STANZA: u32 = 479;

/// The server cannot take it just now.
pub const UNAVAILABLE: u32 = 503;

/// Whether the same message, with fresh devices or members, may well be taken.
pub(crate) const fn is_worth_another_try(code: u32) -> bool {
    matches!(code, STALE_GROUP | INVALID_STANZA | UNAVAILABLE)
}
