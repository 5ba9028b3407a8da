//! Decides when the next attempt may leave. Never sleeps, never reads a clock.
//!
//! At most `limit` attempts in any half-open window of `window_ms`: an attempt may
//! leave when the `limit`-th last one is at least a whole window old. Monotonic time
//! only, so that a wall clock that jumps refills nothing.

use std::collections::VecDeque;

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

/// The spent slots, oldest first, in this boot's time.
#[derive(Debug)]
pub(crate) struct Pacer {
    boot: BootId,
    limit: usize,
    window_ms: u64,
    slots: VecDeque<u64>,
}

impl Pacer {
    /// Takes over what was stored. True if that has to be stored anew.
    pub(crate) fn new(
        boot: BootId,
        limit: usize,
        window_ms: u64,
        stored: &[Slot],
        mono_ms: u64,
    ) -> (Pacer, bool) {
        // The time since boot is a lower bound of the age of an earlier boot's slot. One
        // from this boot's future cannot be; taking it as spent now refills nothing and
        // holds the queue for one window at most.
        let mut slots: Vec<u64> = stored
            .iter()
            .map(|slot| if slot.boot == boot { slot.mono_ms.min(mono_ms) } else { 0 })
            .collect();
        slots.sort_unstable();
        let mut pacer = Pacer { boot, limit: limit.max(1), window_ms, slots: slots.into() };
        pacer.forget(mono_ms);
        let changed = pacer.stored() != stored;
        (pacer, changed)
    }

    /// Other limits; what is spent stays spent.
    pub(crate) fn configure(&mut self, limit: usize, window_ms: u64) {
        self.limit = limit.max(1);
        self.window_ms = window_ms;
    }

    /// The moment at which the next attempt may leave, not before `mono_ms`.
    pub(crate) fn free_at(&self, mono_ms: u64) -> u64 {
        self.expected(mono_ms, 0)
    }

    /// The moment of the attempt after `ahead` others, if all leave as early as they may.
    pub(crate) fn expected(&self, mono_ms: u64, ahead: usize) -> u64 {
        let (rounds, place) = (ahead / self.limit, ahead % self.limit);
        let first = match (self.slots.len() + place).checked_sub(self.limit) {
            Some(index) => {
                let slot = self.slots.get(index).copied().unwrap_or(mono_ms);
                slot.saturating_add(self.window_ms).max(mono_ms)
            }
            None => mono_ms,
        };
        let rounds = u64::try_from(rounds).unwrap_or(u64::MAX);
        first.saturating_add(rounds.saturating_mul(self.window_ms))
    }

    /// Spends a slot.
    pub(crate) fn spend(&mut self, mono_ms: u64) {
        self.slots.push_back(mono_ms);
        self.forget(mono_ms);
    }

    /// Slots spent in the window that ends now.
    pub(crate) fn spent(&self, mono_ms: u64) -> usize {
        self.slots.iter().filter(|slot| self.counts(**slot, mono_ms)).count()
    }

    /// When the last slot was spent.
    pub(crate) fn last(&self) -> Option<u64> {
        self.slots.back().copied()
    }

    /// What to store.
    pub(crate) fn stored(&self) -> Vec<Slot> {
        self.slots.iter().map(|slot| Slot { boot: self.boot, mono_ms: *slot }).collect()
    }

    fn counts(&self, slot: u64, mono_ms: u64) -> bool {
        slot.saturating_add(self.window_ms) > mono_ms
    }

    /// Drops what no longer counts. The last `limit` slots stay whatever their age: a
    /// reload that widens the window must find them.
    fn forget(&mut self, mono_ms: u64) {
        while self.slots.len() > self.limit
            && self.slots.front().is_some_and(|slot| !self.counts(*slot, mono_ms))
        {
            self.slots.pop_front();
        }
    }
}
