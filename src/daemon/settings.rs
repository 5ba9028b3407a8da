//! The configuration, as the core, the session and the socket's access rules take it.
//! Decides nothing but how much later the core's limits are than the session's.

use std::time::Duration;

use crate::config::{self, ClientVersion, Config, FetchConfig, Links};
use crate::daemon::auth::AccessGroups;
use crate::fetch;
use crate::inbox::Bounds;
use crate::whatsapp;
use tetherd_core::config::LinkPolicy;
use tetherd_core::contacts::ContactsConfig;
use tetherd_core::phone::PhoneConfig;
use tetherd_core::{self as core, CoreConfig};

/// The session has limits of its own. The core's are behind them by this: they hold if
/// the session's fail, and never cut in before it has said what happened.
const MARGIN: Duration = Duration::from_secs(20);

/// The folder of messages' files in the state directory.
const SPOOL: &str = "spool";

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn core_config(config: &Config) -> CoreConfig {
    let session = session_config(config);
    CoreConfig {
        capacity: config.queue.capacity,
        parked_max: config.queue.parked_max,
        history_max: config.queue.history_max,
        history_ms: millis(config.queue.history_age),
        undo_ms: millis(config.queue.undo),
        pace_limit: config.pacing.messages,
        window_ms: millis(config.pacing.window),
        ack_timeout_ms: millis(config.session.ack_timeout),
        backoff_first_ms: millis(config.session.backoff_first),
        backoff_cap_ms: millis(config.session.backoff_cap),
        connect_timeout_ms: millis(session.login_time_max() + MARGIN),
        pairing_timeout_ms: millis(session.pairing_time_max() + MARGIN),
        write_timeout_ms: millis(session.send_time_max() + MARGIN),
        contacts: ContactsConfig {
            check_recipients: config.preflight.numbers,
            yes_for_ms: millis(config.preflight.yes_for),
            no_for_ms: millis(config.preflight.no_for),
            every_ms: millis(config.preflight.check_every),
            backoff_first_ms: millis(config.session.backoff_first),
            backoff_cap_ms: millis(config.session.backoff_cap),
        },
        on_conflict: match config.session.on_conflict {
            config::OnConflict::Hold => core::OnConflict::Hold,
            config::OnConflict::TakeoverAfter => {
                let after_ms = millis(config.session.takeover_after);
                core::OnConflict::TakeoverAfter { after_ms }
            }
        },
        takeovers_per_hour: config.session.takeovers_per_hour,
        on_rate_limit: match config.pacing.on_rate_limit {
            config::OnRateLimit::Slow => core::OnRateLimit::Slow,
            config::OnRateLimit::Pause => core::OnRateLimit::Pause,
        },
        slow_first_ms: millis(config.pacing.slow_first),
        slow_cap_ms: millis(config.pacing.slow_cap),
        links: match config.preflight.links {
            Links::Park => LinkPolicy::Park,
            Links::Warn => LinkPolicy::Warn,
            Links::Off => LinkPolicy::Off,
        },
        prepare_pause_ms: millis(config.fetch.retry_pause),
        confirm_after_ms: config.queue.confirm_after.map(millis),
        phone: phone_config(config),
        ..CoreConfig::default()
    }
}

pub(super) fn fetch_settings(config: &Config) -> fetch::Settings {
    let FetchConfig { allow_http, allow_addresses, ca_file, .. } = config.fetch.clone();
    fetch::Settings { allow_http, allow_addresses, ca_file }
}

fn phone_config(config: &Config) -> PhoneConfig {
    let phone = &config.phone;
    let percent = |percent: usize| u8::try_from(percent).unwrap_or(u8::MAX);
    PhoneConfig {
        hold_when_offline: phone.hold_when_offline,
        hold_when_battery: phone.hold_when_battery,
        silent_after_ms: millis(phone.silent_after),
        ask_after_ms: millis(phone.ask_after),
        offline_after_ms: millis(phone.offline_after),
        battery_low: percent(phone.battery_low),
        battery_critical: percent(phone.battery_critical),
        battery_stale_after_ms: millis(phone.battery_stale_after),
    }
}

pub(super) fn session_config(config: &Config) -> whatsapp::SessionConfig {
    let session = &config.session;
    whatsapp::SessionConfig {
        endpoint: session.endpoint.clone(),
        ca_file: session.ca_file.clone(),
        spool: config.state.dir.join(SPOOL),
        version: {
            let ClientVersion(major, minor, build) = session.client_version;
            (major, minor, build)
        },
        device_name: session.device_name.clone(),
        connect_timeout: session.connect_timeout,
        send_timeout: session.send_timeout,
        ..whatsapp::SessionConfig::default()
    }
}

pub(super) fn inbox_bounds(config: &Config) -> Bounds {
    Bounds { max: config.inbox.max, max_age_ms: millis(config.inbox.max_age) }
}

pub(super) fn access_groups(config: &Config) -> AccessGroups {
    // A group's name always parses: what is no number is a name.
    let group = |name: &Option<String>| name.as_ref().and_then(|name| name.parse().ok());
    AccessGroups {
        read: group(&config.socket.group_read),
        send: group(&config.socket.group_send),
        admin: group(&config.socket.group_admin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cores_limits_are_behind_the_sessions() {
        let core = core_config(&Config::default());
        let session = session_config(&Config::default());
        assert!(core.connect_timeout_ms > millis(session.login_time_max()));
        assert!(core.pairing_timeout_ms > millis(session.pairing_time_max()));
        assert!(core.write_timeout_ms > millis(session.send_time_max()));
    }
}
