//! The wire contract and its client. Imports nothing of the daemon.

pub mod api;
