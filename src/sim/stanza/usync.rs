//! The answer to the question who is who: devices, contacts, LIDs.

use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::messages::MessageUtils;
use whatsapp_rust::wacore_binary::{Jid, Node, Server};

use super::{error, error_node, jid_attr, result, text_attr};
use crate::people::{People, digits};
use crate::person::Person;

/// Answers a query of any mode and context.
pub(crate) fn answer(people: &People, iq: &Node, _asking: &Jid) -> Node {
    let Some(query) = iq.get_optional_child("usync") else {
        return error(iq, 400, "bad-request");
    };
    let protocols: Vec<&str> = query
        .get_optional_child("query")
        .and_then(Node::children)
        .unwrap_or_default()
        .iter()
        .map(|protocol| protocol.tag.as_ref())
        .collect();
    let by_lid = query
        .get_optional_child_by_tag(&["query", "contact"])
        .is_some_and(|contact| text_attr(contact, "addressing_mode") == "lid");
    let mut lists = Vec::new();
    for tag in ["list", "side_list"] {
        let users = query.get_optional_child(tag).and_then(Node::children).unwrap_or_default();
        let users: Vec<Node> =
            users.iter().map(|user| one(people, user, &protocols, by_lid)).collect();
        // The real server answers the main list always, the side list when asked.
        if tag == "list" {
            lists.push(NodeBuilder::new("list").children(users).build());
        } else if !users.is_empty() {
            lists.push(NodeBuilder::new("side_list").children(users).build());
        }
    }
    let states = protocols.iter().map(|tag| NodeBuilder::new_dynamic((*tag).to_owned()).build());
    let mut children = vec![NodeBuilder::new("result").children(states).build()];
    children.extend(lists);
    let usync = NodeBuilder::new("usync")
        .attr("sid", text_attr(query, "sid"))
        .attr("index", "0")
        .attr("last", "true")
        .attr("mode", text_attr(query, "mode"))
        .attr("context", text_attr(query, "context"))
        .children(children);
    result(iq, vec![usync.build()])
}

fn one(people: &People, user: &Node, protocols: &[&str], by_lid: bool) -> Node {
    let asked = identity(people, user);
    let by_number = jid_attr(user, "jid").is_none() && username(user).is_none();
    let seen = |person: &&Person| person.on_network && !(by_number && person.hidden);
    let person = asked.as_ref().and_then(|jid| people.find(jid)).filter(seen);
    let mut answer = NodeBuilder::new("user");
    if let Some(jid) = &asked {
        // A number can be asked to be named by its LID.
        let named = person.filter(|_| by_lid && by_number).map(|person| person.lid_jid(0));
        let named = named.as_ref().unwrap_or(jid);
        answer = answer.attr("jid", named);
        let stated = |person: &&Person| named.is_lid() && !person.hidden;
        if let Some(person) = person.filter(stated).filter(|_| username(user).is_none()) {
            answer = answer.attr("pn_jid", person.pn_jid(0));
        }
    }
    let parts = protocols.iter().filter_map(|protocol| match *protocol {
        "contact" => Some(contact(user, person.is_some() || demands_key(people, user))),
        "devices" => Some(devices(person, asked.as_ref())),
        // Who asks by LID knows it: clients take the pair for number and LID.
        "lid" if asked.as_ref().is_some_and(Jid::is_lid) => None,
        "lid" => person.map(|p| NodeBuilder::new("lid").attr("val", p.lid_jid(0)).build()),
        "status" => person.map(status),
        "disappearing_mode" => person.map(|person| {
            let duration = person.disappearing_s.to_string();
            let mode = NodeBuilder::new("disappearing_mode").attr("duration", duration);
            mode.attr("t", "0").build()
        }),
        "picture" => person.map(|_| {
            let missing = error_node(404, "item-not-found");
            NodeBuilder::new("picture").children([missing]).build()
        }),
        // Nobody here is a business, a bot, or has a user name: the server then
        // leaves the part out.
        _ => None,
    });
    answer.children(parts).build()
}

/// The username in `<contact>`, if it has one (wacore 0.7.0, iq/usync/query.rs).
fn username(user: &Node) -> Option<String> {
    Some(text_attr(user.get_optional_child("contact")?, "username")).filter(|name| !name.is_empty())
}

/// The key that goes with it.
fn username_key(user: &Node) -> Option<String> {
    Some(text_attr(user.get_optional_child("contact")?, "pin")).filter(|key| !key.is_empty())
}

/// Who is asked about: a JID, or a number or username in `<contact>`.
fn identity(people: &People, user: &Node) -> Option<Jid> {
    let by_jid = jid_attr(user, "jid").or_else(|| jid_attr(user, "pn_jid"));
    let by_name = || people.lid_of_username(&username(user)?, username_key(user).as_deref());
    by_jid.map(Jid::into_non_ad).or_else(by_name).or_else(|| {
        let number = user.get_optional_child("contact")?.content_as_string()?;
        let number = number.trim();
        let number = number.strip_suffix("@c.us").unwrap_or(number);
        Some(Jid::new(people.number_behind(&digits(number).ok()?), Server::Pn))
    })
}

/// Whether somebody has the username, but is named only to who gives the key. The server then
/// answers without a JID (whatsapp-rust, pull request 1381).
fn demands_key(people: &People, user: &Node) -> bool {
    let person = username(user).and_then(|name| people.by_username(&name));
    person.is_some_and(|person| person.on_network && person.username_key.is_some())
}

fn contact(user: &Node, present: bool) -> Node {
    let asked = user.get_optional_child("contact").and_then(Node::content_as_string);
    let contact = NodeBuilder::new("contact").attr("type", if present { "in" } else { "out" });
    let contact = match username(user) {
        Some(name) => contact.attr("username", name),
        None => contact,
    };
    match asked {
        Some(number) => contact.bytes(number.as_bytes()).build(),
        None => contact.build(),
    }
}

fn status(person: &Person) -> Node {
    let about = person.about.as_deref().unwrap_or("Hey there! I am simulated.");
    NodeBuilder::new("status").attr("t", person.since_s.to_string()).bytes(about.as_bytes()).build()
}

fn devices(person: Option<&Person>, asked: Option<&Jid>) -> Node {
    let (Some(person), Some(asked)) = (person, asked) else {
        let nothing = NodeBuilder::new("device-list").build();
        return NodeBuilder::new("devices").children([nothing]).build();
    };
    let list = person.devices.iter().map(|(id, endpoint)| {
        let device = NodeBuilder::new("device").attr("id", id.to_string());
        match endpoint.key_index {
            0 => device.build(),
            index => device.attr("key-index", index.to_string()).build(),
        }
    });
    let jids: Vec<Jid> = person.devices.keys().map(|id| asked.with_device(*id)).collect();
    let mut device_list = NodeBuilder::new("device-list").children(list);
    if let Ok(hash) = MessageUtils::participant_list_hash(&jids) {
        device_list = device_list.attr("hash", hash);
    }
    let mut parts = vec![device_list.build()];
    // Clients skip companions that no signed list vouches for.
    if let Some(signed) = person.key_index_list() {
        let ts = person.since_s.to_string();
        parts.push(NodeBuilder::new("key-index-list").attr("ts", ts).bytes(signed).build());
    }
    NodeBuilder::new("devices").children(parts).build()
}
