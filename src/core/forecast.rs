//! When waiting messages are expected to leave, at the pacer's pace, if nothing else holds
//! them and each attempt succeeds. Changes nothing.

use std::collections::{BTreeSet, HashMap};

use crate::Core;
use crate::queue::Place;
use crate::time::Now;
use tetherd_api::{MessageId, State};

/// Worked out once for a whole list.
#[derive(Debug)]
pub(crate) struct Forecast {
    /// How many of the queued ones that may be sent by now come before it.
    places: HashMap<MessageId, usize>,
    /// When it is expected to leave, monotonic. Without an entry, when its place says.
    times: HashMap<MessageId, u64>,
}

/// Where a message stands among those that wait.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outlook {
    /// How many queued ones come before it; none while its time has not come.
    pub(crate) before: Option<usize>,
    /// When it is expected to leave, monotonic.
    pub(crate) leaves: Option<u64>,
}

impl Forecast {
    pub(crate) fn new(core: &Core, now: Now) -> Forecast {
        let places = core.queue.queued().enumerate().map(|(place, id)| (id, place)).collect();
        let scheduled = core.queue.deadlines().scheduled_len() > 0;
        let times = if scheduled { times(core, now).0 } else { HashMap::new() };
        Forecast { places, times }
    }

    pub(crate) fn outlook(&self, core: &Core, id: MessageId, now: Now) -> Outlook {
        let before = self.places.get(&id).copied();
        let leaves = match self.times.get(&id) {
            Some(at) => Some(*at),
            None => before.map(|before| core.leaves_after(before, now)),
        };
        Outlook { before, leaves }
    }
}

impl Core {
    /// When the queued message with so many before it leaves, while none is scheduled.
    fn leaves_after(&self, before: usize, now: Now) -> u64 {
        // Those without an answer go first, and each takes a slot.
        let ahead = before.saturating_add(self.queue.unknown_len());
        self.pacer.expected(now.mono_ms, ahead)
    }

    /// Where one message stands.
    pub(crate) fn outlook(&self, id: MessageId, now: Now) -> Outlook {
        let Some(message) = self.queue.get(id) else { return Outlook::default() };
        if message.state() != State::Queued {
            return Outlook::default();
        }
        let before = self.queue.queued_before(message);
        let leaves = before.map(|before| self.leaves_after(before, now));
        // One that leaves before any other becomes due is passed by none.
        let undisturbed = match (leaves, self.queue.deadlines().scheduled().next()) {
            (Some(leaves), Some((due, _))) => self.wall_of(leaves, now).0 < due,
            (leaves, None) => leaves.is_some(),
            (None, Some(_)) => false,
        };
        if undisturbed {
            return Outlook { before, leaves };
        }
        Forecast::new(self, now).outlook(self, id, now)
    }

    /// When the next and the last waiting message leave, monotonic.
    pub(crate) fn first_and_last(&self, now: Now) -> Option<(u64, u64)> {
        let last = self.queue.to_leave().checked_sub(1)?;
        if self.queue.deadlines().scheduled_len() == 0 {
            let at = |ahead| self.pacer.expected(now.mono_ms, ahead);
            return Some((at(0), at(last)));
        }
        let (_, all) = times(self, now);
        Some((*all.first()?, *all.last()?))
    }
}

/// Plays the queue through: the times of the queued messages, and all times in order.
fn times(core: &Core, now: Now) -> (HashMap<MessageId, u64>, Vec<u64>) {
    let (mut times, mut all) = (HashMap::new(), Vec::new());
    let mut run = core.pacer.run(now.mono_ms);
    for _ in 0..core.queue.unknown_len() {
        all.push(run.spend(now.mono_ms));
    }
    let mut ready: BTreeSet<Place> =
        core.queue.queued().filter_map(|id| core.queue.queued_place(id)).collect();
    let mut to_come = core.queue.deadlines().scheduled().peekable();
    let due = |at: i64| {
        let wait = u64::try_from(at.saturating_sub(now.wall_ms)).unwrap_or(0);
        now.mono_ms.saturating_add(wait)
    };
    // What is being prepared may be ready at any time: it is counted at the end.
    let mut preparing = core.queue.preparing_len();
    loop {
        let mut at = run.next();
        if ready.is_empty() && preparing == 0 {
            let Some((first, _)) = to_come.peek() else { break };
            at = at.max(due(*first));
        }
        while let Some((_, id)) = to_come.next_if(|(first, _)| due(*first) <= at) {
            // One that is being prepared besides is counted there.
            ready.extend(core.queue.queued_place(id));
        }
        if let Some((.., id)) = ready.pop_first() {
            times.insert(id, run.spend(at));
        } else if let Some(fewer) = preparing.checked_sub(1) {
            preparing = fewer;
            run.spend(at);
        } else {
            continue;
        }
        all.push(at);
    }
    (times, all)
}
