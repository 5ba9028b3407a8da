//! End to end: the real binaries, against the simulator, over the real protocol.
#![cfg(feature = "sim")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests end by panicking, and their deadlines are in real time"
)]

mod about;
mod account;
mod addressing;
mod chaos;
mod cleaning;
mod clients;
mod compat;
mod contract;
mod crash;
mod devices;
mod doctor;
mod events;
mod fifty;
mod files;
mod groups;
mod hours;
mod idle;
mod inbound;
mod inputs;
mod inside;
mod invariants;
mod lifecycle;
mod links;
mod media;
mod network;
mod notified;
mod numbers;
mod pairing;
mod passkey;
mod peers;
mod phone;
mod queue;
mod read;
mod readme;
mod replace;
mod sending;
mod streams;
mod support;
mod systemd;
mod tokens;
mod top;
mod web;
mod why;
