//! The usual case of a forecast: messages leave in the order of sending, slot by slot, because
//! no one rests, is scheduled or is held by itself. Then each time follows from a message's
//! place, whatever waits besides. Must agree with the queue played ahead, which the laws in the
//! tests compare.

use crate::Core;
use crate::queue::{Message, Place, place};
use crate::time::Now;
use tetherd_api::State;

/// What all times follow from.
pub(super) struct Steady {
    now: u64,
    /// The first instant after now: what waits for an answer does not leave before.
    soon: u64,
    /// When each slot of the first window is spent, and how long a window is.
    slots: Vec<u64>,
    window_ms: u64,
    /// Those that leave now.
    first: Vec<Place>,
    /// How many have to leave.
    all: usize,
}

impl Steady {
    /// None: this is not the usual case.
    pub(super) fn of(core: &Core, now: Now) -> Option<Steady> {
        let (slots, window_ms) = core.pacing.run(now).first_window();
        let soon = now.mono_ms.saturating_add(1);
        let even = core.pacing.is_even() && core.pacing.new_contact_hold().is_none();
        let usual = even && core.queue.is_in_order(now);
        if !usual || window_ms == 0 || slots.contains(&soon) {
            return None;
        }
        let free = slots.iter().take_while(|at| **at <= now.mono_ms).count();
        let leaves = |head: &&Message| {
            let waits = matches!(head.state(), State::Queued | State::Unknown);
            waits && core.queue.rested_at(head).is_some() && core.preconditions(head).is_some()
        };
        let first = if free == 0 {
            Vec::new()
        } else {
            core.queue.heads().filter(leaves).take(free).map(place).collect()
        };
        let all = core.queue.line_len();
        Some(Steady { now: now.mono_ms, soon, slots, window_ms, first, all })
    }

    /// When one leaves that so many leave before, monotonic.
    fn at(&self, before: usize) -> Option<u64> {
        if before < self.first.len() {
            return Some(self.now);
        }
        let limit = self.slots.len();
        let in_window = before.checked_rem(limit)?;
        let slot = *self.slots.get(in_window)?;
        let slot = if in_window < self.first.len() { slot } else { slot.max(self.soon) };
        let windows = u64::try_from(before.checked_div(limit)?).ok()?;
        Some(slot.saturating_add(windows.saturating_mul(self.window_ms)))
    }

    /// When a message leaves, monotonic; none if nobody knows.
    pub(super) fn leaves(&self, core: &Core, message: &Message) -> Option<u64> {
        let line = core.queue.line_before(message)?;
        let place = place(message);
        if self.first.contains(&place) {
            return Some(self.now);
        }
        let before = self.first.iter().filter(|first| **first < place).count();
        let at = self.at(line.saturating_sub(before).saturating_add(self.first.len()))?;
        // So soon it leaves only if an answer comes.
        (at > self.soon).then_some(at)
    }

    /// When the next leaves of which that is known, and when the last.
    pub(super) fn first_and_last(&self) -> Option<(u64, u64)> {
        let last = self.at(self.all.checked_sub(1)?)?;
        let known = |at: &u64| *at == self.now || *at > self.soon;
        let first = (0..self.all).filter_map(|before| self.at(before)).find(known)?;
        Some((first, last))
    }
}
