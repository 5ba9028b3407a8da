//! Trusted contact tokens, which two of the library's tasks write at once: the one
//! that receives them, and the one that has issued ours. Bounded: those that were touched
//! longest ago give way.
//!
//! The library keys a token by the contact's LID where it knows that, else by the number;
//! out of history it stores the tokens before it learns the LIDs. So what is asked for by a
//! LID may lie under its number.
//!
//! A history brings thousands, one after another: while one is wanted they are gathered, and
//! written together. One that a notification brings is on disk when this answers: the library
//! acknowledges it next, and it does not come again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use whatsapp_rust::wacore::store::traits::{LidPnMappingEntry, TcTokenEntry};

use super::bounded::Bounded;
use super::contact_tokens::TokenOf;
use super::protocol::LID;
use super::{Result, SessionBackend, count, from_json, key, text, to_json};
use crate::store::{Batch, ReadError, View};

const TC_TOKEN: &str = "tc_token";

/// Most contacts whose tokens are kept: as many as chats are known.
pub(super) const TOKENS_MAX: usize = 20_000;

/// Most contacts whose tokens wait to be written together, and how long they wait at most.
pub(super) const GATHERED_MAX: usize = 500;
pub(super) const GATHERED_TIME_MAX: Duration = Duration::from_secs(1);

const TOKENS: Bounded = Bounded {
    area: TC_TOKEN,
    max: TOKENS_MAX,
    learnt: |value| {
        from_json(value).map_or(0, |entry: TcTokenEntry| {
            entry.token_timestamp.max(entry.sender_timestamp.unwrap_or(0))
        })
    },
};

type Read<T> = std::result::Result<T, ReadError>;

/// By contact, under the library's key.
pub(super) type Changes = BTreeMap<String, Change>;

/// What becomes of a contact's entry.
#[derive(Clone, Default)]
pub(super) struct Change {
    /// Theirs and since when it counts: it replaces an older one, and leaves ours alone.
    received: Option<(Vec<u8>, i64)>,
    /// When ours was issued: only ever later, and never at the cost of theirs.
    issued: Option<i64>,
}

impl Change {
    fn received(token: &[u8], since: i64) -> Change {
        Change { received: Some((token.to_vec(), since)), issued: None }
    }

    /// Adds what comes after it.
    fn add(&mut self, next: Change) {
        self.issued = self.issued.max(next.issued);
        if let Some((token, since)) = next.received {
            let newer = self.received.take().filter(|before| is_stale(&before.0, before.1, since));
            self.received = newer.or(Some((token, since)));
        }
    }

    fn apply(self, before: Option<TcTokenEntry>) -> Option<TcTokenEntry> {
        let mut entry = before;
        if let Some((token, token_timestamp)) = self.received {
            let before = entry.as_ref();
            if !before.is_some_and(|b| is_stale(&b.token, b.token_timestamp, token_timestamp)) {
                let sender_timestamp = before.and_then(|before| before.sender_timestamp);
                entry = Some(TcTokenEntry { token, token_timestamp, sender_timestamp });
            }
        }
        if let Some(issued) = self.issued {
            let entry = entry.get_or_insert_with(|| TcTokenEntry {
                token: Vec::new(),
                token_timestamp: issued,
                sender_timestamp: None,
            });
            entry.sender_timestamp = entry.sender_timestamp.max(Some(issued));
        }
        entry
    }
}

/// Whether a token that counts since then is older than the one that is there.
fn is_stale(token: &[u8], token_timestamp: i64, since: i64) -> bool {
    !token.is_empty() && since < token_timestamp
}

/// The number behind a LID.
fn number_of(view: &View<'_>, user: &str) -> Read<Option<String>> {
    let mapping = view.get(&key(LID, user.as_bytes()))?;
    let mapping = mapping.map(|bytes| from_json::<LidPnMappingEntry>(&bytes)).transpose()?;
    Ok(mapping.map(|mapping| mapping.phone_number.to_string()))
}

fn stored(view: &View<'_>, user: &str, number: Option<&str>) -> Read<Option<TcTokenEntry>> {
    for user in [Some(user), number].into_iter().flatten() {
        if let Some(bytes) = view.get(&key(TC_TOKEN, user.as_bytes()))? {
            return from_json(&bytes).map(Some);
        }
    }
    Ok(None)
}

impl SessionBackend {
    pub(super) async fn tc_token(&self, user: &str) -> Result<Option<TcTokenEntry>> {
        self.flush_tokens().await?;
        if let Some(entry) = self.read_json(&key(TC_TOKEN, user.as_bytes()))? {
            return Ok(Some(entry));
        }
        let mapping: Option<LidPnMappingEntry> = self.read_json(&key(LID, user.as_bytes()))?;
        mapping.map_or(Ok(None), |mapping| {
            self.read_json(&key(TC_TOKEN, mapping.phone_number.as_bytes()))
        })
    }

    pub(super) async fn replace_tc_token(&self, user: &str, entry: &TcTokenEntry) -> Result<()> {
        self.flush_tokens().await?;
        let record = (key(TC_TOKEN, user.as_bytes()), to_json(entry)?);
        self.put_bounded(TOKENS, |counts| &counts.tc_tokens, vec![record]).await
    }

    pub(super) async fn remove_tc_token(&self, user: &str) -> Result<()> {
        self.flush_tokens().await?;
        self.remove(key(TC_TOKEN, user.as_bytes())).await
    }

    pub(super) async fn tc_token_jids(&self) -> Result<Vec<String>> {
        self.flush_tokens().await?;
        self.list(&key(TC_TOKEN, &[]))?.into_iter().map(|(jid, _)| text(jid)).collect()
    }

    pub(super) async fn touch_tc_token(&self, user: &str, issued: i64) -> Result<()> {
        let change = Change { received: None, issued: Some(issued) };
        // A history says it right after their token.
        if let Some(gathered) = self.gathered.lock().await.get_mut(user) {
            gathered.add(change);
            return Ok(());
        }
        self.change_tc_tokens(Changes::from([(user.to_owned(), change)])).await
    }

    pub(super) async fn receive_tc_token(
        &self,
        user: &str,
        token: &[u8],
        token_timestamp: i64,
    ) -> Result<()> {
        let change = Change::received(token, token_timestamp);
        if !self.tokens.take_notified(token) && self.wants_history()? {
            return self.gather(user, change).await;
        }
        self.change_tc_tokens(Changes::from([(user.to_owned(), change)])).await
    }

    async fn gather(&self, user: &str, change: Change) -> Result<()> {
        self.tokens.count_of_history();
        let mut gathered = self.gathered.lock().await;
        if gathered.is_empty() {
            self.flush_later();
        }
        gathered.entry(user.to_owned()).or_default().add(change);
        if gathered.len() >= GATHERED_MAX {
            self.write_gathered(&mut gathered).await?;
        }
        Ok(())
    }

    fn flush_later(&self) {
        let backend = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(GATHERED_TIME_MAX).await;
            if let Err(error) = backend.flush_tokens().await {
                tracing::warn!(%error, "privacy tokens out of the history are not stored");
            }
        });
    }

    /// Writes what was gathered.
    pub(crate) async fn flush_tokens(&self) -> Result<()> {
        let mut gathered = self.gathered.lock().await;
        self.write_gathered(&mut gathered).await
    }

    async fn write_gathered(&self, gathered: &mut Changes) -> Result<()> {
        if gathered.is_empty() {
            return Ok(());
        }
        let written = self.change_tc_tokens(gathered.clone()).await;
        // Also what could not be written: there is no end to it otherwise.
        gathered.clear();
        written
    }

    async fn change_tc_tokens(&self, changes: Changes) -> Result<()> {
        let counts = Arc::clone(&self.counts);
        let given = self.change(move |view| {
            let mut batch = Batch::new();
            for record in TOKENS.make_room(view, &counts.tc_tokens, changes.len())? {
                batch.remove(record);
            }
            let mut given = Vec::new();
            for (user, change) in changes {
                let number = number_of(view, &user)?;
                let since = change.received.as_ref().map(|(_, since)| *since);
                if let Some(entry) = change.apply(stored(view, &user, number.as_deref())?) {
                    let value = to_json(&entry).map_err(|_| ReadError::Damaged)?;
                    batch.put(key(TC_TOKEN, user.as_bytes()), value);
                }
                given.extend(since.map(|since| TokenOf { user, number, since }));
            }
            Ok((batch, given))
        });
        self.tokens.push(given.await?);
        Ok(())
    }

    /// Removes those of which neither side is live any more.
    pub(super) async fn expire_tc_tokens(&self, token_cutoff: i64, sender: i64) -> Result<u32> {
        self.flush_tokens().await?;
        self.change(move |view| {
            let mut batch = Batch::new();
            let mut removed = 0;
            for record in view.scan(&key(TC_TOKEN, &[])) {
                let (record, value) = record?;
                let entry: TcTokenEntry = from_json(&value)?;
                let theirs = !entry.token.is_empty() && entry.token_timestamp >= token_cutoff;
                let ours = entry.sender_timestamp.is_some_and(|issued| issued >= sender);
                if !theirs && !ours {
                    batch.remove(record);
                    removed += 1;
                }
            }
            Ok((batch, count(removed)))
        })
        .await
    }
}
