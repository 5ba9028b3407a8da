//! The simulator against the protocol crate's own client.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks for one event among those of the protocol crate"
)]

#[cfg(feature = "sim")]
mod app_state;
#[cfg_attr(
    not(feature = "sim"),
    expect(dead_code, reason = "a build without `sim` gets no further than the handshake")
)]
mod client;
#[cfg(feature = "sim")]
mod delivery;
#[cfg(feature = "sim")]
mod groups;
#[cfg(feature = "sim")]
mod media;
#[cfg(feature = "sim")]
mod messages;
#[cfg(feature = "sim")]
mod pairing;
#[cfg(feature = "sim")]
mod passkey;
#[cfg(feature = "sim")]
mod preferences;
#[cfg(feature = "sim")]
mod presence;
#[cfg(not(feature = "sim"))]
mod refusal;
#[cfg(feature = "sim")]
mod restart;
#[cfg(feature = "sim")]
mod strict;
