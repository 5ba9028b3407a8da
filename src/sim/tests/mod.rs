//! The simulator against the protocol crate's own client.

mod client;
mod messages;
mod pairing;
