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
//! The components queue, phone and contacts have private fields, and are told by
//! `Core::inform` what they need to know of the others.
//!
//! - [`event`], [`action`]: what goes in and what comes out. [`facts`]: what is kept.
//! - [`config`]: what it can be told to do otherwise.
//! - [`draft`]: what is to be sent: in a request, in the queue and in an attempt.
//! - [`queue`]: the messages: their states, order, deadlines, and what is asked of them.
//! - [`files`]: preparation and upload.
//! - [`pacing`]: when an attempt may leave, as far as the pace alone matters.
//! - `link`: the one connection, and when to try it again.
//! - `session_requests`, `session_events`: one method for each input.
//! - [`contacts`]: who is on the network, and which chats are known.
//! - [`phone`]: whether the phone is online, and its battery.
//! - `conflict`: what to do when another session took over; [`network`]:
//!   what of them is kept.
//! - `dispatch`: what time alone brings about, and the next attempt.
//! - `condition`: what is the case, as plain data. `explain`: the same in words.
//! - `query`, `forecast`: answers for readers, in the wire's types.
//! - [`time`]: clocks, times that outlive a restart, and clocks that jump.

use crate::action::ActionBuffer;
use crate::action::{Actions, SessionCommand};
use crate::contacts::Contacts;
use crate::draft::Draft;
use crate::event::{Body, Input, Request, Submission, Token};
use crate::facts::{Facts, Restored};
use crate::link::Link;
use crate::pacing::Pacing;
use crate::phone::Phone;
use crate::query::StatusKey;
use crate::queue::Queue;
use crate::time::{BootId, Now};
use crate::time::{ClockJumps, Uptime};
use tetherd_api::{self as api, Signature, call};

pub mod action;
pub(crate) mod condition;
pub mod config;
pub(crate) mod conflict;
pub mod contacts;
pub(crate) mod dispatch;
pub mod draft;
pub mod event;
pub(crate) mod explain;
pub mod facts;
pub mod files;
pub(crate) mod forecast;
pub mod ids;
pub(crate) mod link;
pub mod network;
pub mod pacing;
pub mod phone;
pub(crate) mod preconditions;
pub(crate) mod query;
pub mod queue;
pub mod server_codes;
pub(crate) mod session_events;
pub(crate) mod session_requests;
#[cfg(test)]
mod tests;
pub mod time;

pub use config::{CoreConfig, OnConflict, OnRateLimit};
pub use conflict::TAKEOVERS_PER_HOUR_MAX;
pub use dispatch::SENDING_MAX;
pub use files::UPLOADS_AT_ONCE;

/// The decisions. Give it every [`Input`] in order, make the [`Actions`]' changes
/// durable, carry out their effects, and wake it at [`Core::poll_timeout`].
#[derive(Debug)]
pub struct Core {
    config: CoreConfig,
    started_at: i64,
    /// The time of the last input; monotonic time never goes back here.
    now: Now,
    uptime: Uptime,
    store: api::StoreStatus,
    clock_jumps: ClockJumps,
    facts: Facts,
    queue: Queue,
    preparations: files::Preparations,
    pacing: Pacing,
    contacts: Contacts,
    uploads: files::Uploads,
    link: Link,
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
        let Restored { messages, slots, numbers, facts, known, store, .. } = restored;
        let asked_ms = numbers.iter().map(|known| known.asked_uptime_ms).max().unwrap_or(0);
        let changed_ms = messages.iter().map(|message| message.changed_uptime_ms).max();
        let uptime_ms = facts.uptime_ms.max(changed_ms.unwrap_or(0)).max(asked_ms);
        let uptime = Uptime::new(uptime_ms, now);
        let (pacing, slots_changed) =
            Pacing::new(config.clone(), &slots, &facts, (boot, uptime), now);
        let queue = Queue::new(config.clone(), messages, &facts, (boot, uptime), now);
        let link = Link::new(&facts, now);
        let contacts = Contacts::new(
            config.contacts.clone(),
            numbers,
            known,
            &facts.checks,
            (boot, uptime),
            now,
        );
        let account = facts.account.as_ref();
        let phone = Phone::new(config.phone.clone(), boot, account, &facts.phone, now);
        let mut core = Core {
            config,
            started_at: now.wall_ms,
            now,
            uptime,
            store,
            clock_jumps: ClockJumps::new(now),
            facts,
            queue,
            preparations: files::Preparations::default(),
            pacing,
            contacts,
            uploads: files::Uploads::default(),
            link,
            phone,
            draining: false,
            draining_since: 0,
            last_published_status: None,
            out: ActionBuffer::default(),
        };
        core.out.slots = slots_changed || slots_damaged;
        core.out.facts = facts_damaged;
        let now = core.advance(now);
        core.inform(now);
        core.seed_known_chats();
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
        self.phone.set_config(&config.phone);
        self.contacts.set_config(&config.contacts);
        self.queue.set_config(&config);
        self.config = config;
        self.settle(now)
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
        self.now
    }

    /// What follows from the state as it is now; then hands out what has gathered. The
    /// order: what time ends; who is told so; what has to start outside; what may leave;
    /// what the readers are told; what is to be stored.
    fn settle(&mut self, now: Now) -> Actions {
        self.pass_time(now);
        self.contacts.on_time(&mut self.out, now);
        self.park_absent(now);
        self.queue.trim(&mut self.out, now);
        self.drive_link(now);
        self.drive_preparations(now);
        self.inform(now);
        // Before anything leaves without an answer: only a question finds out that the
        // network answers again. And after: what has left makes room for others.
        self.drive_checks(now);
        self.dispatch(now);
        self.drive_checks(now);
        self.drive_uploads(now);
        self.finish_drain();
        self.inform(now);
        self.contacts.on_wanted(self.number_wanted_at());
        let key = self.status_key();
        if self.last_published_status.as_ref() != Some(&key) {
            self.link.note_state(&self.facts, now);
            self.last_published_status = Some(key);
            self.out.event(api::Event::Status { status: Box::new(self.status(now)) });
        }
        if self.out.facts {
            self.queue.store_facts(&mut self.facts);
            self.pacing.store_facts(&mut self.facts);
            self.facts.phone = self.phone.store_facts();
            self.facts.checks = self.contacts.spent();
        }
        self.foretell_events(now);
        let out = std::mem::take(&mut self.out);
        let contacts = self.contacts.take_changes();
        out.into_actions(&self.queue, contacts, &self.pacing, &self.facts)
    }

    fn request(&mut self, token: Token, request: Request, now: Now) {
        match request {
            Request::Submit(submission) => {
                let Submission { draft, body } = *submission;
                let file = draft.file.as_ref().map(|file| file.spool.clone());
                let result = self.submit(draft, body, now);
                // What is not accepted, or was there already, leaves no file behind.
                if !result.as_ref().is_ok_and(|sent| !sent.duplicate) {
                    self.out.unspool.extend(file);
                }
                self.out.reply::<call::MessageSend>(token, result);
            }
            Request::Cancel { ids, filter, dry_run } => {
                let result = self.queue.cancel(ids, &filter, dry_run, &mut self.out, now);
                self.out.reply::<call::QueueCancel>(token, Ok(result));
            }
            Request::Clear { filter, dry_run } => {
                let result = self.queue.clear(&filter, dry_run, &mut self.out, now);
                self.out.reply::<call::QueueClear>(token, Ok(result));
            }
            Request::Retry { filter, anyway, dry_run } => {
                let result = self.retry(&filter, anyway, dry_run, now);
                self.out.reply::<call::QueueRetry>(token, Ok(result));
            }
            Request::Check { numbers, fresh } => {
                self.contacts.on_check(token, numbers, fresh, &mut self.out, now);
            }
            Request::Restore { filter, dry_run } => {
                let result = self.queue.restore(&filter, dry_run, &mut self.out, now);
                self.out.reply::<call::QueueRestore>(token, Ok(result));
            }
            Request::Pause => {
                self.queue.set_paused(true, &mut self.out, now);
                self.reply_status::<call::QueuePause>(token, now);
            }
            Request::Resume => {
                self.queue.set_paused(false, &mut self.out, now);
                self.reply_status::<call::QueueResume>(token, now);
            }
            Request::Pair { phone } => self.pair(token, phone, now),
            Request::Reconnect => {
                let result = self.reconnect(now);
                self.reply_session::<call::SessionReconnect>(token, result, now);
            }
            Request::Takeover => {
                let result = self.takeover(now);
                self.reply_session::<call::SessionTakeover>(token, result, now);
            }
            Request::Logout => {
                let result = self.logout();
                self.reply_session::<call::SessionLogout>(token, result, now);
            }
            Request::Heartbeat(report) => {
                let result = self.phone.on_heartbeat(*report, &mut self.out, now);
                let result = result.map(|()| self.phone_status(now));
                self.out.reply::<call::PhoneHeartbeat>(token, result);
            }
            Request::Release => {
                self.queue.release(&mut self.out, now);
                self.reply_status::<call::QueueRelease>(token, now);
            }
        }
    }

    /// Accepts a message, or says why not. Nothing is dropped to make room.
    fn submit(
        &mut self,
        draft: Draft,
        body: Body,
        now: Now,
    ) -> Result<api::SendResult, api::Error> {
        let key = draft.key.as_deref();
        if let Some(repeated) = key.and_then(|key| self.repeated(key, &draft.digest, now)) {
            return repeated;
        }
        if self.draining {
            return Err(queue::shutting_down());
        }
        draft.check_times(now)?;
        if self.queue.is_full() {
            return Err(self.queue_full(now));
        }
        let id = self.queue.accept(draft, body, &mut self.out, now)?;
        let gone = || api::Error::new(api::ErrorKind::InternalError, "The message is gone.");
        Ok(api::SendResult { message: self.message(id, now).ok_or_else(gone)?, duplicate: false })
    }

    fn reply_status<M: Signature<Result = api::Status>>(&mut self, token: Token, now: Now) {
        let status = self.status(now);
        self.out.reply::<M>(token, Ok(status));
    }

    /// A session request's answer shows the run that it starts.
    fn reply_session<M: Signature<Result = api::Status>>(
        &mut self,
        token: Token,
        result: Result<(), api::Error>,
        now: Now,
    ) {
        match result {
            Ok(()) => {
                self.drive_link(now);
                self.inform(now);
                self.reply_status::<M>(token, now);
            }
            Err(error) => self.out.refuse(token, error),
        }
    }

    fn drain(&mut self) {
        if !self.draining {
            self.draining_since = self.now.wall_ms;
        }
        self.draining = true;
        // The uptime.
        self.out.facts = true;
        self.fail_pairing(queue::shutting_down());
    }

    fn finish_drain(&mut self) {
        if self.is_drained() {
            self.close_run(link::Closing::Done);
        }
    }

    fn command(&mut self, command: SessionCommand) {
        self.out.command(command);
    }
}
