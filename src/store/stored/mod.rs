//! What the queue's records hold on disk, as types of the store's own: the core's and the
//! wire's types may change without touching a record. Owns the conversions between both,
//! decides nothing about a message.
//!
//! A name in a record is there for good:
//! - A new field is optional: `#[serde(default)]` reads the records without it.
//! - Another name for a field or a variant keeps the old one as `#[serde(alias)]`.
//! - A change that an older program would lose or misread raises
//!   [`FORMAT`](super::FORMAT): such a program then refuses the store. What an older
//!   format wrote stays readable: a store of each lies in `tests/compat/`.

mod facts;
mod message;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::convert::Convert;
use super::record::Damage;
use facts::{StoredFacts, StoredGroupNames, StoredNumber, StoredSlot};
use tetherd_core::contacts::KnownNumber;
use tetherd_core::facts::Facts;
use tetherd_core::groups::GroupNames;
use tetherd_core::pacing::Slot;

/// Something that has a record.
pub(super) trait Record: Sized {
    /// What the record holds.
    type Stored: Serialize + DeserializeOwned;

    fn to_stored(&self) -> Self::Stored;

    fn from_stored(stored: Self::Stored) -> Result<Self, Damage>;

    /// The record's value.
    fn encode(&self) -> Vec<u8> {
        // Numbers, texts and lists: that does not fail.
        serde_json::to_vec(&self.to_stored()).unwrap_or_else(|error| {
            debug_assert!(false, "{error}");
            Vec::new()
        })
    }

    /// Reads a record's value.
    fn decode(value: &[u8]) -> Result<Self, Damage> {
        Self::from_stored(serde_json::from_slice(value).map_err(|_| Damage::Content)?)
    }
}

macro_rules! records {
    ($($plain:ty = $stored:ty),+ $(,)?) => {$(
        impl Record for $plain {
            type Stored = $stored;

            fn to_stored(&self) -> $stored {
                self.clone().convert()
            }

            fn from_stored(stored: $stored) -> Result<Self, Damage> {
                Ok(stored.convert())
            }
        }
    )+};
}

records! {
    Facts = StoredFacts,
    GroupNames = StoredGroupNames,
    KnownNumber = StoredNumber,
    Vec<Slot> = Vec<StoredSlot>,
}
