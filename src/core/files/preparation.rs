//! What has to be done before a message can be queued: its file is fetched, the links in
//! its text are checked. Owns what is under way and when it is tried again; the shell does
//! the work.
//!
//! A message that is being prepared takes a place and keeps its chat's order: its own
//! chat waits for it, in bounded time, and no other does. It needs no session.

use std::collections::BTreeMap;

use crate::action::{ActionBuffer, Wake};
use crate::config::{CoreConfig, LinkPolicy};
use crate::files::SpooledFile;
use crate::queue::Queue;
use crate::time::Now;
use tetherd_api::{Kind, MessageId, Reason, ReasonKind, Redacted, State};

/// Tries at one preparation that fails in passing.
const TRIES_MAX: u32 = 3;
/// What is behind a check of links that was begun and whose end is not known.
const INTERRUPTED: &str = "interrupted";
/// The second pause is so many times as long as the first.
const PAUSE_GROWTH: u64 = 4;

/// Where a message's file is to be fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Its address, checked.
    pub url: Redacted<String>,
    /// What it is to be sent as. None: its content decides.
    pub kind: Option<Kind>,
    /// The name to show it under. None: the address's.
    pub name: Option<Redacted<String>>,
    /// Its MIME type. None: its content decides.
    pub mime: Option<String>,
}

/// A link in a text that could not be judged, or leads nowhere and was let pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkWarning {
    /// What is behind it, as a stable name.
    pub detail: String,
    /// The HTTP status, where that is what is behind it.
    pub code: Option<u32>,
    /// The address that was asked.
    pub url: Option<Redacted<String>>,
    /// When it was looked at, wall milliseconds.
    pub at: i64,
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrepareCommand {
    /// Prepare this message, and report as [`Prepared`].
    Start(Preparation),
    /// Nobody wants this one's result any more.
    Stop(MessageId),
}

/// One thing to prepare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preparation {
    /// Whose.
    pub id: MessageId,
    /// Comes back in the report.
    pub round: u64,
    /// The file to fetch.
    pub source: Option<Source>,
    /// Whether to look at the links in its text.
    pub links: bool,
    /// Whether somebody asked again: what is remembered of links does not count.
    pub afresh: bool,
}

/// How a preparation went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Whose.
    pub id: MessageId,
    /// Which.
    pub round: u64,
    /// How.
    pub outcome: Outcome,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is here.
    Ready {
        /// The file that was fetched, and what it is sent as.
        file: Option<(Kind, SpooledFile)>,
        /// The worst of its links, if one is not good.
        link: Option<LinkFinding>,
    },
    /// The file is not.
    Failed(Trouble),
}

/// What is wrong with a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkFinding {
    /// Whether it certainly leads nowhere.
    pub broken: bool,
    /// The HTTP status, where that is what is wrong.
    pub code: Option<u32>,
    /// What is wrong, as a stable name.
    pub detail: String,
    /// The address that was asked.
    pub url: Option<Redacted<String>>,
}

impl LinkFinding {
    /// The links were asked before a restart, and what came of it is not known.
    fn interrupted() -> LinkFinding {
        LinkFinding { broken: false, code: None, detail: INTERRUPTED.to_owned(), url: None }
    }

    pub(crate) fn into_reason(self) -> Reason {
        let LinkFinding { code, detail, url, .. } = self;
        Reason { kind: ReasonKind::LinkBroken, code, detail: Some(detail), url }
    }

    pub(crate) fn into_warning(self, now: Now) -> LinkWarning {
        let LinkFinding { code, detail, url, .. } = self;
        LinkWarning { detail, code, url, at: now.wall_ms }
    }
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Whether it may be gone in a while by itself.
    pub passes: bool,
    /// What to park the message with.
    pub reason: Reason,
}

/// The preparations under way, and those that wait to be tried again. Forgotten at a
/// restart: they are then started at once.
#[derive(Debug, Default)]
pub(crate) struct Preparations {
    running: BTreeMap<MessageId, Running>,
    last_round: u64,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    round: u64,
    tries: u32,
    afresh: bool,
    /// Whether its links are to be asked.
    links: bool,
    /// None: the shell is at it. Else it is started again then, monotonic.
    rests_until: Option<u64>,
}

impl Running {
    fn new(links: bool, afresh: bool) -> Running {
        Running { round: 0, tries: 0, afresh, links, rests_until: Some(0) }
    }
}

impl Preparations {
    /// Stops what need not be prepared any more, however that came about, and starts what
    /// has to be unless the daemon goes down.
    pub(crate) fn drive(
        &mut self,
        queue: &mut Queue,
        links: LinkPolicy,
        draining: bool,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        self.running.retain(|id, running| {
            let wanted = is_preparing(queue, *id);
            if !wanted && running.rests_until.is_none() {
                out.prepare.push(PrepareCommand::Stop(*id));
            }
            wanted
        });
        if draining {
            return;
        }
        let mut started = Vec::new();
        for message in queue.preparing() {
            let due = match self.running.get(&message.id) {
                None => Running::new(!message.links_asked, false),
                Some(running) if running.rests_until.is_some_and(|at| at <= now.mono_ms) => {
                    *running
                }
                Some(_) => continue,
            };
            self.last_round = self.last_round.saturating_add(1);
            let round = self.last_round;
            self.running.insert(message.id, Running { round, rests_until: None, ..due });
            started.push(Preparation {
                id: message.id,
                round,
                source: message.draft.source.clone().filter(|_| message.draft.file.is_none()),
                links: message.draft.has_links && due.links && links != LinkPolicy::Off,
                afresh: due.afresh,
            });
        }
        for preparation in started {
            if preparation.links {
                queue.note_links_asked(preparation.id, out);
            } else if preparation.source.is_none() {
                self.ready(preparation.id, None, None, queue, out, now);
                continue;
            }
            out.prepare.push(PrepareCommand::Start(preparation));
        }
    }

    /// When the next one is started again, monotonic.
    pub(crate) fn poll_timeout(&self) -> Option<(u64, Wake)> {
        self.running
            .values()
            .filter_map(|running| running.rests_until)
            .min()
            .map(|at| (at, Wake::Prepare))
    }

    /// Somebody asked for it again, or it is something else now: nothing that is remembered
    /// counts, and what is under way is of no use.
    pub(crate) fn start_afresh(&mut self, id: MessageId, out: &mut ActionBuffer) {
        let before = self.running.insert(id, Running::new(true, true));
        if before.is_some_and(|before| before.rests_until.is_none()) {
            out.prepare.push(PrepareCommand::Stop(id));
        }
    }

    /// The shell reports.
    pub(crate) fn on_report(
        &mut self,
        prepared: Prepared,
        queue: &mut Queue,
        config: &CoreConfig,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        let Prepared { id, round, outcome } = prepared;
        let current = self
            .running
            .get(&id)
            .is_some_and(|running| running.round == round && running.rests_until.is_none());
        if !current || !is_preparing(queue, id) {
            // Withdrawn meanwhile.
            if let Outcome::Ready { file: Some((_, file)), .. } = outcome {
                out.unspool.push(file.spool);
            }
            return;
        }
        match outcome {
            Outcome::Ready { file, link } => {
                self.ready(id, file, link, queue, out, now);
            }
            Outcome::Failed(trouble) => {
                if trouble.passes && self.rest(id, config.prepare_pause_ms, now) {
                    return;
                }
                self.running.remove(&id);
                queue.not_prepared(id, None, trouble.reason, out, now);
            }
        }
    }

    /// Everything that was to be done for it is done.
    fn ready(
        &mut self,
        id: MessageId,
        file: Option<(Kind, SpooledFile)>,
        link: Option<LinkFinding>,
        queue: &mut Queue,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        let asked = self.running.remove(&id).is_some_and(|running| running.links);
        let has_links = queue.get(id).is_some_and(|message| message.draft.has_links);
        let link = link.or_else(|| (has_links && !asked).then(LinkFinding::interrupted));
        queue.prepared(id, file, link, out, now);
    }

    /// False: it has been tried often enough.
    fn rest(&mut self, id: MessageId, first_ms: u64, now: Now) -> bool {
        let Some(running) = self.running.get_mut(&id) else { return false };
        let pause = first_ms.saturating_mul(PAUSE_GROWTH.saturating_pow(running.tries));
        running.tries = running.tries.saturating_add(1);
        running.rests_until = Some(now.mono_ms.saturating_add(pause.max(1)));
        running.tries < TRIES_MAX
    }
}

fn is_preparing(queue: &Queue, id: MessageId) -> bool {
    queue.get(id).is_some_and(|message| message.state() == State::Preparing)
}
