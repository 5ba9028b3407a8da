//! Files on the network's media hosts: uploads, encrypted as they are read, and downloads,
//! checked against what was sent. Keeps nothing.

pub(crate) mod download;
pub(crate) mod encrypted_upload;
pub(crate) mod http;
pub(crate) mod metadata;
pub(crate) mod uploads;
