//! The front without a daemon: what it refuses, and how its process behaves.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests end by panicking")]

mod bounds;
mod compat;
mod process;
mod receivers;
mod refused;
mod support;
