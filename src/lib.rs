//! tetherd holds one WhatsApp Web session to one phone's account and lets local
//! programs send through it without losing, doubling or bursting messages.
//!
//! The rooms:
//! - [`rpc`]: the wire contract and its client. Imports nothing of the daemon.
//! - [`core`]: every decision about messages, pacing and the link. Pure: no clock,
//!   no disk, no network, no randomness.
//! - [`config`]: the file, the daemon's arguments, and what is wrong with them.
//! - [`ctl`]: the command line `tetherctl`.
//! - [`exit`]: how the processes end.
//! - [`daemon`]: the shell around the core.

pub mod config;
pub mod core;
pub mod ctl;
pub mod daemon;
pub mod exit;
pub mod rpc;
#[cfg(any(feature = "sim", test))]
pub mod sim;
