//! Privacy tokens that contacts have given, on their way from the storage, which the
//! library writes them to, to the core. Nothing reports them otherwise: the library takes
//! them out of notifications and history without an event.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::tc_token::TOKENS_MAX;

/// Contacts in one report.
const AT_ONCE: usize = 500;

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
}

impl std::fmt::Debug for TokenOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenOf")
    }
}

impl ContactTokens {
    pub(super) fn push(&self, token: TokenOf) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= TOKENS_MAX {
            waiting.pop_front();
        }
        waiting.push_back(token);
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
