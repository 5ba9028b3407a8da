//! What each condition is to the queue: its stable name, how much it holds, and whether it ends
//! without anybody's doing. Decides nothing by them.

use super::Condition;
use crate::trouble::{AccountTrouble, TroubleKind};
use tetherd_api::{ConditionKind, Holds};

/// Whether and when a condition ends without anybody's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// It does not.
    Never,
    /// It does, nobody knows when.
    Sometime,
    /// It does at this time.
    At(i64),
}

/// Of what the server holds against the account. A lock and a ban without an end are over
/// when a login is taken again.
fn account_traits(trouble: &AccountTrouble, linked: bool) -> (ConditionKind, Holds, Ends) {
    let passes = if linked { Ends::Sometime } else { Ends::Never };
    let (kind, ends) = match trouble.kind {
        TroubleKind::LoggedOut => (ConditionKind::LoggedOut, Ends::Never),
        TroubleKind::Locked => (ConditionKind::Locked, passes),
        TroubleKind::BannedForGood => (ConditionKind::BannedForGood, Ends::Never),
        TroubleKind::Banned => match trouble.next.filter(|_| trouble.ends) {
            Some(until) => (ConditionKind::Banned, Ends::At(until)),
            None => (ConditionKind::Banned, passes),
        },
        TroubleKind::Outdated => (ConditionKind::ClientOutdated, Ends::Never),
        TroubleKind::Declined => (ConditionKind::LoginDeclined, Ends::Never),
    };
    (kind, Holds::All, ends)
}

impl Condition {
    /// Its stable name, how much of the queue it holds, and whether it ends by itself.
    fn traits(&self) -> (ConditionKind, Holds, Ends) {
        use Condition as C;
        use ConditionKind as Kind;
        use Ends::{At, Never, Sometime};
        let holds_if = |holds: bool| if holds { Holds::All } else { Holds::None };
        match self {
            C::StoreTrouble { .. } => (Kind::StoreTrouble, Holds::None, Never),
            C::DiskFull { .. } => (Kind::DiskFull, Holds::None, Sometime),
            C::NotPaired { .. } => (Kind::NotPaired, Holds::All, Never),
            C::Account { trouble, linked } => account_traits(trouble, *linked),
            C::ClientExpires { .. } => (Kind::ClientExpiresSoon, Holds::None, Never),
            C::IntegrityChallenge { .. } => (Kind::IntegrityChallenge, Holds::None, Sometime),
            C::OtherSession { takeover_at, .. } => {
                (Kind::OtherSession, Holds::All, takeover_at.map_or(Never, At))
            }
            C::LoginLimited { until, .. } => (Kind::LoginLimited, Holds::All, At(*until)),
            C::StanzaUnacked { .. } => (Kind::StanzaUnacknowledged, Holds::None, Sometime),
            C::Disconnected { .. } => (Kind::Disconnected, Holds::All, Sometime),
            C::PhoneOffline { holds, .. } => (Kind::PhoneOffline, holds_if(*holds), Sometime),
            C::PhoneSilent { .. } => (Kind::PhoneSilent, Holds::None, Sometime),
            C::Battery { critical: true, until, holds, .. } => {
                (Kind::BatteryCritical, holds_if(*holds), At(*until))
            }
            C::Battery { critical: false, until, holds, .. } => {
                (Kind::BatteryLow, holds_if(*holds), At(*until))
            }
            C::Paused { .. } => (Kind::Paused, Holds::All, Never),
            C::StaleBacklog { .. } => (Kind::StaleBacklog, Holds::All, Never),
            C::ReachoutTimelock { until, .. } => (Kind::ReachoutTimelock, Holds::Some, At(*until)),
            C::NewChatQuota { quota, .. } => {
                let holds = if quota.used_up { Holds::Some } else { Holds::None };
                (Kind::NewChatQuota, holds, At(quota.until))
            }
            C::OutsideHours { until, .. } => (Kind::OutsideHours, Holds::All, At(*until)),
            C::RateLimited { until, .. } => (Kind::RateLimited, Holds::All, At(*until)),
            C::NumberUnchecked { .. } => (Kind::NumberUnchecked, Holds::Some, Sometime),
            C::GroupUnchecked { .. } => (Kind::GroupUnchecked, Holds::Some, Sometime),
            C::LinkDoubtful { .. } => (Kind::LinkDoubtful, Holds::None, Sometime),
            C::FileUnderway { .. } => (Kind::FileUnderway, Holds::Some, Sometime),
            C::AccountChanged { .. } => (Kind::AccountChanged, Holds::Some, Never),
            C::NoAnswer { .. } => (Kind::NoAnswer, Holds::Some, Sometime),
            C::NotBefore { .. } => (Kind::NotBefore, Holds::Some, Sometime),
            C::Parked { reason, .. } => {
                let kind = Kind::from(*reason);
                let ends = if kind == Kind::GroupTrouble { Sometime } else { Never };
                (kind, Holds::Some, ends)
            }
            C::ClockJumped { .. } => (Kind::ClockJumped, Holds::None, Sometime),
            C::ShuttingDown { .. } => (Kind::ShuttingDown, Holds::All, Never),
            C::Pacing { until, .. } => (Kind::Pacing, Holds::All, At(*until)),
        }
    }

    /// Its stable name.
    pub(crate) fn kind(&self) -> ConditionKind {
        self.traits().0
    }

    /// How much of the queue it holds.
    pub(crate) fn holds(&self) -> Holds {
        self.traits().1
    }

    /// Whether and when it ends without anybody's doing.
    pub(crate) fn ends(&self) -> Ends {
        self.traits().2
    }

    /// Whether it holds messages of their own that wait for more than a person.
    pub(crate) fn holds_single_messages(&self) -> bool {
        let parked = matches!(self, Condition::Parked { .. });
        self.holds() == Holds::Some && self.ends() != Ends::Never && !parked
    }

    /// Whether it holds everything that waits, and is more than the pace, which passes with
    /// every window.
    pub(crate) fn stops_the_queue(&self) -> bool {
        let pace = matches!(
            self,
            Condition::Pacing { .. }
                | Condition::RateLimited { .. }
                | Condition::OutsideHours { .. }
        );
        self.holds() == Holds::All && !pace
    }
}
