//! Takes the [`Situation`] from the core, and answers `explain` with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::Core;
use crate::causes::causes;
use crate::diagnosis::clause;
use crate::files::LinkWarning;
use crate::situation::{Down, Group, Pacing, Phone, Session, Situation};
use crate::time::Now;
use tetherd_api::{self as api, MessageId, Reason, ReasonKind, SessionState, State};

impl Core {
    /// Why messages wait, as `explain` answers it.
    pub fn explain(&self, now: Now) -> api::Explanation {
        let (next_send_at, last_send_at) = self.sends(now);
        api::Explanation {
            summary: self.summary(next_send_at, last_send_at, now),
            holds: self.holds(now),
            waiting: self.queue.taken(),
            next_send_at,
            last_send_at,
            causes: causes(&self.situation(now)),
        }
    }

    /// Everything that the causes go by.
    pub(crate) fn situation(&self, now: Now) -> Situation {
        let mut situation = Situation {
            now: now.wall_ms,
            draining_since: self.draining.then_some(self.draining_since),
            started_at: self.started_at,
            set_aside: self.store.set_aside,
            session: self.session_situation(now),
            phone: Phone {
                status: self.phone_status(now),
                offline_holds: self.phone.holds_offline(),
                battery_holds: self.phone.holds_battery(now),
            },
            backlog_since: self.backlog.stale.map(|stale| stale.since),
            paused_since: self.facts.paused_since,
            clock_jump: self.clock_jumps.last(),
            pacing: self.pacing_situation(now),
            ..Situation::default()
        };
        self.network_situation(&mut situation, now);
        self.sort_messages(&mut situation);
        for (id, warning) in self.doubtful_links() {
            let LinkWarning { detail, code, at } = warning;
            situation.doubtful.add(id, *at);
            let said = code.map_or_else(|| detail.clone(), |code| format!("code {code}, {detail}"));
            situation.doubtful.details.insert(said);
        }
        situation
    }

    fn session_situation(&self, now: Now) -> Session {
        let facts = &self.facts;
        let state = self.link.state(facts);
        let since = self.session_since(now);
        let expected = self.link.wants_connection(facts) && facts.banned.is_none();
        let wall = |at: u64| self.wall_of(at, now).0;
        let next_try = self.link.next_try(facts).filter(|_| !self.draining).map(wall);
        Session {
            not_paired: (facts.account.is_none() && facts.logged_out.is_none())
                .then_some((since, state == SessionState::Pairing)),
            logged_out: facts.logged_out,
            banned: facts.banned,
            outdated: self.link.outdated_since,
            replaced: facts.replaced_since,
            replaced_last_hour: self.replaced_last_hour(now),
            takeover_at: self.takeover_at().map(wall),
            takeovers_used_up_until: self.takeovers_used_up_until(now).map(wall),
            down: (expected && !self.link.can_send()).then(|| Down {
                since: self.link.down_since,
                detail: self.link.detail.as_deref().map(clause),
                next_try,
                tries: self.link.tries,
            }),
            connected_since: (state == SessionState::Connected).then_some(since),
        }
    }

    fn pacing_situation(&self, now: Now) -> Pacing {
        let free_at = self.pacer.free_at(now.mono_ms);
        let (_, last) = self.sends(now);
        Pacing {
            limit: self.config.pace_limit,
            window_ms: self.config.window_ms,
            spent: self.pacer.spent(now.mono_ms),
            last_attempt: self.pacer.last().map(|at| self.wall_of(at, now).0),
            next_slot: (free_at > now.mono_ms).then(|| self.wall_of(free_at, now).0),
            last_send: last.map(|at| at.0),
        }
    }

    /// Puts each live message into the groups that it belongs to.
    fn sort_messages(&self, situation: &mut Situation) {
        let mut parked: BTreeMap<ReasonKind, Group> = BTreeMap::new();
        for (due, id) in self.queue.deadlines().scheduled() {
            let since = self.queue.get(id).map_or(due, |message| message.accepted_at);
            situation.early.add(id, since);
            situation.early_due.get_or_insert(due);
        }
        let asking = self.checks_hold_up();
        let early: BTreeSet<MessageId> = situation.early.ids.iter().copied().collect();
        for message in self.queue.iter().filter(|message| !early.contains(&message.id)) {
            match message.state {
                State::Preparing => {
                    situation.waiting.push(message.id);
                    situation.preparing.add(message.id, message.changed_at);
                }
                State::Queued => {
                    situation.waiting.push(message.id);
                    if asking && self.number_gate(message).is_none() {
                        situation.unchecked.add(message.id, message.changed_at);
                        situation.unchecked.details.extend(
                            self.contacts.trouble().map(|trouble| clause(&trouble.kind.sentence())),
                        );
                        if self.contacts.is_asking() {
                            situation.unchecked.details.insert(ASKED.to_owned());
                        }
                    }
                }
                State::Unknown => {
                    situation.waiting.push(message.id);
                    situation.unanswered.add(message.id, message.changed_at);
                }
                State::Parked => {
                    let Some(reason) = &message.reason else { continue };
                    let group = parked.entry(reason.kind).or_default();
                    group.add(message.id, message.changed_at);
                    group.details.extend(detail(reason));
                }
                State::Sending
                | State::Sent
                | State::Delivered
                | State::Read
                | State::Failed
                | State::Expired
                | State::Cancelled => {}
            }
        }
        for (id, since, code) in self.waiting_for_uploads() {
            situation.uploading.add(id, since);
            situation.uploading.details.extend(code.map(|code| format!("code {code}")));
        }
        situation.parked = parked;
    }
}

/// Said of numbers while the network has a question.
const ASKED: &str = "the network is being asked";

/// What a reason says beyond its name.
fn detail(reason: &Reason) -> Option<String> {
    match (reason.code, &reason.detail) {
        (Some(code), Some(detail)) => Some(format!("code {code}, {detail}")),
        (Some(code), None) => Some(format!("code {code}")),
        (None, Some(detail)) => Some(detail.clone()),
        (None, None) => None,
    }
}
