//! What `Debug` must not show: texts, numbers, keys, and what is somebody's otherwise.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// A text, a number or a key. On the wire it is nothing but its value; `Debug` shows none of
/// it, and there is no `Display`: whoever shows it to its owner takes it out.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Redacted<T>(pub T);

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl<T: Deref> Deref for Redacted<T> {
    type Target = T::Target;

    fn deref(&self) -> &T::Target {
        &self.0
    }
}

impl<T> From<T> for Redacted<T> {
    fn from(value: T) -> Redacted<T> {
        Redacted(value)
    }
}

impl From<&str> for Redacted<String> {
    fn from(text: &str) -> Redacted<String> {
        Redacted(text.to_owned())
    }
}

impl PartialEq<str> for Redacted<String> {
    fn eq(&self, text: &str) -> bool {
        self.0 == text
    }
}

impl PartialEq<&str> for Redacted<String> {
    fn eq(&self, text: &&str) -> bool {
        self.0 == *text
    }
}

impl PartialEq<String> for Redacted<String> {
    fn eq(&self, text: &String) -> bool {
        self.0 == *text
    }
}

impl Borrow<str> for Redacted<String> {
    fn borrow(&self) -> &str {
        &self.0
    }
}
