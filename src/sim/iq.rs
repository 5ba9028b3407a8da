//! Answers to clients' requests: what a client asks at its start, and a decent
//! refusal for the rest. Never leaves a request without an answer.

use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{Jid, Node};

use super::accounts::DeviceId;
use super::checks;
use super::contacts;
use super::history;
use super::nodes::{attr, conflict, first_child_tag, refusal, result, result_with};
use super::pair_code;
use super::passkey;
use super::people::People;
use super::quota;
use super::world::{LinkId, World};

/// Answers one request.
pub(super) async fn request(world: &mut World, link: LinkId, iq: &Node) {
    let space = attr(iq, "xmlns").unwrap_or_default();
    let set = attr(iq, "type").as_deref() == Some("set");
    let child = first_child_tag(iq);
    let limited = matches!((space.as_str(), set), ("usync", _) | ("encrypt", false))
        && world.settings.limit_requests.take();
    match (space.as_str(), set, child) {
        _ if limited => world.say(link, refusal(iq, 429, "rate-overlimit")),
        ("w:mex", ..) if contacts::asks_timelock(iq) => {
            let answer = world.contacts.answer();
            world.say(link, result_with(iq, [answer]));
        }
        ("w:mex", ..) if quota::is_asked(iq) => {
            let answer = world.quota.answer();
            world.say(link, result_with(iq, [answer]));
        }
        ("passive", true, "active") => {
            world.say(link, result(iq));
            world.activate(link);
        }
        ("encrypt", true, _) => upload(world, link, iq).await,
        ("usync", _, _) if checks::goes_wrong(world, link, iq) => {}
        ("usync", _, _) => about_people(world, link, iq, People::usync),
        ("encrypt", false, _) => about_people(world, link, iq, People::prekeys),
        ("w:g2", false, "participating") if world.settings.ignore_groups.take() => {}
        ("w:g2", false, _) => about_people(world, link, iq, People::group_info),
        ("md", true, "link_code_companion_reg") => pair_code::request(world, link, iq),
        ("md", true, "remove-companion-device") => log_out(world, link, iq),
        ("md", ..) if passkey::request(world, link, iq, child) => {}
        ("w:sync:app:state", true, _) => {
            let sync = app_state(iq);
            world.say(link, result_with(iq, [sync]));
        }
        ("w:m", true, "media_conn") => {
            let conn = world.media.conn();
            world.say(link, result_with(iq, [conn]));
        }
        ("abt", false, _) => answer_props(world, link, iq),
        ("w:p", ..) => {
            world.stats.keepalives += 1;
            world.say(link, result(iq));
        }
        ("w:profile:picture", false, _) => world.say(link, refusal(iq, 404, "item-not-found")),
        _ => match fixed(&space, set, child) {
            Some(child) => world.say(link, result_with(iq, [child])),
            None => {
                if !harmless(&space, set) {
                    world.stats.not_understood += 1;
                    tracing::debug!(%space, child, set, "a request that the server does not know");
                }
                let known = set || harmless(&space, set);
                let reply =
                    if known { result(iq) } else { refusal(iq, 501, "feature-not-implemented") };
                world.say(link, reply);
            }
        },
    }
}

/// Silence, for as long as the settings say so, is what a client has to live with.
fn answer_props(world: &mut World, link: LinkId, iq: &Node) {
    if world.settings.silent_props.take() {
        return;
    }
    let props = world.tokens.props_node(world.settings.rules.migrated);
    world.say(link, result_with(iq, [props]));
}

/// Requests whose answer is always the same.
fn fixed(space: &str, set: bool, child: &str) -> Option<Node> {
    let node = match (space, set, child) {
        ("w", false, "props") => NodeBuilder::new("props").attr("protocol", 2).attr("hash", "sim"),
        ("blocklist", false, _) => NodeBuilder::new("list"),
        ("privacy", false, _) => NodeBuilder::new("privacy"),
        ("status", false, _) => NodeBuilder::new("status"),
        ("w:biz", false, _) => NodeBuilder::new("business_profile").attr("v", 0),
        ("w:mex", _, _) => {
            NodeBuilder::new("result").bytes(br#"{"data":null,"errors":[]}"#.as_slice())
        }
        _ => return None,
    };
    Some(node.build())
}

/// Requests that a client makes and forgets: an empty success is what they expect.
fn harmless(space: &str, set: bool) -> bool {
    matches!(space, "passive" | "urn:xmpp:ping" | "tos" | "w:stats")
        || (set
            && matches!(
                space,
                "privacy"
                    | "blocklist"
                    | "status"
                    | "urn:xmpp:whatsapp:push"
                    | "urn:xmpp:whatsapp:dirty"
                    | "w:profile:picture"
                    | "disappearing_mode"
            ))
}

/// Requests about people, which only companions may make.
fn about_people(
    world: &mut World,
    link: LinkId,
    iq: &Node,
    answer: fn(&mut People, &Node, &Jid) -> Node,
) {
    let reply = match world.device(link).map(DeviceId::jid) {
        Some(asking) => answer(&mut world.people, iq, &asking),
        None => refusal(iq, 401, "not-authorized"),
    };
    world.say(link, reply);
}

/// Takes a companion's keys in. With the first ones the phone can give it the key of
/// the account's app state, which clients wait for at their first login.
async fn upload(world: &mut World, link: LinkId, iq: &Node) {
    let Some(device) = world.device(link).cloned() else {
        return world.say(link, refusal(iq, 401, "not-authorized"));
    };
    if world.people.set_companion_keys(&device.user, device.device, iq).is_err() {
        return world.say(link, refusal(iq, 406, "not-acceptable"));
    }
    world.stats.key_uploads += 1;
    world.say(link, result(iq));
    share_key(world, &device).await;
    history::send(world, &device).await;
}

/// The phone gives a companion the key of the app state, once.
pub(super) async fn share_key(world: &mut World, device: &DeviceId) {
    if world.accounts.companion(device).is_none_or(|companion| companion.has_app_state_key) {
        return;
    }
    if let Some(share) = world.people.key_share(&device.user, device.device).await {
        if let Some(companion) = world.accounts.companion_mut(device) {
            companion.has_app_state_key = true;
        }
        world.phone_says(device, share);
    }
}

/// Every collection is as the client believes; a patch moves it on by one.
fn app_state(iq: &Node) -> Node {
    let collections = iq
        .get_optional_child("sync")
        .and_then(|sync| sync.children())
        .unwrap_or_default()
        .iter()
        .filter(|child| child.tag == "collection")
        .map(|collection| {
            let version: u64 = attr(collection, "version")
                .and_then(|version| version.parse().ok())
                .unwrap_or_default();
            let version = version + u64::from(collection.get_optional_child("patch").is_some());
            NodeBuilder::new("collection")
                .attr("name", attr(collection, "name").unwrap_or_default())
                .attr("version", version)
                .attr("has_more_patches", "false")
                .build()
        });
    NodeBuilder::new("sync").attr("t", now_secs()).children(collections).build()
}

/// Takes a companion off its account.
pub(super) fn forget(world: &mut World, device: &DeviceId) {
    if let Some(account) = world.accounts.get_mut(&device.user) {
        account.companions.remove(&device.device);
    }
    if world.people.remove_companion_of_account(&device.user, device.device).is_err() {
        tracing::error!("a companion without its keys");
    }
}

/// A client that logs itself out.
fn log_out(world: &mut World, link: LinkId, iq: &Node) {
    world.say(link, result(iq));
    let Some(device) = world.device(link).cloned() else { return };
    forget(world, &device);
    world.say(link, conflict("device_removed", Some(401)));
    world.hang_up(link);
}
