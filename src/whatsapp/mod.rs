//! The session with WhatsApp's servers.

pub mod storage;
