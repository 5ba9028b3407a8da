//! tetherd holds one WhatsApp Web session to one phone's account and lets local
//! programs send through it without losing, doubling or bursting messages.
//!
//! The rooms:
//! - [`rpc`]: the wire contract and its client. Imports nothing of the daemon.
//! - [`store`]: everything that outlives a restart, on disk before anybody hears of it.
//! - [`core`]: every decision about messages, pacing and the link. Pure: no clock,
//!   no disk, no network, no randomness.
//! - [`whatsapp`]: the session: one connection at a time, made and ended when told.

pub mod core;
pub mod rpc;
#[cfg(any(feature = "sim", test))]
pub mod sim;
pub mod store;
pub mod whatsapp;
