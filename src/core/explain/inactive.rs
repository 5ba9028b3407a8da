//! Conditions that are not the case, with what is known all the same.

use super::{Words, evidence, session};
use crate::Core;
use crate::time::Now;
use tetherd_api::{self as api, Affected, ConditionKind, Holds, PhoneState, SessionState, Time};

impl Core {
    pub(super) fn inactive(&self, kind: ConditionKind, now: Now) -> api::Condition {
        let words = self.inactive_words(kind, now);
        api::Condition {
            kind,
            active: false,
            holds: Holds::None,
            since: words.since.map(Time),
            ends_by_itself: true,
            until: None,
            why: super::sentence(&words.why),
            evidence: words.evidence.into_iter().map(|what| evidence(what, now)).collect(),
            affected: Affected::default(),
            by_itself: "Nothing has to happen.".to_owned(),
            by_itself_at: None,
            remedy: None,
        }
    }

    fn inactive_words(&self, kind: ConditionKind, now: Now) -> Words {
        let state = self.phone.known().state.map_or(PhoneState::Unknown, |(state, _)| state);
        let quiet = |why: &str| Words::new(None, why);
        match kind {
            ConditionKind::StoreTrouble => {
                quiet("every record of the store read well when it was opened")
            }
            ConditionKind::DiskFull => quiet("the disk of the state directory has room"),
            ConditionKind::NotPaired => quiet("a phone is paired"),
            ConditionKind::LoggedOut => quiet("the account knows this device"),
            ConditionKind::Locked => quiet("the account is not locked"),
            ConditionKind::BannedForGood | ConditionKind::Banned => {
                quiet("the account is not banned")
            }
            ConditionKind::ClientOutdated => quiet("the server takes this client version"),
            ConditionKind::LoginDeclined => quiet("the server does not refuse the login"),
            ConditionKind::ClientExpiresSoon => {
                quiet("the server has named no end of this client version that is near")
            }
            ConditionKind::IntegrityChallenge => {
                quiet("the server does not ask the account to prove itself")
            }
            ConditionKind::OtherSession => session::replaced(
                quiet("no other session has taken over"),
                self.session.last_hour(now),
            ),
            ConditionKind::LoginLimited => quiet("the server has not asked for fewer logins"),
            ConditionKind::StanzaUnacknowledged => {
                quiet("the server misses no acknowledgement, as far as is known")
            }
            ConditionKind::Disconnected => self.connection(now),
            ConditionKind::PhoneOffline => match state {
                PhoneState::Online => self.signs(quiet("the phone answers"), now),
                PhoneState::Silent | PhoneState::Unknown | PhoneState::Offline => {
                    quiet("nothing says that the phone is away")
                }
            },
            ConditionKind::PhoneSilent if !self.session.has_phone() => {
                quiet("no phone is paired that could be seen")
            }
            ConditionKind::PhoneSilent => match state {
                PhoneState::Unknown => {
                    self.signs(quiet("nothing is known about the phone yet"), now)
                }
                PhoneState::Online | PhoneState::Offline | PhoneState::Silent => {
                    quiet("what is known about the phone is not old")
                }
            },
            ConditionKind::BatteryCritical => {
                self.battery_report(quiet("the phone's battery is not known to be critical"), now)
            }
            ConditionKind::BatteryLow => {
                self.battery_report(quiet("the phone's battery is not known to be low"), now)
            }
            ConditionKind::Paused => quiet("the queue is not paused"),
            ConditionKind::StaleBacklog => quiet("no backlog waits for a confirmation"),
            ConditionKind::ReachoutTimelock => quiet("the server takes messages to new contacts"),
            ConditionKind::NewChatQuota => quiet("nothing is known of a limit to new chats"),
            ConditionKind::OutsideHours => {
                quiet("messages leave at any time, or it is within the sending hours")
            }
            ConditionKind::RateLimited => quiet("the server has not asked to slow down"),
            ConditionKind::NotOnNetwork => {
                quiet("no message is parked for a number that is not on the network")
            }
            ConditionKind::TokenMissing => {
                quiet("no message is parked for want of a privacy token")
            }
            ConditionKind::NoDevice => {
                quiet("no message is parked for a recipient without a usable device")
            }
            ConditionKind::NumberUnchecked => {
                quiet("no message waits for the network's word on a number")
            }
            ConditionKind::GroupTrouble => quiet("no message is parked for its group"),
            ConditionKind::GroupUnchecked => {
                quiet("no message waits for the network's word on a group")
            }
            ConditionKind::LinkBroken => quiet("no message is parked for a broken link"),
            ConditionKind::LinkDoubtful => quiet("no link of a waiting message is in doubt"),
            ConditionKind::FileTrouble => quiet("no message is parked for its file"),
            ConditionKind::FileUnderway => quiet("no file is on its way"),
            ConditionKind::Refused => self.refusals(quiet("no message is parked for a refusal")),
            ConditionKind::NotSendable => quiet("no message is parked for what it is"),
            ConditionKind::AccountChanged => quiet("every waiting message is the linked account's"),
            ConditionKind::NoAnswer => quiet("the server has answered every attempt"),
            ConditionKind::NotBefore => quiet("no message waits for its time"),
            ConditionKind::ClockJumped => match self.clock_jumps.last() {
                Some(jump) => session::clock_jumped(jump.at, jump.by_ms),
                None => quiet("the clock has run evenly"),
            },
            ConditionKind::ShuttingDown => quiet("the daemon runs"),
            ConditionKind::Pacing => {
                let (limit, window) = self.pace_rule();
                let why = format!("the pace, {limit} messages in any {window} s, holds nothing up");
                self.spent(quiet(&why), now)
            }
        }
    }

    fn connection(&self, now: Now) -> Words {
        if self.session.state() == SessionState::Connected {
            let since = self.session.since(now);
            return Words::new(None, "there is a connection to WhatsApp")
                .evidence("logged in", since);
        }
        Words::new(None, "no connection is wanted now")
    }
}
