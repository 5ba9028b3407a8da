//! Invite links of groups: a client asks for one, looks at the group behind one, joins by it.
//! Making a new one, which revokes the old, is a change of the group (`group_requests`).

use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore_binary::{Jid, Node};

use super::accounts::DeviceId;
use super::group_requests::{
    BAD_REQUEST, CONFLICT, Done, Ended, NOT_ACCEPTABLE, NOT_AUTHORIZED, NOT_FOUND, Refused, found,
    participants,
};
use super::groups::{GROUP_MEMBERS_MAX, Group};
use super::nodes::{attr, first_child_tag, jid_attr, refusal, result_with};
use super::people::People;
use super::stanza::groups as stanzas;
use super::world::{World, random};

/// Answers an `<iq type="get" xmlns="w:g2">` about an invite. None: it is about something else.
pub(super) fn get(people: &mut People, iq: &Node, asking: &Jid) -> Option<Node> {
    if first_child_tag(iq) != "invite" {
        return None;
    }
    let me = people.number_of(asking)?.to_owned();
    let code = iq.get_optional_child("invite").and_then(|invite| attr(invite, "code"));
    if let Some(code) = code {
        return Some(match invited(people, &code) {
            Ok(group) => result_with(iq, [stanzas::describe(people, group)]),
            Err((code, text)) => refusal(iq, code, text),
        });
    }
    let group = jid_attr(iq, "to").unwrap_or_default();
    Some(match found(people, &group, &me).and_then(|group| code_of(group, &me)) {
        Ok(code) => result_with(iq, [invite(&code)]),
        Err((code, text)) => refusal(iq, code, text),
    })
}

pub(super) fn invite(code: &str) -> Node {
    NodeBuilder::new("invite").attr("code", code).build()
}

fn code_of(group: &mut Group, me: &str) -> Result<String, Refused> {
    if group.role(me).is_none() {
        return Err(NOT_AUTHORIZED);
    }
    Ok(group.invite.get_or_insert_with(fresh_code).clone())
}

pub(super) fn fresh_code() -> String {
    hex::encode(random::<11>())
}

fn invited<'p>(people: &'p People, code: &str) -> Result<&'p Group, Refused> {
    let group = people.groups.values().find(|group| group.invite.as_deref() == Some(code));
    group.ok_or(NOT_ACCEPTABLE)
}

/// Joins a group by its invite.
pub(super) fn join(world: &mut World, by: &DeviceId, child: &Node) -> Result<Ended, Refused> {
    let code = attr(child, "code").ok_or(BAD_REQUEST)?;
    let group = invited(&world.people, &code)?;
    let (id, jid) = (group.id.clone(), group.jid());
    let answer = NodeBuilder::new("group").attr("jid", &jid).build();
    let group = world.people.groups.get_mut(&id).ok_or(NOT_FOUND)?;
    if group.has(&by.user) {
        return Err(CONFLICT);
    }
    if group.members.len() >= GROUP_MEMBERS_MAX {
        return Err((419, "resource-limit"));
    }
    group.members.push(by.user.clone());
    let mut notice = participants(&world.people, &id, "add", std::slice::from_ref(&by.user));
    notice.attrs.insert("reason", "invite");
    Ok((Some(answer), vec![(id, Done::notified(notice))]))
}
