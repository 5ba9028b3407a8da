//! Codes of the server that the core acts upon. Any other is only reported.

/// Too many requests, as the server says it in acks, requests and stream errors.
pub const RATE_LIMITED: u32 = 429;

/// The server's refusal of messages to new contacts (reachout timelock).
pub const REACHOUT_TIMELOCK: u32 = 463;
