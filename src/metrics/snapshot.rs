//! What the status says: gauges, all of them taken anew each time.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tetherd_api::{BatteryLevel, ConditionKind, Status, Time};

use crate::Known;

/// Which daemon.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Daemon {
    pub(crate) daemon: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    daemon: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    daemon: String,
    condition: &'static str,
    holds: &'static str,
}

type Number<L> = Family<L, Gauge<f64, AtomicU64>>;

/// A family, registered.
fn number<L>(registry: &mut Registry, name: &str, help: &str) -> Number<L>
where
    L: EncodeLabelSet + Clone + std::hash::Hash + Eq + std::fmt::Debug + Send + Sync + 'static,
{
    let family = Number::<L>::default();
    registry.register(name, help, family.clone());
    family
}

fn with_unit<L>(registry: &mut Registry, name: &str, help: &str, unit: Unit) -> Number<L>
where
    L: EncodeLabelSet + Clone + std::hash::Hash + Eq + std::fmt::Debug + Send + Sync + 'static,
{
    let family = Number::<L>::default();
    registry.register_with_unit(name, help, unit, family.clone());
    family
}

/// Seconds of a number of milliseconds.
#[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
fn float(count: usize) -> f64 {
    count as f64
}

/// How large the process is that says all this.
#[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
pub(crate) fn register_process(registry: &mut Registry, bytes: u64) {
    let memory = Gauge::<f64, AtomicU64>::default();
    memory.set(bytes as f64);
    let help = "Resident memory of the process that answers, which is not the daemon";
    registry.register_with_unit("process_resident_memory", help, Unit::Bytes, memory);
}

/// All of them.
pub(crate) fn register(registry: &mut Registry, known: &[Known<'_>], now: Time) {
    let up = number(registry, "tetherd_up", "Whether the daemon answers");
    for one in known {
        up.get_or_create(&daemon(one)).set(if one.status.is_some() { 1.0 } else { 0.0 });
    }
    let known: Vec<(&Known<'_>, &Status)> =
        known.iter().filter_map(|one| Some((one, one.status?))).collect();
    queue(registry, &known, now);
    pacing(registry, &known, now);
    conditions(registry, &known);
    session(registry, &known, now);
    phone(registry, &known, now);
}

fn daemon(one: &Known<'_>) -> Daemon {
    Daemon { daemon: one.daemon.to_owned() }
}

fn queue(registry: &mut Registry, known: &[(&Known<'_>, &Status)], now: Time) {
    let messages = number(
        registry,
        "tetherd_queue_messages",
        "Messages that the daemon still acts on, by state",
    );
    let capacity = number(registry, "tetherd_queue_capacity", "Places in all");
    let free = number(registry, "tetherd_queue_free", "Places that are left");
    let paused = number(registry, "tetherd_queue_paused", "Whether somebody paused the queue");
    let oldest = with_unit(
        registry,
        "tetherd_queue_oldest_age",
        "For how long the oldest message waits; 0 without any",
        Unit::Seconds,
    );
    let next = with_unit(
        registry,
        "tetherd_queue_next_send",
        "How long until the next message leaves; absent while nobody knows",
        Unit::Seconds,
    );
    for (one, status) in known {
        let queue = &status.queue;
        for (state, count) in [
            ("preparing", queue.preparing),
            ("queued", queue.queued),
            ("sending", queue.sending),
            ("unknown", queue.unknown),
            ("parked", queue.parked),
            ("finished", queue.history),
        ] {
            let labels = InState { daemon: one.daemon.to_owned(), state };
            messages.get_or_create(&labels).set(float(count));
        }
        let labels = daemon(one);
        capacity.get_or_create(&labels).set(float(queue.capacity));
        free.get_or_create(&labels).set(float(queue.free));
        paused.get_or_create(&labels).set(f64::from(u8::from(queue.paused)));
        let age = one.oldest.map_or(0, |at| now.0.saturating_sub(at.0).max(0));
        oldest.get_or_create(&labels).set(seconds(age));
        if let Some(at) = queue.next_send_at {
            next.get_or_create(&labels).set(seconds(at.0.saturating_sub(now.0).max(0)));
        }
    }
}

fn pacing(registry: &mut Registry, known: &[(&Known<'_>, &Status)], now: Time) {
    let limit = number(registry, "tetherd_pacing_limit", "Attempts that one window allows");
    let spent = number(registry, "tetherd_pacing_spent", "Attempts in the window that ends now");
    let window = with_unit(registry, "tetherd_pacing_window", "The window's length", Unit::Seconds);
    let slowed = with_unit(
        registry,
        "tetherd_pacing_slowed",
        "For how long nothing leaves, as the server asked for it; 0: it did not",
        Unit::Seconds,
    );
    for (one, status) in known {
        let (labels, pacing) = (daemon(one), &status.pacing);
        limit.get_or_create(&labels).set(float(pacing.limit));
        spent.get_or_create(&labels).set(float(pacing.spent));
        let ms = i64::try_from(pacing.window_ms).unwrap_or(i64::MAX);
        window.get_or_create(&labels).set(seconds(ms));
        let left = pacing.slowed_until.map_or(0, |until| until.0.saturating_sub(now.0).max(0));
        slowed.get_or_create(&labels).set(seconds(left));
    }
}

fn conditions(registry: &mut Registry, known: &[(&Known<'_>, &Status)]) {
    let active = number(
        registry,
        "tetherd_condition_active",
        "Whether a condition is the case, and how much of the queue it holds",
    );
    let affected =
        number(registry, "tetherd_condition_messages", "Messages that a condition touches");
    for (one, status) in known {
        for condition in &status.conditions {
            let (daemon, name) = (one.daemon.to_owned(), condition.kind.name());
            let labels = OfKind { daemon, condition: name, holds: condition.holds.name() };
            active.get_or_create(&labels).set(f64::from(u8::from(condition.active)));
            affected.get_or_create(&labels).set(float(condition.affected.count));
        }
        // What is not the case is there as well, so that an alert can tell it from no data.
        let is_listed = |kind: ConditionKind| status.conditions.iter().any(|c| c.kind == kind);
        for kind in ConditionKind::ALL.iter().filter(|kind| !is_listed(**kind)) {
            let daemon = one.daemon.to_owned();
            let labels = OfKind { daemon, condition: kind.name(), holds: "none" };
            active.get_or_create(&labels).set(0.0);
        }
    }
}

fn session(registry: &mut Registry, known: &[(&Known<'_>, &Status)], now: Time) {
    let state = number(registry, "tetherd_session_state", "1 for the state that the session is in");
    let since = with_unit(
        registry,
        "tetherd_session_state_age",
        "For how long it is in that state",
        Unit::Seconds,
    );
    let uptime =
        with_unit(registry, "tetherd_uptime", "For how long the daemon runs", Unit::Seconds);
    let quarantined = number(
        registry,
        "tetherd_store_quarantined",
        "Damaged records that were quarantined when the store was opened",
    );
    let connections = Family::<Daemon, Counter>::default();
    registry.register(
        "tetherd_session_connections",
        "Connections since the daemon started",
        connections.clone(),
    );
    let replaced = Family::<Daemon, Counter>::default();
    registry.register(
        "tetherd_session_replaced",
        "How often another session took over since the daemon started",
        replaced.clone(),
    );
    for (one, status) in known {
        let (labels, session) = (daemon(one), &status.session);
        let labelled = InState { daemon: one.daemon.to_owned(), state: session.state.name() };
        state.get_or_create(&labelled).set(1.0);
        let age = |at: Time| seconds(now.0.saturating_sub(at.0).max(0));
        since.get_or_create(&labels).set(age(session.since));
        uptime.get_or_create(&labels).set(age(status.started_at));
        quarantined.get_or_create(&labels).set(float(status.store.quarantined));
        connections.get_or_create(&labels).inc_by(session.connections);
        replaced.get_or_create(&labels).inc_by(session.replaced);
    }
}

fn phone(registry: &mut Registry, known: &[(&Known<'_>, &Status)], now: Time) {
    let state =
        number(registry, "tetherd_phone_state", "1 for the state that the phone is taken to be in");
    let seen = with_unit(
        registry,
        "tetherd_phone_last_seen_age",
        "How long ago the phone gave a sign of life; absent without any",
        Unit::Seconds,
    );
    let battery = number(
        registry,
        "tetherd_phone_battery_ratio",
        "How full the battery is, as last reported; absent without a report that is fresh",
    );
    let charging = number(
        registry,
        "tetherd_phone_battery_charging",
        "Whether it is being charged; absent as above",
    );
    for (one, status) in known {
        let (labels, phone) = (daemon(one), &status.phone);
        let labelled = InState { daemon: one.daemon.to_owned(), state: phone.state.name() };
        state.get_or_create(&labelled).set(1.0);
        if let Some(at) = phone.last_seen_at {
            seen.get_or_create(&labels).set(seconds(now.0.saturating_sub(at.0).max(0)));
        }
        let fresh = phone.battery.as_ref().filter(|report| report.level != BatteryLevel::Unknown);
        if let Some(percent) = fresh.and_then(|report| report.percent) {
            battery.get_or_create(&labels).set(f64::from(percent) / 100.0);
        }
        if let Some(charges) = fresh.and_then(|report| report.charging) {
            charging.get_or_create(&labels).set(f64::from(u8::from(charges)));
        }
    }
}
