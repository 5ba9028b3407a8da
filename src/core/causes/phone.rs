//! The causes that lie with the phone.

use super::Draft;
use crate::situation::{Phone, Situation};
use tetherd_api::{BatteryLevel, PhoneState};

fn signs(draft: Draft, phone: &Phone) -> Draft {
    let status = &phone.status;
    let draft = match (status.last_seen_at, &status.last_sign) {
        (Some(at), Some(sign)) => draft.evidence(format!("last sign of life: {sign}"), Some(at.0)),
        (Some(at), None) => draft.evidence("last sign of life", Some(at.0)),
        (None, _) => draft.evidence("no sign of life was ever seen", None),
    };
    let draft =
        status.reasons.iter().fold(draft, |draft, reason| draft.evidence(reason.clone(), None));
    match status.probing_since {
        Some(since) => draft.evidence("it was asked and has not answered yet", Some(since.0)),
        None => draft,
    }
}

/// What the network does with a phone that stays away.
fn away(draft: Draft, phone: &Phone, what: &str) -> Draft {
    match phone.status.unlinked_at {
        Some(at) => draft.by_itself(
            format!("{what} The network unlinks this device if the phone stays away until then."),
            Some(at.0),
        ),
        None => draft.by_itself(what, None),
    }
}

pub(super) fn offline(now: &Situation) -> Draft {
    let phone = &now.phone;
    let status = &phone.status;
    match status.state {
        PhoneState::Offline => {}
        PhoneState::Online => return signs(Draft::quiet("The phone answers."), phone),
        PhoneState::Silent | PhoneState::Unknown => {
            return Draft::quiet("Nothing says that the phone is away.");
        }
    }
    let draft = signs(Draft::holds(Some(status.since.0), "The phone does not answer."), phone);
    if phone.offline_holds {
        let what =
            "The daemon keeps asking; once the phone answers, what waits leaves at the pace.";
        away(draft.affects(&now.waiting), phone, what)
    } else {
        away(draft, phone, "Messages leave all the same, as phone.hold_when_offline says.")
    }
    .remedy("tetherctl status")
}

pub(super) fn silent(now: &Situation) -> Draft {
    let phone = &now.phone;
    match phone.status.state {
        PhoneState::Silent | PhoneState::Unknown => {}
        PhoneState::Online | PhoneState::Offline => {
            return Draft::quiet("What is known about the phone is not old.");
        }
    }
    // Before a phone is paired there is nobody to be heard of.
    if now.session.not_paired.is_some() || now.session.logged_out.is_some() {
        return Draft::quiet("No phone is paired that could be heard of.");
    }
    let since = phone.status.since.0;
    if phone.status.state == PhoneState::Unknown {
        return signs(Draft::quiet("Nothing is known about the phone yet."), phone);
    }
    let draft = signs(Draft::holds(Some(since), "The phone was not heard of for long."), phone);
    away(draft, phone, "Messages leave all the same; the daemon asks the phone when it matters.")
}

fn report(draft: Draft, now: &Situation) -> Draft {
    let Some(battery) = &now.phone.status.battery else {
        return draft.evidence("nobody reports the battery", None);
    };
    let mut said = match battery.percent {
        Some(percent) => format!("{percent} %"),
        None => "no level".to_owned(),
    };
    match battery.charging {
        Some(true) => said.push_str(", charging"),
        Some(false) => said.push_str(", not charging"),
        None => {}
    }
    if let Some(source) = &battery.source {
        said.push_str(&format!(", reported by {source}"));
    }
    if battery.stale {
        said.push_str("; too old to go by");
    }
    draft.evidence(said, Some(battery.at.0))
}

fn battery(now: &Situation, level: BatteryLevel, why: &str, quiet: &str) -> Draft {
    let status = &now.phone.status;
    let Some(battery) = status.battery.as_ref().filter(|battery| battery.level == level) else {
        return report(Draft::quiet(quiet), now);
    };
    let draft = report(Draft::holds(Some(battery.at.0), why), now);
    if now.phone.battery_holds {
        draft
            .affects(&now.waiting)
            .by_itself("Once it charges, what waits leaves at the pace.", None)
    } else {
        draft.by_itself("Messages leave all the same, as phone.hold_when_battery says.", None)
    }
    .remedy("tetherctl heartbeat --charging")
}

pub(super) fn battery_critical(now: &Situation) -> Draft {
    battery(
        now,
        BatteryLevel::Critical,
        "The phone's battery is nearly empty and does not charge.",
        "The phone's battery is not known to be critical.",
    )
}

pub(super) fn battery_low(now: &Situation) -> Draft {
    battery(
        now,
        BatteryLevel::Low,
        "The phone's battery is low and does not charge.",
        "The phone's battery is not known to be low.",
    )
}
