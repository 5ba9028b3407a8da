//! The account's keys in the daemon's store.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use whatsapp_rust::traits::{Backend, DeviceStore as _};
use whatsapp_rust::wacore::store::Device;
use whatsapp_rust::wacore::store::cache::CacheStore;
use whatsapp_rust::wacore::store::error::StoreError;

use crate::store::Store;
use crate::whatsapp::events::names::account_names;
use crate::whatsapp::storage::{AskedAgain, ContactTokens, LidCache, SessionBackend};
use crate::whatsapp::{KeyStore, KeyStoreError};
use tetherd_core::account_names::AccountNames;

/// A [`KeyStore`] on the daemon's store.
#[derive(Debug)]
pub struct StoredKeys {
    store: Store,
    current: Mutex<SessionBackend>,
}

impl StoredKeys {
    /// The account whose keys lie there.
    pub async fn account(&self) -> Result<Option<AccountNames>, KeyStoreError> {
        let device = self.current().load().await.map_err(failed)?;
        Ok(device.and_then(|device| Some(account_names(device.pn.as_ref()?, device.lid.as_ref()))))
    }

    /// Goes on with the account whose keys lie there, if any.
    pub fn new(store: Store) -> StoredKeys {
        let current = Mutex::new(SessionBackend::new(store.clone()));
        StoredKeys { store, current }
    }

    /// What the library saves of a paired device is lost from now on, as if each time its
    /// task had ended in the middle of it.
    #[cfg(all(test, feature = "sim"))]
    pub(super) fn lose_the_librarys_saves(&self) {
        self.current().loses_saves.store(true, std::sync::atomic::Ordering::Release);
    }

    /// For other keys, of which nothing is counted yet. The backend before writes no more.
    fn renew(&self) -> SessionBackend {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let before = current.next();
        *current = SessionBackend::new(self.store.clone());
        before
    }

    fn current(&self) -> SessionBackend {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl KeyStore for StoredKeys {
    fn backend(&self) -> Arc<dyn Backend> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = current.next();
        Arc::new(current.clone())
    }

    fn lid_cache(&self) -> Option<Arc<dyn CacheStore>> {
        Some(Arc::new(LidCache(self.current())))
    }

    fn asked_again(&self) -> Option<AskedAgain> {
        Some(AskedAgain(self.current()))
    }

    async fn save(&self, device: &Device) -> Result<(), KeyStoreError> {
        let keys = self.current();
        let flushed = keys.flush_tokens().await;
        keys.put_device(device).await.and(flushed).map_err(failed)
    }

    fn is_good(&self) -> bool {
        self.store.failed().borrow().is_none()
    }

    fn contact_tokens(&self) -> Arc<ContactTokens> {
        self.current().contact_tokens()
    }

    async fn want_history(&self) -> Result<(), KeyStoreError> {
        self.current().want_history().await.map_err(failed)
    }

    async fn end_history(&self) -> Result<(), KeyStoreError> {
        self.current().end_history().await.map_err(failed)
    }

    fn wants_history(&self) -> Result<bool, KeyStoreError> {
        self.current().wants_history().map_err(failed)
    }

    async fn keep(&self) -> Result<(), KeyStoreError> {
        let kept = self.renew().keep().await;
        kept.map_err(|error| KeyStoreError(Box::new(error)))
    }

    async fn settle(&self) -> Result<(), KeyStoreError> {
        let settled = self.renew().settle().await;
        settled.map_err(|error| KeyStoreError(Box::new(error)))
    }

    async fn forget(&self) -> Result<(), KeyStoreError> {
        let forgotten = self.renew().forget().await;
        forgotten.map_err(|error| KeyStoreError(Box::new(error)))
    }
}

fn failed(error: StoreError) -> KeyStoreError {
    KeyStoreError(Box::new(error))
}
