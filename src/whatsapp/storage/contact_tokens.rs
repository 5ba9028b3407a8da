//! Privacy tokens that contacts have given, on their way from the storage, which the
//! library writes them to, to the core. Nothing reports them otherwise: the library takes
//! them out of notifications and history without an event. Besides, which of them a
//! notification brings: the storage does not see where the library has one from.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::tc_token::TOKENS_MAX;

/// Contacts in one report.
const AT_ONCE: usize = 500;
/// Tokens out of notifications that the library has not stored yet.
const NOTIFIED_MAX: usize = 1_024;

/// A contact that has given a token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TokenOf {
    /// The user part of its LID, or of its number: the library's key.
    pub(crate) user: String,
    /// The other of the two, where it is known.
    pub(crate) number: Option<String>,
    /// Since when the token counts, Unix seconds.
    pub(crate) since: i64,
}

/// What was not reported yet. Outlives a connection.
#[derive(Debug, Default)]
pub struct ContactTokens {
    waiting: Mutex<VecDeque<TokenOf>>,
    more: Notify,
    notified: Mutex<Notified>,
    of_history: AtomicU64,
}

/// What a notification has brought and the library has not stored. It stores only what is
/// newer than what it has: what it does not is forgotten with the next history.
#[derive(Debug, Default)]
struct Notified {
    /// Their hashes. Two tokens with one hash only mean that one of them is written at once.
    hashes: BTreeSet<u64>,
    /// There were more: any token may be one.
    overflowed: bool,
}

impl std::fmt::Debug for TokenOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenOf")
    }
}

fn hash(token: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    hasher.finish()
}

impl ContactTokens {
    /// A notification has brought it, and the library stores it next.
    pub(crate) fn notified(&self, token: &[u8]) {
        let mut notified = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
        if notified.hashes.len() < NOTIFIED_MAX {
            notified.hashes.insert(hash(token));
        } else {
            notified.overflowed = true;
        }
    }

    /// Whether a notification has brought this one.
    pub(crate) fn take_notified(&self, token: &[u8]) -> bool {
        let mut notified = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
        notified.hashes.remove(&hash(token)) || notified.overflowed
    }

    pub(super) fn forget_notified(&self) {
        *self.notified.lock().unwrap_or_else(PoisonError::into_inner) = Notified::default();
    }

    pub(super) fn count_of_history(&self) {
        self.of_history.fetch_add(1, Ordering::Relaxed);
    }

    /// How many a history has brought.
    pub(crate) fn of_history(&self) -> u64 {
        self.of_history.load(Ordering::Relaxed)
    }

    pub(super) fn push(&self, tokens: Vec<TokenOf>) {
        if tokens.is_empty() {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(tokens);
        let surplus = waiting.len().saturating_sub(TOKENS_MAX);
        waiting.drain(..surplus);
        drop(waiting);
        self.more.notify_one();
    }

    /// The next ones. Cancelling the wait loses nothing.
    pub(crate) async fn next(&self) -> Vec<TokenOf> {
        loop {
            {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if !waiting.is_empty() {
                    let count = waiting.len().min(AT_ONCE);
                    return waiting.drain(..count).collect();
                }
                // What a burst had grown is not kept.
                waiting.shrink_to_fit();
            }
            self.more.notified().await;
        }
    }
}
