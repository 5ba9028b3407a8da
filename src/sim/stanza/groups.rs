//! Group metadata as clients query it.

use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore_binary::{Jid, Node};

use super::{error, jid_attr, result};
use crate::groups::{Addressing, Group};
use crate::people::People;

/// Answers a query for one group, or for all groups of the asking account.
pub(crate) fn answer(people: &People, iq: &Node, asking: &Jid) -> Node {
    let Some(me) = people.number_of(asking) else {
        return error(iq, 401, "not-authorized");
    };
    if iq.get_optional_child("participating").is_some() {
        let mine = people.groups.values().filter(|group| group.has(me));
        let groups = mine.map(|group| describe(people, group));
        return result(iq, vec![NodeBuilder::new("groups").children(groups).build()]);
    }
    if iq.get_optional_child("query").is_none() {
        return error(iq, 501, "feature-not-implemented");
    }
    let asked = jid_attr(iq, "to");
    match asked.and_then(|jid| people.groups.get(jid.user.as_str())) {
        Some(group) if group.has(me) => result(iq, vec![describe(people, group)]),
        Some(_) => error(iq, 403, "forbidden"),
        None => error(iq, 404, "item-not-found"),
    }
}

pub(crate) fn describe(people: &People, group: &Group) -> Node {
    let created = group.created_s.to_string();
    let mut node = NodeBuilder::new("group")
        .attr("id", group.id.as_str())
        .attr("subject", group.subject.as_str())
        .attr("addressing_mode", group.addressing.as_wire())
        .attr("creation", created.as_str())
        .attr("s_t", created.as_str())
        .attr("size", group.members.len().to_string());
    let creator = group.members.first().and_then(|number| people.persons.get(number));
    if let Some(creator) = creator {
        let jid = creator.jid(0, group.addressing);
        node = node.attr("creator", &jid).attr("s_o", &jid);
        if group.addressing == Addressing::Lid {
            node = node.attr("creator_pn", creator.pn_jid(0)).attr("s_o_pn", creator.pn_jid(0));
        }
    }
    let participants = group.members.iter().filter_map(|number| participant(people, group, number));
    node.children(flags(people, group).into_iter().chain(participants)).build()
}

/// A person as a group names members, with the role that it has there.
pub(crate) fn participant(people: &People, group: &Group, number: &str) -> Option<Node> {
    let person = people.persons.get(number)?;
    let node = NodeBuilder::new("participant").attr("jid", person.jid(0, group.addressing));
    let node = match group.addressing {
        Addressing::Lid if person.hidden => node,
        Addressing::Lid => node.attr("phone_number", person.pn_jid(0)),
        Addressing::Pn => node.attr("lid", person.lid_jid(0)),
    };
    Some(match group.role(number) {
        Some(role) => node.attr("type", role).build(),
        None => node.build(),
    })
}

/// What is special about a group, as children of its description.
fn flags(people: &People, group: &Group) -> Vec<Node> {
    let parent = group.community.as_deref().map(|community| {
        NodeBuilder::new("linked_parent").attr("jid", Jid::group(community)).build()
    });
    let mut flags: Vec<Node> = parent.into_iter().collect();
    for (is_set, tag) in [
        (group.announcement, "announcement"),
        (group.suspended, "suspended"),
        (group.locked, "locked"),
    ] {
        flags.extend(is_set.then(|| NodeBuilder::new(tag).build()));
    }
    if group.ephemeral_s > 0 {
        let ephemeral = NodeBuilder::new("ephemeral").attr("expiration", group.ephemeral_s);
        flags.push(ephemeral.build());
    }
    let adding = if group.only_admins_add { "admin_add" } else { "all_member_add" };
    flags.push(NodeBuilder::new("member_add_mode").bytes(adding.as_bytes()).build());
    flags.extend(group.description.as_ref().map(|description| {
        let body = NodeBuilder::new("body").bytes(description.body.as_bytes()).build();
        let node = NodeBuilder::new("description")
            .attr("id", description.id.as_str())
            .attr("t", description.at_s);
        let node = match people.persons.get(&description.by) {
            Some(person) => node.attr("participant", person.jid(0, group.addressing)),
            None => node,
        };
        node.children([body]).build()
    }));
    flags
}

/// The notification that a group has changed, for its members' clients.
pub(crate) fn changed(group: &Group, id: &str, at_s: i64) -> Node {
    let tag = if group.announcement { "announcement" } else { "not_announcement" };
    let subject = NodeBuilder::new("subject")
        .attr("subject", group.subject.as_str())
        .attr("s_t", at_s.to_string());
    NodeBuilder::new("notification")
        .attr("type", "w:gp2")
        .attr("from", group.jid())
        .attr("id", id)
        .attr("t", at_s.to_string())
        .attr("addressing_mode", group.addressing.as_wire())
        .children([NodeBuilder::new(tag).attr("v_id", at_s.to_string()).build(), subject.build()])
        .build()
}
