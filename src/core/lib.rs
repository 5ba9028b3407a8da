//! Every decision about messages, pacing, the session, the phone and numbers.
//!
//! Pure: no clock, no disk, no network, no randomness, no task. Time and dice come
//! in with the inputs, so that every run can be replayed.
//!
//! # The turn
//!
//! Whoever owns a [`Core`] gives it one [`event::Input`] at a time and keeps this order:
//!
//! 1. [`Core::handle`] takes the input and answers with [`action::Actions`]. The core is
//!    settled again when it returns: nothing is due that it did not ask for.
//! 2. All changes are made durable, as one atomic batch. Until then nothing of this turn
//!    may be visible outside: no reply, no event, no command.
//! 3. The effects are carried out, in their order. What comes of them is the next input.
//! 4. [`Core::poll_timeout`] says when to come back with [`event::Input::Tick`] at the
//!    latest, and why. A tick too many changes nothing; one that is late loses nothing.
//!
//! A batch that could not be made durable ends the process: the core is then ahead of the
//! disk, and only a restart makes them agree.
//!
//! # The modules
//!
//! [`Core`] owns the components. Each has private fields, `on_*` methods that take what
//! happened, `poll_timeout`, and `conditions` where something about it can be the case. None
//! imports another but for its types; `Core::inform` says to each what it needs to know of
//! the others.
//!
//! - [`queue`]: the messages: their states, order, deadlines, and what is asked of them.
//! - [`pacing`]: when an attempt may leave: the window, rate limits, the timelock.
//! - [`session`]: the one connection, pairing, takeover, and trouble of the account.
//! - [`phone`]: whether the phone is online, and its battery.
//! - [`contacts`]: who is on the network, and which chats are known.
//! - [`groups`]: which groups the account is in, and whether it may send to them.
//! - [`files`]: preparation and upload.
//!
//! These look at several components:
//!
//! - `routing`: which component a request or a report concerns.
//! - `dispatch`, `preconditions`: what time alone brings about, and the next attempt.
//! - `condition`: what is the case, as plain data. `explain`: the same in words.
//! - `query`, `forecast`: answers for readers, in the wire's types.
//!
//! And these are plain data and rules for all of them:
//!
//! - [`account_names`]: the number and the LID of the linked account.
//! - [`event`], [`action`]: what goes in and what comes out. [`facts`]: what is kept.
//! - [`draft`]: what is to be sent: in a request, in the queue and in an attempt.
//! - [`trouble`]: what the server holds against the account or this client.
//! - [`config`]: what can be set otherwise. [`server_codes`]: codes that the core acts upon.
//! - [`time`]: clocks, times that outlive a restart, and clocks that jump.

use crate::action::{ActionBuffer, Actions, Wake};
use crate::contacts::Contacts;
use crate::event::Input;
use crate::facts::{Facts, Restored};
use crate::groups::Groups;
use crate::pacing::Pacing;
use crate::phone::Phone;
use crate::query::StatusKey;
use crate::queue::Queue;
use crate::session::Session;
use crate::time::{BootId, Now};
use crate::time::{ClockJumps, Uptime, WALL_LOOK_MS};
use tetherd_api as api;

pub mod account_names;
pub mod action;
pub(crate) mod condition;
pub mod config;
pub mod contacts;
pub(crate) mod dispatch;
pub mod draft;
pub mod event;
pub(crate) mod explain;
pub mod facts;
pub mod files;
pub(crate) mod forecast;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod groups;
pub mod ids;
pub mod pacing;
pub mod phone;
pub(crate) mod preconditions;
pub(crate) mod query;
pub mod queue;
pub(crate) mod routing;
pub mod server_codes;
pub mod session;
#[cfg(test)]
mod tests;
pub mod time;
pub mod trouble;

pub use config::{CoreConfig, OnConflict, OnRateLimit};
pub use dispatch::SENDING_MAX;
pub use files::UPLOADS_AT_ONCE;
pub use session::TAKEOVERS_PER_HOUR_MAX;

/// The decisions. Give it every [`Input`] in order, make the [`Actions`]' changes
/// durable, carry out their effects, and wake it at [`Core::poll_timeout`].
#[derive(Debug)]
pub struct Core {
    config: CoreConfig,
    started_at: i64,
    /// The time of the last input; monotonic time never goes back here.
    now: Now,
    store: api::StoreStatus,
    /// Since when the disk has no room for new messages, wall milliseconds.
    disk_full_since: Option<i64>,
    clock_jumps: ClockJumps,
    facts: Facts,
    queue: Queue,
    preparations: files::Preparations,
    pacing: Pacing,
    contacts: Contacts,
    groups: Groups,
    uploads: files::Uploads,
    session: Session,
    phone: Phone,
    draining: bool,
    /// When that began, wall milliseconds.
    draining_since: i64,
    /// What the subscribers were last sent of the status.
    last_published_status: Option<StatusKey>,
    out: ActionBuffer,
}

impl Core {
    /// Takes over what the store gave back. The actions hold what the restart itself
    /// changes, and the first connection if there is an account and nothing forbids it.
    pub fn new(config: CoreConfig, boot: BootId, restored: Restored, now: Now) -> (Core, Actions) {
        let restored = restored.or_worst(boot, config.pace_limit, now);
        let (slots_damaged, facts_damaged) = (restored.slots_damaged, restored.facts_damaged);
        let Restored { messages, slots, numbers, mut facts, known, groups, store, .. } = restored;
        // Whoever no longer waits asks for nobody.
        facts.username_keys.retain(|key| messages.iter().any(|message| message.waits_with(key)));
        let asked_ms = numbers.iter().map(|known| known.asked_uptime_ms).max().unwrap_or(0);
        let changed_ms = messages.iter().map(|message| message.changed_uptime_ms).max();
        let uptime_ms = facts.uptime_ms.max(changed_ms.unwrap_or(0)).max(asked_ms);
        let uptime = Uptime::new(uptime_ms, now);
        let (pacing, slots_changed) =
            Pacing::new(config.clone(), &slots, &facts, (boot, uptime), now);
        let queue = Queue::new(config.clone(), messages, &facts, (boot, uptime), now);
        let session = Session::new(config.clone(), &facts, uptime, now);
        let contacts =
            Contacts::new(config.contacts.clone(), numbers, known, &facts, (boot, uptime), now);
        let account = facts.account.as_ref();
        let groups = Groups::new(account, groups);
        let phone = Phone::new(config.phone.clone(), boot, account, &facts.phone, now);
        let mut core = Core {
            config,
            started_at: now.wall_ms,
            now,
            store,
            disk_full_since: None,
            clock_jumps: ClockJumps::new(now),
            facts,
            queue,
            preparations: files::Preparations::default(),
            pacing,
            contacts,
            groups,
            uploads: files::Uploads::default(),
            session,
            phone,
            draining: false,
            draining_since: 0,
            last_published_status: None,
            out: ActionBuffer::default(),
        };
        core.out.slots = slots_changed || slots_damaged;
        // A newer client and older facts change what is kept of the account.
        let mut facts = core.facts.clone();
        core.session.store_facts(&mut facts);
        core.out.facts = facts_damaged || facts != core.facts;
        let now = core.advance(now);
        core.inform(now);
        core.regroup();
        // Whether these left before the daemon died cannot be known.
        core.queue.all_unanswered(&mut core.out, now);
        let actions = core.settle(now);
        (core, actions)
    }

    /// Takes one input. Time that has passed is dealt with too, so that an input that
    /// overtakes its tick loses nothing.
    pub fn handle(&mut self, input: Input, now: Now) -> Actions {
        let now = self.advance(now);
        match input {
            Input::Request { token, request } => self.request(token, request, now),
            Input::Session(event) => self.session_event(event, now),
            Input::Prepared(prepared) => self.prepared(prepared, now),
            Input::Hours(hours) => self.pacing.set_hours(hours),
            Input::DiskFull(is_full) => {
                let since = self.disk_full_since.unwrap_or(now.wall_ms);
                self.disk_full_since = is_full.then_some(since);
            }
            Input::Drain => self.drain(),
            Input::Tick => {}
        }
        self.settle(now)
    }

    /// Takes another configuration. What is spent stays spent, and what is accepted stays
    /// accepted.
    pub fn set_config(&mut self, config: CoreConfig, now: Now) -> Actions {
        let now = self.advance(now);
        self.pacing.set_config(&config);
        self.session.set_config(&config);
        self.phone.set_config(&config.phone);
        self.contacts.set_config(&config.contacts);
        self.queue.set_config(&config);
        self.config = config;
        self.settle(now)
    }

    /// Whether no new message is taken, for want of room on the disk.
    pub fn is_disk_full(&self) -> bool {
        self.disk_full_since.is_some()
    }

    /// When the core wants to be woken (monotonic), and why. None: only by an input.
    pub fn poll_timeout(&self) -> Option<(u64, Wake)> {
        let components = [
            self.phone.poll_timeout(),
            self.contacts.poll_timeout(),
            self.groups.poll_timeout(),
            self.session.poll_timeout(),
            self.pacing.poll_timeout(),
            self.queue.poll_timeout(),
            self.preparations.poll_timeout().filter(|_| !self.draining),
        ];
        // What several of them decide together.
        let together =
            [self.resolve_at(), self.upload_at(), self.next_attempt(), self.look_at_hours()];
        components.into_iter().chain(together).flatten().min_by_key(|(at, _)| *at)
    }

    /// Tells each component how the others stand.
    fn inform(&mut self, now: Now) {
        let (generation, draining) = (self.session.generation(), self.draining);
        let live_since = self.session.live_since();
        self.queue.on_surroundings(queue::Surroundings { generation, live_since, draining });
        let account = self.session.account();
        self.pacing.on_account(account, &mut self.out, now);
        self.phone.on_account(account, &mut self.out, now);
        self.contacts.on_account(account);
        self.groups.on_account(account);
        let can_send = live_since.is_some();
        self.groups.on_surroundings(groups::Surroundings { generation, can_send, draining });
        let around = phone::Surroundings {
            generation,
            connected: self.session.is_connected(),
            can_send,
            may_ask: !draining,
            paired: self.session.has_phone(),
            waits: self.queue.to_leave() > 0,
        };
        self.phone.on_surroundings(around, now);
        self.contacts
            .on_surroundings(contacts::Surroundings { generation, can_send, draining }, now);
    }

    /// While messages wait for the sending hours, the wall clock is looked at: it can be set,
    /// and goes on while the machine sleeps.
    fn look_at_hours(&self) -> Option<(u64, Wake)> {
        let waits = self.queue.to_leave_now() > 0 && self.pacing.closed(self.now).is_some();
        waits.then(|| (self.now.mono_ms.saturating_add(WALL_LOOK_MS), Wake::Hours))
    }

    /// Whether the core drains and no attempt is in flight.
    pub fn is_drained(&self) -> bool {
        self.draining && self.queue.sending_len() == 0
    }

    fn advance(&mut self, now: Now) -> Now {
        self.clock_jumps.on_time(now);
        self.now = Now { mono_ms: now.mono_ms.max(self.now.mono_ms), ..now };
        self.queue.set_time(self.now);
        self.pacing.set_time(self.now);
        self.session.set_time(self.now);
        self.now
    }

    /// What follows from the state as it is now; then hands out what has gathered. The
    /// order: what time ends; what the components have to know; what has to start outside; what may leave;
    /// what is published; what is to be stored.
    fn settle(&mut self, now: Now) -> Actions {
        self.queue.on_account(self.session.account_names(), &mut self.out, now);
        self.pass_time(now);
        self.contacts.on_time(&mut self.out, now);
        self.regroup();
        self.park_absent(now);
        self.park_pointless(now);
        self.drive_groups(now);
        self.queue.trim(&mut self.out, now);
        self.session.start_due(&mut self.out, now);
        self.drive_preparations(now);
        self.inform(now);
        // Before anything leaves without an answer: only a question finds out that the
        // network answers again. And after: what has left makes room for others.
        self.drive_checks(now);
        self.dispatch(now);
        self.drive_checks(now);
        self.drive_groups(now);
        self.drive_uploads(now);
        self.finish_drain();
        self.inform(now);
        self.contacts.on_wanted(self.number_wanted_at());
        let key = self.status_key();
        if self.last_published_status.as_ref() != Some(&key) {
            self.session.on_published(now);
            self.last_published_status = Some(key);
            self.out.event(api::Event::Status { status: Box::new(self.status(now)) });
        }
        if self.out.facts {
            self.queue.store_facts(&mut self.facts);
            self.pacing.store_facts(&mut self.facts);
            self.session.store_facts(&mut self.facts);
            self.facts.phone = self.phone.store_facts();
            self.facts.checks = self.contacts.spent();
            self.facts.username_keys = self.contacts.username_keys();
        }
        self.foretell_events(now);
        let out = std::mem::take(&mut self.out);
        let components = self.contacts.take_changes().into_iter().chain(self.groups.take_changes());
        out.into_actions(&self.queue, components, &self.pacing, &self.facts)
    }

    fn drain(&mut self) {
        if !self.draining {
            self.draining_since = self.now.wall_ms;
        }
        self.draining = true;
        // The uptime.
        self.out.facts = true;
        self.session.on_drain(explain::shutting_down_error(), &mut self.out);
    }

    fn finish_drain(&mut self) {
        if self.is_drained() {
            self.session.on_drained(&mut self.out, self.now);
        }
    }
}
