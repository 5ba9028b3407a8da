//! Whether the phone is online, and its battery. Owns the evidence, the questions to the
//! phone and the reports about its battery; decides the state and whether it holds the
//! queue. Knows no message and no connection: `Core` informs it of what it needs of them.
//!
//! - Evidence of life are signs that only the phone gives: its receipts and its messages.
//!   Heartbeats from external programs do not prove that the phone is online.
//! - *Offline* is only a phone that left a question unanswered for `offline_after_ms` on a
//!   connection that stood all that time. The question (a probe) waits on the server, so
//!   that a phone that comes back answers it at once, hours later if need be.
//! - A question is asked when a copy of a message of ours stays unconfirmed, when the
//!   evidence is old and something waits, and once a day after its last sign of life.

use crate::action::{ActionBuffer, SessionCommand, Wake};
use crate::time::{BootId, Now, Timestamp, doubled};
use tetherd_api::{BatteryLevel, PhoneState, Redacted};

mod battery;
mod conditions;

pub use battery::{Heartbeat, HoldBattery, Report};

const MINUTE_MS: u64 = 60 * 1_000;
pub(crate) const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// The pause between two questions to a phone that is offline: it doubles.
pub(crate) const PROBE_PAUSE_FIRST_MS: u64 = 10 * MINUTE_MS;
/// The longest such pause.
pub(crate) const PROBE_PAUSE_MAX_MS: u64 = DAY_MS;
/// How much newer a sign must be than the one on disk for a write of its own.
pub(crate) const SEEN_WRITE_MS: u64 = MINUTE_MS;

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

/// What tests begin with.
#[cfg(test)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhoneActivity {
    /// It confirmed a message.
    Receipt,
    /// It answered a question, or another message that this device sent to it alone.
    Peer,
    /// It sent a message: somebody wrote on it, or it has something for this device.
    Message,
    /// It asked for something again.
    Retry,
}

impl PhoneActivity {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            PhoneActivity::Receipt => "receipt",
            PhoneActivity::Peer => "peer",
            PhoneActivity::Message => "message",
            PhoneActivity::Retry => "retry",
        }
    }
}

/// A question that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Since when the phone owes an answer.
    pub since: Timestamp,
    /// When it was asked last.
    pub asked: Timestamp,
    /// How often it was asked in vain.
    pub tries: u32,
    /// The connection that it was asked on last, and since when that question is sent.
    on: Option<(u64, Option<Timestamp>)>,
}

impl Probe {
    /// One that was asked on a connection that is gone.
    pub fn new(since: Timestamp, asked: Timestamp, tries: u32) -> Probe {
        Probe { since, asked, tries, on: None }
    }
}

/// What is known, as it is kept. Belongs to the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhoneFacts {
    /// The last sign of life.
    pub seen: Option<(Timestamp, PhoneActivity)>,
    /// The question that waits for its answer.
    pub probe: Option<Probe>,
    /// The state, and since when (wall milliseconds).
    pub state: Option<(PhoneState, i64)>,
    /// What the battery's report meant last, and since when (wall milliseconds).
    pub battery: Option<(BatteryLevel, i64)>,
    /// The last report.
    pub report: Option<Report>,
}

/// What the phone has to know of the other components. Given before it judges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surroundings {
    /// The connection's number.
    pub(crate) generation: u64,
    /// Whether a connection stands.
    pub(crate) connected: bool,
    /// Whether something can be sent on it.
    pub(crate) can_send: bool,
    /// Whether the phone may be asked: not while the daemon goes down.
    pub(crate) may_ask: bool,
    /// Whether a phone is paired, as far as anybody knows.
    pub(crate) paired: bool,
    /// Whether messages wait.
    pub(crate) waits: bool,
}

/// The phone of the paired account.
#[derive(Debug)]
pub(crate) struct Phone {
    config: PhoneConfig,
    boot: BootId,
    now: Now,
    around: Surroundings,
    /// Whose phone it is.
    account: Option<Redacted<String>>,
    known: PhoneFacts,
    /// The sign that is on disk.
    written: Option<Timestamp>,
    /// Since when the server has a message of which the phone has not confirmed its copy.
    owed: Option<Timestamp>,
    /// When it was asked last, monotonic.
    last_asked: Option<u64>,
}

impl Phone {
    /// Takes over what was stored.
    pub(crate) fn new(
        config: PhoneConfig,
        boot: BootId,
        account: Option<&Redacted<String>>,
        stored: &PhoneFacts,
        now: Now,
    ) -> Phone {
        let here = |timestamp: Timestamp| timestamp.in_boot(boot, now);
        let mut known = stored.clone();
        if let Some((seen, _)) = &mut known.seen {
            *seen = here(*seen);
        }
        if let Some(probe) = &mut known.probe {
            let (since, asked) = (here(probe.since), here(probe.asked));
            *probe = Probe { since, asked, on: None, ..*probe };
        }
        if let Some(report) = &mut known.report {
            report.move_to(boot, now);
        }
        Phone {
            config,
            boot,
            now,
            around: Surroundings::default(),
            account: account.cloned(),
            written: known.seen.map(|(seen, _)| seen),
            last_asked: known.probe.map(|probe| probe.asked.after(0)),
            known,
            owed: None,
        }
    }

    /// Takes another configuration.
    pub(crate) fn set_config(&mut self, config: &PhoneConfig) {
        self.config = config.clone();
    }

    /// Which account is paired. What is known of one account's phone says nothing about
    /// another's.
    pub(crate) fn on_account(
        &mut self,
        account: Option<&Redacted<String>>,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        if self.account.as_ref() != account {
            let config = self.config.clone();
            let fresh = Phone::new(config, self.boot, account, &PhoneFacts::default(), now);
            *self = Phone { around: self.around, ..fresh };
            out.save_facts();
        }
    }

    /// How the other components stand.
    pub(crate) fn on_surroundings(&mut self, around: Surroundings, now: Now) {
        self.around = around;
        self.now = now;
    }

    /// The phone gave a sign of life: now, or at that wall time while nobody listened.
    pub(crate) fn on_activity(
        &mut self,
        activity: PhoneActivity,
        at_ms: Option<i64>,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        if self.account.is_none() {
            return;
        }
        let age = at_ms.map_or(0, |at| u64::try_from(now.wall_ms.saturating_sub(at)).unwrap_or(0));
        let at = Timestamp::ago(age, self.boot, now);
        if self.known.seen.is_none_or(|(seen, _)| at.is_later_than(seen) || age == 0) {
            self.known.seen = Some((at, activity));
        }
        let answered = |asked: Timestamp| !asked.is_later_than(at);
        if self.owed.is_some_and(answered) {
            self.owed = None;
        }
        if self.known.probe.is_some_and(|probe| answered(probe.since)) {
            self.known.probe = None;
            out.save_facts();
        }
        let new = |written: Timestamp| at.after(0) >= written.after(SEEN_WRITE_MS);
        if self.written.is_none_or(new) {
            out.save_facts();
        }
    }

    /// The server has a message, and the phone its copy if it is online.
    pub(crate) fn on_copy_sent(&mut self, now: Now) {
        self.owed.get_or_insert(Timestamp::new(self.boot, now));
    }

    /// The question was sent, or it was not.
    pub(crate) fn on_probed(&mut self, left: bool, now: Now) {
        let generation = self.around.generation;
        let Some(probe) = &mut self.known.probe else { return };
        match &mut probe.on {
            Some((on, sent)) if *on == generation && left => {
                *sent = Some(Timestamp::new(self.boot, now));
            }
            Some(_) | None if left => {}
            // Asked again after the pause.
            Some(_) | None => probe.on = None,
        }
    }

    /// Deals with whatever follows from time, the connection and the evidence.
    pub(crate) fn on_time(&mut self, out: &mut ActionBuffer, now: Now) {
        self.now = now;
        let state = self.judge();
        if self.known.state.is_none_or(|(known, _)| known != state) {
            self.known.state = Some((state, now.wall_ms));
            // The others follow from the evidence, and cost no write.
            if matches!(state, PhoneState::Online | PhoneState::Offline) {
                out.save_facts();
            }
        }
        let battery = self.battery(now);
        if self.known.battery.is_none_or(|(known, _)| known != battery) {
            self.known.battery = Some((battery, now.wall_ms));
        }
        if self.probe_at().is_some_and(|at| at <= now.mono_ms) {
            self.probe(out, now);
        }
    }

    /// When something about the phone changes by time alone, monotonic.
    pub(crate) fn poll_timeout(&self) -> Option<(u64, Wake)> {
        let (config, known) = (&self.config, &self.known);
        let silent = known.seen.filter(|_| matches!(known.state, Some((PhoneState::Online, _))));
        let fresh = known.report.as_ref().filter(|report| !report.is_stale(config, self.now));
        let next = [
            silent.map(|(seen, _)| seen.after(config.silent_after_ms)),
            fresh.map(|report| report.stale_at(config)),
            self.next_warning(),
            self.offline_at(),
            self.probe_at(),
        ];
        next.into_iter().flatten().min().map(|at| (at, Wake::Phone))
    }

    fn judge(&self) -> PhoneState {
        let known = &self.known;
        if known.probe.is_some()
            && (self.is_offline() || self.offline_at().is_some_and(|at| at <= self.now.mono_ms))
        {
            return PhoneState::Offline;
        }
        match known.seen {
            None => PhoneState::Unknown,
            Some((seen, _)) if seen.age_ms(self.now) < self.config.silent_after_ms => {
                PhoneState::Online
            }
            Some(_) if self.around.connected => PhoneState::Silent,
            Some(_) => PhoneState::Unknown,
        }
    }

    /// When the phone counts as offline if it stays silent; none while it could not be
    /// received from, or owes no answer.
    fn offline_at(&self) -> Option<u64> {
        let probe = self.known.probe.as_ref()?;
        let (generation, sent) = probe.on?;
        if self.is_offline() || generation != self.around.generation || !self.around.can_send {
            return None;
        }
        Some(sent?.after(self.config.offline_after_ms))
    }

    /// When the phone is to be asked, monotonic.
    fn probe_at(&self) -> Option<u64> {
        if !self.around.can_send || !self.around.may_ask || self.account.is_none() {
            return None;
        }
        let config = &self.config;
        let (due, pause) = match &self.known.probe {
            Some(probe) if self.is_offline() => {
                let doublings = probe.tries.saturating_sub(1);
                (0, doubled(PROBE_PAUSE_FIRST_MS, doublings, PROBE_PAUSE_MAX_MS))
            }
            // It was sent, or is about to be: one at a time.
            Some(Probe { on: Some((on, _)), .. }) if *on == self.around.generation => return None,
            // It was lost with its connection, or never left.
            Some(_) => (0, config.ask_after_ms),
            None => {
                let seen = self.known.seen.map(|(seen, _)| seen);
                let copy = self.owed.map(|owed| owed.after(config.ask_after_ms));
                let old = seen.filter(|_| self.around.waits);
                let old = old.map(|seen| seen.after(config.silent_after_ms));
                let daily = seen.map(|seen| seen.after(DAY_MS));
                let due = [copy, old, daily].into_iter().flatten().min()?;
                (due, config.ask_after_ms)
            }
        };
        let rested = self.last_asked.map_or(0, |asked| asked.saturating_add(pause));
        Some(due.max(rested))
    }

    fn probe(&mut self, out: &mut ActionBuffer, now: Now) {
        let here = Timestamp::new(self.boot, now);
        let on = Some((self.around.generation, None));
        self.known.probe = Some(match self.known.probe {
            Some(probe) => Probe { asked: here, tries: probe.tries.saturating_add(1), on, ..probe },
            None => Probe { since: here, asked: here, tries: 1, on },
        });
        self.last_asked = Some(now.mono_ms);
        out.save_facts();
        out.command(SessionCommand::Probe);
    }

    /// What is to be stored of it. It then counts as stored.
    pub(crate) fn store_facts(&mut self) -> PhoneFacts {
        self.written = self.known.seen.map(|(seen, _)| seen);
        self.known.clone()
    }

    /// What is known.
    pub(crate) fn known(&self) -> &PhoneFacts {
        &self.known
    }

    pub(crate) fn config(&self) -> &PhoneConfig {
        &self.config
    }

    pub(crate) fn is_offline(&self) -> bool {
        matches!(self.known.state, Some((PhoneState::Offline, _)))
    }
}
