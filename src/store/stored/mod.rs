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

use super::record::Damage;
use facts::{StoredFacts, StoredNumber, StoredSlot};
use message::StoredMessage;
use tetherd_core::contacts::KnownNumber;
use tetherd_core::facts::Facts;
use tetherd_core::pacer::Slot;
use tetherd_core::queue::Message;

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
    Message = StoredMessage,
    Facts = StoredFacts,
    KnownNumber = StoredNumber,
    Vec<Slot> = Vec<StoredSlot>,
}

/// A conversion between a record's type and a plain one. Not `From`: that is taken for
/// options and lists.
trait Convert<T> {
    fn convert(self) -> T;
}

macro_rules! same {
    ($($same:ty),+) => {$(
        impl Convert<$same> for $same {
            fn convert(self) -> $same {
                self
            }
        }
    )+};
}
same!(bool, u8, u32, u64, i64, usize, String, [u8; 32]);

impl<A: Convert<B>, B> Convert<Option<B>> for Option<A> {
    fn convert(self) -> Option<B> {
        self.map(Convert::convert)
    }
}

impl<A: Convert<B>, B> Convert<Vec<B>> for Vec<A> {
    fn convert(self) -> Vec<B> {
        self.into_iter().map(Convert::convert).collect()
    }
}

impl<A: Convert<C>, B: Convert<D>, C, D> Convert<(C, D)> for (A, B) {
    fn convert(self) -> (C, D) {
        (self.0.convert(), self.1.convert())
    }
}

/// An enum of a record: each variant with its name on disk. The plain enum has the same
/// variants.
macro_rules! stored_enum {
    ($stored:ident = $plain:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        #[derive(serde::Serialize, serde::Deserialize)]
        enum $stored {
            $(#[serde(rename = $name)] $variant,)+
        }

        impl Convert<$stored> for $plain {
            fn convert(self) -> $stored {
                match self { $($plain::$variant => $stored::$variant,)+ }
            }
        }

        impl Convert<$plain> for $stored {
            fn convert(self) -> $plain {
                match self { $($stored::$variant => $plain::$variant,)+ }
            }
        }
    };
}
use stored_enum;

/// The conversions of a record's struct whose fields are called as the plain one's.
macro_rules! stored_struct {
    ($stored:ident = $plain:ident { $($field:ident),+ $(,)? }) => {
        impl Convert<$stored> for $plain {
            fn convert(self) -> $stored {
                let $plain { $($field),+ } = self;
                $stored { $($field: $field.convert()),+ }
            }
        }

        impl Convert<$plain> for $stored {
            fn convert(self) -> $plain {
                let $stored { $($field),+ } = self;
                $plain { $($field: $field.convert()),+ }
            }
        }
    };
}
use stored_struct;

/// The conversions of newtypes that lie there as what they hold.
macro_rules! stored_newtype {
    ($($plain:ident($inner:ty)),+ $(,)?) => {$(
        impl Convert<$inner> for $plain {
            fn convert(self) -> $inner {
                self.0
            }
        }

        impl Convert<$plain> for $inner {
            fn convert(self) -> $plain {
                $plain(self)
            }
        }
    )+};
}
use stored_newtype;

/// A text of a record that is checked when it is read.
macro_rules! stored_text {
    ($stored:ident = $plain:ident, $write:expr, $read:expr) => {
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        struct $stored($plain);

        impl Clone for $stored {
            fn clone(&self) -> $stored {
                $stored(self.0.clone())
            }
        }

        impl From<$stored> for String {
            fn from(stored: $stored) -> String {
                let write: fn($plain) -> String = $write;
                write(stored.0)
            }
        }

        impl TryFrom<String> for $stored {
            type Error = &'static str;

            fn try_from(text: String) -> Result<$stored, &'static str> {
                let read: fn(&str) -> Option<$plain> = $read;
                read(&text).map($stored).ok_or("not what belongs there")
            }
        }

        impl Convert<$stored> for $plain {
            fn convert(self) -> $stored {
                $stored(self)
            }
        }

        impl Convert<$plain> for $stored {
            fn convert(self) -> $plain {
                self.0
            }
        }
    };
}
use stored_text;
