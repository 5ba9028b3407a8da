//! `AppSyncStore`: the keys, versions and MACs of the account's synced settings.

use std::collections::HashMap;

use async_trait::async_trait;
use whatsapp_rust::wacore::appstate::hash::HashState;
use whatsapp_rust::wacore::appstate::processor::AppStateMutationMAC;
use whatsapp_rust::wacore::store::traits::{AppStateSyncKey, AppSyncStore};

use super::{Result, SessionBackend, group_key, key, to_json};
use crate::store::Batch;

const SYNC_KEY: &str = "sync_key";
const LATEST_SYNC_KEY: &str = "latest_sync_key";
const VERSION: &str = "sync_version";
const MAC: &str = "sync_mac";

fn mac_key(name: &str, index_mac: &[u8]) -> Vec<u8> {
    let mut key = group_key(MAC, &[name]);
    key.extend_from_slice(index_mac);
    key
}

#[async_trait]
impl AppSyncStore for SessionBackend {
    async fn get_sync_key(&self, key_id: &[u8]) -> Result<Option<AppStateSyncKey>> {
        self.read_json(&key(SYNC_KEY, key_id))
    }

    async fn set_sync_key(&self, key_id: &[u8], sync_key: AppStateSyncKey) -> Result<()> {
        let mut batch = Batch::new();
        batch.put(key(SYNC_KEY, key_id), to_json(&sync_key)?);
        batch.put(key(LATEST_SYNC_KEY, &[]), key_id);
        self.write(batch).await
    }

    async fn get_version(&self, name: &str) -> Result<HashState> {
        Ok(self.read_json(&key(VERSION, name.as_bytes()))?.unwrap_or_default())
    }

    async fn set_version(&self, name: &str, state: HashState) -> Result<()> {
        self.put(key(VERSION, name.as_bytes()), to_json(&state)?).await
    }

    async fn put_mutation_macs(
        &self,
        name: &str,
        _version: u64,
        mutations: &[AppStateMutationMAC],
    ) -> Result<()> {
        let mut batch = Batch::new();
        for mutation in mutations {
            batch.put(mac_key(name, &mutation.index_mac), mutation.value_mac.as_slice());
        }
        self.write(batch).await
    }

    async fn get_mutation_mac(&self, name: &str, index_mac: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read(&mac_key(name, index_mac))
    }

    async fn get_mutation_macs(
        &self,
        name: &str,
        index_macs: &[[u8; 32]],
    ) -> Result<HashMap<[u8; 32], Vec<u8>>> {
        let mut found = HashMap::with_capacity(index_macs.len());
        for index_mac in index_macs {
            if let Some(value_mac) = self.read(&mac_key(name, index_mac))? {
                found.insert(*index_mac, value_mac);
            }
        }
        Ok(found)
    }

    async fn delete_mutation_macs(&self, name: &str, index_macs: &[Vec<u8>]) -> Result<()> {
        let mut batch = Batch::new();
        for index_mac in index_macs {
            batch.remove(mac_key(name, index_mac));
        }
        self.write(batch).await
    }

    async fn clear_mutation_macs(&self, name: &str) -> Result<()> {
        let mut batch = Batch::new();
        batch.remove_all(group_key(MAC, &[name]));
        self.write(batch).await
    }

    async fn get_latest_sync_key_id(&self) -> Result<Option<Vec<u8>>> {
        self.read(&key(LATEST_SYNC_KEY, &[]))
    }
}
