//! tetherd holds one WhatsApp Web session to one phone's account and lets local
//! programs send through it without losing, doubling or bursting messages.
//!
//! Crates of their own, so that the compiler keeps their boundaries:
//! - [`tetherd_api`]: the wire contract and its client. Imports nothing of the daemon.
//! - [`tetherd_config`]: the configuration file, its keys, defaults and limits.
//! - [`tetherd_core`]: every decision about messages, pacing and the session. Pure: no
//!   clock, no disk, no network, no randomness.
//! - [`tetherd_net`]: certificate trust, resolver, address filter, one HTTP exchange.
//! - `tether_sim` (feature `sim`): the WhatsApp Web server, the phone and the recipients;
//!   the demonstration.
//! - `tetherd_docs`: makes the committed documents; part of no program.
//!
//! The modules of this crate:
//! - [`store`]: sled behind one committer thread: what has been answered is on disk.
//! - [`inbox`]: messages that others sent, kept before the server hears that they came.
//! - [`spool`]: the files of messages that wait, copied in whole before they are accepted.
//! - [`whatsapp`]: the session: transport, the library's client, its storage.
//! - [`fetch`]: files by web address, and links in texts: an HTTP client behind the address filter.
//! - [`daemon`]: the shell around the core: start-up, engine, socket, signals, log.
//! - [`liveness`]: liveness checks for the watchdog.
//! - `shares`: a bounded resource, shared fairly among users.
//!
//! A message's way: `daemon::server` (a bounded line) -> `daemon::auth` (the peer was
//! checked at accept) -> `daemon::handlers` (a typed request) -> `daemon::engine` ->
//! [`tetherd_core`] -> [`store`] (synced) -> only now the reply. Then [`tetherd_core`] says when and
//! why to wake; one commit spends the pacer's slot and marks the attempt; then
//! [`whatsapp`] sends it; the server's ack comes back through `whatsapp::events`.
//!
//! Before its turn: `daemon::handlers` copies its file into the [`spool`], or
//! `daemon::preparing` has [`fetch`] get it and look at its links; the core has its
//! number checked (`whatsapp::contact_lookup`) and its file uploaded (`whatsapp::media`).
//!
//! The way in: `whatsapp::incoming` -> [`inbox`] (synced) -> only now the receipt to the
//! server; `daemon::inbox_service` hands it to subscribers.

pub mod daemon;
pub mod fetch;
pub mod inbox;
pub mod liveness;
#[cfg(test)]
#[path = "../contrib/fuzz/replay.rs"]
mod replay;
mod shares;
pub mod spool;
pub mod store;
pub mod whatsapp;
