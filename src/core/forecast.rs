//! When waiting messages are expected to leave: at the window's pace, in order, each chat in
//! its own, and none before what holds it ends, as far as that is known. Changes nothing.

use std::collections::{BTreeSet, HashMap};

mod steady;

use crate::Core;
use crate::pacing::{Class, WindowRun};
use crate::queue::{Message, Place, place};
use crate::time::Now;
use steady::Steady;
use tetherd_api::{ConditionKind, MessageId, State};

/// Worked out once for several messages.
pub(crate) struct Forecast {
    /// What holds everything that waits.
    stop: Option<ConditionKind>,
    /// How many of the queued ones that may be sent by now come before each; none: counted for
    /// the one that is asked for.
    places: Option<HashMap<MessageId, usize>>,
    times: Times,
}

/// When messages are expected to leave, monotonic.
enum Times {
    Steady(Steady),
    /// Without an entry nobody knows.
    Played(HashMap<MessageId, u64>),
}

/// Where a message stands among those that wait.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outlook {
    /// How many queued ones come before it; none while its time has not come.
    pub(crate) before: Option<usize>,
    /// When it is expected to leave, monotonic; none if nobody knows.
    pub(crate) leaves: Option<u64>,
    /// What holds it, beyond the pace.
    pub(crate) held_by: Option<ConditionKind>,
    /// The message of its chat that comes before it.
    pub(crate) after: Option<MessageId>,
}

/// Whether a message still has to leave.
pub(crate) fn waits(message: &Message) -> bool {
    match message.state() {
        State::Preparing | State::Queued | State::Unknown => true,
        State::Sending
        | State::Parked
        | State::Sent
        | State::Delivered
        | State::Read
        | State::Failed
        | State::Expired
        | State::Cancelled => false,
    }
}

/// An attempt that is to come.
struct Leaves {
    id: MessageId,
    at: u64,
    /// Whether nothing but time stands before it.
    sure: bool,
}

/// The messages of a chat that still have to leave, in order.
struct Lane<'a> {
    waits: std::vec::IntoIter<&'a Message>,
    /// The first of them, when it may leave, and whether an answer is missing for that.
    first: Option<&'a Message>,
    at: u64,
    sure: bool,
}

/// Plays the queue ahead.
struct Play<'a> {
    core: &'a Core,
    now: Now,
    /// The first instant after now: what waits for an answer does not leave before.
    soon: u64,
    run: WindowRun,
    lanes: Vec<Lane<'a>>,
    /// The first of each lane, by the slots that they may take: those that may leave, and
    /// those that may later.
    ready: [BTreeSet<(Place, usize)>; 2],
    later: [BTreeSet<(u64, Place, usize)>; 2],
    times: Vec<Leaves>,
}

impl Forecast {
    /// For many: the queue is played ahead once.
    pub(crate) fn new(core: &Core, now: Now) -> Forecast {
        let stop = core.stop(now);
        let places = core.queue.queued().enumerate().map(|(place, id)| (id, place)).collect();
        let times = Times::Played(if stop.is_some() { HashMap::new() } else { played(core, now) });
        Forecast { stop, places: Some(places), times }
    }

    /// For few: in the usual case those that wait besides are not looked at.
    pub(crate) fn of_few(core: &Core, now: Now) -> Forecast {
        let stop = core.stop(now);
        let times = if stop.is_some() {
            Times::Played(HashMap::new())
        } else {
            let steady = Steady::of(core, now).map(Times::Steady);
            steady.unwrap_or_else(|| Times::Played(played(core, now)))
        };
        Forecast { stop, places: None, times }
    }

    pub(crate) fn outlook(&self, core: &Core, message: &Message) -> Outlook {
        Outlook {
            before: match &self.places {
                Some(places) => places.get(&message.id).copied(),
                None => core.queue.queued_before(message),
            },
            leaves: match &self.times {
                Times::Steady(steady) => steady.leaves(core, message),
                Times::Played(times) => times.get(&message.id).copied(),
            },
            held_by: core.held_by(message, self.stop),
            after: core.queue.before_in_chat(message),
        }
    }
}

fn played(core: &Core, now: Now) -> HashMap<MessageId, u64> {
    let known = Play::new(core, now).play().into_iter().filter(|leaves| leaves.sure);
    known.map(|leaves| (leaves.id, leaves.at)).collect()
}

impl Core {
    /// What holds everything that waits, the weightiest.
    fn stop(&self, now: Now) -> Option<ConditionKind> {
        self.stops(now).next().map(|stop| stop.kind())
    }

    /// When the next and the last message leave, monotonic; none if nobody knows.
    pub(crate) fn first_and_last(&self, now: Now) -> Option<(u64, u64)> {
        if self.stop(now).is_some() {
            return None;
        }
        if let Some(steady) = Steady::of(self, now) {
            return steady.first_and_last();
        }
        self.played_first_and_last(now)
    }

    fn played_first_and_last(&self, now: Now) -> Option<(u64, u64)> {
        let times = Play::new(self, now).play();
        let first = times.iter().find(|leaves| leaves.sure)?;
        Some((first.at, times.last()?.at))
    }

    /// Whether the short way to a forecast says what the long one does.
    #[cfg(test)]
    pub(crate) fn check_forecast(&self, now: Now) {
        if self.stop(now).is_some() {
            return;
        }
        let Some(steady) = Steady::of(self, now) else { return };
        assert_eq!(steady.first_and_last(), self.played_first_and_last(now));
        let played = played(self, now);
        for message in self.queue.waiting() {
            assert_eq!(steady.leaves(self, message), played.get(&message.id).copied());
        }
    }

    /// Where one message stands.
    pub(crate) fn outlook(&self, message: &Message, now: Now) -> Outlook {
        if !waits(message) {
            return Outlook::default();
        }
        Forecast::of_few(self, now).outlook(self, message)
    }

    /// When a message may be attempted as far as the clock alone matters; none: it waits for
    /// an answer.
    fn rests_until(&self, message: &Message, now: Now) -> Option<u64> {
        let due = message.draft.not_before.filter(|_| message.state() == State::Queued);
        let wait = due.map_or(0, |due| u64::try_from(due.saturating_sub(now.wall_ms)).unwrap_or(0));
        let due = now.mono_ms.saturating_add(wait);
        Some(self.queue.rested_at(message)?.max(due).max(self.new_contact_gate(message)))
    }
}

impl<'a> Play<'a> {
    fn new(core: &'a Core, now: Now) -> Play<'a> {
        // One whose time has not come holds nothing of its chat back.
        let early = core.queue.scheduled().map(|(_, message)| vec![message]);
        let lane = |waits: Vec<&'a Message>| Lane {
            waits: waits.into_iter(),
            first: None,
            at: 0,
            sure: true,
        };
        Play {
            core,
            now,
            soon: now.mono_ms.saturating_add(1),
            run: core.pacing.run(now),
            lanes: core.queue.lanes().chain(early).map(lane).collect(),
            ready: Default::default(),
            later: Default::default(),
            times: Vec::new(),
        }
    }

    fn play(mut self) -> Vec<Leaves> {
        for lane in 0..self.lanes.len() {
            self.admit(lane);
        }
        while let Some(at) = Class::ALL.into_iter().filter_map(|class| self.soonest(class)).min() {
            for (later, ready) in self.later.iter_mut().zip(&mut self.ready) {
                while let Some((from, place, lane)) = later.pop_first() {
                    if from > at {
                        later.insert((from, place, lane));
                        break;
                    }
                    ready.insert((place, lane));
                }
            }
            let free = Class::ALL.into_iter().filter(|class| self.run.next(0, *class) <= at);
            let firsts = free.filter_map(|class| {
                let (place, lane) = self.ready[class.index()].first()?;
                Some((*place, *lane, class))
            });
            let Some((place, lane, class)) = firsts.min_by_key(|(place, ..)| *place) else { break };
            self.ready[class.index()].remove(&(place, lane));
            self.leave(place, lane, (at, class));
        }
        self.times
    }

    /// When the next of these leaves.
    fn soonest(&self, class: Class) -> Option<u64> {
        let (ready, later) = (&self.ready[class.index()], &self.later[class.index()]);
        let from = if ready.is_empty() { later.first()?.0 } else { 0 };
        Some(self.run.next(from, class))
    }

    /// The next message of a lane waits to leave.
    fn admit(&mut self, index: usize) {
        let Some(lane) = self.lanes.get_mut(index) else { return };
        lane.first = lane.waits.next();
        let Some(message) = lane.first else { return };
        if message.state() == State::Sending {
            // Its slot is spent; what comes behind it waits for its answer.
            (lane.at, lane.sure) = (self.soon, false);
            return self.admit(index);
        }
        match self.core.rests_until(message, self.now) {
            Some(at) => lane.at = lane.at.max(at),
            None => (lane.at, lane.sure) = (lane.at.max(self.soon), false),
        }
        let class = Class::of(message.draft.priority);
        self.later[class.index()].insert((lane.at, place(message), index));
    }

    fn leave(&mut self, place: Place, index: usize, (at, class): (u64, Class)) {
        let Some(lane) = self.lanes.get_mut(index) else { return };
        let Some(message) = lane.first else { return };
        // What needs an answer lets those pass that need none.
        if lane.sure && at < self.soon && self.core.preconditions(message).is_none() {
            (lane.at, lane.sure) = (self.soon, false);
            self.later[class.index()].insert((lane.at, place, index));
            return;
        }
        let at = self.run.spend(at, class);
        // With its turn later than that, the answer is there by then.
        let sure = lane.sure || at > self.soon;
        self.times.push(Leaves { id: message.id, at, sure });
        (lane.at, lane.sure) = (at.max(self.soon), false);
        self.admit(index);
    }
}
