//! Whether the phone is there: evidence with an age, and questions to it. Decides the
//! state and what of it holds the queue; what is reported about its battery is `battery`.
//! Sends nothing by itself and invents nothing.
//!
//! - Evidence of life are signs that only the phone gives: its receipts and its messages.
//!   A report from beside is none: what reports may run on another machine.
//! - *Offline* is only a phone that left a question unanswered for `offline_after_ms` on a
//!   connection that stood all that time. The question (a probe) waits on the server, so
//!   that a phone that comes back answers it at once, hours later if need be.
//! - A question is asked when a copy of a message of ours stays unconfirmed, when the
//!   evidence is old and something waits, and once a day after it was last heard of.

use serde::{Deserialize, Serialize};

use crate::Core;
use crate::action::SessionCommand;
use crate::battery::{HoldBattery, Report};
use crate::time::Timestamp;
use crate::time::doubled;
use crate::time::{BootId, Now};
use tetherd_api::{BatteryLevel, PhoneState};

const MINUTE_MS: u64 = 60 * 1_000;
pub(crate) const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// The network unlinks this device when the phone was away for so many days.
pub(crate) const UNLINK_DAYS: u64 = 14;
/// From this day on it is warned of.
pub(crate) const WARN_DAYS: u64 = 10;
/// The pause between two questions to a phone that is offline: it doubles.
pub(crate) const PROBE_PAUSE_FIRST_MS: u64 = 10 * MINUTE_MS;
/// The longest such pause.
pub(crate) const PROBE_PAUSE_MAX_MS: u64 = DAY_MS;
/// How much newer a sign must be than the one on disk for a write of its own.
pub(crate) const SEEN_WRITE_MS: u64 = MINUTE_MS;

const _: () = assert!(WARN_DAYS < UNLINK_DAYS);

/// What the core does about the phone. Durations in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneConfig {
    /// Whether the queue is held while the phone is offline.
    pub hold_when_offline: bool,
    /// At which battery it is held.
    pub hold_when_battery: HoldBattery,
    /// Evidence older than this is old.
    pub silent_after_ms: u64,
    /// How long a copy of a message may stay unconfirmed before the phone is asked; and
    /// the least time between two questions.
    pub ask_after_ms: u64,
    /// How long it may leave a question unanswered before it counts as offline.
    pub offline_after_ms: u64,
    /// Low at or below so many percent.
    pub battery_low: u8,
    /// Critical at or below so many percent.
    pub battery_critical: u8,
    /// How old a report may be to go by.
    pub battery_stale_after_ms: u64,
}

impl Default for PhoneConfig {
    fn default() -> PhoneConfig {
        PhoneConfig {
            hold_when_offline: true,
            hold_when_battery: HoldBattery::Critical,
            silent_after_ms: 30 * MINUTE_MS,
            ask_after_ms: 2 * MINUTE_MS,
            offline_after_ms: 3 * MINUTE_MS,
            battery_low: 15,
            battery_critical: 5,
            battery_stale_after_ms: 30 * MINUTE_MS,
        }
    }
}

/// What a sign of life was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// It confirmed a message.
    Receipt,
    /// It answered a question, or another message that this device sent to it alone.
    Peer,
    /// It sent a message: somebody wrote on it, or it has something for this device.
    Message,
    /// It asked for something again.
    Retry,
}

impl Sign {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Sign::Receipt => "receipt",
            Sign::Peer => "peer",
            Sign::Message => "message",
            Sign::Retry => "retry",
        }
    }
}

/// A question that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Probe {
    /// Since when the phone owes an answer.
    pub(crate) since: Timestamp,
    /// When it was asked last.
    pub(crate) asked: Timestamp,
    /// How often it was asked in vain.
    pub(crate) tries: u32,
    /// The connection that it was asked on last, and since when that question is out.
    #[serde(skip)]
    on: Option<(u64, Option<Timestamp>)>,
}

/// What is known, as it is kept. Belongs to the account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PhoneFacts {
    /// The last sign of life.
    pub(crate) seen: Option<(Timestamp, Sign)>,
    /// The question that waits for its answer.
    pub(crate) probe: Option<Probe>,
    /// The state, and since when (wall milliseconds).
    pub(crate) state: Option<(PhoneState, i64)>,
    /// What the battery's report meant last, and since when (wall milliseconds).
    pub(crate) battery: Option<(BatteryLevel, i64)>,
    /// The last report.
    pub(crate) report: Option<Report>,
}

/// What is known.
#[derive(Debug)]
pub(crate) struct Phone {
    pub(crate) boot: BootId,
    /// Whose phone it is.
    account: Option<String>,
    pub(crate) known: PhoneFacts,
    /// The sign that is on disk.
    written: Option<Timestamp>,
    /// Since when the server has a message of which the phone has not confirmed its copy.
    pub(crate) owed: Option<Timestamp>,
    /// When it was asked last, monotonic.
    last_asked: Option<u64>,
}

impl Phone {
    /// Takes over what was stored.
    pub(crate) fn new(
        boot: BootId,
        account: Option<&String>,
        stored: &PhoneFacts,
        now: Now,
    ) -> Phone {
        let here = |moment: Timestamp| moment.in_boot(boot, now);
        let mut known = stored.clone();
        if let Some((seen, _)) = &mut known.seen {
            *seen = here(*seen);
        }
        if let Some(probe) = &mut known.probe {
            let (since, asked) = (here(probe.since), here(probe.asked));
            *probe = Probe { since, asked, on: None, ..*probe };
        }
        if let Some(report) = &mut known.report {
            report.measured = here(report.measured);
            report.received = here(report.received);
        }
        Phone {
            boot,
            account: account.cloned(),
            written: known.seen.map(|(seen, _)| seen),
            last_asked: known.probe.map(|probe| probe.asked.after(0)),
            known,
            owed: None,
        }
    }

    pub(crate) fn is_offline(&self) -> bool {
        matches!(self.known.state, Some((PhoneState::Offline, _)))
    }

    /// For how many whole days it was not heard of, from the first day of warning on.
    pub(crate) fn absent_days(&self, now: Now) -> Option<u64> {
        let days = self.known.seen?.0.age_ms(now) / DAY_MS;
        (days >= WARN_DAYS).then_some(days.min(UNLINK_DAYS))
    }

    /// When the next day of warning begins, monotonic.
    fn next_warning(&self, now: Now) -> Option<u64> {
        let (seen, _) = self.known.seen?;
        match self.absent_days(now) {
            None => Some(seen.after(WARN_DAYS * DAY_MS)),
            Some(days) if days < UNLINK_DAYS => Some(seen.after((days + 1) * DAY_MS)),
            Some(_) => None,
        }
    }
}

impl Core {
    /// The phone gave a sign of life so long ago: now, or while nobody was there to hear.
    pub(crate) fn phone_seen(&mut self, sign: Sign, at_ms: Option<i64>, now: Now) {
        if self.facts.account.is_none() {
            return;
        }
        let age = at_ms.map_or(0, |at| u64::try_from(now.wall_ms.saturating_sub(at)).unwrap_or(0));
        let at = Timestamp::ago(age, self.phone.boot, now);
        let known = &mut self.phone.known;
        if known.seen.is_none_or(|(seen, _)| at.is_later_than(seen) || age == 0) {
            known.seen = Some((at, sign));
        }
        let after = |moment: Timestamp| !moment.is_later_than(at);
        if self.phone.owed.is_some_and(after) {
            self.phone.owed = None;
        }
        if known.probe.is_some_and(|probe| after(probe.since)) {
            known.probe = None;
            self.out.facts = true;
        }
        let new = |written: Timestamp| at.after(0) >= written.after(SEEN_WRITE_MS);
        self.out.facts |= self.phone.written.is_none_or(new);
    }

    /// The server has a message, and the phone its copy if it is there.
    pub(crate) fn copy_is_out(&mut self, now: Now) {
        self.phone.owed.get_or_insert(Timestamp::new(self.phone.boot, now));
    }

    /// The question left, or it did not.
    pub(crate) fn probed(&mut self, left: bool, now: Now) {
        let generation = self.link.generation;
        let Some(probe) = &mut self.phone.known.probe else { return };
        match &mut probe.on {
            Some((on, out)) if *on == generation && left => {
                *out = Some(Timestamp::new(self.phone.boot, now));
            }
            Some(_) | None if left => {}
            // Asked again after the pause.
            Some(_) | None => probe.on = None,
        }
    }

    /// Deals with whatever follows from time, the link and what was heard.
    pub(crate) fn judge_phone(&mut self, now: Now) {
        self.phone_of_account(now);
        let state = self.phone_state(now);
        if self.phone.known.state.is_none_or(|(known, _)| known != state) {
            self.phone.known.state = Some((state, now.wall_ms));
            // The others follow from the evidence, and cost no write.
            self.out.facts |= matches!(state, PhoneState::Online | PhoneState::Offline);
        }
        let battery = self.phone.battery(&self.config.phone, now);
        if self.phone.known.battery.is_none_or(|(known, _)| known != battery) {
            self.phone.known.battery = Some((battery, now.wall_ms));
        }
        if self.probe_at().is_some_and(|at| at <= now.mono_ms) {
            self.probe(now);
        }
    }

    /// What is known of one account's phone says nothing about another's.
    pub(crate) fn phone_of_account(&mut self, now: Now) {
        if self.phone.account != self.facts.account {
            let account = self.facts.account.as_ref();
            self.phone = Phone::new(self.phone.boot, account, &PhoneFacts::default(), now);
            self.out.facts = true;
        }
    }

    fn phone_state(&self, now: Now) -> PhoneState {
        let known = &self.phone.known;
        if known.probe.is_some()
            && (self.phone.is_offline() || self.offline_at().is_some_and(|at| at <= now.mono_ms))
        {
            return PhoneState::Offline;
        }
        match known.seen {
            None => PhoneState::Unknown,
            Some((seen, _)) if seen.age_ms(now) < self.config.phone.silent_after_ms => {
                PhoneState::Online
            }
            Some(_) if self.link.is_connected() => PhoneState::Silent,
            Some(_) => PhoneState::Unknown,
        }
    }

    /// When the phone counts as offline if it stays silent; none while it could not be
    /// heard, or owes no answer.
    fn offline_at(&self) -> Option<u64> {
        let probe = self.phone.known.probe.as_ref()?;
        let (generation, out) = probe.on?;
        if self.phone.is_offline() || generation != self.link.generation || !self.link.can_send() {
            return None;
        }
        Some(out?.after(self.config.phone.offline_after_ms))
    }

    /// When the phone is to be asked, monotonic.
    fn probe_at(&self) -> Option<u64> {
        if !self.link.can_send() || self.draining || self.facts.account.is_none() {
            return None;
        }
        let config = &self.config.phone;
        let (due, pause) = match &self.phone.known.probe {
            Some(probe) if self.phone.is_offline() => {
                let doublings = probe.tries.saturating_sub(1);
                (0, doubled(PROBE_PAUSE_FIRST_MS, doublings, PROBE_PAUSE_MAX_MS))
            }
            // It is out, or on its way: one at a time.
            Some(Probe { on: Some((on, _)), .. }) if *on == self.link.generation => return None,
            // It was lost with its connection, or never left.
            Some(_) => (0, config.ask_after_ms),
            None => {
                let seen = self.phone.known.seen.map(|(seen, _)| seen);
                let waits = self.queue.to_leave() > 0;
                let copy = self.phone.owed.map(|owed| owed.after(config.ask_after_ms));
                let old = seen.filter(|_| waits).map(|seen| seen.after(config.silent_after_ms));
                let daily = seen.map(|seen| seen.after(DAY_MS));
                let due = [copy, old, daily].into_iter().flatten().min()?;
                (due, config.ask_after_ms)
            }
        };
        let rested = self.phone.last_asked.map_or(0, |asked| asked.saturating_add(pause));
        Some(due.max(rested))
    }

    fn probe(&mut self, now: Now) {
        let here = Timestamp::new(self.phone.boot, now);
        let on = Some((self.link.generation, None));
        let known = &mut self.phone.known;
        known.probe = Some(match known.probe {
            Some(probe) => Probe { asked: here, tries: probe.tries.saturating_add(1), on, ..probe },
            None => Probe { since: here, asked: here, tries: 1, on },
        });
        self.phone.last_asked = Some(now.mono_ms);
        self.out.facts = true;
        self.command(SessionCommand::Probe);
    }

    /// When something about the phone changes by time alone, monotonic.
    pub(crate) fn phone_wake(&self) -> Option<u64> {
        let config = &self.config.phone;
        let known = &self.phone.known;
        let silent = known.seen.filter(|_| matches!(known.state, Some((PhoneState::Online, _))));
        let stale = known.report.as_ref().filter(|report| !report.is_stale(config, self.now));
        [
            silent.map(|(seen, _)| seen.after(config.silent_after_ms)),
            stale.map(|report| report.measured.after(config.battery_stale_after_ms)),
            self.phone.next_warning(self.now),
            self.offline_at(),
            self.probe_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether the phone holds the queue.
    pub(crate) fn phone_holds(&self) -> bool {
        self.holds_offline() || self.holds_battery(self.now)
    }

    pub(crate) fn holds_offline(&self) -> bool {
        self.config.phone.hold_when_offline && self.phone.is_offline()
    }

    /// What is to be kept of it now.
    pub(crate) fn phone_facts(&mut self) -> PhoneFacts {
        self.phone.written = self.phone.known.seen.map(|(seen, _)| seen);
        self.phone.known.clone()
    }
}
