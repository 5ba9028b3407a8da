//! The phone and its battery, in words, and as the wire has them.

use super::{Words, evidence};
use crate::Core;
use crate::phone::{PhoneActivity, Report};
use crate::time::{Now, Timestamp};
use tetherd_api::{self as api, PhoneState, Time};

impl Core {
    /// The phone's part of the status, as `status` and `phone.heartbeat` answer it.
    pub fn phone_status(&self, now: Now) -> api::PhoneStatus {
        let known = self.phone.known();
        let (state, since) = known.state.unwrap_or((PhoneState::Unknown, self.started_at));
        let at = |at: Timestamp| Time(at.wall(now));
        let reasons = self.phone_evidence(now).into_iter();
        api::PhoneStatus {
            state,
            since: Time(since),
            reasons: reasons.map(|what| evidence(what, now)).collect(),
            last_seen_at: known.seen.map(|(seen, _)| at(seen)),
            last_sign: known.seen.map(|(_, activity)| activity.name().to_owned()),
            probing_since: known.probe.map(|probe| at(probe.since)),
            unlinked_at: self.phone.unlinked_at(now).map(Time),
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

    /// What the phone's state is known from.
    pub(super) fn phone_evidence(&self, now: Now) -> Vec<(String, Option<i64>)> {
        let known = self.phone.known();
        let state = known.state.map_or(PhoneState::Unknown, |(state, _)| state);
        let mut found = Vec::new();
        match known.seen {
            Some((seen, activity)) => {
                let what = match state {
                    PhoneState::Online => format!("it {}", did(activity)),
                    PhoneState::Silent => {
                        let limit = self.phone.config().silent_after_ms / 60_000;
                        format!(
                            "last sign of life: it {}, more than {limit} min ago",
                            did(activity)
                        )
                    }
                    PhoneState::Unknown => {
                        format!(
                            "last sign of life: it {}; without a connection none is seen",
                            did(activity)
                        )
                    }
                    PhoneState::Offline => format!("last sign of life: it {}", did(activity)),
                };
                found.push((what, Some(seen.wall(now))));
            }
            None => found.push(("no sign of life was seen since it was paired".to_owned(), None)),
        }
        if let Some(probe) = &known.probe {
            let since = Some(probe.since.wall(now));
            found.push(("it was asked and has not answered yet".to_owned(), since));
        }
        if let Some(report) = self.fresh_report(now)
            && report.network.as_deref() == Some("none")
        {
            let measured = Some(report.measured.wall(now));
            found.push(("a report says that it has no network".to_owned(), measured));
        }
        if let (Some(days), Some(until)) =
            (self.phone.absent_days(now), self.phone.unlinked_at(now))
        {
            let until = Time(until);
            let what = format!(
                "no sign of life for {days} days: the network unlinks this device when it stays \
                 away until {until}"
            );
            found.push((what, None));
        }
        found
    }

    fn fresh_report(&self, now: Now) -> Option<&Report> {
        let report = self.phone.known().report.as_ref();
        report.filter(|report| !report.is_stale(self.phone.config(), now))
    }

    /// Takes in what the phone's state is known from.
    pub(super) fn signs(&self, words: Words, now: Now) -> Words {
        let found = self.phone_evidence(now).into_iter();
        found.fold(words, |words, (what, at)| words.evidence(what, at))
    }

    pub(super) fn phone_offline(
        &self,
        since: i64,
        unlinked_at: Option<i64>,
        holds: bool,
        now: Now,
    ) -> Words {
        let words = self.signs(Words::new(since, "the phone does not answer"), now);
        let what = if holds {
            "Switch the phone on and connect it to the internet: the daemon keeps asking, and once \
             the phone answers, what waits leaves at the pace."
        } else {
            "Messages leave all the same, as phone.hold_when_offline says."
        };
        away(words, what, unlinked_at).remedy("tetherctl status")
    }

    pub(super) fn phone_silent(&self, since: i64, unlinked_at: Option<i64>, now: Now) -> Words {
        let words = self.signs(Words::new(since, "the phone gave no sign of life for long"), now);
        let what = "Messages leave all the same; the daemon asks the phone when it matters.";
        away(words, what, unlinked_at)
    }

    pub(super) fn battery(&self, critical: bool, since: i64, holds: bool, now: Now) -> Words {
        let how = if critical { "is nearly empty" } else { "is low" };
        let words = Words::new(since, format!("the phone's battery {how} and does not charge"));
        let words = self.battery_report(words, now);
        let what = if holds {
            "Charge the phone. Once a report says that it charges, or the last report is too old \
             to go by, what waits leaves at the pace."
        } else {
            "Messages leave all the same, as phone.hold_when_battery says."
        };
        words.by_itself(what, None).remedy("tetherctl heartbeat --charging")
    }

    /// Takes in what was reported about the battery last.
    pub(super) fn battery_report(&self, words: Words, now: Now) -> Words {
        let Some(report) = &self.phone.known().report else {
            return words.evidence("nobody reports the battery", None);
        };
        let mut parts = vec![match report.percent {
            Some(percent) => format!("{percent} %"),
            None => "no level".to_owned(),
        }];
        parts.extend(
            report
                .charging
                .map(|charging| String::from(if charging { "charging" } else { "not charging" })),
        );
        parts.extend(report.source.as_ref().map(|source| format!("reported by {source}")));
        let stale = report.is_stale(self.phone.config(), now);
        let stale = if stale { "; too old to go by" } else { "" };
        words.evidence(format!("{}{stale}", parts.join(", ")), report.measured.wall(now))
    }
}

/// What the network does with a phone that stays away.
fn away(words: Words, what: &str, unlinked_at: Option<i64>) -> Words {
    match unlinked_at {
        Some(at) => words
            .by_itself(format!("{what} If it stays away, the network unlinks this device."), at),
        None => words.by_itself(what, None),
    }
}

/// What the phone did, to stand after "it".
const fn did(activity: PhoneActivity) -> &'static str {
    match activity {
        PhoneActivity::Receipt => "confirmed a message",
        PhoneActivity::Peer => "answered this device",
        PhoneActivity::Message => "sent a message",
        PhoneActivity::Retry => "asked for a message again",
    }
}
