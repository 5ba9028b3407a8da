//! What is counted from the changes feed while somebody follows it: results of messages, and
//! how long the steps took.

use std::collections::BTreeMap;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tetherd_api::{Message, MessageId, State, Time};

use crate::snapshot::Daemon;
use crate::webhooks;

/// Messages whose last state is remembered.
const REMEMBERED_MAX: usize = 5_000;
/// Seconds until the server's answer.
const ACK_BUCKETS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Seconds until a device has it, or until it leaves: up to days.
const WAIT_BUCKETS: [f64; 9] =
    [1.0, 10.0, 60.0, 300.0, 1_800.0, 3_600.0, 14_400.0, 86_400.0, 604_800.0];

/// The results that are counted.
const RESULTS: [State; 7] = [
    State::Sent,
    State::Delivered,
    State::Read,
    State::Parked,
    State::Failed,
    State::Expired,
    State::Cancelled,
];

/// How a message was when it was last seen.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    state: Option<State>,
    /// When the attempt began that is under way.
    sending_at: Option<Time>,
    sent: bool,
    delivered: bool,
    read: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WithResult {
    daemon: String,
    result: &'static str,
}

type Times = Family<Daemon, Histogram>;

/// What is counted from the feeds of all daemons, and of webhooks. Clones are the same counts.
#[derive(Clone, Debug)]
pub struct Counts {
    results: Family<WithResult, Counter>,
    incoming: Family<Daemon, Counter>,
    queued: Times,
    acked: Times,
    delivered: Times,
    webhooks: webhooks::All,
}

impl Default for Counts {
    fn default() -> Counts {
        let waits = || Times::new_with_constructor(|| Histogram::new(WAIT_BUCKETS));
        Counts {
            results: Family::default(),
            incoming: Family::default(),
            queued: waits(),
            acked: Times::new_with_constructor(|| Histogram::new(ACK_BUCKETS)),
            delivered: waits(),
            webhooks: webhooks::All::default(),
        }
    }
}

impl Counts {
    pub(crate) fn webhooks(&self) -> &webhooks::All {
        &self.webhooks
    }

    /// The counts stay where they are.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "tetherd_messages",
            "Messages that came into a state, since somebody follows them",
            self.results.clone(),
        );
        registry.register(
            "tetherd_incoming_messages",
            "Messages that came in, since somebody follows them",
            self.incoming.clone(),
        );
        for (name, help, times) in [
            ("queue_time", "From acceptance until the server had it", &self.queued),
            ("ack_time", "From the attempt until the server's answer", &self.acked),
            ("delivery_time", "From the server until a device had it", &self.delivered),
        ] {
            let name = format!("tetherd_message_{name}");
            registry.register_with_unit(name, help, Unit::Seconds, times.clone());
        }
        self.webhooks.register(registry);
    }
}

/// Counts the feed of one daemon.
#[derive(Debug)]
pub struct FeedMetrics {
    daemon: Daemon,
    counts: Counts,
    last: BTreeMap<MessageId, Last>,
}

impl FeedMetrics {
    /// Of the daemon that is called so. What has not happened yet is there as 0.
    pub fn new(daemon: &str, counts: &Counts) -> FeedMetrics {
        let daemon = Daemon { daemon: daemon.to_owned() };
        let feed = FeedMetrics { daemon, counts: counts.clone(), last: BTreeMap::new() };
        for state in RESULTS {
            drop(feed.counts.results.get_or_create(&feed.with_result(state)));
        }
        drop(feed.counts.incoming.get_or_create(&feed.daemon));
        for times in [&feed.counts.queued, &feed.counts.acked, &feed.counts.delivered] {
            drop(times.get_or_create(&feed.daemon));
        }
        feed
    }

    fn with_result(&self, state: State) -> WithResult {
        WithResult { daemon: self.daemon.daemon.clone(), result: state.name() }
    }

    /// A message as it is now. What was so before anybody followed is not counted (`live`
    /// unset). A state that was passed unseen is counted by its time.
    pub fn message(&mut self, message: &Message, live: bool) {
        let mut last = self.last.get(&message.id).copied().unwrap_or_default();
        if live {
            self.count(message, &last);
        }
        if message.state == State::Sending {
            last.sending_at = Some(message.changed_at);
        }
        last.state = Some(message.state);
        last.sent |= message.sent_at.is_some();
        last.delivered |= message.delivered_at.is_some();
        last.read |= message.read_at.is_some();
        self.last.insert(message.id, last);
        while self.last.len() > REMEMBERED_MAX {
            self.last.pop_first();
        }
    }

    fn count(&self, message: &Message, last: &Last) {
        let daemon = &self.daemon;
        if let Some(sent) = message.sent_at.filter(|_| !last.sent) {
            self.result(State::Sent);
            let queued = seconds(message.accepted_at, sent);
            self.counts.queued.get_or_create(daemon).observe(queued);
            if let Some(began) = last.sending_at {
                self.counts.acked.get_or_create(daemon).observe(seconds(began, sent));
            }
        }
        if let Some(delivered) = message.delivered_at.filter(|_| !last.delivered) {
            self.result(State::Delivered);
            if let Some(sent) = message.sent_at {
                self.counts.delivered.get_or_create(daemon).observe(seconds(sent, delivered));
            }
        }
        if message.read_at.is_some() && !last.read {
            self.result(State::Read);
        }
        let by_time = [State::Sent, State::Delivered, State::Read];
        let new = last.state != Some(message.state) && !by_time.contains(&message.state);
        if new && RESULTS.contains(&message.state) {
            self.result(message.state);
        }
    }

    fn result(&self, state: State) {
        self.counts.results.get_or_create(&self.with_result(state)).inc();
    }

    /// A message came in.
    pub fn incoming(&self) {
        self.counts.incoming.get_or_create(&self.daemon).inc();
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
fn seconds(from: Time, to: Time) -> f64 {
    to.0.saturating_sub(from.0).max(0) as f64 / 1_000.0
}
