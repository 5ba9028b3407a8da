//! The quota of new chats: the server counts the chats that the account begins, warns, and
//! refuses more (475) until its cycle ends. Chats that exist, and groups, go on. Knows no
//! chat: whether one is new is for the caller to say.
//!
//! The numbers are the server's. A refusal names none: until the server has answered, the
//! quota counts as used up for an hour, after which it may be asked again.

use crate::event::{QuotaLevel, QuotaNotice};
use crate::time::{Now, Uptime};

/// For so long the server's answer holds without an end of its own, and a refusal without an
/// answer: the official client asks no more often (protocol 2026, section 2).
const ANSWER_MS: i64 = 60 * 60 * 1_000;
/// The longest cycle that is believed: sixty days.
const CYCLE_MS_MAX: i64 = 60 * 24 * 60 * 60 * 1_000;

/// How many new chats there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewChatQuota {
    /// Since when it is a concern, wall milliseconds.
    pub since: i64,
    /// When the cycle ends, wall milliseconds.
    pub until: i64,
    /// Whether it is used up; else the server warns.
    pub used_up: bool,
    /// New chats of this cycle.
    pub used: Option<u32>,
    /// How many there may be.
    pub total: Option<u32>,
    /// Whether the end is assumed, because the server named none.
    pub assumed: bool,
}

/// What is kept of it. Belongs to the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaFacts {
    /// The quota, while it is a concern.
    pub quota: Option<NewChatQuota>,
    /// When it last began anew, milliseconds of uptime, while what was refused is still to be
    /// put back.
    pub ended_uptime_ms: Option<u64>,
}

/// The quota, and when it begins anew.
#[derive(Debug)]
pub(super) struct QuotaState {
    uptime: Uptime,
    facts: QuotaFacts,
    /// When the cycle ends, monotonic.
    ends: Option<u64>,
}

impl QuotaState {
    /// Takes over what was known before the start. The wall clock may have been set
    /// meanwhile: never wait longer than the cycle was.
    pub(super) fn new(facts: QuotaFacts, uptime: Uptime, now: Now) -> QuotaState {
        let ends = facts.quota.map(|quota| {
            let left = quota.until.saturating_sub(now.wall_ms);
            let left = left.min(quota.until.saturating_sub(quota.since));
            now.mono_ms.saturating_add(u64::try_from(left).unwrap_or(0))
        });
        QuotaState { uptime, facts, ends }
    }

    /// The server says how it stands.
    pub(super) fn on_notice(&mut self, notice: QuotaNotice, now: Now) {
        let QuotaNotice { level, used, total, until } = notice;
        let until = until.filter(|at| *at > now.wall_ms);
        match level {
            QuotaLevel::Fine => self.end(now),
            QuotaLevel::Warning | QuotaLevel::UsedUp => {
                let latest = now.wall_ms.saturating_add(CYCLE_MS_MAX);
                let assumed = until.is_none();
                let until = until.unwrap_or(now.wall_ms.saturating_add(ANSWER_MS)).min(latest);
                let used_up = level == QuotaLevel::UsedUp;
                self.set(
                    NewChatQuota { since: now.wall_ms, until, used_up, used, total, assumed },
                    now,
                );
            }
        }
    }

    /// A message that would have begun a chat was refused: the session asks for the numbers.
    pub(super) fn on_refused(&mut self, now: Now) {
        if self.used_up().is_none() {
            let until = now.wall_ms.saturating_add(ANSWER_MS);
            let (used, total) = (None, None);
            let since = now.wall_ms;
            self.set(NewChatQuota { since, until, used_up: true, used, total, assumed: true }, now);
        }
    }

    fn set(&mut self, quota: NewChatQuota, now: Now) {
        let before = self.facts.quota.filter(|before| before.used_up == quota.used_up);
        let since = before.map_or(quota.since, |before| before.since);
        if !quota.used_up && self.used_up().is_some() {
            self.end(now);
        }
        if quota.used_up {
            self.facts.ended_uptime_ms = None;
        }
        self.facts.quota = Some(NewChatQuota { since, ..quota });
        let left = u64::try_from(quota.until.saturating_sub(now.wall_ms)).unwrap_or(0);
        self.ends = Some(now.mono_ms.saturating_add(left));
    }

    /// A new cycle begins when it is time.
    pub(super) fn on_time(&mut self, now: Now) {
        if self.ends.is_some_and(|at| at <= now.mono_ms) {
            self.end(now);
        }
    }

    fn end(&mut self, now: Now) {
        if self.facts.quota.take().is_some_and(|quota| quota.used_up) {
            self.facts.ended_uptime_ms = Some(self.uptime.at(now));
        }
        self.ends = None;
    }

    /// Another account: nothing is known of it.
    pub(super) fn reset(&mut self, now: Now) {
        *self = QuotaState::new(QuotaFacts::default(), self.uptime, now);
    }

    /// What was refused is put back.
    pub(super) fn on_put_back(&mut self) {
        self.facts.ended_uptime_ms = None;
    }

    /// The quota while it is a concern, and when it begins anew, monotonic.
    pub(super) fn quota_and_end(&self) -> Option<(NewChatQuota, u64)> {
        self.facts.quota.zip(self.ends)
    }

    /// When it begins anew, monotonic, if it is used up.
    pub(super) fn used_up(&self) -> Option<u64> {
        self.quota_and_end().filter(|(quota, _)| quota.used_up).map(|(_, ends)| ends)
    }

    /// What is to be stored.
    pub(super) fn facts(&self) -> QuotaFacts {
        self.facts
    }
}
