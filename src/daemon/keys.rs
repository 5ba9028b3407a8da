//! The account's keys on our store, as the session asks for them.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use whatsapp_rust::traits::{Backend, DeviceStore as _};
use whatsapp_rust::wacore::store::error::StoreError;

use crate::core::io::Facts;
use crate::store::Store;
use crate::whatsapp::storage::SessionBackend;
use crate::whatsapp::{KeyStore, KeyStoreError};

/// The stored session does not read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct KeysError(#[from] StoreError);

/// Gives each connection the stored session.
pub(crate) struct StoredKeys {
    store: Store,
    /// A forgotten backend writes no more: what forgets takes a new one.
    current: Mutex<SessionBackend>,
}

impl StoredKeys {
    pub(crate) fn new(store: Store) -> StoredKeys {
        let current = Mutex::new(SessionBackend::new(store.clone()));
        StoredKeys { store, current }
    }

    fn current(&self) -> SessionBackend {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The pairing is written by the library, the account's name by the core, in two
    /// changes: a crash between them leaves one without the other. The keys decide.
    pub(crate) async fn reconcile(&self, facts: &mut Facts) -> Result<(), KeysError> {
        let backend = self.current();
        let stored = match backend.load().await? {
            Some(device) => device.pn.as_ref().map(|jid| jid.to_non_ad().to_string()),
            None => None,
        };
        if stored.is_none() && facts.account.is_some() {
            tracing::warn!("the account's keys are not in the store: it has to be paired again");
        }
        facts.account = stored;
        Ok(())
    }
}

#[async_trait]
impl KeyStore for StoredKeys {
    fn backend(&self) -> Arc<dyn Backend> {
        Arc::new(self.current())
    }

    async fn forget(&self) -> Result<(), KeyStoreError> {
        let old = self.current();
        let forgotten = old.forget().await;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) =
            SessionBackend::new(self.store.clone());
        forgotten.map_err(|error| KeyStoreError(Box::new(error)))
    }
}
