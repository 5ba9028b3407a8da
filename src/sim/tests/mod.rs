//! The simulator against the protocol crate's own client.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks for one event among those of the protocol crate"
)]

mod client;
mod messages;
mod pairing;
mod restart;
