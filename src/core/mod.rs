//! Every decision about messages, pacing and the link.
//!
//! Pure: no clock, no disk, no network, no randomness, no task. Time and dice come
//! in with the inputs, so that every run can be replayed.

pub mod io;
pub mod message;
pub mod pacer;
