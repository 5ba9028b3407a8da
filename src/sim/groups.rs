//! Groups: who is in them and how their members are addressed.

use serde::{Deserialize, Serialize};
use whatsapp_rust::Jid;

/// Members that one group holds, as on the real network.
pub(super) const GROUP_MEMBERS_MAX: usize = 1_024;

/// How a group names its members on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Addressing {
    /// By phone number.
    Pn,
    /// By LID: what the network does today.
    #[default]
    Lid,
}

impl Addressing {
    /// Not this one.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Pn => Self::Lid,
            Self::Lid => Self::Pn,
        }
    }

    /// The `addressing_mode` attribute.
    pub fn as_wire(self) -> &'static str {
        match self {
            Self::Pn => "pn",
            Self::Lid => "lid",
        }
    }
}

/// One group.
#[derive(Serialize, Deserialize)]
pub struct Group {
    /// The user part of its JID.
    pub(super) id: String,
    pub(super) subject: String,
    /// Numbers, the creator first.
    pub(super) members: Vec<String>,
    pub(super) addressing: Addressing,
    pub(super) created_s: i64,
}

impl Group {
    /// The group's JID.
    pub fn jid(&self) -> Jid {
        Jid::group(self.id.as_str())
    }

    pub(super) fn has(&self, number: &str) -> bool {
        self.members.iter().any(|member| member == number)
    }
}
