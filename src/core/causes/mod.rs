//! Why messages wait: every cause there is, each told whether it holds now, since when,
//! by what evidence, which messages it touches, what happens by itself and what to type.
//!
//! A pure function over a [`Situation`]. Decides nothing, names no chat, no number and
//! no text.

use crate::situation::Situation;
use tetherd_api::{Affected, CAUSE_IDS_MAX, Cause, CauseKind, Evidence, MessageId, Time};

mod messages;
mod phone;
mod session;
#[cfg(test)]
mod tests;

/// Every cause once: those that hold first, the weightiest of them first; then the rest.
pub(crate) fn causes(situation: &Situation) -> Vec<Cause> {
    let mut all: Vec<Cause> = CauseKind::ALL.iter().map(|kind| cause(*kind, situation)).collect();
    all.sort_by_key(|cause| (!cause.active, cause.kind));
    all
}

fn cause(kind: CauseKind, now: &Situation) -> Cause {
    let draft = match kind {
        CauseKind::StoreTrouble => session::store_trouble(now),
        CauseKind::NotPaired => session::not_paired(now),
        CauseKind::LoggedOut => session::logged_out(now),
        CauseKind::Banned => session::banned(now),
        CauseKind::ClientOutdated => session::client_outdated(now),
        CauseKind::OtherSession => session::other_session(now),
        CauseKind::Disconnected => session::disconnected(now),
        CauseKind::PhoneOffline => phone::offline(now),
        CauseKind::PhoneSilent => phone::silent(now),
        CauseKind::BatteryCritical => phone::battery_critical(now),
        CauseKind::BatteryLow => phone::battery_low(now),
        CauseKind::Paused => session::paused(now),
        CauseKind::StaleBacklog => session::stale_backlog(now),
        CauseKind::ReachoutTimelock => messages::reachout_timelock(now),
        CauseKind::RateLimited => messages::rate_limited(now),
        CauseKind::NotOnNetwork => messages::not_on_network(now),
        CauseKind::NumberUnchecked => messages::number_unchecked(now),
        CauseKind::LinkBroken => messages::link_broken(now),
        CauseKind::LinkDoubtful => messages::link_doubtful(now),
        CauseKind::FileTrouble => messages::file_trouble(now),
        CauseKind::FileUnderway => messages::file_underway(now),
        CauseKind::Refused => messages::refused(now),
        CauseKind::NotSendable => messages::not_sendable(now),
        CauseKind::NoAnswer => messages::no_answer(now),
        CauseKind::NotBefore => messages::not_before(now),
        CauseKind::ClockJumped => session::clock_jumped(now),
        CauseKind::ShuttingDown => session::shutting_down(now),
        CauseKind::Pacing => messages::pacing(now),
    };
    draft.finish(kind, now.now)
}

/// A cause while it is put together.
#[derive(Debug, Default)]
struct Draft {
    active: bool,
    since: Option<i64>,
    why: String,
    evidence: Vec<(String, Option<i64>)>,
    affected: Affected,
    by_itself: String,
    at: Option<i64>,
    remedy: Option<String>,
}

impl Draft {
    /// One that does not hold.
    fn quiet(why: impl Into<String>) -> Draft {
        let by_itself = "Nothing has to happen.".to_owned();
        Draft { why: why.into(), by_itself, ..Draft::default() }
    }

    /// One that holds.
    fn holds(since: Option<i64>, why: impl Into<String>) -> Draft {
        Draft { active: true, since, why: why.into(), ..Draft::default() }
    }

    fn evidence(mut self, what: impl Into<String>, at: Option<i64>) -> Draft {
        self.evidence.push((what.into(), at));
        self
    }

    fn affects(mut self, ids: &[MessageId]) -> Draft {
        let first = ids.iter().take(CAUSE_IDS_MAX).copied().collect();
        self.affected = Affected { count: ids.len(), ids: first };
        self
    }

    fn by_itself(mut self, what: impl Into<String>, at: Option<i64>) -> Draft {
        self.by_itself = what.into();
        self.at = at;
        self
    }

    fn remedy(mut self, command: impl Into<String>) -> Draft {
        self.remedy = Some(command.into());
        self
    }

    fn finish(self, kind: CauseKind, now: i64) -> Cause {
        let evidence = |(what, at): (String, Option<i64>)| Evidence {
            what,
            at: at.map(Time),
            age_s: at.and_then(|at| u64::try_from(now.saturating_sub(at) / 1_000).ok()),
        };
        Cause {
            kind,
            active: self.active,
            since: self.since.map(Time),
            why: self.why,
            evidence: self.evidence.into_iter().map(evidence).collect(),
            affected: self.affected,
            by_itself: self.by_itself,
            by_itself_at: self.at.map(Time),
            remedy: self.remedy,
        }
    }
}

/// `1 message`, `12 messages`.
fn messages_n(count: usize) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

/// `1 message waits`, `12 messages wait`.
fn wait_n(count: usize) -> String {
    if count == 1 { "1 message waits".to_owned() } else { format!("{count} messages wait") }
}
