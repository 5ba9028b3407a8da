//! The core, by its sentences.

#![expect(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

mod cleaning;
mod laws;
mod link;
mod model;
mod pacing;
mod preparing;
mod promises;
mod queue;
mod redaction;
mod resolving;
mod virtual_time;
mod words;
mod world;
