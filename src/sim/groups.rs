//! Groups: who is in them, who may send, and how their members are addressed.

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
    /// Numbers of admins besides the creator.
    #[serde(default)]
    pub(super) admins: Vec<String>,
    /// Only admins may send.
    #[serde(default)]
    pub(super) announcement: bool,
    /// The network has suspended it.
    #[serde(default)]
    pub(super) suspended: bool,
    /// The user part of its community's JID.
    #[serde(default)]
    pub(super) community: Option<String>,
}

/// What is to be different about a group.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupChange {
    /// The clients are not notified, as when they have been away for too long.
    #[serde(default)]
    pub silent: bool,
    /// Another name.
    pub subject: Option<String>,
    /// Whether only admins may send.
    pub announcement: Option<bool>,
    /// Whether the network has suspended it.
    pub suspended: Option<bool>,
    /// The numbers of all admins besides the creator.
    pub admins: Option<Vec<String>>,
    /// The numbers of all members, the creator first.
    pub members: Option<Vec<String>>,
    /// The JID of the community that it is part of.
    pub community: Option<String>,
}

impl Group {
    /// The group's JID.
    pub fn jid(&self) -> Jid {
        Jid::group(self.id.as_str())
    }

    /// `superadmin` or `admin`; none: a mere member.
    pub(super) fn role(&self, number: &str) -> Option<&'static str> {
        if self.members.first().is_some_and(|creator| creator == number) {
            return Some("superadmin");
        }
        self.admins.iter().any(|admin| admin == number).then_some("admin")
    }

    /// Whether the server takes a message from this member.
    pub(super) fn takes_from(&self, number: &str) -> bool {
        !self.suspended && (!self.announcement || self.role(number).is_some())
    }

    pub(super) fn has(&self, number: &str) -> bool {
        self.members.iter().any(|member| member == number)
    }
}
