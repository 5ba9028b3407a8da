//! The wire contract and its client. Imports nothing of the daemon.
//!
//! - [`api`]: methods, parameters, results, events and error codes.
//! - [`call`]: which method takes which parameters and answers what; the decoding
//!   of parameters.
//! - [`mod@line`]: bytes to lines, bounded. [`fds`]: descriptors beside lines.
//! - [`frame`]: lines to JSON-RPC 2.0 messages, and back.
//! - [`client`]: the calling side.
//! - [`view`]: snapshot and changes, folded into one picture.
//!
//! `openrpc.json` and `contrib/man/tetherd-rpc.7` are made from [`api`], with the examples in
//! `examples.json`; `manual` makes and compares them, in tests.

pub mod api;
pub mod call;
pub mod client;
pub mod fds;
pub mod frame;
pub mod line;
#[cfg(test)]
mod manual;
mod redacted;
pub mod view;

#[cfg(test)]
mod tests;
