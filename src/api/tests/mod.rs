//! The contract on its own: lines, envelopes, parameters, the state replica, the client.

mod client;
mod contract;
mod framing;
mod state_replica;
