//! A record's types and their conversions to plain ones, made from one list of names: what is
//! forgotten does not compile. Knows no record.

use tetherd_api::{FileInfo, Redacted};

/// A conversion between a record's type and a plain one. Not `From`: that is taken for
/// options and lists.
pub(crate) trait Convert<T> {
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

macro_rules! redacted {
    ($($shown:ty),+) => {$(
        impl Convert<Redacted<$shown>> for $shown {
            fn convert(self) -> Redacted<$shown> {
                Redacted(self)
            }
        }

        impl Convert<$shown> for Redacted<$shown> {
            fn convert(self) -> $shown {
                self.0
            }
        }
    )+};
}
redacted!(String, [u8; 32]);

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
pub(crate) use stored_enum;

/// Structs of a record, and their conversions: each plain struct has the same fields.
macro_rules! stored_structs {
    ($(
        $(#[$attribute:meta])*
        $visible:vis struct $stored:ident = $plain:ident {
            $($(#[$field_attribute:meta])* $field:ident: $type:ty),+ $(,)?
        }
    )+) => {$(
        #[derive(serde::Serialize, serde::Deserialize)]
        $(#[$attribute])*
        $visible struct $stored {
            $($(#[$field_attribute])* $field: $type),+
        }

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
    )+};
}
pub(crate) use stored_structs;

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
pub(crate) use stored_newtype;

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
pub(crate) use stored_text;

stored_structs! {
    /// A file's description, wherever a record has one.
    pub(crate) struct StoredFileInfo = FileInfo {
        bytes: u64,
        mime: String,
        sha256: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    }
}

/// For fields that a record leaves out.
pub(crate) fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}
