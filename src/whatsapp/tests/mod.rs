//! Tests of the session: each translation by itself, the rest against the simulator.

mod hostile;
mod incoming_message;
#[cfg(feature = "sim")]
mod media;
pub(in crate::whatsapp) mod offline;
#[cfg(feature = "sim")]
mod passkey;
#[cfg(feature = "sim")]
mod phone;
#[cfg(feature = "sim")]
mod sends;
#[cfg(feature = "sim")]
mod simulated;
#[cfg(feature = "sim")]
mod stored;
mod translate;
#[cfg(not(feature = "sim"))]
mod untrusted;
mod usernames;
mod wire;
