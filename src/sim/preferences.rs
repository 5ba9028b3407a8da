//! What an account keeps on the server about itself: privacy, blocked people, its about text,
//! its picture, how long messages last. Answers the requests about it, and notifies the
//! account's other clients. Acts on none of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::iq::privacy::{PrivacyCategory, PrivacyValue};
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{Jid, JidExt as _, Node};

use super::accounts::DeviceId;
use super::media::direct_path;
use super::nodes::{attr, child_content, content, jid_attr, refusal, result, result_with};
use super::people::PEOPLE_MAX;
use super::world::{LinkId, World};
use super::{notices, tokens};

/// Every category, and what it is at first (wacore 0.7.0, iq/privacy.rs).
const CATEGORIES: [(&str, &str); 9] = [
    ("last", "all"),
    ("online", "all"),
    ("profile", "all"),
    ("status", "all"),
    ("groupadd", "all"),
    ("readreceipts", "all"),
    ("calladd", "all"),
    ("messages", "all"),
    ("defense", "off"),
];
/// Blocked people of one account.
const BLOCKED_MAX: usize = 10_000;
/// Bytes of an about text (139 characters, as WhatsApp Web takes them) and of a picture.
const ABOUT_BYTES_MAX: usize = 139 * 4;
const PICTURE_BYTES_MAX: usize = 512 * 1024;

/// Of one account.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Preferences {
    /// What differs from what it is at first.
    privacy: BTreeMap<String, String>,
    /// LIDs.
    blocked: Vec<String>,
}

/// A picture: its number, and its name on the media host.
pub(super) type Picture = (i64, String);

/// Answers a request about what the account keeps. False: it is none.
pub(super) fn request(
    world: &mut World,
    link: LinkId,
    iq: &Node,
    (space, set): (&str, bool),
) -> bool {
    let answer: fn(&mut World, &DeviceId, &Node) -> Node = match (space, set) {
        ("privacy", false) => privacy,
        ("privacy", true) => set_privacy,
        ("blocklist", false) => blocklist,
        ("blocklist", true) => set_blocked,
        ("status", true) => set_about,
        ("disappearing_mode", true) => set_disappearing,
        ("w:profile:picture", false) => picture,
        ("w:profile:picture", true) => set_picture,
        _ => return false,
    };
    let reply = match world.device(link).cloned() {
        Some(device) => answer(world, &device, iq),
        None => refusal(iq, 401, "not-authorized"),
    };
    world.say(link, reply);
    true
}

fn kept<'w>(world: &'w mut World, device: &DeviceId) -> Option<&'w mut Preferences> {
    world.accounts.get_mut(&device.user).map(|account| &mut account.preferences)
}

fn category(name: &str, value: &str) -> Node {
    NodeBuilder::new("category").attr("name", name).attr("value", value).build()
}

fn privacy(world: &mut World, device: &DeviceId, iq: &Node) -> Node {
    let changed = kept(world, device).map(|kept| kept.privacy.clone()).unwrap_or_default();
    let all = CATEGORIES
        .map(|(name, first)| category(name, changed.get(name).map_or(first, String::as_str)));
    result_with(iq, [NodeBuilder::new("privacy").children(all).build()])
}

/// Changes categories, or gives people tokens: both are requests of this name.
fn set_privacy(world: &mut World, device: &DeviceId, iq: &Node) -> Node {
    if let Some(given) = iq.get_optional_child("tokens") {
        return give_tokens(world, device, given, iq);
    }
    let asked = iq.get_optional_child("privacy").and_then(Node::children).unwrap_or_default();
    let mut changed = Vec::new();
    for node in asked {
        let (Some(name), Some(value)) = (attr(node, "name"), attr(node, "value")) else {
            return refusal(iq, 400, "bad-request");
        };
        let fits = PrivacyCategory::from(name.as_str())
            .is_valid_value(&PrivacyValue::from(value.as_str()));
        if !fits || !CATEGORIES.iter().any(|(known, _)| *known == name) {
            return refusal(iq, 400, "bad-request");
        }
        changed.push((name, value));
    }
    if changed.is_empty() {
        return refusal(iq, 400, "bad-request");
    }
    let nodes: Vec<Node> = changed.iter().map(|(name, value)| category(name, value)).collect();
    if let Some(kept) = kept(world, device) {
        kept.privacy.extend(changed);
    }
    let privacy = NodeBuilder::new("privacy").children(nodes).build();
    sync(world, device, &privacy);
    result_with(iq, [privacy])
}

/// Those who are accounts here are notified.
fn give_tokens(world: &mut World, device: &DeviceId, given: &Node, iq: &Node) -> Node {
    for token in given.get_children_by_tag("token") {
        let to = jid_attr(token, "jid");
        let Some(to) = to.and_then(|to| world.people.number_of(&to).map(str::to_owned)) else {
            continue;
        };
        tokens::give(world, &to, &device.user);
    }
    result(iq)
}

fn list(world: &mut World, device: &DeviceId) -> Node {
    let blocked = kept(world, device).map(|kept| kept.blocked.clone()).unwrap_or_default();
    let items = blocked.iter().filter_map(|lid| {
        let lid: Jid = lid.parse().ok()?;
        let item = NodeBuilder::new("item").attr("jid", &lid);
        Some(match world.people.number_besides(&lid) {
            Some(number) => item.attr("pn_jid", number).build(),
            None => item.build(),
        })
    });
    NodeBuilder::new("list").attr("dhash", blocked.len()).children(items).build()
}

fn blocklist(world: &mut World, device: &DeviceId, iq: &Node) -> Node {
    let list = list(world, device);
    result_with(iq, [list])
}

/// People are blocked by LID, with their number (wacore 0.7.0, iq/blocklist.rs).
fn set_blocked(world: &mut World, device: &DeviceId, iq: &Node) -> Node {
    let item = iq.get_optional_child("item");
    let action = item.and_then(|item| attr(item, "action"));
    let who = item.and_then(|item| jid_attr(item, "jid")).filter(Jid::is_lid);
    let named = item.is_some_and(|item| jid_attr(item, "pn_jid").is_some());
    let (Some(who), Some(kept)) = (who, kept(world, device)) else {
        return refusal(iq, 400, "bad-request");
    };
    let who = who.to_non_ad().to_string();
    kept.blocked.retain(|blocked| *blocked != who);
    match action.as_deref() {
        Some("block") if named && kept.blocked.len() < BLOCKED_MAX => kept.blocked.push(who),
        Some("unblock") => {}
        Some(_) | None => return refusal(iq, 400, "bad-request"),
    }
    let list = list(world, device);
    let dhash = attr(&list, "dhash").unwrap_or_default();
    let changed = NodeBuilder::new("blocklist").attr("action", "modify").attr("dhash", dhash);
    let changed = changed.children(item.cloned()).build();
    sync(world, device, &changed);
    result_with(iq, [list])
}

fn set_about(world: &mut World, device: &DeviceId, iq: &Node) -> Node {
    let text = child_content(iq, &["status"]).and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(text) = text.filter(|text| text.len() <= ABOUT_BYTES_MAX) else {
        return refusal(iq, 400, "bad-request");
    };
    if let Some(person) = world.people.persons.get_mut(&device.user) {
        person.about = Some(text);
    }
    result(iq)
}

fn set_disappearing(world: &mut World, device: &DeviceId, iq: &Node) -> Node {
    let asked = iq.get_optional_child("disappearing_mode");
    let duration = asked.and_then(|asked| attr(asked, "duration"));
    let Some(duration) = duration.and_then(|text| text.parse::<u32>().ok()) else {
        return refusal(iq, 400, "bad-request");
    };
    if let Some(person) = world.people.persons.get_mut(&device.user) {
        person.disappearing_s = duration;
    }
    let changed = NodeBuilder::new("disappearing_mode").attr("duration", duration);
    sync(world, device, &changed.attr("t", now_secs()).build());
    result(iq)
}

/// Whose picture a request is about: `target`, or the account itself.
fn pictured(world: &World, device: &DeviceId, iq: &Node) -> Option<(String, bool)> {
    let Some(target) = jid_attr(iq, "target") else { return Some((device.user.clone(), true)) };
    if target.is_group() {
        let group = world.people.groups.get(target.user.as_str())?;
        return Some((group.id.clone(), group.may_change(&device.user)));
    }
    let number = world.people.number_of(&target)?.to_owned();
    let own = number == device.user;
    Some((number, own))
}

fn picture(world: &mut World, device: &DeviceId, iq: &Node) -> Node {
    let whose = pictured(world, device, iq);
    let found = whose.and_then(|(whose, _)| world.pictures.get(&whose));
    let Some((id, token)) = found else { return refusal(iq, 404, "item-not-found") };
    let (path, address) = (direct_path(token), world.media.address);
    let kind = iq.get_optional_child("picture").and_then(|picture| attr(picture, "type"));
    let picture = NodeBuilder::new("picture")
        .attr("id", *id)
        .attr("type", kind.unwrap_or_else(|| "preview".to_owned()))
        .attr("url", format!("https://{address}{path}"))
        .attr("direct_path", path);
    result_with(iq, [picture.build()])
}

fn set_picture(world: &mut World, device: &DeviceId, iq: &Node) -> Node {
    let Some((whose, may)) = pictured(world, device, iq) else {
        return refusal(iq, 404, "item-not-found");
    };
    if !may {
        return refusal(iq, 403, "forbidden");
    }
    let Some(bytes) = iq.get_optional_child("picture").and_then(content) else {
        world.pictures.remove(&whose);
        return result(iq);
    };
    if bytes.is_empty() || bytes.len() > PICTURE_BYTES_MAX || world.pictures.len() >= PEOPLE_MAX {
        return refusal(iq, 406, "not-acceptable");
    }
    let id = now_secs();
    let token = world.media.keep(bytes);
    world.pictures.insert(whose, (id, token));
    result_with(iq, [NodeBuilder::new("picture").attr("id", id).attr("type", "image").build()])
}

/// The account's other clients learn of a change.
fn sync(world: &mut World, device: &DeviceId, changed: &Node) {
    let own = device.jid().to_non_ad();
    let children = [changed.clone()];
    notices::to_account(world, &device.user, Some(device), "account_sync", &own, &children);
}
