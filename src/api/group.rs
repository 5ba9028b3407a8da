//! The account's groups.

use serde::{Deserialize, Serialize};

use super::{ReasonKind, Redacted, Time};

/// Parameters of `group.list`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GroupListParams {
    /// Ask the network even where its last answer is still good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh: bool,
}

/// Answer of `group.list`, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GroupListResult {
    /// The groups that the account is in, at most [`super::GROUPS_MAX`].
    pub groups: Vec<Group>,
    /// How many there are in all.
    pub total: usize,
    /// When the network said so.
    pub asked_at: Time,
    /// Whether that is good still; without a connection the last answer is given as it was.
    pub current: bool,
}

/// A group that the account is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Group {
    /// Its JID.
    pub jid: Redacted<String>,
    /// Its name, which others may have too.
    pub name: Redacted<String>,
    /// How many members it has.
    pub size: usize,
    /// Whether this account may send to it.
    pub may_send: bool,
    /// Why it may not: `not_admin` or `group_suspended`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<ReasonKind>,
    /// Whether only admins may send.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announcement: bool,
    /// Whether this account is an admin.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub admin: bool,
    /// The JID of the community that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community: Option<Redacted<String>>,
}
