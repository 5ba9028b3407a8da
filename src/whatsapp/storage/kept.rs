//! The keys of the account that was linked before, while another pairing runs: they lie under
//! [`KEPT`] and come back unless that pairing has keys of its own. Each step is one atomic
//! change, so that a crash leaves one whole set of keys in its place.

use super::{PREFIX, SessionBackend};
use crate::store::{Batch, ReadError, UpdateError, View};

/// What the keys of a kept session begin with. Below [`PREFIX`]: they are as secret, and are
/// forgotten with the session. No area has this name.
const KEPT: &[u8] = b"session/~kept/";

/// A record's key and value.
type Record = (Vec<u8>, Vec<u8>);

/// Why keys could not be put away or brought back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeptError {
    /// Whether a device is paired cannot be read.
    #[error(transparent)]
    Device(#[from] whatsapp_rust::wacore::store::error::StoreError),
    /// The records cannot be read or written.
    #[error(transparent)]
    Update(#[from] UpdateError),
}

impl SessionBackend {
    /// Puts the session away. What was put away before stays: it is whole, and this may be
    /// what a failed pairing left.
    pub(crate) async fn keep(&self) -> Result<(), KeptError> {
        self.store
            .update(|view| {
                let mut batch = Batch::new();
                let kept = view.scan(KEPT).next().is_some();
                for (key, value) in session(view)? {
                    if !kept {
                        batch.put([KEPT, &key[PREFIX.len()..]].concat(), value);
                    }
                    batch.remove(key);
                }
                Ok((batch, ()))
            })
            .await?;
        Ok(())
    }

    /// Brings back what was put away, unless a device has been paired since; then it goes.
    pub(crate) async fn settle(&self) -> Result<(), KeptError> {
        let paired = self.has_account()?;
        self.store
            .update(move |view| {
                let mut batch = Batch::new();
                let kept = view.scan(KEPT).collect::<Result<Vec<_>, _>>()?;
                if kept.is_empty() {
                    return Ok((batch, ()));
                }
                if paired {
                    batch.remove_all(KEPT);
                    return Ok((batch, ()));
                }
                batch.remove_all(PREFIX);
                for (key, value) in kept {
                    batch.put([PREFIX, &key[KEPT.len()..]].concat(), value);
                }
                Ok((batch, ()))
            })
            .await?;
        Ok(())
    }
}

/// The records of the session, without those that were put away.
fn session(view: &View<'_>) -> Result<Vec<Record>, ReadError> {
    let kept = |record: &Result<Record, ReadError>| {
        record.as_ref().is_ok_and(|(key, _)| key.starts_with(KEPT))
    };
    view.scan(PREFIX).filter(|record| !kept(record)).collect()
}
