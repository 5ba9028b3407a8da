//! The shell around the core.

pub mod engine_handle;
