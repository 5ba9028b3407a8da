//! What a daemon's status and its changes feed say, as OpenMetrics text. Base units, `_total`,
//! and no number, text or name of anybody in a label. Used by the front, which follows the
//! feed, and by `tetherctl metrics`, which asks once. Asks nobody itself.

mod feed;
mod snapshot;
mod webhooks;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tetherd_api::{Message, Status, Time};

pub use feed::{Counts, FeedMetrics};
pub use webhooks::WebhookCounts;

/// What is known of one daemon.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What it is called.
    pub daemon: &'a str,
    /// Its status; none: it does not answer.
    pub status: Option<&'a Status>,
    /// When the oldest message that waits was accepted.
    pub oldest: Option<Time>,
}

/// The message that has waited for longest, of those that wait.
pub fn oldest<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Option<Time> {
    let waiting = messages.into_iter().filter(|message| message.state.takes_a_place());
    waiting.map(|message| message.accepted_at).min()
}

/// The metrics of these daemons, by the asker's clock; what was counted from their feeds, and
/// the asking process's memory, if it has these.
pub fn text(
    known: &[Known<'_>],
    counts: Option<&Counts>,
    now: Time,
    process_bytes: Option<u64>,
) -> String {
    let mut registry = Registry::default();
    snapshot::register(&mut registry, known, now);
    if let Some(counts) = counts {
        counts.register(&mut registry);
    }
    if let Some(bytes) = process_bytes {
        snapshot::register_process(&mut registry, bytes);
    }
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = encode(&mut text, &registry);
    text
}

#[cfg(test)]
mod tests;
