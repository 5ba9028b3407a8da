//! Trusted contact tokens, which two of the library's tasks write at once: the one
//! that receives them, and the one that has issued ours.

use whatsapp_rust::wacore::store::traits::TcTokenEntry;

use super::{Result, SessionBackend, count, from_json, key, text, to_json};
use crate::store::{Batch, ReadError, View};

const TC_TOKEN: &str = "tc_token";

fn stored(view: &View<'_>, record: &[u8]) -> std::result::Result<Option<TcTokenEntry>, ReadError> {
    view.get(record)?.map(|bytes| from_json(&bytes)).transpose()
}

fn put(entry: &TcTokenEntry, record: Vec<u8>) -> std::result::Result<(Batch, ()), ReadError> {
    let mut batch = Batch::new();
    batch.put(record, to_json(entry).map_err(|_| ReadError::Damaged)?);
    Ok((batch, ()))
}

impl SessionBackend {
    pub(super) fn tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>> {
        self.read_json(&key(TC_TOKEN, jid.as_bytes()))
    }

    pub(super) async fn replace_tc_token(&self, jid: &str, entry: &TcTokenEntry) -> Result<()> {
        self.put(key(TC_TOKEN, jid.as_bytes()), to_json(entry)?).await
    }

    pub(super) async fn remove_tc_token(&self, jid: &str) -> Result<()> {
        self.remove(key(TC_TOKEN, jid.as_bytes())).await
    }

    pub(super) fn tc_token_jids(&self) -> Result<Vec<String>> {
        self.list(&key(TC_TOKEN, &[]))?.into_iter().map(|(jid, _)| text(jid)).collect()
    }

    /// Ours was issued: only ever later, and never at the cost of theirs.
    pub(super) async fn touch_tc_token(&self, jid: &str, issued: i64) -> Result<()> {
        let record = key(TC_TOKEN, jid.as_bytes());
        self.change(move |view| {
            let entry = match stored(view, &record)? {
                Some(mut entry) => {
                    entry.sender_timestamp =
                        Some(entry.sender_timestamp.map_or(issued, |before| before.max(issued)));
                    entry
                }
                None => TcTokenEntry {
                    token: Vec::new(),
                    token_timestamp: issued,
                    sender_timestamp: Some(issued),
                },
            };
            put(&entry, record)
        })
        .await
    }

    /// Theirs arrived: it replaces an older one, and leaves ours alone.
    pub(super) async fn receive_tc_token(
        &self,
        jid: &str,
        token: &[u8],
        token_timestamp: i64,
    ) -> Result<()> {
        let record = key(TC_TOKEN, jid.as_bytes());
        let token = token.to_vec();
        self.change(move |view| {
            let before = stored(view, &record)?;
            let is_stale = before.as_ref().is_some_and(|before| {
                !before.token.is_empty() && token_timestamp < before.token_timestamp
            });
            if is_stale {
                return Ok((Batch::new(), ()));
            }
            let sender_timestamp = before.and_then(|before| before.sender_timestamp);
            put(&TcTokenEntry { token, token_timestamp, sender_timestamp }, record)
        })
        .await
    }

    /// Removes those of which neither side is live any more.
    pub(super) async fn expire_tc_tokens(&self, token_cutoff: i64, sender: i64) -> Result<u32> {
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
