//! Whether the phone's history is still to be read for the account's privacy tokens. No
//! message of it is kept, by the library or here.
//!
//! The library acknowledges a part before it fetches it. Of a history that is cut off, by a
//! kill or by the end of the connection, the parts that were announced do not come again:
//! their tokens are there as far as they were read and written, which happens within a second.
//! It reads the parts each on its own, so the last one can be done before others: the history
//! counts as read once no token has come for a while after that, or the connection has ended.

use whatsapp_rust::wacore::time::now_secs;

use super::{Result, SessionBackend, key, read_error};
use crate::store::ReadError;

const HISTORY: &str = "history";

/// The phone sends its history once, after pairing. What comes later than this is skipped,
/// in seconds: one day.
const HISTORY_SECONDS: i64 = 24 * 3600;

impl SessionBackend {
    /// A pairing begins: its account's history is wanted.
    pub(crate) async fn want_history(&self) -> Result<()> {
        self.tokens.forget_notified();
        self.put(key(HISTORY, &[]), now_secs().to_be_bytes()).await
    }

    /// It was read; what it brought is written before that is noted.
    pub(crate) async fn end_history(&self) -> Result<()> {
        self.flush_tokens().await?;
        if self.read(&key(HISTORY, &[]))?.is_some() {
            self.remove(key(HISTORY, &[])).await?;
        }
        Ok(())
    }

    /// Whether it is wanted now.
    pub(crate) fn wants_history(&self) -> Result<bool> {
        let Some(since) = self.read(&key(HISTORY, &[]))? else { return Ok(false) };
        let since = since.try_into().map_err(|_| read_error(ReadError::Damaged))?;
        let age = now_secs().saturating_sub(i64::from_be_bytes(since));
        Ok(age < HISTORY_SECONDS)
    }
}
