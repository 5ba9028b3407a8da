//! When the next attempt may leave, as far as the pace alone matters. Owns the sending
//! window, the pauses that the server's "too many requests" bring about, and what holds
//! messages to new contacts. Knows no message, no chat and no connection.
//!
//! What holds every message is part of `Pacing::free_at`; what holds only messages to new
//! contacts, of `Pacing::new_contact_hold`. A further bound is one more file here and a
//! part of one of the two.

use crate::action::{ActionBuffer, Wake};
use crate::condition::Condition;
use crate::config::{CoreConfig, OnRateLimit};
use crate::event::{QuotaNotice, TimelockNotice};
use crate::facts::Facts;
use crate::ids::Attempt;
use crate::time::{BootId, Now, Uptime, wall_of};
use tetherd_api::{self as api, ConditionKind, MessageId, ReasonKind, Redacted, Time};

mod hours;
mod new_chat_quota;
mod rate_limit;
mod timelock;
mod window;

pub use hours::{OpenHours, OpenSpan};
pub use new_chat_quota::{NewChatQuota, QuotaFacts};
pub use rate_limit::RateLimitFacts;
pub use timelock::{Timelock, TimelockFacts, TimelockSource};
pub use window::Slot;
pub(crate) use window::{Class, WindowRun};

use new_chat_quota::QuotaState;
use rate_limit::RateLimit;
use timelock::TimelockState;
use window::{Hours, Window};

/// The pace of all messages, and of those to new contacts.
#[derive(Debug)]
pub(crate) struct Pacing {
    config: CoreConfig,
    now: Now,
    account: Option<Redacted<String>>,
    window: Window,
    rate_limit: RateLimit,
    timelock: TimelockState,
    quota: QuotaState,
    hours: Option<OpenHours>,
}

/// What holds all messages, but for those of high priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    /// Wall milliseconds.
    pub(crate) since: i64,
    /// Wall milliseconds.
    pub(crate) until: i64,
}

impl Pacing {
    /// Takes over what was stored. True if the slots have to be stored anew.
    pub(crate) fn new(
        config: CoreConfig,
        slots: &[Slot],
        facts: &Facts,
        (boot, uptime): (BootId, Uptime),
        now: Now,
    ) -> (Pacing, bool) {
        let (limit, window_ms) = (config.pace_limit, config.window_ms);
        let (window, changed) = Window::new(boot, limit, window_ms, slots, now.mono_ms);
        let mut pacing = Pacing {
            config,
            now,
            account: facts.account.clone(),
            window,
            rate_limit: RateLimit::new(facts.network.rate_limit, uptime),
            timelock: TimelockState::new(facts.network.timelock, uptime, now),
            quota: QuotaState::new(facts.network.new_chats, uptime, now),
            hours: None,
        };
        pacing.configure();
        pacing.hold();
        (pacing, changed)
    }

    /// Takes another configuration. What is spent stays spent.
    pub(crate) fn set_config(&mut self, config: &CoreConfig) {
        self.config = config.clone();
        self.configure();
    }

    fn configure(&mut self) {
        let CoreConfig { pace_limit, pace_reserve, window_ms, .. } = self.config;
        self.window.configure(pace_limit, pace_reserve, window_ms);
    }

    /// When messages may leave; none: at any time.
    pub(crate) fn set_hours(&mut self, hours: Option<OpenHours>) {
        self.hours = hours;
    }

    /// The time of an input. Monotonic time never goes back.
    pub(crate) fn set_time(&mut self, now: Now) {
        self.now = now;
    }

    /// Which account is paired. Whoever asked to slow down sees the same address with the
    /// next account; the lock is this account's.
    pub(crate) fn on_account(
        &mut self,
        account: Option<&Redacted<String>>,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        if self.account.as_ref() != account {
            self.account = account.cloned();
            self.change_timelock(out, |lock, _| lock.reset(now));
            self.change_quota(out, |quota| quota.reset(now));
        }
    }

    /// Spends a slot on an attempt, which is open until it is reported about.
    pub(crate) fn on_attempt(
        &mut self,
        id: MessageId,
        attempt: Attempt,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        self.window.spend(id, attempt, now.mono_ms);
        out.slots = true;
    }

    /// Whatever has become of the message: its frame leaves no more from now on.
    pub(crate) fn on_reported(
        &mut self,
        id: MessageId,
        attempt: Attempt,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        out.slots |= self.window.close(id, attempt, now.mono_ms);
    }

    /// The run is over: nothing leaves on it any more.
    pub(crate) fn on_run_ended(&mut self, out: &mut ActionBuffer, now: Now) {
        out.slots |= self.window.close_all(u64::MAX, now.mono_ms);
    }

    /// The server answered with "too many requests". True if the queue is to be paused
    /// besides.
    pub(crate) fn on_rate_limited(&mut self, code: u32, out: &mut ActionBuffer, now: Now) -> bool {
        self.rate_limit.on_limited(code, &self.config, now);
        self.hold();
        out.save_facts();
        self.config.on_rate_limit == OnRateLimit::Pause
    }

    /// The server says whether messages to new contacts are refused. Since when it was asked,
    /// milliseconds of uptime.
    pub(crate) fn on_timelock(
        &mut self,
        notice: TimelockNotice,
        out: &mut ActionBuffer,
        now: Now,
    ) -> Option<u64> {
        self.change_timelock(out, |lock, config| lock.on_notice(notice, config, now))
    }

    /// A message to a new contact was refused for that, or for its token.
    pub(crate) fn on_new_contact_refused(&mut self, out: &mut ActionBuffer, now: Now) {
        self.change_timelock(out, |lock, _| lock.on_refused(now));
    }

    /// The server says how many new chats there may be.
    pub(crate) fn on_quota(&mut self, notice: QuotaNotice, out: &mut ActionBuffer, now: Now) {
        self.change_quota(out, |quota| quota.on_notice(notice, now));
    }

    /// A message that would have begun a chat was refused.
    pub(crate) fn on_quota_used_up(&mut self, out: &mut ActionBuffer, now: Now) {
        self.change_quota(out, |quota| quota.on_refused(now));
    }

    /// What was refused for this reason until now is put back.
    pub(crate) fn on_put_back(&mut self, reason: ReasonKind, out: &mut ActionBuffer) {
        if reason == ReasonKind::NewChatQuota {
            self.change_quota(out, QuotaState::on_put_back);
        } else {
            self.change_timelock(out, |lock, _| lock.on_put_back());
        }
    }

    /// Ends what is over.
    pub(crate) fn on_time(&mut self, out: &mut ActionBuffer, now: Now) {
        // The session reports about each attempt in bounded time; this holds if it fails.
        if let Some(before) = now.mono_ms.checked_sub(self.config.write_timeout_ms) {
            out.slots |= self.window.close_all(before, now.mono_ms);
        }
        self.change_timelock(out, |lock, _| lock.on_time(now));
        self.change_quota(out, |quota| quota.on_time(now));
    }

    fn change_timelock<T>(
        &mut self,
        out: &mut ActionBuffer,
        change: impl FnOnce(&mut TimelockState, &CoreConfig) -> T,
    ) -> T {
        let before = self.timelock.facts();
        let result = change(&mut self.timelock, &self.config);
        out.facts |= self.timelock.facts() != before;
        result
    }

    fn change_quota(&mut self, out: &mut ActionBuffer, change: impl FnOnce(&mut QuotaState)) {
        let before = self.quota.facts();
        change(&mut self.quota);
        out.facts |= self.quota.facts() != before;
    }

    /// The window knows of the pause, also after a restart.
    fn hold(&mut self) {
        if let Some(until) = self.rate_limit.pause_ends() {
            self.window.hold_until(until);
        }
    }

    /// When time alone brings something about, monotonic, and what.
    pub(crate) fn poll_timeout(&self) -> Option<(u64, Wake)> {
        let write_timeout_ms = self.config.write_timeout_ms;
        let open = self.window.oldest_open().map(|at| at.saturating_add(write_timeout_ms));
        let next = [
            (self.timelock().map(|(_, ends)| ends), Wake::TimelockEnds),
            (self.timelock.asked_until(), Wake::TimelockEnds),
            (self.quota().map(|(_, ends)| ends), Wake::QuotaEnds),
            (self.rate_limit.until(self.now), Wake::RateLimitEnds),
            (open, Wake::Slot),
            (self.hours_change_at(), Wake::Hours),
        ];
        let next = next.into_iter().filter_map(|(at, wake)| Some((at?, wake)));
        next.min_by_key(|(at, _)| *at)
    }

    /// When the sending hours begin or end, monotonic.
    fn hours_change_at(&self) -> Option<u64> {
        let wait = self.hours.as_ref()?.changes_at(self.now.wall_ms) - self.now.wall_ms;
        Some(self.now.mono_ms.saturating_add(u64::try_from(wait).unwrap_or(0)))
    }

    /// Whether the sending hours are over, and until when.
    pub(crate) fn closed(&self, now: Now) -> Option<Closed> {
        let hours = self.hours.as_ref()?;
        let since = hours.closed_since(now.wall_ms)?;
        Some(Closed { since, until: hours.open_from(now.wall_ms) })
    }

    /// The first instant from this one on that lies in the sending hours, wall milliseconds.
    pub(crate) fn open_from(&self, wall_ms: i64, class: Class) -> i64 {
        let any_time = class == Class::High && self.config.high_at_any_time;
        let hours = self.hours.as_ref().filter(|_| !any_time);
        hours.map_or(wall_ms, |hours| hours.open_from(wall_ms))
    }

    /// Whether every message may take every slot, at any time.
    pub(crate) fn is_even(&self) -> bool {
        self.hours.is_none() && self.config.pace_reserve == 0
    }

    /// Whether the hours let a message leave now.
    pub(crate) fn is_open(&self, class: Class, now: Now) -> bool {
        self.open_from(now.wall_ms, class) <= now.wall_ms
    }

    /// When the next attempt of each class may leave, monotonic, not before now.
    pub(crate) fn free_at(&self, now: Now) -> [u64; 2] {
        let run = self.run(now);
        Class::ALL.map(|class| run.next(0, class))
    }

    /// When a message to a new contact may leave, monotonic, as far as that alone matters, and
    /// what holds it until then; none: it may leave at any time.
    pub(crate) fn new_contact_hold(&self) -> Option<(u64, ConditionKind)> {
        let lock = self.timelock().map(|(_, ends)| ends).or(self.timelock.asked_until());
        let holds = [
            lock.map(|ends| (ends, ConditionKind::ReachoutTimelock)),
            self.quota.used_up().map(|ends| (ends, ConditionKind::NewChatQuota)),
        ];
        holds.into_iter().flatten().max_by_key(|(ends, _)| *ends)
    }

    /// Until when the server's answer about new contacts is waited for, monotonic.
    pub(crate) fn timelock_asked_until(&self) -> Option<u64> {
        self.timelock.asked_until()
    }

    /// How many new chats there may be, while that is a concern, and when the count begins
    /// anew, monotonic.
    pub(crate) fn quota(&self) -> Option<(NewChatQuota, u64)> {
        self.quota.quota_and_end()
    }

    /// The slots as they will be spent from now on, to be played through.
    pub(crate) fn run(&self, now: Now) -> WindowRun {
        let hours = Hours {
            open: self.hours.clone(),
            high_at_any_time: self.config.high_at_any_time,
            now: Some(now),
        };
        self.window.run(now.mono_ms, hours)
    }

    /// The server's refusal of messages to new contacts, and when it ends, monotonic.
    pub(crate) fn timelock(&self) -> Option<(Timelock, u64)> {
        self.timelock.lock_and_end()
    }

    /// What is to be put back because what refused it is over, and when that was, milliseconds
    /// of uptime.
    pub(crate) fn to_put_back(&self) -> impl Iterator<Item = (ReasonKind, u64)> + use<> {
        let ended = [
            (ReasonKind::ReachoutTimelock, self.timelock.facts().ended_uptime_ms),
            (ReasonKind::NewChatQuota, self.quota.facts().ended_uptime_ms),
        ];
        ended.into_iter().filter_map(|(reason, ended)| Some((reason, ended?)))
    }

    /// Until when nothing leaves because the server asked for it, monotonic.
    pub(crate) fn rate_limited_until(&self, now: Now) -> Option<u64> {
        self.rate_limit.until(now)
    }

    /// What is the case about all messages. `waits`: which wait to leave now.
    pub(crate) fn conditions(&self, waits: Option<Class>, now: Now) -> Option<Condition> {
        self.rate_limit.condition(now).or_else(|| {
            let class = waits.filter(|class| self.is_open(*class, now))?;
            let free_at = self.free_at(now)[class.index()];
            let since = wall_of(self.window.last().unwrap_or(now.mono_ms), now);
            (free_at > now.mono_ms)
                .then(|| Condition::Pacing { since, until: wall_of(free_at, now) })
        })
    }

    /// The pace as `status` shows it.
    pub(crate) fn status(&self, now: Now) -> api::PacingStatus {
        let free_at = self.free_at(now)[Class::Other.index()];
        let wall = |at| Time(wall_of(at, now));
        api::PacingStatus {
            limit: self.config.pace_limit,
            reserve: self.config.pace_reserve,
            opens_at: self.closed(now).map(|closed| Time(closed.until)),
            window_ms: self.config.window_ms,
            spent: self.window.spent(now.mono_ms),
            next_slot_at: (free_at > now.mono_ms).then(|| wall(free_at)),
            slowed_until: self.rate_limited_until(now).map(wall),
        }
    }

    /// When the last slot was spent, monotonic.
    pub(crate) fn last_spent(&self) -> Option<u64> {
        self.window.last()
    }

    /// The slots, to be stored.
    pub(crate) fn slots(&self) -> Vec<Slot> {
        self.window.stored()
    }

    /// What else of it outlives a restart.
    pub(crate) fn store_facts(&self, facts: &mut Facts) {
        facts.network.timelock = self.timelock.facts();
        facts.network.new_chats = self.quota.facts();
        facts.network.rate_limit = self.rate_limit.facts();
    }
}
