//! Conditions in words: the only place of the core with sentences about them. Each fact is
//! put into words once; `status`, `why`, the summary and errors use the same words. Decides
//! nothing, and names no chat, no number and no text.

use crate::Core;
use crate::condition::{Condition, Ends};
use crate::time::Now;
use tetherd_api::{
    self as api, Affected, CONDITION_IDS_MAX, ConditionKind, Evidence, Holds, MessageId,
    ReasonKind, Time,
};

mod account;
mod connection;
mod ends;
mod inactive;
mod messages;
mod pairing;
pub(crate) mod phone;
mod session;
mod summary;

pub(crate) use account::{barred, too_soon};
pub(crate) use connection::logins_limited;
use ends::check_failure;
pub(crate) use ends::{check_failure_sentence, end_reason, shutting_down_error};
pub(crate) use pairing::{
    PasskeyFlaw, no_passkey_wanted, pair_failure, pairing_over, passkey_code_differs, passkey_flaw,
    passkey_late, passkey_refused, passkey_unanswered, wrong_credential,
};

impl Core {
    /// Why messages wait, as `explain` answers it: every condition once.
    pub fn explain(&self, now: Now) -> api::Explanation {
        let conditions = self.conditions(now);
        let (next_send_at, last_send_at) = self.sends(now);
        let mut explained = self.words(&conditions, now);
        for kind in ConditionKind::ALL {
            if conditions.iter().all(|condition| condition.kind() != *kind) {
                explained.push(self.inactive(*kind, now));
            }
        }
        api::Explanation {
            summary: self.summary(&conditions, next_send_at, last_send_at, now),
            waiting: self.queue.taken(),
            next_send_at,
            last_send_at,
            conditions: explained,
        }
    }

    /// The conditions of `status`: those that are the case.
    pub(crate) fn words(&self, conditions: &[Condition], now: Now) -> Vec<api::Condition> {
        conditions.iter().map(|condition| self.word(condition, now)).collect()
    }

    fn word(&self, condition: &Condition, now: Now) -> api::Condition {
        let words = self.words_of(condition, now);
        let affected = match condition.holds() {
            Holds::All => {
                let waiting = self.queue.waiting().map(|message| message.id);
                let ids = waiting.take(CONDITION_IDS_MAX).collect();
                Affected { count: self.queue.to_leave_now(), ids }
            }
            Holds::Some | Holds::None => affected_by(&words.ids),
        };
        let ends = condition.ends();
        api::Condition {
            kind: condition.kind(),
            active: true,
            holds: condition.holds(),
            since: words.since.map(Time),
            ends_by_itself: ends != Ends::Never,
            until: match ends {
                Ends::At(at) => Some(Time(at)),
                Ends::Never | Ends::Sometime => None,
            },
            why: sentence(&words.why),
            evidence: words.evidence.into_iter().map(|what| evidence(what, now)).collect(),
            affected,
            by_itself: words.by_itself,
            by_itself_at: words.at.map(Time),
            remedy: words.remedy,
        }
    }

    fn words_of(&self, condition: &Condition, now: Now) -> Words {
        match condition {
            Condition::StoreTrouble { since, records } => session::store_trouble(*since, *records),
            Condition::DiskFull { since } => session::disk_full(*since),
            Condition::NotPaired { since, pairing } => session::not_paired(*since, *pairing),
            Condition::Account { trouble, linked } => account::trouble(trouble, *linked),
            Condition::ClientExpires { warned, at } => account::client_expires(*warned, *at),
            Condition::IntegrityChallenge { since, kind } => {
                session::integrity_challenge(*since, *kind)
            }
            Condition::OtherSession { since, takeover_at, hour } => {
                session::other_session(*since, *takeover_at, *hour)
            }
            Condition::LoginLimited { since, until, count } => {
                connection::login_limited(*since, *until, *count)
            }
            Condition::StanzaUnacked { stanza } => connection::stanza_unacked(stanza),
            Condition::Disconnected { since, ended, next_try, tries } => {
                session::disconnected(*since, ended.as_ref(), *next_try, *tries)
            }
            Condition::PhoneOffline { since, unlinked_at, holds } => {
                self.phone_offline(*since, *unlinked_at, *holds, now)
            }
            Condition::PhoneSilent { since, unlinked_at } => {
                self.phone_silent(*since, *unlinked_at, now)
            }
            Condition::Battery { critical, since, holds, .. } => {
                self.battery(*critical, *since, *holds, now)
            }
            Condition::Paused { since } => session::paused(*since),
            Condition::StaleBacklog { since, waited_ms } => {
                session::stale_backlog(*since, *waited_ms)
            }
            Condition::ReachoutTimelock { since, until, source, ids } => {
                messages::reachout_timelock(*since, *until, *source, ids)
            }
            Condition::NewChatQuota { quota, ids } => messages::new_chat_quota(quota, ids),
            Condition::OutsideHours { since, until, late } => {
                messages::outside_hours(*since, *until, *late)
            }
            Condition::RateLimited { since, until, code } => {
                messages::rate_limited(*since, *until, *code)
            }
            Condition::NumberUnchecked { group, failure, asking } => {
                messages::number_unchecked(group, *failure, *asking)
            }
            Condition::GroupUnchecked { group, asking } => {
                messages::group_unchecked(group, *asking)
            }
            Condition::LinkDoubtful { group } => messages::link_doubtful(group),
            Condition::FileUnderway { preparing, uploading } => {
                messages::file_underway(preparing, uploading)
            }
            Condition::AccountChanged { held, parked } => account::changed(held, parked),
            Condition::NoAnswer { waiting, parked } => messages::no_answer(waiting, parked),
            Condition::NotBefore { group, due } => messages::not_before(group, *due),
            Condition::Parked { reason: ReasonKind::Refused, group } => {
                self.refusals(messages::parked(ReasonKind::Refused, group))
            }
            Condition::Parked { reason, group } => messages::parked(*reason, group),
            Condition::ClockJumped { at, by_ms } => session::clock_jumped(*at, *by_ms),
            Condition::ShuttingDown { since } => session::shutting_down(*since),
            Condition::Pacing { since, until } => self.pacing(*since, *until, now),
        }
    }
}

/// A condition's words, while they are put together.
#[derive(Debug, Default)]
struct Words {
    since: Option<i64>,
    /// A clause: it fits into a longer sentence too.
    why: String,
    evidence: Vec<(String, Option<i64>)>,
    /// The messages that it touches, if it does not touch all that wait.
    ids: Vec<MessageId>,
    by_itself: String,
    /// When that happens. Then the sentence can be followed by it.
    at: Option<i64>,
    remedy: Option<String>,
}

impl Words {
    fn new(since: impl Into<Option<i64>>, why: impl Into<String>) -> Words {
        Words { since: since.into(), why: why.into(), ..Words::default() }
    }

    fn evidence(mut self, what: impl Into<String>, at: impl Into<Option<i64>>) -> Words {
        self.evidence.push((what.into(), at.into()));
        self
    }

    fn touches(mut self, ids: &[MessageId]) -> Words {
        self.ids = ids.to_vec();
        self
    }

    fn by_itself(mut self, what: impl Into<String>, at: impl Into<Option<i64>>) -> Words {
        self.by_itself = what.into();
        self.at = at.into();
        self
    }

    fn remedy(mut self, command: impl Into<String>) -> Words {
        self.remedy = Some(command.into());
        self
    }
}

/// Something that was seen, with its age.
pub(crate) fn evidence((what, at): (String, Option<i64>), now: Now) -> Evidence {
    let age = |at: i64| u64::try_from(now.wall_ms.saturating_sub(at) / 1_000).ok();
    Evidence { what, at: at.map(Time), age_s: at.and_then(age) }
}

fn affected_by(ids: &[MessageId]) -> Affected {
    Affected { count: ids.len(), ids: ids.iter().take(CONDITION_IDS_MAX).copied().collect() }
}

/// A clause as a sentence.
pub(crate) fn sentence(clause: &str) -> String {
    let mut chars = clause.chars();
    chars
        .next()
        .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()))
}

/// `1 message`, `12 messages`.
fn messages_n(count: usize) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

/// `1 message waits`, `12 messages wait`.
fn wait_n(count: usize) -> String {
    if count == 1 { "1 message waits".to_owned() } else { format!("{count} messages wait") }
}

/// `1 message expires`, `12 messages expire`.
fn expire_n(count: usize) -> String {
    if count == 1 { "1 message expires".to_owned() } else { format!("{count} messages expire") }
}

/// `1 message is`, `12 messages are`.
fn are_n(count: usize) -> String {
    if count == 1 { "1 message is".to_owned() } else { format!("{count} messages are") }
}

/// ` (code 401)`, or nothing.
fn in_code(code: Option<u32>) -> String {
    code.map(|code| format!(" (code {code})")).unwrap_or_default()
}
