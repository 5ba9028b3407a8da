//! Messages that are not ready yet: a file is still to be fetched, or links in a text
//! are still to be looked at. Says what has to be done and what follows from how it
//! went; the shell does it, and this never reads a clock or an address.
//!
//! A message that is being prepared takes a place and keeps its chat's order: its own
//! chat waits for it, in bounded time, and no other does. It needs no session.

use std::fmt;

use crate::Core;
use crate::config::LinkPolicy;
use crate::files::StoredFile;
use crate::time::Now;
use tetherd_api::{Kind, MessageId, Reason, ReasonKind, State};

/// Tries at one preparation that fails in passing.
const TRIES_MAX: u32 = 3;
/// The second pause is so many times as long as the first.
const PAUSE_GROWTH: u64 = 4;

/// Where a message's file is to be fetched. `Debug` shows none of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Its address, checked.
    pub url: String,
    /// What it is to be sent as. None: its content decides.
    pub kind: Option<Kind>,
    /// The name to show it under. None: the address's.
    pub name: Option<String>,
    /// Its MIME type. None: its content decides.
    pub mime: Option<String>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({} bytes)", self.url.len())
    }
}

/// A link in a text that could not be judged, or leads nowhere and was let pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkWarning {
    /// What is behind it, as a stable name.
    pub detail: String,
    /// The HTTP status, where that is what is behind it.
    pub code: Option<u32>,
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
        file: Option<(Kind, StoredFile)>,
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
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Whether it may be gone in a while by itself.
    pub passes: bool,
    /// What to park the message with.
    pub reason: Reason,
}

/// A preparation under way, while the daemon runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Under {
    round: u64,
    tries: u32,
    afresh: bool,
    /// None: the shell is at it. Else it is started again then, monotonic.
    rests_until: Option<u64>,
}

impl Core {
    /// Starts what has to be prepared, and stops what need not be any more, however that
    /// came about.
    pub(crate) fn drive_preparations(&mut self, now: Now) {
        let queue = &self.queue;
        let wanted = |id: MessageId| queue.get(id).is_some_and(|m| m.state() == State::Preparing);
        let out = &mut self.out;
        self.preparations.retain(|id, under| {
            let wanted = wanted(*id);
            if !wanted && under.rests_until.is_none() {
                out.prepare.push(PrepareCommand::Stop(*id));
            }
            wanted
        });
        if self.draining {
            return;
        }
        for message in self.queue.preparing() {
            let under = self.preparations.get(&message.id).copied();
            let (tries, afresh) = match under {
                None => (0, false),
                Some(Under { rests_until: Some(until), tries, afresh, .. })
                    if until <= now.mono_ms =>
                {
                    (tries, afresh)
                }
                Some(_) => continue,
            };
            self.rounds = self.rounds.saturating_add(1);
            let under = Under { round: self.rounds, tries, afresh, rests_until: None };
            self.preparations.insert(message.id, under);
            self.out.prepare.push(PrepareCommand::Start(Preparation {
                id: message.id,
                round: self.rounds,
                source: message.source.clone().filter(|_| message.file.is_none()),
                links: message.has_links && self.config.links != LinkPolicy::Off,
                afresh,
            }));
        }
    }

    /// When the next preparation is started again, monotonic.
    pub(crate) fn preparation_at(&self) -> Option<u64> {
        if self.draining {
            return None;
        }
        self.preparations.values().filter_map(|under| under.rests_until).min()
    }

    /// Puts a parked message back into the queue. What has to be prepared for it is
    /// prepared again, and nothing that is remembered counts.
    pub(crate) fn put_in_again(&mut self, id: MessageId, order: u64, now: Now) {
        let links = self.config.links;
        let absent = self.queue.get(id).filter(|m| m.is_parked_for(ReasonKind::NotOnNetwork));
        let absent = absent.map(|message| message.to.clone());
        let requeued = self.queue.change(id, |m| m.requeue(order, links, now.wall_ms));
        let Some(Ok(state)) = requeued else { return };
        // What was known about the number is what led it here: it is asked afresh.
        if let Some(chat) = absent {
            self.contacts.forget(&chat);
        }
        if state == State::Preparing {
            let under = Under { round: 0, tries: 0, afresh: true, rests_until: Some(0) };
            self.preparations.insert(id, under);
        }
        self.settle_message(id, now);
    }

    /// The shell reports.
    pub(crate) fn prepared(&mut self, prepared: Prepared, now: Now) {
        let Prepared { id, round, outcome } = prepared;
        let current = self
            .preparations
            .get(&id)
            .is_some_and(|under| under.round == round && under.rests_until.is_none());
        let still = self.queue.get(id).is_some_and(|m| m.state() == State::Preparing);
        if !current || !still {
            // Withdrawn meanwhile.
            if let Outcome::Ready { file: Some((_, file)), .. } = outcome {
                self.out.unspool.push(file.spool);
            }
            return;
        }
        match outcome {
            Outcome::Ready { file, link } => {
                self.preparations.remove(&id);
                self.ready(id, file, link, now);
            }
            Outcome::Failed(trouble) => self.failed(id, trouble, now),
        }
    }

    fn ready(
        &mut self,
        id: MessageId,
        file: Option<(Kind, StoredFile)>,
        link: Option<LinkFinding>,
        now: Now,
    ) {
        let policy = self.config.links;
        let link = link.filter(|_| policy != LinkPolicy::Off);
        let changed = self.queue.change(id, |message| match link {
            Some(LinkFinding { broken: true, code, detail }) if policy == LinkPolicy::Park => {
                let reason = Reason { kind: ReasonKind::LinkBroken, code, detail: Some(detail) };
                message.not_prepared(file, reason, now.wall_ms)
            }
            link => {
                let warning = link.map(|LinkFinding { code, detail, .. }| LinkWarning {
                    detail,
                    code,
                    at: now.wall_ms,
                });
                message.prepared(file, warning, now.wall_ms)
            }
        });
        if matches!(changed, Some(Ok(()))) {
            self.settle_message(id, now);
        }
    }

    fn failed(&mut self, id: MessageId, trouble: Trouble, now: Now) {
        let first = self.config.prepare_pause_ms;
        if let Some(under) = self.preparations.get_mut(&id)
            && trouble.passes
            && under.tries.saturating_add(1) < TRIES_MAX
        {
            let pause = first.saturating_mul(PAUSE_GROWTH.saturating_pow(under.tries));
            under.tries = under.tries.saturating_add(1);
            under.rests_until = Some(now.mono_ms.saturating_add(pause.max(1)));
            return;
        }
        self.preparations.remove(&id);
        let changed = self.queue.change(id, |m| m.not_prepared(None, trouble.reason, now.wall_ms));
        if matches!(changed, Some(Ok(()))) {
            self.settle_message(id, now);
        }
    }

    /// Messages that wait or are on their way although a link in them is doubtful.
    pub(crate) fn doubtful_links(&self) -> impl Iterator<Item = (MessageId, &LinkWarning)> {
        self.queue
            .iter()
            .filter(|message| message.state().is_live())
            .filter_map(|message| Some((message.id, message.link_warning.as_ref()?)))
    }
}
