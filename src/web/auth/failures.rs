//! Wrong tokens, counted by peer. A peer that gave too many is asked to wait. A right one is taken
//! all the same: nobody guesses 256 bits, and several callers can be one peer (on loopback, behind
//! a proxy), of whom one must not be able to keep the others out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::limits::{FAILURE_PEERS_MAX, FAILURES_MAX, FAILURES_WINDOW};
use crate::listen::Peer;

/// Who gave wrong tokens lately.
#[derive(Debug, Default)]
pub struct Failures(Mutex<HashMap<Peer, Vec<Instant>>>);

impl Failures {
    /// Whether this peer has given too many.
    pub fn is_blocked(&self, peer: Peer) -> bool {
        let now = Instant::now();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = known.get(&peer).map(Vec::as_slice).unwrap_or_default();
        of_peer.iter().filter(|at| now.duration_since(**at) < FAILURES_WINDOW).count()
            >= FAILURES_MAX
    }

    /// This peer has given one.
    pub fn count(&self, peer: Peer) {
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |at: &Instant| now.duration_since(*at) < FAILURES_WINDOW;
        if known.len() >= FAILURE_PEERS_MAX {
            known.retain(|_, times| times.iter().any(recent));
        }
        // More peers than that at once: those that are known stay so.
        if known.len() < FAILURE_PEERS_MAX || known.contains_key(&peer) {
            let times = known.entry(peer).or_default();
            times.retain(recent);
            times.push(now);
            let excess = times.len().saturating_sub(FAILURES_MAX);
            times.drain(..excess);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_is_blocked_after_the_limit_and_free_after_the_window() {
        let (failures, peer) = (Failures::default(), Peer::of([192, 0, 2, 1].into()));
        for _ in 0..FAILURES_MAX {
            assert!(!failures.is_blocked(peer));
            failures.count(peer);
        }
        assert!(failures.is_blocked(peer));
        assert!(!failures.is_blocked(Peer::of([192, 0, 2, 2].into())));
        tokio::time::advance(FAILURES_WINDOW).await;
        assert!(!failures.is_blocked(peer));
    }
}
