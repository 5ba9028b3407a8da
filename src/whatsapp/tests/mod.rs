//! Tests against the simulator.
