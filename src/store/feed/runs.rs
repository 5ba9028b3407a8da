//! The names of the changes feed. Each run of the daemon continues the feed under a name of its
//! own, and remembers which numbers the runs before it gave. So a number that a lost run gave is
//! recognized: after a backup was restored the feed gives the same numbers to other changes, under
//! another name. A repair removes the record, since what it loses was numbered too.

use tetherd_api::FeedId;

/// Runs that are remembered. A subscriber that was away for more of them begins with 0.
const RUNS_MAX: usize = 256;
const NUMBER_BYTES: usize = 8;
const RUN_BYTES: usize = 2 * NUMBER_BYTES;

const _: () = assert!(RUNS_MAX * RUN_BYTES <= crate::store::CHUNK_BYTES);

/// The runs, the latest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs(Vec<Run>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    feed: FeedId,
    /// The last number that was given before it.
    before: u64,
}

impl Runs {
    /// What does not read is no run: its subscribers begin with 0.
    pub(super) fn decode(bytes: &[u8]) -> Runs {
        let (numbers, _) = bytes.as_chunks::<NUMBER_BYTES>();
        let (pairs, _) = numbers.as_chunks::<2>();
        let run = |[feed, before]: &[[u8; NUMBER_BYTES]; 2]| Run {
            feed: FeedId(u64::from_be_bytes(*feed)),
            before: u64::from_be_bytes(*before),
        };
        Runs(pairs.iter().map(run).collect())
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let run = |run: &Run| [run.feed.0.to_be_bytes(), run.before.to_be_bytes()];
        self.0.iter().flat_map(run).flatten().collect()
    }

    /// A run begins, after this number.
    pub(super) fn begin(&mut self, feed: FeedId, before: u64) {
        let surplus = (self.0.len() + 1).saturating_sub(RUNS_MAX);
        self.0.drain(..surplus);
        self.0.push(Run { feed, before });
    }

    /// The name of the feed now.
    pub fn current(&self) -> Option<FeedId> {
        self.0.last().map(|run| run.feed)
    }

    /// Whether this feed continues that one after this number.
    pub fn continues(&self, feed: FeedId, seq: u64) -> bool {
        let at = self.0.iter().position(|run| run.feed == feed);
        at.is_some_and(|at| self.0.get(at + 1).is_none_or(|next| seq <= next.before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_continued_up_to_the_number_at_which_the_next_run_began() {
        let mut runs = Runs::default();
        assert!(!runs.continues(FeedId(1), 0));
        runs.begin(FeedId(1), 0);
        assert!(runs.continues(FeedId(1), 150));
        runs.begin(FeedId(2), 100);
        assert!(runs.continues(FeedId(1), 100) && !runs.continues(FeedId(1), 101));
        assert!(runs.continues(FeedId(2), 500) && !runs.continues(FeedId(3), 1));
        assert_eq!(Runs::decode(&runs.encode()), runs);
        assert_eq!(runs.current(), Some(FeedId(2)));
    }

    #[test]
    fn only_so_many_runs_are_remembered() {
        let mut runs = Runs::default();
        for number in 0..1_000 {
            runs.begin(FeedId(number), number);
        }
        assert_eq!(runs.encode().len(), RUNS_MAX * RUN_BYTES);
        assert!(!runs.continues(FeedId(743), 0) && runs.continues(FeedId(744), 745));
    }
}
