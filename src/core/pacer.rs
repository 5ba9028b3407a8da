//! Decides when the next attempt may leave. Never sleeps, never reads a clock.

use serde::{Deserialize, Serialize};

use crate::core::io::BootId;

/// One spent slot of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The boot in which it was spent.
    pub boot: BootId,
    /// When, in that boot's monotonic milliseconds.
    pub mono_ms: u64,
}
