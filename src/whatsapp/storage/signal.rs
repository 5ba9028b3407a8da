//! `SignalStore`: identities, sessions, one-time and signed prekeys, sender keys.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use whatsapp_rust::wacore::store::error::StoreError;
use whatsapp_rust::wacore::store::traits::SignalStore;

use super::{Result, SessionBackend, key};
use crate::store::Batch;

const IDENTITY: &str = "identity";
const SESSION: &str = "signal";
const PREKEY: &str = "prekey";
const SIGNED_PREKEY: &str = "signed_prekey";
const SENDER_KEY: &str = "sender_key";

/// First byte of a prekey's value: whether the server has it.
const NOT_UPLOADED: u8 = 0;
const UPLOADED: u8 = 1;

fn prekey(record: &[u8], uploaded: bool) -> Vec<u8> {
    let mut value = Vec::with_capacity(1 + record.len());
    value.push(if uploaded { UPLOADED } else { NOT_UPLOADED });
    value.extend_from_slice(record);
    value
}

fn id(bytes: &[u8]) -> Result<u32> {
    let four = bytes.try_into().map_err(|error| StoreError::Serialization(Box::new(error)))?;
    Ok(u32::from_be_bytes(four))
}

#[async_trait]
impl SignalStore for SessionBackend {
    async fn put_identity(&self, address: &str, identity: [u8; 32]) -> Result<()> {
        self.put(key(IDENTITY, address.as_bytes()), identity).await
    }

    async fn put_identities_batch(&self, identities: &[(Arc<str>, [u8; 32])]) -> Result<()> {
        let mut batch = Batch::new();
        for (address, identity) in identities {
            batch.put(key(IDENTITY, address.as_bytes()), *identity);
        }
        self.write(batch).await
    }

    async fn load_identity(&self, address: &str) -> Result<Option<[u8; 32]>> {
        let Some(bytes) = self.read(&key(IDENTITY, address.as_bytes()))? else { return Ok(None) };
        let identity = bytes
            .as_slice()
            .try_into()
            .map_err(|error| StoreError::Serialization(Box::new(error)))?;
        Ok(Some(identity))
    }

    async fn delete_identity(&self, address: &str) -> Result<()> {
        self.remove(key(IDENTITY, address.as_bytes())).await
    }

    async fn get_session(&self, address: &str) -> Result<Option<Bytes>> {
        Ok(self.read(&key(SESSION, address.as_bytes()))?.map(Bytes::from))
    }

    async fn put_session(&self, address: &str, session: &[u8]) -> Result<()> {
        self.put(key(SESSION, address.as_bytes()), session).await
    }

    async fn put_sessions_batch(&self, sessions: &[(Arc<str>, Bytes)]) -> Result<()> {
        let mut batch = Batch::new();
        for (address, session) in sessions {
            batch.put(key(SESSION, address.as_bytes()), session.as_ref());
        }
        self.write(batch).await
    }

    async fn delete_session(&self, address: &str) -> Result<()> {
        self.remove(key(SESSION, address.as_bytes())).await
    }

    async fn has_session(&self, address: &str) -> Result<bool> {
        Ok(self.read(&key(SESSION, address.as_bytes()))?.is_some())
    }

    async fn has_signal_state_for_user(&self, user: &str) -> Result<bool> {
        for area in [SESSION, IDENTITY] {
            for device in ["@", ":"] {
                if self.any(&key(area, format!("{user}{device}").as_bytes()))? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn store_prekey(&self, id: u32, record: &[u8], uploaded: bool) -> Result<()> {
        self.put(key(PREKEY, &id.to_be_bytes()), prekey(record, uploaded)).await
    }

    async fn store_prekeys_batch(&self, keys: &[(u32, Bytes)], uploaded: bool) -> Result<()> {
        let mut batch = Batch::new();
        for (id, record) in keys {
            batch.put(key(PREKEY, &id.to_be_bytes()), prekey(record, uploaded));
        }
        self.write(batch).await
    }

    async fn load_prekey(&self, id: u32) -> Result<Option<Bytes>> {
        let Some(value) = self.read(&key(PREKEY, &id.to_be_bytes()))? else { return Ok(None) };
        Ok(value.get(1..).map(Bytes::copy_from_slice))
    }

    async fn load_prekeys_batch(&self, ids: &[u32]) -> Result<Vec<(u32, Bytes)>> {
        let mut found = Vec::with_capacity(ids.len());
        for &id in ids {
            if let Some(record) = self.load_prekey(id).await? {
                found.push((id, record));
            }
        }
        Ok(found)
    }

    async fn mark_prekeys_uploaded(&self, ids: &[u32]) -> Result<()> {
        let ids = ids.to_vec();
        self.change(move |view| {
            let mut batch = Batch::new();
            for id in ids {
                let key = key(PREKEY, &id.to_be_bytes());
                // One that was used up in the meantime stays gone.
                if let Some(mut value) = view.get(&key)?
                    && let Some(flag) = value.first_mut()
                {
                    *flag = UPLOADED;
                    batch.put(key, value);
                }
            }
            Ok((batch, ()))
        })
        .await
    }

    async fn remove_prekey(&self, id: u32) -> Result<()> {
        self.remove(key(PREKEY, &id.to_be_bytes())).await
    }

    async fn get_max_prekey_id(&self) -> Result<u32> {
        // In the order of the ids.
        self.list(&key(PREKEY, &[]))?.last().map_or(Ok(0), |(bytes, _)| id(bytes))
    }

    async fn store_signed_prekey(&self, id: u32, record: &[u8]) -> Result<()> {
        self.put(key(SIGNED_PREKEY, &id.to_be_bytes()), record).await
    }

    async fn load_signed_prekey(&self, id: u32) -> Result<Option<Vec<u8>>> {
        self.read(&key(SIGNED_PREKEY, &id.to_be_bytes()))
    }

    async fn load_all_signed_prekeys(&self) -> Result<Vec<(u32, Vec<u8>)>> {
        let found = self.list(&key(SIGNED_PREKEY, &[]))?;
        found.into_iter().map(|(bytes, record)| Ok((id(&bytes)?, record))).collect()
    }

    async fn remove_signed_prekey(&self, id: u32) -> Result<()> {
        self.remove(key(SIGNED_PREKEY, &id.to_be_bytes())).await
    }

    async fn put_sender_key(&self, address: &str, record: &[u8]) -> Result<()> {
        self.put(key(SENDER_KEY, address.as_bytes()), record).await
    }

    async fn put_sender_keys_batch(&self, sender_keys: &[(Arc<str>, Bytes)]) -> Result<()> {
        let mut batch = Batch::new();
        for (address, record) in sender_keys {
            batch.put(key(SENDER_KEY, address.as_bytes()), record.as_ref());
        }
        self.write(batch).await
    }

    async fn get_sender_key(&self, address: &str) -> Result<Option<Vec<u8>>> {
        self.read(&key(SENDER_KEY, address.as_bytes()))
    }

    async fn delete_sender_key(&self, address: &str) -> Result<()> {
        self.remove(key(SENDER_KEY, address.as_bytes())).await
    }
}
