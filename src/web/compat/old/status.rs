//! `status`: the daemon's session and conditions in the old service's terms. A pure function of
//! what the daemon says.

use serde_json::{Map, Value, json};
use tetherd_api::{Condition, ConditionKind, ErrorKind, SessionState, Status};

/// The old service's `substatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Substatus {
    Normal,
    Loading,
    Offline,
    Expired,
    Opening,
    Pairing,
    Timeout,
    Computer,
    Phone,
    BatteryLow1,
    BatteryLow2,
}

impl Substatus {
    fn name(self) -> &'static str {
        match self {
            Substatus::Normal => "normal",
            Substatus::Loading => "loading",
            Substatus::Offline => "offline",
            Substatus::Expired => "expired",
            Substatus::Opening => "opening",
            Substatus::Pairing => "pairing",
            Substatus::Timeout => "timeout",
            Substatus::Computer => "computer",
            Substatus::Phone => "phone",
            Substatus::BatteryLow1 => "battery_low_1",
            Substatus::BatteryLow2 => "battery_low_2",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Substatus::Normal => "Connected",
            Substatus::Loading => "Linking a phone",
            Substatus::Offline => "Not in use",
            Substatus::Expired => "Client outdated",
            Substatus::Opening => "Connecting",
            Substatus::Pairing => "WhatsApp is used elsewhere",
            Substatus::Timeout => "No answer",
            Substatus::Computer => "No connection",
            Substatus::Phone => "Phone not connected",
            Substatus::BatteryLow1 => "Battery low",
            Substatus::BatteryLow2 => "Battery very low",
        }
    }
}

/// What a daemon's status is in the old service's terms.
fn substatus(status: &Status) -> Substatus {
    match status.session.state {
        SessionState::Connected => of_conditions(&status.conditions),
        SessionState::Pairing | SessionState::PasskeyNeeded => Substatus::Loading,
        SessionState::Connecting => Substatus::Opening,
        SessionState::Waiting => Substatus::Computer,
        SessionState::Replaced => Substatus::Pairing,
        SessionState::Outdated => Substatus::Expired,
        SessionState::NotPaired
        | SessionState::LoggedOut
        | SessionState::Locked
        | SessionState::BannedForGood
        | SessionState::Banned
        | SessionState::Declined => Substatus::Offline,
    }
}

/// Of a session that is connected: its phone's.
fn of_conditions(conditions: &[Condition]) -> Substatus {
    let is = |kind| conditions.iter().any(|known| known.active && known.kind == kind);
    let known = [
        (ConditionKind::PhoneOffline, Substatus::Phone),
        (ConditionKind::PhoneSilent, Substatus::Phone),
        (ConditionKind::BatteryCritical, Substatus::BatteryLow2),
        (ConditionKind::BatteryLow, Substatus::BatteryLow1),
    ];
    known.iter().find(|(kind, _)| is(*kind)).map_or(Substatus::Normal, |(_, substatus)| *substatus)
}

fn account_status(state: SessionState) -> &'static str {
    match state {
        SessionState::Connected => "authenticated",
        SessionState::Pairing => "got qr code",
        SessionState::NotPaired | SessionState::LoggedOut => "init",
        SessionState::PasskeyNeeded
        | SessionState::Connecting
        | SessionState::Waiting
        | SessionState::Replaced
        | SessionState::Locked
        | SessionState::BannedForGood
        | SessionState::Banned
        | SessionState::Outdated
        | SessionState::Declined => "loading",
    }
}

/// The answer. The code is for those who may link a phone.
pub(super) fn answer(status: &Status, qr_code: Option<String>) -> Value {
    let substatus = substatus(status);
    let worst = status.conditions.iter().find(|condition| condition.active);
    let mut data = data(substatus, worst.map(|condition| condition.why.as_str()));
    data["submsg"] = json!(worst.map_or("", |condition| condition.by_itself.as_str()));
    data["actions"] = Value::Object(actions(status.session.state));
    if status.session.state == SessionState::Replaced {
        data["reason"] = json!("conflict");
    }
    let mut answer =
        json!({ "accountStatus": account_status(status.session.state), "statusData": data });
    if let Some(code) = qr_code {
        answer["qrCode"] = code.into();
    }
    answer
}

/// The answer while the daemon gives none.
pub(super) fn without_daemon(kind: ErrorKind, sentence: &str) -> Value {
    let late = kind == ErrorKind::OutcomeUnknown;
    let substatus = if late { Substatus::Timeout } else { Substatus::Offline };
    json!({ "accountStatus": "loading", "statusData": data(substatus, Some(sentence)) })
}

fn data(substatus: Substatus, why: Option<&str>) -> Value {
    let title = substatus.title();
    json!({
        "substatus": substatus.name(), "title": title, "msg": why.unwrap_or(title), "submsg": "",
        "actions": {}, "reason": null,
    })
}

fn actions(state: SessionState) -> Map<String, Value> {
    let mut actions = Map::new();
    let mut add = |act: &str, label| {
        actions.insert(act.into(), json!({ "act": act, "label": label, "link": act }));
    };
    if state == SessionState::Replaced {
        add("takeover", "Use here");
    }
    let linked = !matches!(
        state,
        SessionState::NotPaired
            | SessionState::LoggedOut
            | SessionState::Pairing
            | SessionState::PasskeyNeeded
    );
    if linked {
        add("logout", "Log out");
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::status;
    use super::*;

    #[test]
    fn every_state_and_trouble_has_the_old_service_s_name() {
        for (state, conditions, account, expected, reason) in [
            ("connected", &[][..], "authenticated", "normal", None),
            ("connected", &["pacing"], "authenticated", "normal", None),
            ("connected", &["phone_offline", "battery_low"], "authenticated", "phone", None),
            ("connected", &["phone_silent"], "authenticated", "phone", None),
            ("connected", &["battery_low"], "authenticated", "battery_low_1", None),
            ("connected", &["battery_critical"], "authenticated", "battery_low_2", None),
            ("connecting", &["disconnected"], "loading", "opening", None),
            ("waiting", &["disconnected"], "loading", "computer", None),
            ("replaced", &["other_session"], "loading", "pairing", Some("conflict")),
            ("pairing", &["not_paired"], "got qr code", "loading", None),
            ("passkey_needed", &["not_paired"], "loading", "loading", None),
            ("not_paired", &["not_paired"], "init", "offline", None),
            ("logged_out", &["logged_out"], "init", "offline", None),
            ("locked", &["locked"], "loading", "offline", None),
            ("banned", &["banned"], "loading", "offline", None),
            ("banned_for_good", &["banned_for_good"], "loading", "offline", None),
            ("declined", &["login_declined"], "loading", "offline", None),
            ("outdated", &["client_outdated"], "loading", "expired", None),
        ] {
            let answer = answer(&status(state, conditions), None);
            assert_eq!(answer["accountStatus"], account, "{state}");
            let data = &answer["statusData"];
            assert_eq!(data["substatus"], expected, "{state} {conditions:?}");
            assert_eq!(data["reason"].as_str(), reason, "{state}");
            assert!(answer.get("qrCode").is_none());
            let takeover = data["actions"].get("takeover").is_some();
            assert_eq!(takeover, state == "replaced");
            if !conditions.is_empty() {
                assert_eq!(
                    (&data["msg"], &data["submsg"]),
                    (&json!("this is so"), &json!("it passes"))
                );
            }
        }
    }

    #[test]
    fn a_daemon_that_gives_no_answer_is_offline_or_late() {
        let substatus = |kind| {
            without_daemon(kind, "why")["statusData"]["substatus"].as_str().unwrap().to_owned()
        };
        assert_eq!(substatus(ErrorKind::ShuttingDown), "offline");
        assert_eq!(substatus(ErrorKind::OutcomeUnknown), "timeout");
    }
}
