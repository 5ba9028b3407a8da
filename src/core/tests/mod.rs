//! The core, by its sentences.

mod link;
mod model;
mod pacing;
mod queue;
mod resolving;
mod virtual_time;
mod words;
mod world;
