//! What the library reports, as the core's events: translated without side effects, and queued
//! for the connection's task.

pub(crate) mod chat_activity;
pub(crate) mod mex;
pub(crate) mod names;
pub(crate) mod phone_activity;
pub(crate) mod queue;
pub(crate) mod stream;
pub(crate) mod translate;
