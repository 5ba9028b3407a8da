//! What the screen knows: the daemon's state as events and looks at it tell, what a person has
//! selected, and what came of the last key. Pure: draws nothing, asks nobody.

use std::collections::{BTreeMap, VecDeque};

use super::request::{Done, Look, Request};
use crate::render::Clock;
use tetherd_api::{
    ClearResult, Condition, Event, EventFrame, Explanation, Holds, Message, MessageId, PairEnd,
    PairOffer, Status, Time,
};

/// Events that are kept to be shown.
const EVENTS_MAX: usize = 200;
/// Messages that left and are counted.
const SENT_MAX: usize = 2_000;
/// For how long a message that left counts as sent lately.
const LATELY_MS: i64 = 3_600_000;
/// Between two looks, however much happens.
const LOOK_GAP_MS: i64 = 1_000;
/// After a look while slots of the pace are taken: nothing reports that one becomes free.
const PACE_LOOK_MS: i64 = 5_000;

/// How the daemon stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is known yet.
    Starting,
    /// Messages leave.
    Well,
    /// Some messages do not leave.
    SomeHeld,
    /// No message leaves.
    Held,
    /// Nobody answers.
    NoDaemon,
}

/// What lies over the screen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// The keys.
    Help,
    /// What would be withdrawn; none: the daemon is being asked.
    Clear(Option<ClearResult>),
    /// A code for the phone, and how the pairing ended.
    Pair { offer: Option<PairOffer>, ended: Option<PairEnd> },
    /// One message.
    Message(Box<Message>),
}

/// The last thing that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// The command that does the same.
    pub(super) command: String,
    /// What came of it, once it is known.
    pub(super) outcome: Option<Result<String, String>>,
}

/// The connection's end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// When.
    pub(super) at: Time,
    /// Why there is none, in a sentence.
    pub(super) why: String,
}

/// Everything that is drawn.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) lost: Option<Lost>,
    pub(super) status: Option<Box<Status>>,
    pub(super) why: Option<Explanation>,
    pub(super) queue: Vec<Message>,
    /// How many there are, beyond those of `queue` too.
    pub(super) queue_total: usize,
    pub(super) events: VecDeque<EventFrame>,
    pub(super) overlay: Overlay,
    pub(super) note: Option<Note>,
    /// Lines of what is the case that lie above the window.
    pub(super) scrolled: usize,
    selected: Option<MessageId>,
    sent: BTreeMap<MessageId, Time>,
    /// Whether something changed since the last look.
    changed: bool,
    /// Whether the daemon is being asked.
    looking: bool,
    looked_at: Option<i64>,
}

impl Model {
    /// A connection is there.
    pub(super) fn connected(&mut self) {
        self.lost = None;
        self.changed = true;
        self.looking = false;
        self.looked_at = None;
    }

    /// There is none.
    pub(super) fn lost(&mut self, why: String, clock: &Clock) {
        let at = self.lost.as_ref().map_or(Time(clock.now_ms), |lost| lost.at);
        self.lost = Some(Lost { at, why });
    }

    /// Something happened.
    pub(super) fn event(&mut self, frame: EventFrame) {
        match &frame.event {
            Event::Status { status } => {
                self.status = Some(status.clone());
                self.changed = true;
            }
            Event::Message { message } => {
                self.changed = true;
                self.note_sent(message);
            }
            Event::Pairing { offer, ended } => self.pairing(offer.clone(), ended.clone()),
            Event::SnapshotEnd {} => return,
            Event::Incoming { .. } | Event::Gap { .. } => {}
        }
        self.events.push_back(frame);
        if self.events.len() > EVENTS_MAX {
            self.events.pop_front();
        }
    }

    fn note_sent(&mut self, message: &Message) {
        if let Some(at) = message.sent_at {
            self.sent.insert(message.id, at);
            if self.sent.len() > SENT_MAX {
                self.sent.pop_first();
            }
        }
    }

    fn pairing(&mut self, new: Option<PairOffer>, end: Option<PairEnd>) {
        if let Overlay::Pair { offer, ended } = &mut self.overlay {
            if new.is_some() {
                *offer = new;
            }
            *ended = end;
        }
    }

    /// What the daemon answered about everything.
    pub(super) fn looked(&mut self, look: Look, clock: &Clock) {
        self.looking = false;
        self.looked_at = Some(clock.now_ms);
        self.status = Some(look.status);
        self.why = Some(look.why);
        self.queue = look.queue.messages;
        self.queue_total = look.queue.total;
    }

    /// It did not: it is asked again.
    pub(super) fn look_failed(&mut self, clock: &Clock) {
        self.looking = false;
        self.looked_at = Some(clock.now_ms);
        self.changed = true;
    }

    /// Whether it is time for another look; asked for, it counts as under way.
    pub(super) fn takes_look(&mut self, clock: &Clock) -> bool {
        let due = match self.looked_at {
            _ if self.looking => false,
            None => self.changed,
            Some(at) if clock.now_ms < at + LOOK_GAP_MS => false,
            Some(at) => self.changed || self.has_aged(at, clock.now_ms),
        };
        if due {
            self.looking = true;
            self.changed = false;
        }
        due
    }

    /// Whether a time that the last look named has come, or the pace may have moved on.
    fn has_aged(&self, at: i64, now: i64) -> bool {
        let spent = self.status.as_ref().is_some_and(|status| status.pacing.spent > 0);
        let queue = self.status.iter().flat_map(|status| {
            [status.queue.next_send_at, status.pacing.next_slot_at, status.session.next_try_at]
        });
        let conditions = self.conditions().flat_map(|one| [one.until, one.by_itself_at]);
        let mut times = queue.chain(conditions).flatten();
        times.any(|time| time.0 > at && time.0 <= now) || (spent && now >= at + PACE_LOOK_MS)
    }

    /// Something was asked for.
    pub(super) fn asked(&mut self, request: Request) {
        if request == Request::ClearPreview {
            self.overlay = Overlay::Clear(None);
        } else if request == Request::Clear {
            self.overlay = Overlay::None;
        }
        self.note = Some(Note { command: request.command(), outcome: None });
    }

    /// What came of it.
    pub(super) fn answered(
        &mut self,
        request: Request,
        outcome: Result<Done, String>,
        clock: &Clock,
    ) {
        let said = match &outcome {
            Ok(done) => Ok(done.sentence(clock)),
            Err(error) => Err(error.clone()),
        };
        self.note = Some(Note { command: request.command(), outcome: Some(said) });
        self.changed = true;
        self.looked_at = None;
        match (outcome, request) {
            (Ok(Done::Status(status)), _) => self.status = Some(status),
            (Ok(Done::Cleared(result)), Request::ClearPreview) => {
                if matches!(self.overlay, Overlay::Clear(_)) {
                    self.overlay = Overlay::Clear(Some(result));
                }
            }
            (Ok(Done::Message(message)), _) => self.overlay = Overlay::Message(message),
            (Ok(Done::Offer(offer)), _) => {
                self.overlay = Overlay::Pair { offer: Some(offer), ended: None };
            }
            (Err(_), Request::ClearPreview) => self.overlay = Overlay::None,
            (
                Ok(Done::Cleared(_) | Done::Restored(_) | Done::Retried(_) | Done::Cancelled(_)),
                _,
            )
            | (Err(_), _) => {}
        }
    }

    /// Selects the message so many lines further down.
    pub(super) fn select(&mut self, by: isize) {
        let last = self.queue.len().saturating_sub(1);
        let to = match self.selected_line() {
            Some(line) => line.saturating_add_signed(by).min(last),
            None if by == isize::MAX => last,
            None => 0,
        };
        self.selected = self.queue.get(to).map(|message| message.id);
    }

    /// Shows what is the case from so many lines further down.
    pub(super) fn scroll(&mut self, by: isize) {
        self.scrolled = self.scrolled.saturating_add_signed(by);
    }

    /// There is no more than this to be scrolled.
    pub(super) fn scroll_at_most(&mut self, lines: usize) {
        self.scrolled = self.scrolled.min(lines);
    }

    /// The selected message's line, while it is there.
    pub(super) fn selected_line(&self) -> Option<usize> {
        let id = self.selected?;
        self.queue.iter().position(|message| message.id == id)
    }

    /// The selected message, while it is there.
    pub(super) fn selected(&self) -> Option<&Message> {
        self.queue.get(self.selected_line()?)
    }

    /// Whether the queue is paused.
    pub(super) fn paused(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.queue.paused)
    }

    /// What is the case.
    pub(super) fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.why.iter().flat_map(|why| &why.conditions).filter(|condition| condition.active)
    }

    /// Messages that left within the last hour.
    pub(super) fn sent_lately(&self, clock: &Clock) -> usize {
        self.sent.values().filter(|at| at.0 > clock.now_ms - LATELY_MS).count()
    }

    /// How it stands. What is as configured is no trouble.
    pub(super) fn verdict(&self) -> Verdict {
        if self.lost.is_some() {
            return Verdict::NoDaemon;
        }
        if self.why.is_none() {
            return Verdict::Starting;
        }
        let troubles = self.conditions().filter(|one| !one.kind.is_as_configured());
        match troubles.map(|condition| condition.holds).max() {
            Some(Holds::All) => Verdict::Held,
            Some(Holds::Some) => Verdict::SomeHeld,
            Some(Holds::None) | None => Verdict::Well,
        }
    }
}
