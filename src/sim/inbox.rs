//! What a person has received. Keeps the books, never opens anything.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Messages that one person's inbox holds; the oldest go first.
const INBOX_ENTRIES_MAX: usize = 20_000;

/// One message, under its id, however many copies of it arrived.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct InboxEntry {
    /// The message id that its sender gave it.
    pub id: String,
    /// The text, empty until a copy opens, and for messages without text.
    pub text: String,
    /// The chat: a group, or the other person.
    pub chat: String,
    /// The sender's number, without `+`.
    pub from: String,
    /// Unix time of the first arrival, in seconds.
    pub at_s: i64,
    /// Readable copies that arrived, by device. The same ciphertext again counts.
    pub arrivals: BTreeMap<u16, u32>,
    /// Copies that could not be decrypted.
    pub failed: u32,
    /// What it shows besides a text; null for a plain one.
    #[serde(default)]
    pub content: Value,
}

impl InboxEntry {
    /// How many copies arrived under this id at the device that got most: 1 when
    /// everything is as it should be, however many devices the person has.
    pub fn copies(&self) -> u32 {
        self.arrivals.values().copied().max().unwrap_or(0)
    }
}

impl std::fmt::Debug for InboxEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InboxEntry")
            .field("id", &self.id)
            .field("text", &format_args!("Body({} bytes)", self.text.len()))
            .field("arrivals", &self.arrivals)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// Where a copy belongs in the books.
pub(super) struct Slip<'a> {
    pub(super) id: &'a str,
    pub(super) chat: &'a str,
    pub(super) from: &'a str,
    pub(super) at_s: i64,
}

/// A person's messages in the order of their first arrival.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Inbox(Vec<InboxEntry>);

impl Inbox {
    fn find(&self, slip: &Slip<'_>) -> Option<usize> {
        self.0.iter().rposition(|entry| entry.id == slip.id && entry.from == slip.from)
    }

    /// Whether this device has had a readable copy.
    pub(super) fn has_read(&self, slip: &Slip<'_>, device: u16) -> bool {
        let entry = self.find(slip).and_then(|index| self.0.get(index));
        entry.is_some_and(|entry| entry.arrivals.contains_key(&device))
    }

    fn entry(&mut self, slip: &Slip<'_>) -> Option<&mut InboxEntry> {
        let index = self.find(slip).unwrap_or_else(|| {
            if self.0.len() >= INBOX_ENTRIES_MAX {
                self.0.remove(0);
            }
            self.0.push(InboxEntry {
                id: slip.id.to_owned(),
                chat: slip.chat.to_owned(),
                from: slip.from.to_owned(),
                at_s: slip.at_s,
                ..InboxEntry::default()
            });
            self.0.len() - 1
        });
        self.0.get_mut(index)
    }

    /// A readable copy. `text` is `None` for the same ciphertext again.
    pub(super) fn arrived(&mut self, slip: &Slip<'_>, device: u16, text: Option<&str>) {
        if let Some(entry) = self.entry(slip) {
            *entry.arrivals.entry(device).or_default() += 1;
            if let Some(text) = text {
                text.clone_into(&mut entry.text);
            }
        }
    }

    /// What a message shows besides its text. What a device could open stays.
    pub(super) fn show(&mut self, slip: &Slip<'_>, content: Value) {
        if let Some(entry) = self.entry(slip).filter(|entry| entry.content["sha256"].is_null()) {
            entry.content = content;
        }
    }

    /// An unreadable copy; returns how many there are now under this id.
    pub(super) fn failed(&mut self, slip: &Slip<'_>) -> u32 {
        self.entry(slip).map_or(1, |entry| {
            entry.failed += 1;
            entry.failed
        })
    }

    pub(super) fn entries(&self) -> &[InboxEntry] {
        &self.0
    }
}
