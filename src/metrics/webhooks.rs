//! What is counted of webhooks, and how they stand when somebody asks. A webhook's name is its
//! label, and never its address.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::Counts;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WithResult {
    webhook: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Webhook {
    webhook: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    webhook: String,
    state: &'static str,
}

type Number<L> = Family<L, Gauge<f64, AtomicU64>>;

/// The counts of all webhooks.
#[derive(Clone, Debug, Default)]
pub(crate) struct All {
    attempts: Family<WithResult, Counter>,
    behind: Number<Webhook>,
    lag: Number<Webhook>,
    state: Number<InState>,
}

impl All {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "tetherd_webhook_deliveries",
            "Attempts to deliver an event, by how they ended",
            self.attempts.clone(),
        );
        registry.register(
            "tetherd_webhook_behind",
            "Numbers of the changes feed that are not dealt with",
            self.behind.clone(),
        );
        registry.register_with_unit(
            "tetherd_webhook_lag",
            "How old the event is that is being sent; 0 without one",
            Unit::Seconds,
            self.lag.clone(),
        );
        registry.register(
            "tetherd_webhook_state",
            "1 for the state that the webhook is in",
            self.state.clone(),
        );
    }
}

/// Counts one webhook.
#[derive(Debug)]
pub struct WebhookCounts {
    name: String,
    all: All,
}

impl WebhookCounts {
    /// Of the webhook that is called so. What has not happened yet is there as 0.
    pub fn new(name: &str, counts: &Counts) -> WebhookCounts {
        let counts = WebhookCounts { name: name.into(), all: counts.webhooks().clone() };
        for result in ["delivered", "failed"] {
            drop(counts.all.attempts.get_or_create(&counts.with(result)));
        }
        counts
    }

    fn with(&self, result: &'static str) -> WithResult {
        WithResult { webhook: self.name.clone(), result }
    }

    /// An attempt was taken.
    pub fn delivered(&self) {
        self.all.attempts.get_or_create(&self.with("delivered")).inc();
    }

    /// An attempt failed.
    pub fn failed(&self) {
        self.all.attempts.get_or_create(&self.with("failed")).inc();
    }

    /// How it stands: the states are all that it could be in, and the one that it is in.
    #[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
    pub fn stands(&self, behind: u64, lag_s: u64, states: &[&'static str], state: &str) {
        let labels = Webhook { webhook: self.name.clone() };
        self.all.behind.get_or_create(&labels).set(behind as f64);
        self.all.lag.get_or_create(&labels).set(lag_s as f64);
        for known in states {
            let labels = InState { webhook: self.name.clone(), state: known };
            let set = if *known == state { 1.0 } else { 0.0 };
            self.all.state.get_or_create(&labels).set(set);
        }
    }
}
