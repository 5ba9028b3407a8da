//! Answers for readers, in the wire's own types. Changes nothing.

use crate::Core;
use crate::action::Effect;
use crate::event::{EndReason, Selection};
use crate::explain;
use crate::forecast::{self, Forecast, Outlook};
use crate::ids::Digest;
use crate::queue::Message;
use crate::time::{self, Now, Timestamp};
use tetherd_api::{
    self as api, BatteryLevel, ConditionKind, MessageId, PhoneState, Redacted, SessionState, State,
    Time,
};

/// What makes a status worth telling. Counts and slots are not in it: they follow from
/// the events about messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusKey {
    session: SessionState,
    account: Option<Redacted<String>>,
    ended: Option<EndReason>,
    next_try: Option<u64>,
    connections: u64,
    replaced: u64,
    /// When something ends by itself, monotonic: takeover, timelock, quota, rate limit.
    ends: [Option<u64>; 4],
    stops: Vec<ConditionKind>,
    /// What is worth knowing about the session or the disk, and holds nothing.
    warnings: Vec<ConditionKind>,
    idle: bool,
    full: bool,
    closed: bool,
    limits: (usize, usize, u64),
    phone: PhoneKey,
}

/// What makes the phone's part of the status worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PhoneKey {
    state: Option<(PhoneState, i64)>,
    battery: BatteryLevel,
    probing: bool,
    absent_days: Option<u64>,
    report: Option<Timestamp>,
}

impl Core {
    /// The status, as `status` answers it.
    pub fn status(&self, now: Now) -> api::Status {
        let session = &self.session;
        let wall = |at: u64| self.wall_of(at, now);
        api::Status {
            started_at: Time(self.started_at),
            session: api::SessionStatus {
                state: session.state(),
                since: Time(session.since(now)),
                account: session.account().cloned(),
                detail: self.session_detail(),
                next_try_at: session.next_try().map(wall),
                connections: session.generation(),
                replaced: session.replaced(),
                replaced_last_hour: session.last_hour(now).replaced,
                takeover_at: session.takeover_at().map(wall),
                timelock_until: self.pacing.timelock().map(|(_, ends)| wall(ends)),
            },
            queue: self.queue_status(now),
            pacing: self.pacing.status(now),
            store: self.store,
            phone: self.phone_status(now),
            conditions: self.words(&self.conditions(now), now),
        }
    }

    fn queue_status(&self, now: Now) -> api::QueueStatus {
        let (next_send_at, last_send_at) = self.sends(now);
        api::QueueStatus {
            capacity: self.config.capacity,
            free: self.queue.places(),
            preparing: self.queue.preparing_len(),
            queued: self.queue.queued_len(),
            sending: self.queue.sending_len(),
            unknown: self.queue.unknown_len(),
            parked: self.queue.parked_len(),
            history: self.queue.history_len() + self.queue.undoable_len(),
            paused: self.queue.is_paused(),
            next_send_at,
            last_send_at,
        }
    }

    /// When the next and the last waiting message leave; none while nobody knows, or nothing
    /// waits.
    pub(crate) fn sends(&self, now: Now) -> (Option<Time>, Option<Time>) {
        match self.first_and_last(now) {
            Some((first, last)) => (Some(self.wall_of(first, now)), Some(self.wall_of(last, now))),
            None => (None, None),
        }
    }

    /// A monotonic time on the wall clock as it stands now.
    pub(crate) fn wall_of(&self, mono_ms: u64, now: Now) -> Time {
        Time(time::wall_of(mono_ms, now))
    }

    /// One message, without its whole text.
    pub fn message(&self, id: MessageId, now: Now) -> Option<api::Message> {
        let message = self.queue.get(id)?;
        Some(self.wire(message, self.outlook(message, now), now))
    }

    /// Finds a message by its id on the network.
    pub fn find_wa_id(&self, wa_id: &str) -> Option<MessageId> {
        self.queue.find_wa_id(wa_id)
    }

    /// Finds a message by its caller's key.
    pub fn find_key(&self, key: &str) -> Option<MessageId> {
        self.queue.find_key(key)
    }

    /// The answer to a submission whose key already stands for a message.
    pub fn repeated(
        &self,
        key: &str,
        digest: &Digest,
        now: Now,
    ) -> Option<Result<api::SendResult, api::Error>> {
        let repeated = self.queue.repeated(key, digest)?;
        Some(repeated.map(|message| {
            let message = self.wire(message, self.outlook(message, now), now);
            api::SendResult { message, duplicate: true, replaces: None }
        }))
    }

    /// The messages that match, in the order of acceptance; without states, the live ones.
    pub fn list(
        &self,
        filter: &Selection,
        after: Option<MessageId>,
        limit: Option<usize>,
        now: Now,
    ) -> api::ListResult {
        let filter = self.of_person(filter.clone());
        let live = [State::Preparing, State::Queued, State::Sending, State::Unknown, State::Parked];
        let limit = limit.unwrap_or(api::LIST_ENTRIES_MAX).clamp(1, api::LIST_ENTRIES_MAX);
        let forecast = Forecast::new(self, now);
        let mut result = api::ListResult { messages: Vec::new(), total: 0, next: None };
        let mut more = false;
        for message in self.queue.iter().filter(|m| filter.matches(m, &live, now)) {
            result.total += 1;
            if after.is_some_and(|after| message.id <= after) {
                continue;
            }
            if result.messages.len() < limit {
                let outlook = forecast.outlook(self, message);
                result.messages.push(self.wire(message, outlook, now));
            } else {
                more = true;
            }
        }
        if more {
            result.next = result.messages.last().map(|message| message.id);
        }
        result
    }

    /// These messages, each without its whole text; none for one that is not kept.
    pub fn messages(
        &self,
        ids: impl IntoIterator<Item = MessageId>,
        now: Now,
    ) -> impl Iterator<Item = Option<api::Message>> {
        let forecast = Forecast::new(self, now);
        ids.into_iter().map(move |id| {
            let message = self.queue.get(id)?;
            Some(self.wire(message, forecast.outlook(self, message), now))
        })
    }

    /// Whether a message is kept and has not finished.
    pub fn is_live(&self, id: MessageId) -> bool {
        self.queue.get(id).is_some_and(|message| message.state().is_live())
    }

    fn wire(&self, message: &Message, outlook: Outlook, now: Now) -> api::Message {
        let mut wire = self.queue.wire(message, now);
        self.foretell(&mut wire, outlook, now);
        wire
    }

    fn foretell(&self, message: &mut api::Message, outlook: Outlook, now: Now) {
        message.position = outlook.before.map(|before| before.saturating_add(1));
        message.expected_at = outlook.leaves.map(|at| self.wall_of(at, now));
        message.held_by = outlook.held_by;
        message.after = outlook.after;
    }

    /// Events about messages that wait say where they stand at the end of the turn: worked
    /// out once for all of them.
    pub(crate) fn foretell_events(&mut self, now: Now) {
        let mut events = std::mem::take(&mut self.out.events);
        let mut forecast = None;
        for event in &mut events {
            let Effect::Event(api::Event::Message { message: published }) = event else { continue };
            let waits =
                |message: &&Message| message.state() == published.state && forecast::waits(message);
            if let Some(message) = self.queue.get(published.id).filter(waits) {
                let forecast = forecast.get_or_insert_with(|| Forecast::of_few(self, now));
                let outlook = forecast.outlook(self, message);
                self.foretell(published, outlook, now);
            }
        }
        self.out.events = events;
    }

    /// Why the last connection ended, or the last pairing, in a sentence.
    fn session_detail(&self) -> Option<String> {
        Some(explain::sentence(&explain::end_reason(self.session.ended()?)))
    }

    fn phone_key(&self) -> PhoneKey {
        let known = self.phone.known();
        PhoneKey {
            state: known.state,
            battery: self.phone.battery(self.now),
            probing: known.probe.is_some(),
            absent_days: self.phone.absent_days(self.now),
            report: known.report.as_ref().map(|report| report.received),
        }
    }

    pub(crate) fn status_key(&self) -> StatusKey {
        let timelock_ends = self.pacing.timelock().map(|(_, ends)| ends);
        let quota_ends = self.pacing.quota().map(|(_, ends)| ends);
        let rate_limited_until = self.pacing.rate_limited_until(self.now);
        StatusKey {
            session: self.session.state(),
            account: self.session.account().cloned(),
            ended: self.session.ended().cloned(),
            next_try: self.session.next_try(),
            connections: self.session.generation(),
            replaced: self.session.replaced(),
            ends: [self.session.takeover_at(), timelock_ends, quota_ends, rate_limited_until],
            stops: self.stops(self.now).map(|stop| stop.kind()).collect(),
            warnings: self.warnings().map(|one| one.kind()).collect(),
            idle: self.queue.taken() == 0,
            full: self.queue.is_full(),
            closed: self.pacing.closed(self.now).is_some(),
            limits: (self.config.capacity, self.config.pace_limit, self.config.window_ms),
            phone: self.phone_key(),
        }
    }
}
