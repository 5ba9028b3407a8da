//! End to end: the real binaries, against the simulator, over the real protocol.
#![cfg(feature = "sim")]

mod crash;
mod pairing;
mod queue;
mod sending;
mod support;
