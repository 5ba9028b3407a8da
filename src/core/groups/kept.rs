//! The names of the groups, kept over a restart: a message to a group by its name is accepted
//! before there is a connection. Never says who may send: only the network knows that.

use super::GroupInfo;
use crate::ids::ChatId;
use tetherd_api::{self as api, Redacted, Time};

/// Groups whose names are kept; an account is in fewer.
const KEPT_MAX: usize = 4_000;

/// The account's groups by their names, as the network listed them last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupNames {
    /// When, wall milliseconds.
    pub asked_at: i64,
    /// In the order of their JIDs.
    pub groups: Vec<GroupName>,
}

/// A group and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupName {
    /// Its JID.
    pub chat: ChatId,
    /// Its name.
    pub name: Redacted<String>,
}

impl GroupNames {
    pub(super) fn of<'a>(groups: impl Iterator<Item = &'a GroupInfo>, asked_at: i64) -> GroupNames {
        let named =
            |group: &GroupInfo| GroupName { chat: group.chat.clone(), name: group.name.clone() };
        GroupNames { asked_at, groups: groups.take(KEPT_MAX).map(named).collect() }
    }

    /// As a list of groups in which they are looked for. What else there is to say of a group
    /// is not known.
    pub(super) fn list(&self) -> api::GroupListResult {
        let group = |GroupName { chat, name }: &GroupName| api::Group {
            jid: chat.as_str().into(),
            name: name.clone(),
            size: 0,
            may_send: true,
            why_not: None,
            announcement: false,
            admin: false,
            community: None,
        };
        api::GroupListResult {
            groups: self.groups.iter().map(group).collect(),
            total: self.groups.len(),
            asked_at: Time(self.asked_at),
            current: false,
        }
    }
}
