//! What the network has answered beyond single messages, and what of it outlives a
//! restart. Owns the records and the counts of refusals; `conflict`
//! and `pacing` decide what follows.

use crate::Core;
use crate::pacing::{RateLimitFacts, TimelockFacts};
use crate::time::Now;

/// Codes whose counts are kept; beyond it the one that was seen longest ago is forgotten.
pub(crate) const REFUSAL_CODES_MAX: usize = 16;

/// An hour, in milliseconds.
pub(crate) const HOUR_MS: u64 = 60 * 60 * 1_000;

/// What is kept over restarts. Spans are counted in milliseconds of uptime: neither a clock
/// that is set nor a restart refills a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkFacts {
    /// When another session took over, milliseconds of uptime, the oldest first.
    pub replaced_uptime_ms: Vec<u64>,
    /// When the session was taken back by itself, milliseconds of uptime, the oldest first.
    pub automatic_uptime_ms: Vec<u64>,
    /// When it was taken back by command, milliseconds of uptime, the oldest first.
    pub manual_uptime_ms: Vec<u64>,
    /// When it is to be taken back by itself, milliseconds of uptime, if the budget allows.
    pub takeover_due_uptime_ms: Option<u64>,
    /// Whether messages to new contacts wait.
    pub timelock: TimelockFacts,
    /// The server asked to slow down, now or some time ago.
    pub rate_limit: Option<RateLimitFacts>,
    /// Refusals of messages, by code.
    pub refusals: Vec<Refusal>,
}

/// How often the server refused messages with one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The server's code.
    pub code: u32,
    /// How often.
    pub count: u64,
    /// When last, wall milliseconds.
    pub last: i64,
}

impl Core {
    /// The uptime at the last input.
    pub(crate) fn uptime_ms(&self) -> u64 {
        self.uptime.at(self.now)
    }

    /// Counts a refusal by its code.
    pub(crate) fn note_refusal(&mut self, code: u32, now: Now) {
        let refusals = &mut self.facts.network.refusals;
        self.out.facts = true;
        if let Some(known) = refusals.iter_mut().find(|refusal| refusal.code == code) {
            known.count = known.count.saturating_add(1);
            known.last = now.wall_ms;
            return;
        }
        if refusals.len() >= REFUSAL_CODES_MAX {
            let oldest = refusals.iter().enumerate().min_by_key(|(_, refusal)| refusal.last);
            if let Some((index, _)) = oldest {
                refusals.remove(index);
            }
        }
        refusals.push(Refusal { code, count: 1, last: now.wall_ms });
    }
}

/// Notes a moment in a bounded list of them, the oldest first.
pub(crate) fn note(moments: &mut Vec<u64>, at: u64, max: usize) {
    if moments.len() >= max {
        moments.drain(..=moments.len() - max);
    }
    moments.push(at);
}
