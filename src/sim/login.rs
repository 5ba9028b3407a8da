//! What a client is after its handshake: a registration, a companion that logs in, or
//! somebody to turn away.

use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::time::now_secs;

use super::accounts::DeviceId;
use super::noise::Peer;
use super::pairing;
use super::settings::LoginFailure;
use super::world::{LinkId, Standing, World};

/// The reason that a client takes as "logged out".
const LOGGED_OUT: u32 = 401;

/// Decides on a connection whose handshake is done.
pub(super) fn begin(world: &mut World, link: LinkId, peer: &Peer) {
    let payload = &peer.payload;
    if let Some(data) = payload.device_pairing_data.as_option() {
        return pairing::begin(world, link, data);
    }
    if let Some(failure) = next_failure(world) {
        return refuse(world, link, &failure);
    }
    let device = payload.username.zip(payload.device).and_then(|(user, device)| {
        Some(DeviceId { user: user.to_string(), device: u16::try_from(device).ok()? })
    });
    let known = device.filter(|device| {
        world
            .accounts
            .companion_mut(device)
            .is_some_and(|companion| companion.noise_key == peer.static_key)
    });
    match known {
        Some(device) => accept(world, link, device),
        None => refuse(
            world,
            link,
            &LoginFailure { reason: LOGGED_OUT, code: None, expire: None, times: None },
        ),
    }
}

fn next_failure(world: &mut World) -> Option<LoginFailure> {
    let (failure, left) = world.failure?;
    world.failure = (left > 1).then_some((failure, left - 1));
    (left > 0).then_some(failure)
}

fn refuse(world: &mut World, link: LinkId, failure: &LoginFailure) {
    let mut node =
        NodeBuilder::new("failure").attr("reason", failure.reason).attr("location", "sim");
    if let Some(code) = failure.code {
        node = node.attr("code", code);
    }
    if let Some(expire) = failure.expire {
        node = node.attr("expire", expire);
    }
    world.stats.login_failures += 1;
    world.say(link, node.build());
    world.hang_up(link);
}

fn accept(world: &mut World, link: LinkId, device: DeviceId) {
    if let Some((older, _)) = world.link_of(&device) {
        world.replace(older);
    }
    let mut success =
        NodeBuilder::new("success").attr("t", now_secs()).attr("props", 2).attr("location", "sim");
    if let Some(lid) = world.lid(&device) {
        success = success.attr("lid", lid);
    }
    world.stand(link, Standing::LoggedIn { device, active: false });
    world.stats.logins += 1;
    world.say(link, success.build());
}
