//! What is known about each message's last attempt beyond what is stored. Forgotten at a
//! restart: what was under way then may be tried again at once.

use std::collections::BTreeMap;

use crate::time::{Now, doubled};
use tetherd_api::MessageId;

/// The last attempts at messages that take a place.
#[derive(Debug, Default)]
pub(super) struct Attempts(BTreeMap<MessageId, LastAttempt>);

#[derive(Clone, Copy, Debug)]
struct LastAttempt {
    /// The connection that it was made on.
    generation: u64,
    progress: Progress,
    /// Failures in passing, in a row.
    failures: u32,
}

/// Where the attempt stands. Times are monotonic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// The session, and then the server, has until then.
    UnderWay { until: u64 },
    /// It has no answer, since then.
    Unanswered { since: u64 },
    /// Nothing left; the next attempt comes then at the earliest.
    Resting { until: u64 },
}

impl Attempts {
    /// An attempt begins.
    pub(super) fn begin(&mut self, id: MessageId, generation: u64, until: u64) {
        let failures = self.0.get(&id).map_or(0, |attempt| attempt.failures);
        let progress = Progress::UnderWay { until };
        self.0.insert(id, LastAttempt { generation, progress, failures });
    }

    /// Its frame has left: the server has until then.
    pub(super) fn written(&mut self, id: MessageId, until: u64) {
        if let Some(attempt) = self.0.get_mut(&id) {
            attempt.progress = Progress::UnderWay { until };
            attempt.failures = 0;
        }
    }

    /// It has no answer. One that is not known is from before the restart.
    pub(super) fn unanswered(&mut self, id: MessageId, now: Now) {
        if let Some(attempt) = self.0.get_mut(&id) {
            attempt.progress = Progress::Unanswered { since: now.mono_ms };
        }
    }

    /// Nothing left, for something in passing: the next one comes after a pause.
    pub(super) fn back_off(&mut self, id: MessageId, first_ms: u64, cap_ms: u64, now: Now) {
        if let Some(attempt) = self.0.get_mut(&id) {
            let pause = doubled(first_ms, attempt.failures, cap_ms);
            attempt.failures = attempt.failures.saturating_add(1);
            attempt.progress = Progress::Resting { until: now.mono_ms.saturating_add(pause) };
        }
    }

    /// The next one comes then at the earliest.
    pub(super) fn rest(&mut self, id: MessageId, generation: u64, until: u64) {
        let progress = Progress::Resting { until };
        self.0.insert(id, LastAttempt { generation, progress, failures: 0 });
    }

    /// Nothing left, and the next one need not rest.
    pub(super) fn end_rest(&mut self, id: MessageId, now: Now) {
        if let Some(attempt) = self.0.get_mut(&id) {
            attempt.progress = Progress::Resting { until: now.mono_ms };
        }
    }

    /// What rests need not rest longer.
    pub(super) fn end_rests(&mut self, now: Now) {
        for attempt in self.0.values_mut() {
            if matches!(attempt.progress, Progress::Resting { .. }) {
                attempt.progress = Progress::Resting { until: now.mono_ms };
            }
        }
    }

    pub(super) fn forget(&mut self, id: MessageId) {
        self.0.remove(&id);
    }

    /// Those whose time for an answer is over.
    pub(super) fn timed_out(&self, now: Now) -> Vec<MessageId> {
        let late = self.under_way().filter(|(_, until)| *until <= now.mono_ms);
        late.map(|(id, _)| id).collect()
    }

    /// When the time of the next one is over.
    pub(super) fn next_timeout(&self) -> Option<u64> {
        self.under_way().map(|(_, until)| until).min()
    }

    fn under_way(&self) -> impl Iterator<Item = (MessageId, u64)> {
        self.0.iter().filter_map(|(id, attempt)| match attempt.progress {
            Progress::UnderWay { until } => Some((*id, until)),
            Progress::Unanswered { .. } | Progress::Resting { .. } => None,
        })
    }

    /// Since when the first of those made on this connection has no answer.
    pub(super) fn unanswered_since(&self, generation: u64) -> Option<u64> {
        let waiting = self.0.values().filter_map(|attempt| match attempt.progress {
            Progress::Unanswered { since } if attempt.generation == generation => Some(since),
            Progress::Unanswered { .. } | Progress::UnderWay { .. } | Progress::Resting { .. } => {
                None
            }
        });
        waiting.min()
    }

    /// Whether a message rests whose next attempt comes later than now.
    pub(super) fn some_rest(&self, now: Now) -> bool {
        self.0.values().any(|attempt| {
            matches!(attempt.progress, Progress::Resting { until } if until > now.mono_ms)
        })
    }

    /// Whether this one, made on this connection or a later one, can still get its answer.
    pub(super) fn can_be_answered(&self, id: MessageId, generation: u64) -> bool {
        self.0.get(&id).is_some_and(|attempt| {
            let rests = matches!(attempt.progress, Progress::Resting { .. });
            !rests && attempt.generation >= generation
        })
    }

    /// When the last attempt, if there was one, allows another on this connection.
    pub(super) fn rested_at(&self, id: MessageId, generation: u64) -> Option<u64> {
        match self.0.get(&id) {
            None => Some(0),
            Some(LastAttempt { progress: Progress::Resting { until }, .. }) => Some(*until),
            Some(attempt) => (attempt.generation < generation).then_some(0),
        }
    }

    /// Whether the last attempt was made on this connection.
    pub(super) fn is_on(&self, id: MessageId, generation: u64) -> bool {
        self.0.get(&id).is_some_and(|attempt| attempt.generation == generation)
    }
}
