//! A world around the core: a store in memory, clocks that can be turned, and a session
//! that exists on paper. After every input it checks what must always hold.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::core::io::{
    Actions, Answer, Body, BootId, Change, Effect, EndReason, Facts, Input, NotSent, Now, Offer,
    Outgoing, ReceiptKind, Request, Restored, Selection, SessionCommand, SessionEvent, Submission,
    Token,
};
use crate::core::message::{Digest, Message, WaMessageId};
use crate::core::pacer::Slot;
use crate::core::{Core, CoreConfig};
use crate::rpc::api::{self, MessageId, State};

pub(super) const ACCOUNT: &str = "15550100@s.whatsapp.net";

#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    pub(super) messages: BTreeMap<MessageId, Message>,
    pub(super) bodies: HashSet<MessageId>,
    pub(super) slots: Vec<Slot>,
    pub(super) facts: Facts,
}

/// What the session is doing, as far as its orders tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    None,
    Connecting,
    Pairing,
    Connected,
}

pub(super) struct World {
    pub(super) core: Core,
    pub(super) config: CoreConfig,
    pub(super) store: Store,
    pub(super) now: Now,
    boot: BootId,
    /// True time, which no jump of a clock touches.
    pub(super) true_ms: u64,
    pub(super) run: Run,
    pub(super) closing: bool,
    /// Every attempt that left the core, with its true time.
    pub(super) sends: Vec<(u64, Outgoing)>,
    pub(super) replies: HashMap<Token, Result<Answer, api::Error>>,
    pub(super) events: Vec<api::Event>,
    pub(super) commands: Vec<&'static str>,
    pub(super) changes: usize,
    /// Every id ever accepted, with its network id.
    pub(super) accepted: BTreeMap<MessageId, WaMessageId>,
    /// Network ids that the server or a device has confirmed.
    pub(super) confirmed: HashSet<String>,
    pub(super) retried: HashSet<MessageId>,
    first_sends: HashMap<String, Vec<MessageId>>,
    next_token: u64,
    next_wa: u64,
}

impl World {
    pub(super) fn new(config: CoreConfig) -> World {
        World::over(config, Store::default())
    }

    /// Paired and connected, with the default limits.
    pub(super) fn connected() -> World {
        World::connected_with(CoreConfig::default())
    }

    pub(super) fn connected_with(config: CoreConfig) -> World {
        let mut world = World::paired(config);
        world.connect();
        world
    }

    pub(super) fn paired(config: CoreConfig) -> World {
        let facts = Facts { account: Some(ACCOUNT.to_owned()), ..Facts::default() };
        World::over(config, Store { facts, ..Store::default() })
    }

    pub(super) fn over(config: CoreConfig, store: Store) -> World {
        let now = Now { wall_ms: 1_800_000_000_000, mono_ms: 1_000_000 };
        let boot = BootId(1);
        let (core, actions) = Core::new(config.clone(), boot, store.restored(), now);
        let mut world = World {
            core,
            config,
            store,
            now,
            boot,
            true_ms: 1_000_000,
            run: Run::None,
            closing: false,
            sends: Vec::new(),
            replies: HashMap::new(),
            events: Vec::new(),
            commands: Vec::new(),
            changes: 0,
            accepted: BTreeMap::new(),
            confirmed: HashSet::new(),
            retried: HashSet::new(),
            first_sends: HashMap::new(),
            next_token: 0,
            next_wa: 0,
        };
        world.apply(&actions.changes);
        world.carry_out(actions);
        world.check();
        world
    }

    // Inputs.

    pub(super) fn input(&mut self, input: Input) {
        let actions = self.core.handle(input, self.now);
        self.apply(&actions.changes);
        self.carry_out(actions);
        self.check();
    }

    pub(super) fn session(&mut self, event: SessionEvent) {
        match &event {
            SessionEvent::Ack { wa_id, error: None } => {
                self.confirmed.insert(wa_id.0.clone());
            }
            SessionEvent::Receipt { wa_ids, .. } => {
                self.confirmed.extend(wa_ids.iter().map(|id| id.0.clone()));
            }
            SessionEvent::Connected { .. } => self.run = Run::Connected,
            SessionEvent::Ended { .. } => {
                self.run = Run::None;
                self.closing = false;
            }
            _ => {}
        }
        self.input(Input::Session(event));
    }

    pub(super) fn request(&mut self, request: Request) -> Token {
        self.next_token += 1;
        let token = Token(self.next_token);
        self.input(Input::Request { token, request });
        token
    }

    pub(super) fn ask(&mut self, request: Request) -> Result<Answer, api::Error> {
        let token = self.request(request);
        self.replies.get(&token).cloned().expect("a reply at once")
    }

    pub(super) fn submission(&mut self, chat: u32, text: &str, key: Option<&str>) -> Submission {
        self.next_wa += 1;
        let mut digest = [0; 32];
        for (i, byte) in text.bytes().chain(chat.to_be_bytes()).enumerate() {
            digest[i % 32] ^= byte.rotate_left(u32::try_from(i / 32).unwrap());
        }
        Submission {
            to: format!("+1555{:04}", 100 + chat).parse().unwrap(),
            body: Body(text.into()),
            digest: Digest(digest),
            key: key.map(str::to_owned),
            wa_id: WaMessageId(format!("3EB0{:018X}", self.next_wa)),
        }
    }

    pub(super) fn submit(
        &mut self,
        chat: u32,
        text: &str,
        key: Option<&str>,
    ) -> Result<api::SendResult, api::Error> {
        let submission = self.submission(chat, text, key);
        match self.ask(Request::Submit(submission))? {
            Answer::Sent(result) => Ok(*result),
            other => panic!("{other:?} is no answer to a submission"),
        }
    }

    /// Accepts one message to this chat.
    pub(super) fn send(&mut self, chat: u32) -> MessageId {
        let text = format!("text {}", self.next_wa);
        self.submit(chat, &text, None).unwrap().message.id
    }

    pub(super) fn connect(&mut self) {
        assert_eq!(self.run, Run::Connecting, "nothing was told to connect");
        self.session(SessionEvent::Connected { account: ACCOUNT.to_owned() });
    }

    pub(super) fn end(&mut self, reason: EndReason) {
        self.end_with(reason, 0);
    }

    pub(super) fn end_with(&mut self, reason: EndReason, roll: u64) {
        assert_ne!(self.run, Run::None, "no run");
        self.session(SessionEvent::Ended { reason, roll });
    }

    pub(super) fn lose(&mut self) {
        self.end(EndReason::Lost { what: "reset".to_owned() });
    }

    pub(super) fn offer_qr(&mut self, text: &str) {
        self.session(SessionEvent::Offer(Offer::Qr { text: text.to_owned(), valid_ms: 20_000 }));
    }

    pub(super) fn ack(&mut self, id: MessageId) {
        self.ack_with(id, None);
    }

    pub(super) fn ack_with(&mut self, id: MessageId, error: Option<u32>) {
        let wa_id = self.accepted[&id].clone();
        self.session(SessionEvent::Ack { wa_id, error });
    }

    pub(super) fn receipt(&mut self, id: MessageId, kind: ReceiptKind) {
        let wa_ids = vec![self.accepted[&id].clone()];
        self.session(SessionEvent::Receipt { wa_ids, kind });
    }

    /// The last attempt at this message.
    pub(super) fn flight(&self, id: MessageId) -> Outgoing {
        self.sends.iter().rev().find(|(_, o)| o.id == id).expect("never attempted").1.clone()
    }

    pub(super) fn written(&mut self, id: MessageId) {
        let attempt = self.flight(id).attempt;
        self.session(SessionEvent::Written { id, attempt });
    }

    pub(super) fn not_sent(&mut self, id: MessageId, why: NotSent) {
        let attempt = self.flight(id).attempt;
        self.session(SessionEvent::NotSent { id, attempt, why });
    }

    pub(super) fn cut_off(&mut self, id: MessageId) {
        let attempt = self.flight(id).attempt;
        self.session(SessionEvent::CutOff { id, attempt });
    }

    // Time.

    /// Lets time pass and ticks whenever the core asked for it.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        while let Some((at, _)) = self.core.poll_timeout()
            && at <= end
        {
            self.idle(at - self.now.mono_ms);
            self.input(Input::Tick);
        }
        self.idle(end - self.now.mono_ms);
    }

    /// Lets time pass without a tick.
    pub(super) fn idle(&mut self, ms: u64) {
        self.true_ms += ms;
        self.now.mono_ms += ms;
        self.now.wall_ms += i64::try_from(ms).unwrap();
    }

    /// True time passes that the monotonic clock does not see.
    pub(super) fn suspend(&mut self, ms: u64) {
        self.true_ms += ms;
        self.now.wall_ms += i64::try_from(ms).unwrap();
    }

    // Crashes.

    /// The daemon dies and starts again on what was stored.
    pub(super) fn crash(&mut self, new_boot: bool) {
        if new_boot {
            self.boot = BootId(self.boot.0 + 1);
            self.now.mono_ms = 0;
        }
        self.run = Run::None;
        self.closing = false;
        let (core, actions) =
            Core::new(self.config.clone(), self.boot, self.store.restored(), self.now);
        self.core = core;
        self.apply(&actions.changes);
        self.carry_out(actions);
        self.check();
    }

    /// Dies on this input: before its changes are stored, or before its effects.
    pub(super) fn die_on(&mut self, input: Input, stored: bool, new_boot: bool) {
        let actions = self.core.handle(input, self.now);
        if stored {
            self.apply(&actions.changes);
        }
        self.crash(new_boot);
    }

    // What the world sees.

    pub(super) fn state(&self, id: MessageId) -> State {
        self.core.message(id, self.now).expect("such a message").state
    }

    pub(super) fn reason(&self, id: MessageId) -> (api::ReasonKind, Option<u32>) {
        let reason = self.core.message(id, self.now).unwrap().reason.expect("a reason");
        (reason.kind, reason.code)
    }

    pub(super) fn sent_ids(&self) -> Vec<u64> {
        self.sends.iter().map(|(_, outgoing)| outgoing.id.0).collect()
    }

    pub(super) fn status(&self) -> api::Status {
        self.core.status(self.now)
    }

    pub(super) fn holds(&self) -> Vec<api::HoldKind> {
        self.status().holds.iter().map(|hold| hold.kind).collect()
    }

    pub(super) fn all(&self) -> Selection {
        Selection::default()
    }

    fn apply(&mut self, changes: &[Change]) {
        self.changes += changes.len();
        for change in changes {
            match change {
                Change::PutMessage(message) => {
                    if let Some(old) = self.store.messages.get(&message.id) {
                        assert_eq!(old.wa_id, message.wa_id, "a network id changed");
                    } else {
                        let twice = self.accepted.insert(message.id, message.wa_id.clone());
                        assert!(twice.is_none(), "{} was given twice", message.id);
                    }
                    self.store.messages.insert(message.id, (**message).clone());
                }
                Change::PutBody { id, .. } => {
                    self.store.bodies.insert(*id);
                }
                Change::RemoveMessage { id } => {
                    let old = self.store.messages.remove(id);
                    let aged = old.expect("removed twice").changed_at
                        + i64::try_from(self.config.history_ms).unwrap();
                    let full = self.core.queue.history_len() >= self.config.history_max;
                    assert!(full || aged <= self.now.wall_ms, "lost {id}");
                    self.store.bodies.remove(id);
                }
                Change::PutSlots(slots) => self.store.slots = slots.clone(),
                Change::PutFacts(facts) => self.store.facts = facts.clone(),
            }
        }
    }

    fn carry_out(&mut self, actions: Actions) {
        for effect in actions.effects {
            match effect {
                Effect::Reply { token, result } => {
                    if let Ok(Answer::Retried(retried)) = &result {
                        self.retried.extend(&retried.requeued);
                    }
                    let twice = self.replies.insert(token, result);
                    assert!(twice.is_none(), "two replies to {token:?}");
                }
                Effect::Event(event) => self.events.push(event),
                Effect::Session(command) => self.obey(command),
            }
        }
    }

    fn obey(&mut self, command: SessionCommand) {
        self.commands.push(match &command {
            SessionCommand::Connect => "connect",
            SessionCommand::Pair { .. } => "pair",
            SessionCommand::Close => "close",
            SessionCommand::Logout => "logout",
            SessionCommand::Forget => "forget",
            SessionCommand::Send(_) => "send",
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
            SessionCommand::Forget => assert_eq!(self.run, Run::None, "forgot under a run"),
            SessionCommand::Send(outgoing) => self.leave(outgoing),
        }
    }

    /// An attempt leaves: the rules about attempts.
    fn leave(&mut self, outgoing: Outgoing) {
        assert_eq!(self.run, Run::Connected, "sent without a connection");
        assert!(!self.closing, "sent on a connection that is being closed");
        let stored = &self.store.messages[&outgoing.id];
        assert_eq!((stored.state, stored.attempts), (State::Sending, outgoing.attempt.0));
        assert_eq!(stored.wa_id, outgoing.wa_id);
        assert!(self.store.bodies.contains(&outgoing.id));
        let newest = self.store.slots.iter().map(|slot| (slot.boot, slot.mono_ms)).next_back();
        assert_eq!(newest, Some((self.boot, self.now.mono_ms)), "a slot is stored first");
        let window = self.config.window_ms;
        let recent =
            self.sends.iter().rev().take_while(|(at, _)| at + window > self.true_ms).count();
        assert!(recent < self.config.pace_limit, "the window holds {recent} already");
        let others = self.store.messages.values().filter(|m| {
            m.to == outgoing.to
                && m.id != outgoing.id
                && matches!(m.state, State::Sending | State::Unknown)
        });
        for other in others {
            assert!(other.order > outgoing_order(&self.store, &outgoing), "overtook {}", other.id);
        }
        let firsts = self.first_sends.entry(outgoing.to.as_str().to_owned()).or_default();
        if !firsts.contains(&outgoing.id) && !self.retried.contains(&outgoing.id) {
            let last = firsts.iter().rev().find(|id| !self.retried.contains(id));
            assert!(last.is_none_or(|last| *last < outgoing.id), "out of order in its chat");
            firsts.push(outgoing.id);
        }
        self.sends.push((self.true_ms, outgoing));
    }

    /// What holds after every input.
    fn check(&self) {
        let core: BTreeMap<MessageId, Message> =
            self.core.queue.iter().map(|m| (m.id, m.clone())).collect();
        assert_eq!(core, self.store.messages, "memory and store differ");
        assert_eq!(self.core.pacer.stored(), self.store.slots);
        assert_eq!(self.core.facts, self.store.facts);
        let in_state = |state| core.values().filter(move |m| m.state == state).count();
        let taken = in_state(State::Queued) + in_state(State::Sending) + in_state(State::Unknown);
        assert_eq!(taken, self.core.queue.taken());
        assert!(taken <= self.config.capacity, "{taken} places taken");
        assert!(in_state(State::Parked) <= self.config.parked_max);
        assert!(self.core.queue.history_len() <= self.config.history_max);
        assert!(self.store.slots.len() <= self.config.pace_limit.max(1));
        for message in core.values() {
            let sent = matches!(message.state, State::Sent | State::Delivered | State::Read);
            assert!(!sent || self.confirmed.contains(&message.wa_id.0), "sent without a word");
        }
        if let Some((at, wake)) = self.core.poll_timeout() {
            assert!(at > self.now.mono_ms, "{wake:?} is due and was not dealt with");
        }
    }
}

fn outgoing_order(store: &Store, outgoing: &Outgoing) -> u64 {
    store.messages[&outgoing.id].order
}

impl Store {
    fn restored(&self) -> Restored {
        Restored {
            messages: self.messages.values().cloned().collect(),
            slots: self.slots.clone(),
            facts: self.facts.clone(),
        }
    }
}

/// An id that this daemon never gave.
pub(super) fn foreign_id() -> WaMessageId {
    WaMessageId("3EB0FFFFFFFFFFFFFFFFFF".to_owned())
}
