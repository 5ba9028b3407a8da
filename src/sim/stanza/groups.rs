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

fn describe(people: &People, group: &Group) -> Node {
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
    let participants = group.members.iter().enumerate().filter_map(|(index, number)| {
        let person = people.persons.get(number)?;
        let node = NodeBuilder::new("participant").attr("jid", person.jid(0, group.addressing));
        let node = match group.addressing {
            Addressing::Lid => node.attr("phone_number", person.pn_jid(0)),
            Addressing::Pn => node.attr("lid", person.lid_jid(0)),
        };
        Some(if index == 0 { node.attr("type", "superadmin").build() } else { node.build() })
    });
    node.children(participants).build()
}
