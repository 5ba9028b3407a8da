//! The HTTP front of tetherd: a page for people, the contract over REST, events, and metrics.
//! An unprivileged client of the control socket. Holds no keys and decides nothing: what it
//! shows is what the daemon says.
//!
//! - `config`, `origins`: where it may listen, and what it is called.
//! - `listen`: connections and their bounds. `limits`: every bound, and the one budget.
//! - `auth`: tokens, sessions, and who may do what.
//! - `daemon`: the daemons behind it.
//! - `front`: what the handlers share, the routes, and what holds for every request.
//! - `rest`, `events`, `files`: the contract over HTTP.
//! - `receivers`: alerts from other programs, as messages.
//! - `compat`: the same in the forms of other services.
//! - `webhooks`: what happens, posted to receivers.
//! - `page`: the page. `metrics`: what is scraped.

pub mod args;
pub mod auth;
mod clock;
mod compat;
pub mod config;
pub mod daemon;
mod durable;
mod events;
mod files;
pub mod front;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod limits;
pub mod listen;
mod metrics;
pub mod origins;
mod page;
pub mod process;
pub mod receivers;
mod rest;
pub mod webhooks;
