//! The shell around the core.

pub mod auth;
mod connection;
pub mod engine_handle;
mod events;
mod handlers;
pub mod server;
pub mod socket;

#[cfg(test)]
mod tests;
