//! Answers to clients' requests: what a client asks at its start, and a decent
//! refusal for the rest. Never leaves a request without an answer.

use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore_binary::{Jid, Node};

use super::accounts::DeviceId;
use super::checks;
use super::contacts;
use super::history;
use super::nodes::{attr, conflict, first_child_tag, refusal, result, result_with};
use super::notices::{self, Fate};
use super::pair_code;
use super::passkey;
use super::people::People;
use super::quota;
use super::streams;
use super::world::{LinkId, World};
use super::{app_state, group_requests, preferences};

/// What a query is answered with that there is not. The code is the one that clients know as
/// fatal (whatsapp-rust 0.7.0, features/mex.rs); which one the real server gives is not known.
const UNKNOWN_QUERY: &str = r#"{"data":null,"errors":[{"message":"unknown query","extensions":{"error_code":400,"is_retryable":false}}]}"#;

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
        ("passive", true, "passive") => {
            world.say(link, result(iq));
            world.deactivate(link);
        }
        ("encrypt", true, _) => upload(world, link, iq).await,
        ("usync", _, _) if checks::goes_wrong(world, link, iq) => {}
        ("usync", _, _) => about_people(world, link, iq, People::usync),
        ("encrypt", false, _) => about_people(world, link, iq, People::prekeys),
        ("w:g2", false, "participating") if world.settings.ignore_groups.take() => {}
        ("w:g2", false, _) => about_people(world, link, iq, People::group_info),
        ("w:g2", true, _) => group_requests::set(world, link, iq),
        ("urn:xmpp:whatsapp:dirty", true, _) => {
            streams::clean(world, link, iq);
            world.say(link, result(iq));
        }
        ("md", true, "link_code_companion_reg") => pair_code::request(world, link, iq),
        ("md", true, "remove-companion-device") => log_out(world, link, iq),
        ("md", ..) if passkey::request(world, link, iq, child) => {}
        ("w:sync:app:state", true, _) => app_state::request(world, link, iq),
        ("w:m", true, "media_conn") => {
            let conn = world.media.conn();
            world.say(link, result_with(iq, [conn]));
        }
        ("abt", false, _) => answer_props(world, link, iq),
        ("w:p", ..) => {
            world.stats.keepalives += 1;
            world.say(link, result(iq));
        }
        (space, ..) if preferences::request(world, link, iq, (space, set)) => {}
        _ => other(world, link, iq, (&space, set, child)),
    }
}

/// Whose answer is always the same, and those that the server does not know: a success that
/// does nothing would hide a client's mistake.
fn other(world: &mut World, link: LinkId, iq: &Node, (space, set, child): (&str, bool, &str)) {
    let reply = match fixed(space, set, child) {
        Some(child) => result_with(iq, [child]),
        None if taken(space) => result(iq),
        None => {
            world.stats.not_understood += 1;
            tracing::debug!(space, child, set, "a request that the server does not know");
            refusal(iq, 501, "feature-not-implemented")
        }
    };
    world.say(link, reply);
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
        // Nobody here is a business.
        ("w:biz", false, "business_profile") => NodeBuilder::new("business_profile").attr("v", 0),
        ("w:mex", _, _) => NodeBuilder::new("result").bytes(UNKNOWN_QUERY.as_bytes()),
        _ => return None,
    };
    Some(node.build())
}

/// Requests that ask for nothing but to be taken: telemetry, terms that were read, a ping.
fn taken(space: &str) -> bool {
    matches!(space, "urn:xmpp:ping" | "tos" | "w:stats")
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
    notices::low_keys(world);
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

/// Takes a companion off its account.
pub(super) fn forget(world: &mut World, device: &DeviceId) {
    if let Some(account) = world.accounts.get_mut(&device.user) {
        account.companions.remove(&device.device);
    }
    if world.people.remove_companion_of_account(&device.user, device.device).is_err() {
        tracing::error!("a companion without its keys");
    }
    notices::devices(world, &device.user, &[device.device], Fate::Removed);
}

/// A client that logs itself out.
fn log_out(world: &mut World, link: LinkId, iq: &Node) {
    world.say(link, result(iq));
    let Some(device) = world.device(link).cloned() else { return };
    forget(world, &device);
    world.say(link, conflict("device_removed", Some(401)));
    world.hang_up(link);
}
