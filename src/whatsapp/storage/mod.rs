//! The protocol library's storage traits on our store: every key, session and token
//! of the paired device. Nothing is kept in memory, and every write is on disk when its
//! future resolves, but for privacy tokens out of a history (`tc_token`). Never touches the
//! queue's records.
//!
//! One file for each of the library's traits. Keys lie under [`PREFIX`]: an area,
//! then the library's own identifiers. Where an area's keys have several parts, each
//! but the last carries its length, so that no two of them run into one another.
//!
//! # Bounds
//! Every record belongs to the session and goes with it. Besides:
//!
//! | area | bound |
//! |---|---|
//! | `device`, `latest_sync_key` | one |
//! | `prekey`, `signed_prekey` | the library makes a batch when the server runs low, and removes what was used |
//! | `sync_key`, `sync_version`, `sync_mac` | the account's own settings; the library removes what it replaces |
//! | `sent` | by age, when the library says so, `SENT_MESSAGES_MAX` and `SENT_BYTES_MAX` |
//! | `asked_again` | `REQUESTS_MAX`; they go with their answers |
//! | `history` | one |
//! | `inbound` | by age, when the library says so |
//! | `tc_token` | by age, when the library says so, and `TOKENS_MAX` |
//! | `msg_secret` | by age, and `SECRETS_MAX` |
//! | `devices`, `lid` with `number`, `group`, `sender_key_device`, `base_key` | each by its `_MAX`; the network gives them again when they are needed |
//! | `identity`, `signal`, `sender_key` | none: one for each device that ever wrote or was written to. They are keys that the other side goes on using, however long it was silent; without them its next message would not be readable |
//!
//! Methods that read, decide and write do so on the committer's thread, so that
//! none of the library's tasks comes between.

mod app_sync;
mod asked_again;
mod bounded;
mod contact_tokens;
mod device;
mod expiring_records;
mod history;
mod kept;
mod lid_cache;
mod msg_secret;
mod protocol;
mod signal;
mod tc_token;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;
use whatsapp_rust::wacore::store::error::StoreError;

pub use asked_again::AskedAgain;
pub(crate) use asked_again::Request;
use bounded::AtMost;
pub use contact_tokens::ContactTokens;
pub(crate) use contact_tokens::TokenOf;
use expiring_records::Held;
pub(crate) use lid_cache::LidCache;
use lid_cache::Unstored;
pub(crate) use protocol::SENT_SECONDS;

use crate::store::{Batch, CommitError, ReadError, Store, UpdateError, View};

/// What every key of the session begins with.
pub const PREFIX: &[u8] = b"session/";

type Result<T> = std::result::Result<T, StoreError>;

/// The library's backend, for one connection. Cheap to clone; all clones are one.
///
/// Once it is over it refuses to write: a task of an old connection that still runs must
/// not put its state over that of the next one, nor bring half of a forgotten session back.
#[derive(Clone)]
pub struct SessionBackend {
    store: Store,
    over: Arc<AtomicBool>,
    counts: Arc<Counts>,
    tokens: Arc<ContactTokens>,
    gathered: Arc<tokio::sync::Mutex<tc_token::Changes>>,
    unstored: Arc<Unstored>,
    #[cfg(test)]
    pub(super) loses_saves: Arc<AtomicBool>,
}

/// How much lies in the bounded areas.
#[derive(Debug, Default)]
struct Counts {
    devices: AtMost,
    lids: AtMost,
    groups: AtMost,
    sender_key_devices: AtMost,
    base_keys: AtMost,
    asked_again: AtMost,
    msg_secrets: AtMost,
    tc_tokens: AtMost,
    sent: Held,
}

/// A write for a connection that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this connection is over, its keys are another's now")]
pub struct Over;

impl SessionBackend {
    /// On this store: goes on with the session that lies there, if any.
    pub fn new(store: Store) -> SessionBackend {
        SessionBackend {
            store,
            over: Arc::default(),
            counts: Arc::default(),
            tokens: Arc::default(),
            gathered: Arc::default(),
            unstored: Arc::default(),
            #[cfg(test)]
            loses_saves: Arc::default(),
        }
    }

    /// For the next connection. From then on this one and its clones write nothing.
    #[must_use]
    pub fn next(&self) -> SessionBackend {
        self.over.store(true, Ordering::Release);
        // What lies there may be another session's: it is counted anew.
        let (over, counts, gathered) = (Arc::default(), Arc::default(), Arc::default());
        SessionBackend { over, counts, gathered, ..self.clone() }
    }

    /// The tokens that contacts give.
    pub(crate) fn contact_tokens(&self) -> Arc<ContactTokens> {
        Arc::clone(&self.tokens)
    }

    /// Whether a paired device is stored.
    pub fn has_account(&self) -> std::result::Result<bool, StoreError> {
        Ok(self.device()?.is_some_and(|device| device.is_registered()))
    }

    /// Removes the whole session in one atomic change, and nothing else. From then on
    /// this backend and its clones write nothing.
    pub async fn forget(&self) -> std::result::Result<(), CommitError> {
        self.over.store(true, Ordering::Release);
        let mut batch = Batch::new();
        batch.remove_all(PREFIX);
        self.store.commit(batch).await
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.store.get(key).map_err(read_error)
    }

    fn read_json<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>> {
        self.read(key)?.map(|bytes| from_json(&bytes).map_err(read_error)).transpose()
    }

    /// All records under a prefix: what follows the prefix in the key, and the value.
    fn list(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut found = Vec::new();
        for record in self.store.scan(prefix) {
            let (key, value) = record.map_err(read_error)?;
            found.push((key[prefix.len()..].to_vec(), value));
        }
        Ok(found)
    }

    fn any(&self, prefix: &[u8]) -> Result<bool> {
        Ok(self.store.scan(prefix).next().transpose().map_err(read_error)?.is_some())
    }

    async fn write(&self, batch: Batch) -> Result<()> {
        self.change(move |_| Ok((batch, ()))).await
    }

    async fn put(&self, key: Vec<u8>, value: impl Into<Vec<u8>>) -> Result<()> {
        let mut batch = Batch::new();
        batch.put(key, value);
        self.write(batch).await
    }

    async fn remove(&self, key: Vec<u8>) -> Result<()> {
        let mut batch = Batch::new();
        batch.remove(key);
        self.write(batch).await
    }

    /// Reads, decides and writes as one step.
    async fn change<T, F>(&self, change: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&View<'_>) -> std::result::Result<(Batch, T), ReadError> + Send + 'static,
    {
        let over = Arc::clone(&self.over);
        let update = self.store.update(move |view| {
            // Looked at where all writes are ordered.
            if over.load(Ordering::Acquire) {
                return Ok((Batch::new(), None));
            }
            change(view).map(|(batch, value)| (batch, Some(value)))
        });
        match update.await {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(StoreError::Database(Box::new(Over))),
            Err(UpdateError::Read(error)) => Err(read_error(error)),
            Err(UpdateError::Commit(error)) => Err(StoreError::Database(Box::new(error))),
        }
    }
}

impl fmt::Debug for SessionBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionBackend")
    }
}

fn read_error(error: ReadError) -> StoreError {
    StoreError::Database(Box::new(error))
}

fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| StoreError::Serialization(Box::new(error)))
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> std::result::Result<T, ReadError> {
    serde_json::from_slice(bytes).map_err(|_| ReadError::Damaged)
}

/// A key of one part, or of a part that is only compared whole.
fn key(area: &str, part: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(PREFIX.len() + area.len() + 1 + part.len());
    key.extend_from_slice(PREFIX);
    key.extend_from_slice(area.as_bytes());
    key.push(b'/');
    key.extend_from_slice(part);
    key
}

/// The beginning of keys of several parts: those given, each with its length.
fn group_key(area: &str, parts: &[&str]) -> Vec<u8> {
    let mut key = key(area, &[]);
    for part in parts {
        push_part(&mut key, part);
    }
    key
}

fn push_part(key: &mut Vec<u8>, part: &str) {
    // A part too long for its length is too long for the store, which refuses it.
    let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
    key.extend_from_slice(&length.to_be_bytes());
    key.extend_from_slice(part.as_bytes());
}

/// A text that was a key, or the last part of one.
fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| StoreError::Serialization(Box::new(error)))
}

/// A count as the library wants it.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
