//! What must hold after every input, whatever the test is about.

use super::consistency::stored;
use super::world::{ACCOUNT, Run, World};
use crate::UPLOADS_AT_ONCE;
use crate::action::{Actions, Change, Effect, Outgoing, SessionCommand};
use crate::contacts::{CHECK_BATCH_MAX, CheckTicket, Number};
use crate::files::PrepareCommand;
use crate::files::Upload;
use crate::groups::GroupTicket;
use crate::ids::SpoolId;
use crate::queue::Message;
use tetherd_api::{MessageId, Reply, State};

impl World {
    pub(super) fn apply(&mut self, changes: &[Change]) {
        self.changes += changes.len();
        for change in changes {
            match change {
                Change::PutMessage(message) => {
                    if let Some(old) = self.store.messages.get(&message.id) {
                        assert_eq!(old.draft.wa_id, message.draft.wa_id, "a network id changed");
                        let requeued = old.state() == State::Parked;
                        assert!(old.order == message.order || requeued, "an order changed");
                        self.note_step(old.state(), message);
                    } else {
                        let twice = self.accepted.insert(message.id, message.draft.wa_id.clone());
                        assert!(twice.is_none(), "{} was given twice", message.id);
                    }
                    self.store.messages.insert(message.id, stored(message));
                }
                Change::PutBody { id, .. } => {
                    self.store.bodies.insert(*id);
                }
                Change::RemoveMessage { id } => {
                    let old = self.store.messages.remove(id);
                    let old = old.expect("removed twice");
                    let age_ms = self.core.queue.uptime_ms() - old.changed_uptime_ms;
                    let full = self.core.queue.history_len() >= self.config.history_max;
                    assert!(full || age_ms >= self.config.history_ms, "lost {id}");
                    let uptime_ms = self.core.queue.uptime_ms();
                    let kept = old.undo().is_some_and(|undo| undo.until_uptime_ms > uptime_ms);
                    assert!(!kept || self.undo_is_full(), "{id} could be brought back");
                    self.store.bodies.remove(id);
                }
                Change::PutNumber(known) => {
                    self.store.numbers.insert(known.number.clone(), known.clone());
                }
                Change::RemoveNumber { number } => {
                    self.store.numbers.remove(number);
                }
                Change::PutSlots(slots) => self.store.slots = slots.clone(),
                Change::PutFacts(facts) => self.store.facts = (**facts).clone(),
                Change::PutKnown(page) => {
                    self.store.known.insert(page.number, page.clone());
                }
                Change::PutGroupNames(names) => self.store.groups = names.clone(),
                Change::RemoveKnown { number } => {
                    self.store.known.remove(number).expect("removed twice");
                }
            }
        }
    }

    pub(super) fn carry_out(&mut self, actions: Actions) {
        for effect in actions.effects {
            match effect {
                Effect::Reply { token, result } => {
                    if let Ok(Reply::QueueRetry(retried)) = &result {
                        self.retried.extend(&retried.requeued);
                    }
                    let twice = self.replies.insert(token, result);
                    assert!(twice.is_none(), "two replies to {token:?}");
                }
                Effect::Event(event) => self.events.push(event),
                Effect::Session(command) => self.obey(command),
                Effect::Unspool(spool) => self.unspool(spool),
                Effect::Prepare(command) => self.prepare(command),
            }
        }
    }

    fn prepare(&mut self, command: PrepareCommand) {
        match command {
            PrepareCommand::Start(preparation) => {
                let stored = &self.store.messages[&preparation.id];
                assert_eq!(stored.state(), State::Preparing);
                assert!(preparation.source.is_some() || preparation.links, "nothing to do");
                let twice = self.preparing.insert(preparation.id, preparation);
                assert!(twice.is_none(), "prepared twice at once");
            }
            PrepareCommand::Stop(id) => {
                let running = self.preparing.remove(&id);
                assert!(running.is_some(), "stopped what does not run");
            }
        }
    }

    /// A file goes once, and only when nothing on disk needs it.
    fn unspool(&mut self, spool: SpoolId) {
        let refers = |m: &Message| m.draft.file.as_ref().is_some_and(|file| file.spool == spool);
        let needed = self.store.messages.values().any(|m| refers(m) && m.needs_file());
        assert!(!needed, "{spool:?} is needed");
        assert!(self.unspooled.insert(spool), "removed twice");
    }

    fn obey(&mut self, command: SessionCommand) {
        if let SessionCommand::Probe = command {
            assert_eq!(self.run, Run::Connected, "asked without a connection");
            return self.probes.push(self.true_ms);
        }
        self.commands.push(match &command {
            SessionCommand::Connect => "connect",
            SessionCommand::Pair { .. } => "pair",
            SessionCommand::KeepKeys => "keep",
            SessionCommand::AnswerPasskey(_) => "answer_passkey",
            SessionCommand::ConfirmPasskey => "confirm_passkey",
            SessionCommand::Close => "close",
            SessionCommand::Logout => "logout",
            SessionCommand::Forget => "forget",
            SessionCommand::Send(_) => "send",
            SessionCommand::Upload(_) => "upload",
            SessionCommand::CheckNumbers { .. } => "check",
            SessionCommand::ListGroups { .. } => "groups",
            SessionCommand::Probe => "probe",
        });
        match command {
            SessionCommand::Connect | SessionCommand::Pair { .. } => {
                assert_eq!(self.run, Run::None, "two runs at once");
                self.run = match command {
                    SessionCommand::Connect => Run::Connecting,
                    _ => Run::Pairing,
                };
            }
            SessionCommand::Close => {
                assert_ne!(self.run, Run::None, "closed what does not run");
                assert!(!self.closing, "closed twice");
                self.closing = true;
            }
            SessionCommand::Logout => {
                assert_ne!(self.run, Run::None, "logged out without a run");
                self.closing = true;
            }
            SessionCommand::Forget | SessionCommand::KeepKeys => {
                assert_eq!(self.run, Run::None, "other keys under a run");
            }
            SessionCommand::Send(outgoing) => self.leave(outgoing),
            SessionCommand::Upload(upload) => self.carry(upload),
            SessionCommand::CheckNumbers { ticket, numbers, .. } => self.asked(ticket, numbers),
            SessionCommand::ListGroups { ticket } => self.asked_groups(ticket),
            SessionCommand::AnswerPasskey(_) | SessionCommand::ConfirmPasskey => {
                assert_eq!(self.run, Run::Pairing, "a passkey without a pairing");
            }
            SessionCommand::Probe => {}
        }
    }

    /// A file leaves for the media host: the rules about uploads.
    fn carry(&mut self, upload: Upload) {
        assert_eq!(self.run, Run::Connected, "uploaded without a connection");
        assert!(!self.closing, "uploaded on a connection that is being closed");
        let stored = &self.store.messages[&upload.id];
        assert_eq!(stored.draft.file.as_ref(), Some(&upload.file));
        assert!(matches!(stored.state(), State::Queued | State::Unknown), "{:?}", stored.state());
        assert!(!stored.media_is_ready(self.now.wall_ms), "uploaded what is there");
        let twice = self.uploads.insert(upload.id, upload);
        assert!(twice.is_none(), "one file twice at a time");
        assert!(self.uploads.len() <= UPLOADS_AT_ONCE, "too many uploads at a time");
    }

    /// The network is asked: one question at a time, on a connection, about few numbers.
    fn asked(&mut self, ticket: CheckTicket, numbers: Vec<Number>) {
        assert_eq!(self.run, Run::Connected, "asked without a connection");
        assert!(!numbers.is_empty() && numbers.len() <= CHECK_BATCH_MAX);
        if let Some((at, _, _)) = self.questions.len().checked_sub(3).map(|n| &self.questions[n]) {
            let every = self.config.contacts.every_ms;
            assert!(self.now.mono_ms >= at + every, "asked too often");
        }
        self.questions.push((self.now.mono_ms, ticket, numbers));
    }

    /// The network is asked for the groups: on a connection, and not again at once.
    fn asked_groups(&mut self, ticket: GroupTicket) {
        assert_eq!(self.run, Run::Connected, "asked without a connection");
        let generation = self.core.session.generation();
        if let Some((at, on, _)) = self.group_questions.last() {
            assert!(*on != generation || self.now.mono_ms >= at + 2_000, "asked too often");
        }
        self.group_questions.push((self.now.mono_ms, generation, ticket));
    }

    /// An attempt leaves: the rules about attempts.
    fn leave(&mut self, outgoing: Outgoing) {
        assert_eq!(self.run, Run::Connected, "sent without a connection");
        assert!(!self.closing, "sent on a connection that is being closed");
        let known =
            Number::of(&outgoing.draft.to).and_then(|number| self.store.numbers.get(&number));
        let no_counts = known.is_some_and(|known| {
            let age_ms = self.core.queue.uptime_ms() - known.asked_uptime_ms;
            let by_wall = u64::try_from(self.now.wall_ms - known.asked_at).unwrap_or(0);
            !known.on_network && age_ms.max(by_wall) < self.config.contacts.no_for_ms
        });
        let checked =
            self.config.contacts.check_recipients && outgoing.draft.to.as_str() != ACCOUNT;
        assert!(!(checked && no_counts) || outgoing.attempt.0 > 1, "sent to nobody");
        let stored = &self.store.messages[&outgoing.id];
        assert_eq!((stored.state(), stored.attempts), (State::Sending, outgoing.attempt.0));
        assert_eq!(stored.draft.wa_id, outgoing.draft.wa_id);
        assert!(self.store.bodies.contains(&outgoing.id));
        assert_eq!(stored.draft.file.is_some(), outgoing.draft.file.is_some());
        assert!(stored.media_is_ready(self.now.wall_ms), "sent before its file was there");
        assert!(
            stored.draft.source.is_none() || stored.draft.file.is_some(),
            "sent without its file"
        );
        let newest = self.store.slots.iter().map(|slot| (slot.boot, slot.mono_ms)).next_back();
        assert_eq!(newest, Some((self.boot, self.now.mono_ms)), "a slot is stored first");
        self.leaves_as_the_network_wants(&outgoing);
        let window = self.config.window_ms;
        // Those that may still leave, and those that left a window ago at most. None leaves
        // after the time limit of an attempt.
        let limit = self.config.write_timeout_ms;
        let recent = self
            .sends
            .iter()
            .filter(|(at, out)| {
                let left = self.departures.get(&(out.id, out.attempt)).copied().flatten();
                left.unwrap_or(self.true_ms).min(at + limit) + window > self.true_ms
            })
            .count();
        let urgent = stored.draft.priority == tetherd_api::Priority::High;
        let kept = if urgent { 0 } else { self.config.pace_reserve };
        assert!(recent + kept < self.config.pace_limit, "the window holds {recent} already");
        if !(urgent && self.config.high_at_any_time) {
            self.keeps_the_hours();
        }
        let chat = self.core.contacts.person(&stored.draft.to);
        let others = self.store.messages.values().filter(|m| {
            self.core.contacts.person(&m.draft.to) == chat
                && m.id != outgoing.id
                && matches!(m.state(), State::Sending | State::Unknown)
        });
        let others: Vec<MessageId> = others.map(|m| m.id).collect();
        assert!(others.is_empty(), "overtook {others:?}");
        self.keeps_its_promises(&outgoing);
        let chat = (outgoing.draft.to.as_str().to_owned(), stored.draft.priority);
        let firsts = self.first_sends.entry(chat).or_default();
        let came_late = |id: &MessageId| {
            self.retried.contains(id)
                || self.restored.contains(id)
                || self.store.messages.get(id).is_some_and(|m| m.draft.not_before.is_some())
        };
        if !firsts.contains(&outgoing.id) && !came_late(&outgoing.id) {
            let last = firsts.iter().rev().find(|id| !came_late(id));
            assert!(last.is_none_or(|last| *last < outgoing.id), "out of order in its chat");
            firsts.push(outgoing.id);
        }
        self.departures.insert((outgoing.id, outgoing.attempt), None);
        self.sends.push((self.true_ms, outgoing));
    }

    fn keeps_the_hours(&self) {
        let wall_ms = self.now.wall_ms;
        let open = self.hours.as_ref().is_none_or(|hours| hours.is_open(wall_ms));
        assert!(open, "outside the sending hours");
    }

    /// Nothing leaves while the server asked to slow down, and nothing to a new contact
    /// while it refuses those.
    fn leaves_as_the_network_wants(&self, outgoing: &Outgoing) {
        let network = &self.store.facts.network;
        let uptime_ms = self.core.queue.uptime_ms();
        assert!(
            network.rate_limit.is_none_or(|slow| slow.until_uptime_ms <= uptime_ms),
            "too fast"
        );
        if network.timelock.lock.is_some() {
            let chat = &outgoing.draft.to;
            let names = self.core.contacts.names(chat);
            let known = names.iter().any(|name| self.wrote.contains(name.as_str()));
            assert!(chat.is_group() || known, "a new contact");
        }
    }

    /// Never after its time, never before it, and never before one that goes first.
    fn keeps_its_promises(&self, outgoing: &Outgoing) {
        let wall_ms = self.now.wall_ms;
        let message = &self.store.messages[&outgoing.id];
        assert!(message.draft.deadline().is_none_or(|at| at > wall_ms), "sent after its time");
        if self.came_from.get(&outgoing.id) == Some(&State::Unknown) {
            return;
        }
        let due = |m: &Message| m.draft.not_before.is_none_or(|at| at <= wall_ms);
        assert!(due(message), "sent before its time");
        // What is held for another account holds nothing up.
        assert_eq!(message.account, None, "another account's");
        let waits = |m: &&Message| {
            m.account.is_none() && matches!(m.state(), State::Queued | State::Preparing)
        };
        for other in self.store.messages.values().filter(waits) {
            let goes_first =
                (other.draft.priority, other.order) < (message.draft.priority, message.order);
            let passed = other.draft.to == message.draft.to && due(other) && goes_first;
            assert!(!passed, "{} went before {}", message.id, other.id);
        }
    }

    /// Notes where a message stood before its attempt, and whether it was brought back.
    fn note_step(&mut self, old: State, message: &Message) {
        let there = matches!(message.state(), State::Sent | State::Delivered | State::Read);
        if old == State::Cancelled && message.state() != State::Cancelled && !there {
            self.restored.insert(message.id);
        }
        // What was held for another account loses its turn.
        if message.account.is_some() {
            self.restored.insert(message.id);
        }
        if message.state() == State::Sending && old != State::Sending {
            self.came_from.insert(message.id, old);
        }
    }

    /// Whether so many can be brought back that no more may be.
    fn undo_is_full(&self) -> bool {
        self.core.queue.undoable_len() >= self.config.capacity + self.config.parked_max
    }
}
