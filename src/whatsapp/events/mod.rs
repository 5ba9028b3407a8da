//! What the library reports, in the core's words: translated without side effects, and queued
//! for the connection's task.

pub(crate) mod chat_activity;
pub(crate) mod phone_activity;
pub(crate) mod queue;
pub(crate) mod translate;
