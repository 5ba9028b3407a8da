//! Outgoing connections: the only copy of certificate trust, name resolution, the filter of
//! addresses, TLS and the HTTP exchange. For the session, its media hosts, files by web
//! address, link checks, and the doctor.
//!
//! - [`endpoint`]: encrypted URLs. [`trust`]: certificates. [`ip_filter`]: addresses.
//! - [`connect`]: resolver, TCP and TLS behind one connector. The filter sits in it, and judges
//!   the address that is connected to.
//! - [`http`]: one request and its answer, over a connection of its own.
//! - [`reachability`]: each step to a server, timed, for diagnosis.
//!
//! Knows nothing of WhatsApp, of messages or of the store. Keeps no connection open, follows
//! no redirect, stores no cookie and no credentials, uses no proxy.

pub mod connect;
pub mod endpoint;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod http;
pub mod ip_filter;
pub mod reachability;
pub mod tls;
pub mod trust;
