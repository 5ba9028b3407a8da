//! The contract on its own: lines, envelopes, parameters, the view, the client.

mod client;
mod contract;
mod framing;
mod state_replica;
