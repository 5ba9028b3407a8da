//! The configuration, as the core, the session and the socket's access rules take it.
//! Decides nothing but how much later the core's limits are than the session's.

use std::time::Duration;

use crate::daemon::auth::AccessGroups;
use crate::fetch;
use crate::inbox::Bounds;
use crate::whatsapp;
use tetherd_config::Config;
use tetherd_config::settings::FetchSection;
use tetherd_config::value::ConflictPolicy;
use tetherd_core::contacts::ContactsConfig;
use tetherd_core::phone::PhoneConfig;
use tetherd_core::{self as core, CoreConfig};
use tetherd_state::SPOOL;

/// The session has limits of its own. The core's are behind them by this: they hold if
/// the session's fail, and never cut in before it has said what happened.
const MARGIN: Duration = Duration::from_secs(20);

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the core goes by: the keys of the configuration, and the session's limits.
pub fn core_config(config: &Config) -> CoreConfig {
    let session = session_config(config);
    CoreConfig {
        capacity: config.queue.capacity,
        parked_max: config.queue.parked_max,
        history_max: config.queue.history_max,
        history_ms: millis(config.queue.history_age),
        undo_ms: config.queue.undo.map_or(0, millis),
        pace_limit: config.pacing.messages,
        pace_reserve: config.pacing.reserve,
        high_at_any_time: config.pacing.high_at_any_time,
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
            per_day: config.preflight.checks_per_day,
            backoff_first_ms: millis(config.session.backoff_first),
            backoff_cap_ms: millis(config.session.backoff_cap),
        },
        on_conflict: match config.session.on_conflict {
            ConflictPolicy::Hold => core::OnConflict::Hold,
            ConflictPolicy::TakeoverAfter => {
                let after_ms = millis(config.session.takeover_after);
                core::OnConflict::TakeoverAfter { after_ms }
            }
        },
        takeovers_per_hour: config.session.takeovers_per_hour,
        on_rate_limit: config.pacing.on_rate_limit,
        slow_first_ms: millis(config.pacing.slow_first),
        slow_cap_ms: millis(config.pacing.slow_cap),
        links: config.preflight.links,
        prepare_pause_ms: millis(config.fetch.retry_pause),
        confirm_after_ms: config.queue.confirm_after.map(millis),
        phone: phone_config(config),
        client_version: config.session.client_version.to_string(),
        unknown_reconnect_ms: core::config::UNKNOWN_RECONNECT_MS,
        attempts_max: core::config::ATTEMPTS_MAX,
        stable_ms: core::config::STABLE_MS,
        slow_quiet_ms: core::config::SLOW_QUIET_MS,
        timelock_first_ms: core::config::TIMELOCK_FIRST_MS,
        timelock_cap_ms: core::config::TIMELOCK_CAP_MS,
    }
}

pub(super) fn fetch_settings(config: &Config) -> fetch::Settings {
    let FetchSection { allow_http, allow_addresses, ca_file, .. } = config.fetch.clone();
    fetch::Settings { allow_http, allow_addresses, ca_file }
}

fn phone_config(config: &Config) -> PhoneConfig {
    let phone = &config.phone;
    PhoneConfig {
        hold_when_offline: phone.hold_when_offline,
        hold_when_battery: phone.hold_when_battery,
        silent_after_ms: millis(phone.silent_after),
        ask_after_ms: millis(phone.ask_after),
        offline_after_ms: millis(phone.offline_after),
        battery_low: phone.battery_low,
        battery_critical: phone.battery_critical,
        battery_stale_after_ms: millis(phone.battery_stale_after),
    }
}

pub(super) fn session_config(config: &Config) -> whatsapp::SessionConfig {
    whatsapp::SessionConfig::new(&config.session, config.state.dir.join(SPOOL))
}

pub(super) fn inbox_bounds(config: &Config) -> Bounds {
    Bounds { max: config.inbox.max, max_age_ms: millis(config.inbox.max_age) }
}

pub(super) fn access_groups(config: &Config) -> AccessGroups {
    let socket = &config.socket;
    let [read, send, admin] = [&socket.group_read, &socket.group_send, &socket.group_admin];
    AccessGroups::from_names(read.as_deref(), send.as_deref(), admin.as_deref())
}

#[cfg(test)]
mod tests {
    use tetherd_config::settings::{CONNECT_TIMEOUT_MAX, SEND_TIMEOUT_MAX};

    use super::*;

    #[test]
    fn the_cores_limits_are_behind_the_sessions() {
        let mut config = Config::default();
        config.session.connect_timeout = CONNECT_TIMEOUT_MAX;
        config.session.send_timeout = SEND_TIMEOUT_MAX;
        let core = core_config(&config);
        let session = session_config(&config);
        assert!(core.connect_timeout_ms > millis(session.login_time_max()));
        assert!(core.pairing_timeout_ms > millis(session.pairing_time_max()));
        assert!(core.write_timeout_ms > millis(session.send_time_max()));
    }
}
