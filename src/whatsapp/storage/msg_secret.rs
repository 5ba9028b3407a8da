//! `MsgSecretStore`: secrets of sent and received messages, with which replies that
//! refer to them (votes, reactions, edits) are read.

use async_trait::async_trait;
use whatsapp_rust::wacore::store::traits::{
    MsgSecretEntry, MsgSecretStore, merge_msg_secret_expiry, merge_msg_secret_message_ts,
};

use super::bounded::Bounded;
use super::expiring_records::{Due, ExpiringRecords};
use super::{Result, SessionBackend, count, group_key, read_error};
use crate::store::{Batch, ReadError};

/// Timed by when they expire; 0: never.
const SECRETS: ExpiringRecords = ExpiringRecords { area: "msg_secret", times: "msg_secret_at" };
const NEVER: i64 = 0;

/// Most secrets; those of the oldest messages give way. What refers to such a message is then
/// not read: a vote, a reaction or an edit.
pub(super) const SECRETS_MAX: usize = 20_000;
const ALL_SECRETS: Bounded = Bounded {
    area: SECRETS.area,
    max: SECRETS_MAX,
    learnt: |value| {
        let payload = ExpiringRecords::split(value).map(|(_, payload)| payload);
        payload.and_then(|payload| split(payload).ok()).map_or(0, |(message_ts, _)| message_ts)
    },
};

/// The parent message's time, eight bytes, then the secret.
const MESSAGE_TIME_BYTES: usize = 8;

fn record(chat: &str, sender: &str, msg_id: &str) -> Vec<u8> {
    group_key(SECRETS.area, &[chat, sender, msg_id])
}

fn split(payload: &[u8]) -> std::result::Result<(i64, &[u8]), ReadError> {
    let (time, secret) =
        payload.split_first_chunk::<MESSAGE_TIME_BYTES>().ok_or(ReadError::Damaged)?;
    Ok((i64::from_be_bytes(*time), secret))
}

#[async_trait]
impl MsgSecretStore for SessionBackend {
    async fn put_msg_secrets(&self, entries: Vec<MsgSecretEntry>) -> Result<usize> {
        let stored = entries.len();
        // One batch sees only what was there before it: the same message twice in it
        // is merged here first.
        let mut merged = std::collections::BTreeMap::<Vec<u8>, MsgSecretEntry>::new();
        for mut entry in entries {
            let record = record(&entry.chat, &entry.sender, &entry.msg_id);
            if let Some(old) = merged.get(&record) {
                entry.expires_at = merge_msg_secret_expiry(old.expires_at, entry.expires_at);
                entry.message_ts = merge_msg_secret_message_ts(old.message_ts, entry.message_ts);
            }
            merged.insert(record, entry);
        }
        let counts = std::sync::Arc::clone(&self.counts);
        self.change(move |view| {
            let mut batch = Batch::new();
            for record in ALL_SECRETS.make_room(view, &counts.msg_secrets, merged.len())? {
                SECRETS.take(view, &mut batch, record)?;
            }
            for (record, mut entry) in merged {
                if let Some((expires_at, payload)) = SECRETS.get(view, &record)? {
                    let (message_ts, _) = split(&payload)?;
                    entry.expires_at = merge_msg_secret_expiry(expires_at, entry.expires_at);
                    entry.message_ts = merge_msg_secret_message_ts(message_ts, entry.message_ts);
                }
                let mut payload = entry.message_ts.to_be_bytes().to_vec();
                payload.extend_from_slice(&entry.secret);
                SECRETS.put(view, &mut batch, record, entry.expires_at, &payload)?;
            }
            Ok((batch, stored))
        })
        .await
    }

    async fn get_msg_secret(
        &self,
        chat: &str,
        sender: &str,
        msg_id: &str,
    ) -> Result<Option<Vec<u8>>> {
        Ok(self.get_msg_secret_with_ts(chat, sender, msg_id).await?.map(|(secret, _)| secret))
    }

    async fn get_msg_secret_with_ts(
        &self,
        chat: &str,
        sender: &str,
        msg_id: &str,
    ) -> Result<Option<(Vec<u8>, i64)>> {
        let Some(value) = self.read(&record(chat, sender, msg_id))? else { return Ok(None) };
        let (_, payload) =
            ExpiringRecords::split(&value).ok_or_else(|| read_error(ReadError::Damaged))?;
        let (message_ts, secret) = split(payload).map_err(read_error)?;
        Ok(Some((secret.to_vec(), message_ts)))
    }

    async fn delete_expired_msg_secrets(&self, cutoff_timestamp: i64) -> Result<u32> {
        self.change(move |view| {
            let mut batch = Batch::new();
            let removed = SECRETS.expire(view, &mut batch, |time| match time {
                NEVER => Due::NotThis,
                _ => Due::before(time, cutoff_timestamp.saturating_add(1)),
            })?;
            Ok((batch, count(removed)))
        })
        .await
    }
}
