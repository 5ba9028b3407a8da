//! The phone, as people read it. Pure.

use super::render::{clean, local_times};
use super::time::Clock;
use tetherd_api::{BatteryStatus, Evidence, PhoneState, PhoneStatus};

/// The phone's lines of `status`: where it stands, and its battery if anybody reports it.
pub fn lines(phone: &PhoneStatus, clock: &Clock) -> String {
    let mut text = format!("phone    {}", state(phone, clock));
    for reason in reasons(phone) {
        text.push_str(&format!("; {}", local_times(&clean(&reason.what, false), clock)));
        if let Some(at) = reason.at {
            text.push_str(&format!(" ({} ago)", clock.since(at)));
        }
    }
    text.push('\n');
    if let Some(battery) = &phone.battery {
        text.push_str(&format!("battery  {}\n", self::battery(battery, clock)));
    }
    text
}

fn state(phone: &PhoneStatus, clock: &Clock) -> String {
    let name = phone.state.name();
    match (phone.state, phone.last_seen_at) {
        (PhoneState::Online, Some(seen)) => format!("{name}, seen {} ago", clock.since(seen)),
        (_, Some(seen)) => {
            format!("{name} for {}, seen {} ago", clock.since(phone.since), clock.since(seen))
        }
        (PhoneState::Unknown, None) => name.to_owned(),
        (_, None) => format!("{name} for {}", clock.since(phone.since)),
    }
}

/// The reasons of an online phone are not printed, unless it owes an answer.
fn reasons(phone: &PhoneStatus) -> &[Evidence] {
    match phone.state {
        PhoneState::Online => phone.reasons.get(1..).unwrap_or_default(),
        PhoneState::Silent | PhoneState::Offline | PhoneState::Unknown => &phone.reasons,
    }
}

fn battery(battery: &BatteryStatus, clock: &Clock) -> String {
    let mut parts = Vec::new();
    parts.extend(battery.percent.map(|percent| format!("{percent} %")));
    parts.extend(
        battery
            .charging
            .map(|charging| String::from(if charging { "charging" } else { "not charging" })),
    );
    parts.extend(battery.network.as_deref().map(|network| clean(network, false)));
    let source = battery
        .source
        .as_deref()
        .map_or_else(String::new, |source| format!(" by {}", clean(source, false)));
    let stale = if battery.stale { ", too old to go by" } else { "" };
    format!(
        "{}: {}; reported{source}, measured {} ago{stale}",
        battery.level.name(),
        parts.join(", "),
        clock.since(battery.at)
    )
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use tetherd_api::{BatteryLevel, Time};

    fn reason(what: &str, at: Option<Time>) -> Evidence {
        Evidence { what: what.to_owned(), at, age_s: None }
    }

    const CLOCK: Clock = Clock { now_ms: 1_767_225_600_000, zone: TimeZone::UTC };

    #[test]
    fn an_unknown_phone_says_why_in_one_line() {
        let mut phone = PhoneStatus::unknown(Time(0));
        phone.reasons = vec![reason("no sign of life was seen since it was paired", None)];
        let text = lines(&phone, &CLOCK);
        assert_eq!(text, "phone    unknown; no sign of life was seen since it was paired\n");
    }

    #[test]
    fn an_offline_phone_tells_since_when_and_a_battery_who_says_so() {
        let mut phone = PhoneStatus::unknown(Time(CLOCK.now_ms - 60_000));
        phone.state = PhoneState::Offline;
        phone.last_seen_at = Some(Time(CLOCK.now_ms - 600_000));
        phone.reasons =
            vec![reason("one", None), reason("two", Some(Time(CLOCK.now_ms - 240_000)))];
        phone.battery = Some(BatteryStatus {
            level: BatteryLevel::Low,
            percent: Some(12),
            charging: Some(false),
            network: Some("wifi".to_owned()),
            source: Some("termux".to_owned()),
            at: Time(CLOCK.now_ms - 120_000),
            received_at: Time(CLOCK.now_ms - 120_000),
            stale: false,
        });
        assert_eq!(
            lines(&phone, &CLOCK),
            "phone    offline for 1 min, seen 10 min ago; one; two (4 min ago)\n\
             battery  low: 12 %, not charging, wifi; reported by termux, measured 2 min ago\n"
        );
    }
}
