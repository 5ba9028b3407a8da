//! The sending window: how many attempts may leave in any span of time. Never sleeps, never
//! reads a clock.
//!
//! At most `limit` attempts in any half-open window of `window_ms`: an attempt may
//! leave when the `limit`-th last one is at least a whole window old. Monotonic time
//! only, so that a wall clock that jumps refills nothing.
//!
//! An attempt takes time: a frame leaves somewhere between the order to send it and the
//! report about it. Its slot is therefore *open* until that report, and its age counts
//! from there: otherwise a slow first attempt and a quick sixth one would leave within
//! less than a window.

use super::hours::OpenHours;
use crate::ids::Attempt;
use crate::time::{BootId, Now, wall_of};
use tetherd_api::{MessageId, Priority};

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
pub(super) struct Window {
    boot: BootId,
    limit: usize,
    /// Slots of them that only high priority may take.
    reserve: usize,
    window_ms: u64,
    slots: Vec<Spent>,
    /// Nothing leaves before, whatever is free.
    held_until: u64,
}

/// Which slots a message may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// All of them, those that are kept for it included.
    High,
    /// Those that are not kept for high priority.
    Other,
}

impl Class {
    /// Every one.
    pub(crate) const ALL: [Class; 2] = [Class::High, Class::Other];

    /// A message's.
    pub(crate) fn of(priority: Priority) -> Class {
        match priority {
            Priority::High => Class::High,
            Priority::Normal | Priority::Low => Class::Other,
        }
    }

    /// Its place in a pair.
    pub(crate) fn index(self) -> usize {
        match self {
            Class::High => 0,
            Class::Other => 1,
        }
    }
}

/// The sending hours in this boot's time.
#[derive(Clone, Debug, Default)]
pub(super) struct Hours {
    /// None: messages leave at any time.
    pub(super) open: Option<OpenHours>,
    /// Whether high priority keeps no hours.
    pub(super) high_at_any_time: bool,
    /// What the clocks read.
    pub(super) now: Option<Now>,
}

impl Hours {
    fn open_from(&self, mono_ms: u64, class: Class) -> u64 {
        let (Some(open), Some(now)) = (&self.open, self.now) else { return mono_ms };
        if class == Class::High && self.high_at_any_time {
            return mono_ms;
        }
        let wall = wall_of(mono_ms, now);
        let wait = open.open_from(wall).saturating_sub(wall);
        mono_ms.saturating_add(u64::try_from(wait).unwrap_or(0))
    }
}

/// The window played ahead of time: attempts leave as early as they may, or later.
#[derive(Debug)]
pub(crate) struct WindowRun {
    limit: usize,
    reserve: usize,
    window_ms: u64,
    /// From when each slot ages, the oldest first.
    times: Vec<u64>,
    at: u64,
    hours: Hours,
}

impl WindowRun {
    /// When the next attempt of this class may leave, from this instant on.
    pub(crate) fn next(&self, from: u64, class: Class) -> u64 {
        let limit = match class {
            Class::High => self.limit,
            Class::Other => self.limit.saturating_sub(self.reserve).max(1),
        };
        let index = self.times.len().checked_sub(limit);
        let oldest = index.and_then(|index| self.times.get(index));
        let free = oldest.map_or(self.at, |at| at.saturating_add(self.window_ms).max(self.at));
        self.hours.open_from(free.max(from), class)
    }

    /// When each of the next attempts may leave, as many as fit into one window, and how long
    /// that is: those of each later window leave so much later.
    pub(crate) fn first_window(mut self) -> (Vec<u64>, u64) {
        let window_ms = self.window_ms;
        ((0..self.limit).map(|_| self.spend(0, Class::Other)).collect(), window_ms)
    }

    /// An attempt leaves then, or as soon as it may. Answers when.
    pub(crate) fn spend(&mut self, from: u64, class: Class) -> u64 {
        self.at = self.next(from, class);
        self.times.push(self.at);
        self.at
    }
}

impl Window {
    /// Takes over what was stored. True if that has to be stored anew.
    pub(super) fn new(
        boot: BootId,
        limit: usize,
        window_ms: u64,
        stored: &[Slot],
        mono_ms: u64,
    ) -> (Window, bool) {
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
        let mut window =
            Window { boot, limit: limit.max(1), reserve: 0, window_ms, slots, held_until: 0 };
        window.forget(mono_ms);
        let changed = window.stored() != stored;
        (window, changed)
    }

    /// Other limits; what is spent stays spent.
    pub(super) fn configure(&mut self, limit: usize, reserve: usize, window_ms: u64) {
        self.limit = limit.max(1);
        self.reserve = reserve;
        self.window_ms = window_ms;
    }

    /// Nothing leaves before then.
    pub(super) fn hold_until(&mut self, mono_ms: u64) {
        self.held_until = mono_ms;
    }

    /// The slots as they will be spent from now on, to be played through.
    pub(super) fn run(&self, mono_ms: u64, hours: Hours) -> WindowRun {
        let Window { limit, reserve, window_ms, .. } = *self;
        let times = self.times(mono_ms);
        let at = mono_ms.max(self.held_until);
        WindowRun { limit, reserve, window_ms, times, at, hours }
    }

    /// Spends a slot on an attempt, which is open until [`Window::close`].
    pub(super) fn spend(&mut self, id: MessageId, attempt: Attempt, mono_ms: u64) {
        self.slots.push(Spent { at: mono_ms, open: Some((id, attempt)) });
        self.forget(mono_ms);
    }

    /// The attempt was reported about: its frame left before now, or never. True if its
    /// slot was open.
    pub(super) fn close(&mut self, id: MessageId, attempt: Attempt, mono_ms: u64) -> bool {
        self.close_where(mono_ms, |slot| slot.open == Some((id, attempt)))
    }

    /// Nothing that was spent up to `before_ms` can leave any more. True if a slot was open.
    pub(super) fn close_all(&mut self, before_ms: u64, mono_ms: u64) -> bool {
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
    pub(super) fn oldest_open(&self) -> Option<u64> {
        self.slots.iter().filter(|slot| slot.open.is_some()).map(|slot| slot.at).min()
    }

    /// Slots spent in the window that ends now.
    pub(super) fn spent(&self, mono_ms: u64) -> usize {
        self.slots.iter().filter(|slot| self.counts(slot, mono_ms)).count()
    }

    /// When the last slot was spent.
    pub(super) fn last(&self) -> Option<u64> {
        self.slots.iter().map(|slot| slot.at).max()
    }

    /// What to store.
    pub(super) fn stored(&self) -> Vec<Slot> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn free_at(window: &Window, mono_ms: u64) -> u64 {
        window.run(mono_ms, Hours::default()).next(0, Class::Other)
    }

    #[test]
    fn a_slot_from_this_boots_future_holds_for_one_window_only() {
        let boot = BootId(7);
        let stored = [Slot { boot, mono_ms: u64::MAX, open: false }];
        let (window, changed) = Window::new(boot, 1, 120_000, &stored, 5_000);
        assert!(changed);
        assert_eq!(free_at(&window, 5_000), 125_000);
    }

    #[test]
    fn the_forecast_is_what_happens() {
        for limit in 1..=6 {
            let boot = BootId(1);
            let mono = |mono_ms| Slot { boot, mono_ms, open: false };
            let stored: Vec<Slot> = [0, 40, 900].into_iter().take(limit).map(mono).collect();
            let (mut window, _) = Window::new(boot, limit, 1_000, &stored, 950);
            let mut run = window.run(950, Hours::default());
            let forecast: Vec<u64> = (0..20).map(|_| run.spend(0, Class::Other)).collect();
            let mut now = 950;
            for expected in forecast {
                now = free_at(&window, now);
                assert_eq!(now, expected);
                window.spend(MessageId(1), Attempt(1), now);
                assert!(window.close(MessageId(1), Attempt(1), now));
            }
        }
    }
}
