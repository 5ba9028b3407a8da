//! Decides when the next attempt may leave. Never sleeps, never reads a clock.
//!
//! At most `limit` attempts in any half-open window of `window_ms`: an attempt may
//! leave when the `limit`-th last one is at least a whole window old. Monotonic time
//! only, so that a wall clock that jumps refills nothing.
//!
//! A slot is spent when an attempt begins, and its window runs from when the frame left:
//! between the two the session asks for devices and keys, which may take long. Until the
//! session has said how it went, the frame may leave at any moment, and the slot counts
//! as spent now.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::core::io::BootId;
use crate::rpc::api::MessageId;

/// One spent slot of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The boot in which it was spent.
    pub boot: BootId,
    /// When, in that boot's monotonic milliseconds.
    pub mono_ms: u64,
    /// Whether its attempt was still on its way out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

/// The spent slots in this boot's time.
#[derive(Debug)]
pub(crate) struct Pacer {
    boot: BootId,
    limit: usize,
    window_ms: u64,
    /// Of those that left, or never will: oldest first.
    slots: VecDeque<u64>,
    /// Of those on their way out: whose, and since when.
    open: Vec<(MessageId, u64)>,
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
            .map(|slot| match slot.boot == boot {
                true if slot.open => mono_ms,
                true => slot.mono_ms.min(mono_ms),
                false => 0,
            })
            .collect();
        slots.sort_unstable();
        let limit = limit.max(1);
        let mut pacer = Pacer { boot, limit, window_ms, slots: slots.into(), open: Vec::new() };
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
        let spent = self.slots.len() + self.open.len();
        let first = match (spent + place).checked_sub(self.limit) {
            Some(index) => {
                let slot = self.slots.get(index).copied().unwrap_or(mono_ms);
                slot.saturating_add(self.window_ms).max(mono_ms)
            }
            None => mono_ms,
        };
        let rounds = u64::try_from(rounds).unwrap_or(u64::MAX);
        first.saturating_add(rounds.saturating_mul(self.window_ms))
    }

    /// Spends a slot on an attempt that begins.
    pub(crate) fn spend(&mut self, id: MessageId, mono_ms: u64) {
        self.open.push((id, mono_ms));
        self.forget(mono_ms);
    }

    /// The attempt's frame has left by now, or is cut off. False if that was known.
    pub(crate) fn left(&mut self, id: MessageId, mono_ms: u64) -> bool {
        let open = self.open.len();
        self.open.retain(|(of, _)| *of != id);
        let landed = open - self.open.len();
        self.slots.extend(std::iter::repeat_n(mono_ms, landed));
        landed > 0
    }

    /// Nothing left: the slot stays spent from the attempt's beginning. False if it had
    /// left.
    pub(crate) fn stayed(&mut self, id: MessageId) -> bool {
        let Some(place) = self.open.iter().position(|(of, _)| *of == id) else { return false };
        let (_, since) = self.open.remove(place);
        let place = self.slots.partition_point(|slot| *slot <= since);
        self.slots.insert(place, since);
        true
    }

    /// Nothing can leave any more of what was on its way. False if nothing was.
    pub(crate) fn all_left(&mut self, mono_ms: u64) -> bool {
        let landed = std::mem::take(&mut self.open).len();
        self.slots.extend(std::iter::repeat_n(mono_ms, landed));
        landed > 0
    }

    /// Slots spent in the window that ends now.
    pub(crate) fn spent(&self, mono_ms: u64) -> usize {
        self.slots.iter().filter(|slot| self.counts(**slot, mono_ms)).count() + self.open.len()
    }

    /// When the last slot was spent.
    pub(crate) fn last(&self) -> Option<u64> {
        self.open.last().map(|(_, since)| *since).max(self.slots.back().copied())
    }

    /// What to store.
    pub(crate) fn stored(&self) -> Vec<Slot> {
        let landed = self.slots.iter().map(|slot| (*slot, false));
        let open = self.open.iter().map(|(_, since)| (*since, true));
        let all = landed.chain(open);
        all.map(|(mono_ms, open)| Slot { boot: self.boot, mono_ms, open }).collect()
    }

    fn counts(&self, slot: u64, mono_ms: u64) -> bool {
        slot.saturating_add(self.window_ms) > mono_ms
    }

    /// Drops what no longer counts. The last `limit` slots stay whatever their age: a
    /// reload that widens the window must find them.
    fn forget(&mut self, mono_ms: u64) {
        while self.slots.len() + self.open.len() > self.limit
            && self.slots.front().is_some_and(|slot| !self.counts(*slot, mono_ms))
        {
            self.slots.pop_front();
        }
    }
}
