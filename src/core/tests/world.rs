//! A world around the core: a store in memory, clocks that can be turned, and a session
//! that exists on paper. After every input it checks the laws.

mod session;
mod submissions;

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::action::Outgoing;
use crate::contacts::{CheckTicket, KnownNumber, KnownPage, Number};
use crate::event::{Input, Request, Selection, SessionEvent, Token};
use crate::facts::{Facts, Restored};
use crate::files::Preparation;
use crate::files::SpooledFile;
use crate::files::{MediaMetadata, MediaRef, Upload};
use crate::groups::{GroupNames, GroupTicket};
use crate::ids::{Attempt, SpoolId, WaMessageId};
use crate::pacing::{OpenHours, Slot};
use crate::phone::PhoneActivity;
use crate::queue::Message;
use crate::time::{BootId, Now};
use crate::{Core, CoreConfig};
use tetherd_api::{self as api, MessageId, Reply, State};

pub(super) use session::{ban, trouble};

pub(super) const ACCOUNT: &str = "15550100@s.whatsapp.net";

#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    pub(super) messages: BTreeMap<MessageId, Message>,
    pub(super) bodies: HashSet<MessageId>,
    pub(super) slots: Vec<Slot>,
    pub(super) numbers: BTreeMap<Number, KnownNumber>,
    pub(super) facts: Facts,
    pub(super) known: BTreeMap<u64, KnownPage>,
    pub(super) groups: GroupNames,
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
    pub(super) boot: BootId,
    /// True time, which no jump of a clock touches.
    pub(super) true_ms: u64,
    pub(super) run: Run,
    pub(super) closing: bool,
    /// Every attempt that left the core, with its true time.
    pub(super) sends: Vec<(u64, Outgoing)>,
    /// Attempts whose frames may still leave, and when the others' left at the latest.
    pub(super) departures: HashMap<(MessageId, Attempt), Option<u64>>,
    pub(super) replies: HashMap<Token, Result<Reply, api::Error>>,
    pub(super) events: Vec<api::Event>,
    pub(super) commands: Vec<&'static str>,
    /// What the shell is preparing.
    pub(super) preparing: BTreeMap<MessageId, Preparation>,
    /// Files that were ordered to be removed.
    pub(super) changes: usize,
    /// Every id ever accepted, with its network id.
    pub(super) accepted: BTreeMap<MessageId, WaMessageId>,
    /// Network ids that the server or a device has confirmed.
    pub(super) confirmed: HashSet<String>,
    /// Chats in which somebody wrote.
    pub(super) wrote: HashSet<String>,
    /// When the session was taken back by itself, milliseconds of uptime.
    pub(super) taken_back: Vec<u64>,
    pub(super) retried: HashSet<MessageId>,
    /// Files that were let go of.
    pub(super) unspooled: HashSet<SpoolId>,
    /// Those that were brought back.
    pub(super) restored: HashSet<MessageId>,
    /// Where each message stood before its attempt.
    pub(super) came_from: HashMap<MessageId, State>,
    /// Uploads under way.
    pub(super) uploads: BTreeMap<MessageId, Upload>,
    pub(super) first_sends: HashMap<(String, api::Priority), Vec<MessageId>>,
    /// Whether the phone answers what it is asked.
    pub(super) phone_on: bool,
    /// Questions to the phone, with their true times.
    pub(super) probes: Vec<u64>,
    /// How many of them it has answered.
    pub(super) answered: usize,
    /// Every question about numbers, and when it was asked, monotonic.
    pub(super) questions: Vec<(u64, CheckTicket, Vec<Number>)>,
    /// Every question about groups: when, monotonic, and on which connection.
    pub(super) group_questions: Vec<(u64, u64, GroupTicket)>,
    /// How often the core looked at a message.
    pub(super) looks: u64,
    /// When messages may leave, as the shell has said.
    pub(super) hours: Option<OpenHours>,
    next_token: u64,
    pub(super) next_wa: u64,
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
        let facts = Facts { account: Some(ACCOUNT.into()), ..Facts::default() };
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
            departures: HashMap::new(),
            replies: HashMap::new(),
            events: Vec::new(),
            commands: Vec::new(),
            preparing: BTreeMap::new(),
            changes: 0,
            accepted: BTreeMap::new(),
            confirmed: HashSet::new(),
            wrote: HashSet::new(),
            taken_back: Vec::new(),
            retried: HashSet::new(),
            unspooled: HashSet::new(),
            restored: HashSet::new(),
            came_from: HashMap::new(),
            phone_on: true,
            probes: Vec::new(),
            answered: 0,
            first_sends: HashMap::new(),
            uploads: BTreeMap::new(),
            questions: Vec::new(),
            group_questions: Vec::new(),
            looks: 0,
            hours: None,
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
        let replaced = self.store.facts.replaced_since.is_some();
        let asked = matches!(input, Input::Request { .. });
        self.core.queue.visits.take();
        if let Input::Hours(hours) = &input {
            self.hours.clone_from(hours);
        }
        let actions = self.core.handle(input, self.now);
        let _ = self.core.poll_timeout();
        self.looks += self.core.queue.visits.take();
        self.apply(&actions.changes);
        if replaced && !asked && self.store.facts.replaced_since.is_none() {
            self.taken_back.push(self.core.queue.uptime_ms());
        }
        self.carry_out(actions);
        self.check();
        self.phone_answers();
    }

    /// The phone answers every question that waits, if it is on.
    pub(super) fn phone_answers(&mut self) {
        if self.phone_on && self.run == Run::Connected && self.answered < self.probes.len() {
            self.answered = self.probes.len();
            self.session(SessionEvent::Probed { left: true });
            self.phone_seen();
        }
    }

    /// It gives a sign of life.
    pub(super) fn phone_seen(&mut self) {
        self.session(SessionEvent::PhoneActivity { activity: PhoneActivity::Peer, at_ms: None });
    }

    pub(super) fn session(&mut self, event: SessionEvent) {
        match &event {
            SessionEvent::Ack { wa_id, error: None } => {
                self.confirmed.insert(wa_id.0.clone());
            }
            SessionEvent::Receipt { wa_ids, .. } => {
                self.confirmed.extend(wa_ids.iter().map(|id| id.0.clone()));
            }
            SessionEvent::ChatActivity { chats } => {
                self.wrote.extend(chats.iter().map(|(chat, _)| chat.as_str().to_owned()));
            }
            SessionEvent::Connected { .. } => self.run = Run::Connected,
            SessionEvent::Ended { .. } => {
                self.run = Run::None;
                self.closing = false;
                self.uploads.clear();
                self.nothing_leaves_any_more();
            }
            SessionEvent::Uploaded { id, ticket, .. }
            | SessionEvent::UploadFailed { id, ticket, .. } => {
                self.uploads.retain(|known, upload| known != id || upload.ticket != *ticket);
            }
            SessionEvent::Written { id, attempt }
            | SessionEvent::NotSent { id, attempt, .. }
            | SessionEvent::CutOff { id, attempt } => {
                let at = self.true_ms;
                if let Some(left) = self.departures.get_mut(&(*id, *attempt)) {
                    left.get_or_insert(at);
                }
            }
            _ => {}
        }
        self.input(Input::Session(event));
    }

    fn nothing_leaves_any_more(&mut self) {
        for left in self.departures.values_mut() {
            left.get_or_insert(self.true_ms);
        }
    }

    pub(super) fn request(&mut self, request: Request) -> Token {
        self.next_token += 1;
        let token = Token(self.next_token);
        self.input(Input::Request { token, request });
        token
    }

    pub(super) fn ask(&mut self, request: Request) -> Result<Reply, api::Error> {
        let token = self.request(request);
        self.replies.get(&token).cloned().expect("a reply at once")
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
        self.uploads.clear();
        self.questions.clear();
        self.group_questions.clear();
        self.preparing.clear();
        self.nothing_leaves_any_more();
        if super::simulated::forgets() {
            self.store.messages.pop_last();
        }
        let (core, actions) =
            Core::new(self.config.clone(), self.boot, self.store.restored(), self.now);
        self.core = core;
        self.apply(&actions.changes);
        self.carry_out(actions);
        self.check();
        // As the shell does at each start.
        self.input(Input::Hours(self.hours.clone()));
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

    /// What holds everything that waits.
    pub(super) fn holds(&self) -> Vec<api::ConditionKind> {
        let conditions = self.status().conditions.into_iter();
        conditions.filter(|one| one.holds == api::Holds::All).map(|one| one.kind).collect()
    }

    pub(super) fn all(&self) -> Selection {
        Selection::default()
    }
}

impl Store {
    pub(super) fn restored(&self) -> Restored {
        Restored {
            messages: self.messages.values().cloned().collect(),
            slots: self.slots.clone(),
            numbers: self.numbers.values().cloned().collect(),
            facts: self.facts.clone(),
            known: self.known.values().cloned().collect(),
            groups: self.groups.clone(),
            store: api::StoreStatus::default(),
            ..Restored::default()
        }
    }
}

/// What the session tells of an upload.
pub(super) fn media() -> MediaRef {
    MediaRef {
        url: "https://localhost/f".into(),
        direct_path: "/f".into(),
        media_key: [1; 32].into(),
        key_made_s: 1_800_000_000,
        sha256: [2; 32].into(),
        enc_sha256: [3; 32].into(),
        bytes: 3,
        seen: MediaMetadata::default(),
        uploaded_at: 0,
    }
}

/// A file that was fetched for this message, after so many were removed.
pub(super) fn file(id: MessageId, removed: usize) -> SpooledFile {
    let info = api::FileInfo {
        bytes: 3,
        mime: "image/png".to_owned(),
        sha256: "00".repeat(32).into(),
        name: None,
    };
    // No other file in this world has such a name, as no two files in a spool share theirs.
    SpooledFile { spool: SpoolId(format!("f{removed:015x}{:016x}", id.0)), info }
}

/// An id that this daemon never gave.
pub(super) fn foreign_id() -> WaMessageId {
    WaMessageId("3EB0FFFFFFFFFFFFFFFFFF".to_owned())
}
