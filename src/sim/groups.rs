//! Groups: who is in them, who may send, and how their members are addressed.

use serde::{Deserialize, Serialize};
use whatsapp_rust::Jid;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{JidExt as _, Node};

use super::group_requests::Description;
use super::people::{People, PeopleError, digits};
use super::stanza;

/// Groups on one simulated network.
pub const GROUPS_MAX: usize = 1_000;
/// Group ids count up from here.
const GROUP_BASE: u64 = 120_363_000_000_000_000;
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
    /// Only admins may change what it says about itself.
    #[serde(default)]
    pub(super) locked: bool,
    /// Only admins may add members.
    #[serde(default)]
    pub(super) only_admins_add: bool,
    /// How long messages last; 0: for good.
    #[serde(default)]
    pub(super) ephemeral_s: u32,
    #[serde(default)]
    pub(super) description: Option<Description>,
    /// The code of its invite link, once it was asked for.
    #[serde(default)]
    pub(super) invite: Option<String>,
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
    /// `pn` or `lid`: how it names its members.
    pub addressing: Option<Addressing>,
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

    /// Whether this member may change its name, its description and its picture.
    pub(super) fn may_change(&self, number: &str) -> bool {
        self.has(number) && (!self.locked || self.role(number).is_some())
    }

    /// A member leaves. The next one takes the place of who made the group.
    pub(super) fn take_out(&mut self, number: &str) {
        self.members.retain(|member| member != number);
        self.admins.retain(|admin| admin != number);
    }

    pub(super) fn has(&self, number: &str) -> bool {
        self.members.iter().any(|member| member == number)
    }
}

impl People {
    /// Makes a group; every member must exist, accounts and recipients alike.
    pub fn add_group(&mut self, subject: &str, members: &[String]) -> Result<Jid, PeopleError> {
        if self.groups.len() >= GROUPS_MAX || members.len() > GROUP_MEMBERS_MAX {
            return Err(PeopleError::TooMany);
        }
        let mut numbers: Vec<String> = Vec::with_capacity(members.len());
        for member in members {
            let number = digits(member)?;
            if !self.persons.contains_key(&number) {
                return Err(PeopleError::Unknown);
            }
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        let id = (GROUP_BASE + self.groups.len() as u64).to_string();
        let group = Group {
            id: id.clone(),
            subject: subject.to_owned(),
            members: numbers,
            addressing: Addressing::default(),
            created_s: now_secs(),
            admins: Vec::new(),
            announcement: false,
            suspended: false,
            community: None,
            locked: false,
            only_admins_add: false,
            ephemeral_s: 0,
            description: None,
            invite: None,
        };
        let jid = group.jid();
        self.groups.insert(id, group);
        Ok(jid)
    }

    /// Changes a group. Returns the numbers of those who are in it, or were before.
    pub(super) fn change_group(
        &mut self,
        group: &Jid,
        change: GroupChange,
    ) -> Result<Vec<String>, PeopleError> {
        let numbers = |list: Option<Vec<String>>| -> Result<Option<Vec<String>>, PeopleError> {
            list.map(|list| list.iter().map(|number| digits(number)).collect()).transpose()
        };
        let (members, admins) = (numbers(change.members)?, numbers(change.admins)?);
        let strangers = members.iter().flatten().any(|n| !self.persons.contains_key(n));
        let group = self.groups.get_mut(group.user.as_str()).ok_or(PeopleError::Unknown)?;
        if strangers {
            return Err(PeopleError::Unknown);
        }
        let mut concerned = group.members.clone();
        group.members = members.unwrap_or_else(|| group.members.clone());
        concerned.extend(
            group.members.iter().filter(|n| !concerned.contains(n)).cloned().collect::<Vec<_>>(),
        );
        group.admins = admins.unwrap_or_else(|| group.admins.clone());
        group.subject = change.subject.unwrap_or_else(|| group.subject.clone());
        group.announcement = change.announcement.unwrap_or(group.announcement);
        group.suspended = change.suspended.unwrap_or(group.suspended);
        group.addressing = change.addressing.unwrap_or(group.addressing);
        let community = change.community.and_then(|jid| jid.parse::<Jid>().ok());
        group.community = community.map(|jid| jid.user.to_string()).or(group.community.take());
        Ok(concerned)
    }

    /// The notification that a group has changed.
    pub(super) fn group_notice(&self, group: &Jid, id: &str) -> Option<Node> {
        let group = self.groups.get(group.user.as_str())?;
        Some(stanza::groups::changed(group, id, now_secs()))
    }

    /// Whether the server takes a message to this group from this member.
    pub(super) fn group_takes(&self, group: &Jid, number: &str) -> bool {
        self.groups.get(group.user.as_str()).is_none_or(|group| group.takes_from(number))
    }

    /// Who else is in a chat: the members of a group that this person is in, or the other one.
    pub(super) fn others_in_chat(&self, number: &str, chat: &Jid) -> Vec<String> {
        if !chat.is_group() {
            return self.number_of(chat).map(str::to_owned).into_iter().collect();
        }
        let group = self.groups.get(chat.user.as_str()).filter(|group| group.has(number));
        let members = group.map(|group| group.members.as_slice()).unwrap_or_default();
        members.iter().filter(|member| *member != number).cloned().collect()
    }

    /// How a group names its members.
    pub fn group_addressing(&self, group: &Jid) -> Option<Addressing> {
        let group = self.groups.get(group.user.as_str()).filter(|_| group.is_group())?;
        Some(group.addressing)
    }
}
