//! What a client is after its handshake: a registration, a companion that logs in, or
//! somebody to turn away.

use std::time::Duration;

use tokio::time::Instant;
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
        None => {
            refuse(world, link, &LoginFailure { reason: LOGGED_OUT, ..LoginFailure::default() })
        }
    }
}

/// Logins that fail.
pub(super) struct Failing {
    failure: LoginFailure,
    /// How many more.
    left: u32,
    /// When the last login was refused, or it was ordered.
    last: Instant,
}

impl Failing {
    /// From now on; none: not any more.
    pub(super) fn new(failure: LoginFailure) -> Option<Failing> {
        let left = failure.times.unwrap_or(1);
        (left > 0).then(|| Failing { failure, left, last: Instant::now() })
    }
}

fn next_failure(world: &mut World) -> Option<LoginFailure> {
    let Failing { failure, left, last } = world.failure.take()?;
    let now = Instant::now();
    let left = match failure.quiet_s {
        Some(quiet) if now < last + Duration::from_secs(quiet) => left,
        Some(_) => return None,
        None => left.checked_sub(1)?,
    };
    world.failure = Some(Failing { failure: failure.clone(), left, last: now });
    Some(failure)
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
    let texts = [
        ("message", &failure.message),
        ("url", &failure.url),
        ("logout_message_header", &failure.logout_message_header),
        ("logout_message_subtext", &failure.logout_message_subtext),
        ("logout_message_locale", &failure.logout_message_locale),
        ("appeal_token", &failure.appeal_token),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            node = node.attr(name, text.as_str());
        }
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
