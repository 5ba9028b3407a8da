//! What is known about the phone, for readers: its part of the status, and what of it
//! holds the queue. Changes nothing. Names no number.

use crate::Core;
use crate::diagnosis::hold;
use crate::phone::{DAY_MS, UNLINK_DAYS};
use crate::time::Now;
use crate::time::Timestamp;
use tetherd_api::{self as api, BatteryLevel, Hold, HoldKind, PhoneState, Time};

/// What makes the phone's part of the status worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PhoneKey {
    state: Option<(PhoneState, i64)>,
    battery: BatteryLevel,
    probing: bool,
    absent_days: Option<u64>,
    report: Option<Timestamp>,
}

impl Core {
    pub(crate) fn phone_key(&self) -> PhoneKey {
        let known = self.phone.known();
        PhoneKey {
            state: known.state,
            battery: self.phone.battery(self.now),
            probing: known.probe.is_some(),
            absent_days: self.phone.absent_days(self.now),
            report: known.report.as_ref().map(|report| report.received),
        }
    }

    /// The phone's part of the status, as `status` and `phone.heartbeat` answer it.
    pub fn phone_status(&self, now: Now) -> api::PhoneStatus {
        let known = self.phone.known();
        let (state, since) = known.state.unwrap_or((PhoneState::Unknown, self.started_at));
        let at = |moment: Timestamp| Time(moment.wall(now));
        api::PhoneStatus {
            state,
            since: Time(since),
            reasons: self.phone_reasons(state, now),
            last_seen_at: known.seen.map(|(seen, _)| at(seen)),
            last_sign: known.seen.map(|(_, sign)| sign.name().to_owned()),
            probing_since: known.probe.map(|probe| at(probe.since)),
            unlinked_at: known.seen.map(|(seen, _)| self.unlinked_at(seen, now)),
            battery: known.report.as_ref().map(|report| api::BatteryStatus {
                level: self.phone.battery(now),
                percent: report.percent,
                charging: report.charging,
                network: report.network.clone(),
                source: report.source.clone(),
                at: at(report.measured),
                received_at: at(report.received),
                stale: report.is_stale(self.phone.config(), now),
            }),
        }
    }

    fn unlinked_at(&self, seen: Timestamp, now: Now) -> Time {
        self.wall_of(seen.after(UNLINK_DAYS * DAY_MS), now)
    }

    fn phone_reasons(&self, state: PhoneState, now: Now) -> Vec<String> {
        let known = self.phone.known();
        let at = |moment: Timestamp| Time(moment.wall(now));
        let mut reasons = Vec::new();
        match (state, known.seen) {
            (PhoneState::Online, Some((seen, sign))) => {
                let what = sign.sentence_part();
                reasons.push(format!("It {what} at {}.", at(seen)));
            }
            (PhoneState::Silent, Some((seen, sign))) => {
                let what = sign.sentence_part();
                let limit = self.phone.config().silent_after_ms / 60_000;
                reasons.push(format!(
                    "Its last sign of life is older than {limit} min: it {what} at {}.",
                    at(seen)
                ));
            }
            (PhoneState::Unknown, Some((seen, _))) => reasons.push(format!(
                "It was last heard of at {}, and without a connection it cannot be heard.",
                at(seen)
            )),
            (PhoneState::Offline, Some((seen, _))) => {
                reasons.push(format!("It was last heard of at {}.", at(seen)));
            }
            (_, None) => reasons.push("It was never heard of since it was paired.".to_owned()),
        }
        if let Some(probe) = &known.probe {
            let since = at(probe.since);
            reasons.push(match state {
                PhoneState::Offline => {
                    format!("It has not answered a question that was asked at {since}.")
                }
                PhoneState::Online | PhoneState::Silent | PhoneState::Unknown => {
                    format!("It was asked at {since} and has not answered yet.")
                }
            });
        }
        if let Some(report) = &known.report
            && !report.is_stale(self.phone.config(), now)
            && report.network.as_deref() == Some("none")
        {
            let since = at(report.measured);
            reasons.push(format!("A report of {since} says that it has no network."));
        }
        if let (Some(days), Some((seen, _))) = (self.phone.absent_days(now), known.seen) {
            reasons.push(format!(
                "It was not heard of for {days} days: the network unlinks this device when it \
                 stays away until {}.",
                self.unlinked_at(seen, now)
            ));
        }
        reasons
    }

    /// What of the phone holds the queue, and a backlog that wants to be confirmed.
    pub(crate) fn offline_and_battery_holds(&self, now: Now, holds: &mut Vec<Hold>) {
        let known = self.phone.known();
        let since = |since: Option<i64>| since.unwrap_or(now.wall_ms);
        if self.phone.holds_offline() {
            let why = match known.probe {
                Some(probe) => format!(
                    "the phone is offline: it has not answered since {}",
                    Time(probe.since.wall(now))
                ),
                None => "the phone is offline".to_owned(),
            };
            let remedy = "Switch the phone on and connect it to the internet: messages leave by \
                          themselves when it answers.";
            let since = since(known.state.map(|(_, since)| since));
            holds.push(hold(HoldKind::PhoneOffline, since, None, &why, remedy));
        }
        if self.phone.holds_battery(now) {
            let report = known.report.as_ref();
            let percent = report.and_then(|report| report.percent).unwrap_or_default();
            let why = format!("the phone's battery is at {percent} % and not charging");
            let remedy = "Charge the phone: messages leave by themselves when a report says so \
                          (`tetherctl heartbeat`), or when the last one is too old to go by.";
            let until = report
                .map(|report| report.stale_at(self.phone.config()))
                .map(|at| self.wall_of(at, now));
            let since = since(known.battery.map(|(_, since)| since));
            holds.push(hold(HoldKind::BatteryLow, since, until, &why, remedy));
        }
    }
}

impl crate::phone::Sign {
    /// What the phone did, to stand after "it".
    const fn sentence_part(self) -> &'static str {
        match self {
            crate::phone::Sign::Receipt => "confirmed a message",
            crate::phone::Sign::Peer => "answered this device",
            crate::phone::Sign::Message => "sent a message",
            crate::phone::Sign::Retry => "asked for a message again",
        }
    }
}
