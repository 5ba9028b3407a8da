//! Decides when the next attempt may leave. Never sleeps, never reads a clock.
//!
//! At most `limit` attempts in any half-open window of `window_ms`: an attempt may
//! leave when the `limit`-th last one is at least a whole window old. Monotonic time
//! only, so that a wall clock that jumps refills nothing.
//!
//! An attempt takes time: a frame leaves somewhere between the order to send it and the
//! report about it. Its slot is therefore *open* until that report, and its age counts
//! from there: otherwise a slow first attempt and a quick sixth one would leave within
//! less than a window.

use crate::ids::Attempt;
use crate::time::BootId;
use tetherd_api::MessageId;

/// One spent slot of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The boot in which it was spent.
    pub boot: BootId,
    /// When its frame left at the latest, in that boot's monotonic milliseconds; while
    /// open, when it was spent.
    pub mono_ms: u64,
    /// Whether the attempt has not been reported about yet.
    pub open: bool,
}

/// A spent slot in this boot's time.
#[derive(Clone, Copy, Debug)]
struct Spent {
    at: u64,
    /// The attempt, until it has been reported about.
    open: Option<(MessageId, Attempt)>,
}

/// The spent slots, in the order of their attempts.
#[derive(Debug)]
pub(crate) struct Pacer {
    boot: BootId,
    limit: usize,
    window_ms: u64,
    slots: Vec<Spent>,
    /// Nothing leaves before, whatever is free.
    held_until: u64,
}

/// A pacer played ahead of time: attempts leave as early as they may, or later.
#[derive(Debug)]
pub(crate) struct PaceRun {
    limit: usize,
    window_ms: u64,
    /// From when each slot ages, the oldest first.
    times: Vec<u64>,
    at: u64,
}

impl PaceRun {
    /// When the next attempt may leave.
    pub(crate) fn next(&self) -> u64 {
        let index = self.times.len().checked_sub(self.limit);
        let oldest = index.and_then(|index| self.times.get(index));
        oldest.map_or(self.at, |at| at.saturating_add(self.window_ms).max(self.at))
    }

    /// An attempt leaves then, or as soon as it may. Answers when.
    pub(crate) fn spend(&mut self, at: u64) -> u64 {
        self.at = self.next().max(at);
        self.times.push(self.at);
        self.at
    }
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
        // that was open when the process died left before now, whenever that was. One
        // from this boot's future cannot be; taking it as spent now refills nothing and
        // holds the queue for one window at most.
        let mut slots: Vec<Spent> = stored
            .iter()
            .map(|slot| match slot {
                Slot { boot: other, .. } if *other != boot => 0,
                Slot { open: true, .. } => mono_ms,
                Slot { mono_ms: at, .. } => mono_ms.min(*at),
            })
            .map(|at| Spent { at, open: None })
            .collect();
        slots.sort_unstable_by_key(|slot| slot.at);
        let mut pacer = Pacer { boot, limit: limit.max(1), window_ms, slots, held_until: 0 };
        pacer.forget(mono_ms);
        let changed = pacer.stored() != stored;
        (pacer, changed)
    }

    /// Other limits; what is spent stays spent.
    pub(crate) fn configure(&mut self, limit: usize, window_ms: u64) {
        self.limit = limit.max(1);
        self.window_ms = window_ms;
    }

    /// Nothing leaves before then.
    pub(crate) fn hold_until(&mut self, mono_ms: u64) {
        self.held_until = mono_ms;
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
                let slot = self.times(mono_ms).get(index).copied().unwrap_or(mono_ms);
                slot.saturating_add(self.window_ms).max(mono_ms)
            }
            None => mono_ms,
        };
        let rounds = u64::try_from(rounds).unwrap_or(u64::MAX);
        first.max(self.held_until).saturating_add(rounds.saturating_mul(self.window_ms))
    }

    /// The slots as they will be spent from now on, to be played through.
    pub(crate) fn run(&self, mono_ms: u64) -> PaceRun {
        let times = self.times(mono_ms);
        let at = mono_ms.max(self.held_until);
        PaceRun { limit: self.limit, window_ms: self.window_ms, times, at }
    }

    /// Spends a slot on an attempt, which is open until [`Pacer::close`].
    pub(crate) fn spend(&mut self, id: MessageId, attempt: Attempt, mono_ms: u64) {
        self.slots.push(Spent { at: mono_ms, open: Some((id, attempt)) });
        self.forget(mono_ms);
    }

    /// The attempt was reported about: its frame left before now, or never. True if its
    /// slot was open.
    pub(crate) fn close(&mut self, id: MessageId, attempt: Attempt, mono_ms: u64) -> bool {
        self.close_where(mono_ms, |slot| slot.open == Some((id, attempt)))
    }

    /// Nothing that was spent up to `before_ms` can leave any more. True if a slot was open.
    pub(crate) fn close_all(&mut self, before_ms: u64, mono_ms: u64) -> bool {
        self.close_where(mono_ms, |slot| slot.open.is_some() && slot.at <= before_ms)
    }

    fn close_where(&mut self, mono_ms: u64, which: impl Fn(&Spent) -> bool) -> bool {
        let mut closed = false;
        for slot in self.slots.iter_mut().filter(|slot| which(slot)) {
            *slot = Spent { at: mono_ms, open: None };
            closed = true;
        }
        closed
    }

    /// When the oldest slot that is still open was spent.
    pub(crate) fn oldest_open(&self) -> Option<u64> {
        self.slots.iter().filter(|slot| slot.open.is_some()).map(|slot| slot.at).min()
    }

    /// Slots spent in the window that ends now.
    pub(crate) fn spent(&self, mono_ms: u64) -> usize {
        self.slots.iter().filter(|slot| self.counts(slot, mono_ms)).count()
    }

    /// When the last slot was spent.
    pub(crate) fn last(&self) -> Option<u64> {
        self.slots.iter().map(|slot| slot.at).max()
    }

    /// What to store.
    pub(crate) fn stored(&self) -> Vec<Slot> {
        let slot = |s: &Spent| Slot { boot: self.boot, mono_ms: s.at, open: s.open.is_some() };
        self.slots.iter().map(slot).collect()
    }

    /// From when each slot ages, the oldest first. Open ones have not begun to.
    fn times(&self, mono_ms: u64) -> Vec<u64> {
        let time = |slot: &Spent| if slot.open.is_some() { mono_ms } else { slot.at };
        let mut times: Vec<u64> = self.slots.iter().map(time).collect();
        times.sort_unstable();
        times
    }

    fn counts(&self, slot: &Spent, mono_ms: u64) -> bool {
        slot.open.is_some() || slot.at.saturating_add(self.window_ms) > mono_ms
    }

    /// Drops what no longer counts. The last `limit` slots stay whatever their age: a
    /// reload that widens the window must find them.
    fn forget(&mut self, mono_ms: u64) {
        while self.slots.len() > self.limit {
            let over =
                self.slots.iter().enumerate().filter(|(_, slot)| !self.counts(slot, mono_ms));
            let Some((index, _)) = over.min_by_key(|(_, slot)| slot.at) else { return };
            self.slots.remove(index);
        }
    }
}
