//! How the network names people: whether accounts are migrated to LIDs, and what a stanza
//! says besides. Plain data.

use serde::Serialize;

use super::groups::Addressing;

/// The property by which the server says that an account's chats with one person are migrated
/// (`lid_one_on_one_migration_enabled`).
pub(super) const MIGRATED_PROP: u32 = 9_435;

/// How people are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rules {
    /// Accounts are migrated: chats with one person are addressed by LID, in both directions,
    /// as those of 2026 are. Otherwise by number.
    pub migrated: bool,
    /// Messages name the number of a sender or member besides the LID.
    pub sender_pn: bool,
    /// Stanzas that a real server refuses are refused, and listed. The default.
    pub strict: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { migrated: true, sender_pn: true, strict: true }
    }
}

impl Rules {
    /// How a chat with one person is addressed.
    pub(super) fn addressing(self) -> Addressing {
        if self.migrated { Addressing::Lid } else { Addressing::Pn }
    }

    /// Whether a stanza names the other name of somebody whom it addresses so.
    pub(super) fn names_besides(self, by: Addressing) -> bool {
        match by {
            Addressing::Pn => true,
            Addressing::Lid => self.sender_pn,
        }
    }
}
