//! Notifications to the clients of an account. Decides nothing about what they say.

use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::messages::MessageUtils;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{Jid, Node};

use super::accounts::DeviceId;
use super::nodes::server;
use super::person::Person;
use super::world::World;

/// The clients of an account, but for one.
pub(super) fn clients(world: &World, account: &str, but: Option<&DeviceId>) -> Vec<DeviceId> {
    let account_clients = world.accounts.get(account).into_iter().flat_map(|known| {
        known.companions.keys().map(|id| DeviceId { user: account.to_owned(), device: *id })
    });
    account_clients.filter(|client| but != Some(client)).collect()
}

/// Notifies them: those that are away, once they are back.
pub(super) fn to_account(
    world: &mut World,
    account: &str,
    but: Option<&DeviceId>,
    kind: &'static str,
    from: &Jid,
    children: &[Node],
) {
    for client in clients(world, account, but) {
        let notification = NodeBuilder::new("notification")
            .attr("from", from)
            .attr("type", kind)
            .attr("id", world.iq_id())
            .attr("t", now_secs())
            .children(children.iter().cloned())
            .build();
        world.deliver(&client, notification);
    }
}

/// What has become of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// They are new.
    Added,
    /// They are gone.
    Removed,
}

/// Somebody has other devices: accounts that know the person are notified, and the account's
/// own other clients (whatsmeow, notification.go; wacore 0.7.0, stanza/devices.rs).
pub(super) fn devices(world: &mut World, number: &str, ids: &[u16], fate: Fate) {
    let Some(person) = world.people.persons.get(number).filter(|_| !ids.is_empty()) else { return };
    let (own, lid) = (person.pn_jid(0), person.lid_jid(0));
    let list = key_index_list(person, fate);
    let concerned = ids.iter().map(|id| {
        let node = NodeBuilder::new("device").attr("jid", person.pn_jid(*id));
        let node = node.attr("lid", person.lid_jid(*id));
        match person.devices.get(id) {
            Some(endpoint) => node.attr("key-index", endpoint.key_index).build(),
            None => node.build(),
        }
    });
    let tag = if fate == Fate::Added { "add" } else { "remove" };
    let change = NodeBuilder::new(tag).children(concerned.chain([list])).build();
    let mine = own_devices(person);
    let accounts: Vec<String> = world.accounts.users().map(str::to_owned).collect();
    for account in accounts.iter().filter(|account| *account != number) {
        if !world.contacts.have_met(account, number) {
            continue;
        }
        for client in clients(world, account, None) {
            let notification = NodeBuilder::new("notification")
                .attr("from", &own)
                .attr("lid", &lid)
                .attr("type", "devices")
                .attr("id", world.iq_id())
                .attr("t", now_secs())
                .children([change.clone()]);
            world.deliver(&client, notification.build());
        }
    }
    let new = ids.iter().map(|id| DeviceId { user: number.to_owned(), device: *id }).next();
    to_account(world, number, new.as_ref(), "account_sync", &own, &[mine]);
}

/// With the signed list for devices that are new.
fn key_index_list(person: &Person, fate: Fate) -> Node {
    let node = NodeBuilder::new("key-index-list").attr("ts", person.since_s);
    match person.key_index_list().filter(|_| fate == Fate::Added) {
        Some(signed) => node.bytes(signed).build(),
        None => node.build(),
    }
}

/// All devices of an account, for its own clients.
fn own_devices(person: &Person) -> Node {
    let jids: Vec<Jid> = person.devices.keys().map(|id| person.pn_jid(*id)).collect();
    let hash = MessageUtils::participant_list_hash(&jids).unwrap_or_default();
    let devices = person.devices.iter().map(|(id, endpoint)| {
        let node = NodeBuilder::new("device").attr("jid", person.pn_jid(*id));
        if endpoint.key_index == 0 {
            return node.build();
        }
        node.attr("key-index", endpoint.key_index).build()
    });
    let list = key_index_list(person, Fate::Added);
    NodeBuilder::new("devices").attr("dhash", hash).children(devices.chain([list])).build()
}

/// Clients whose one-time keys run out are asked to bring more, once for each upload.
pub(super) fn low_keys(world: &mut World) {
    for client in world.people.take_low_keys() {
        let (number, device) = client;
        let Some(left) = world.people.one_time_keys_left(&Jid::pn_device(number.as_str(), device))
        else {
            continue;
        };
        let count = NodeBuilder::new("count").attr("value", left).build();
        let notification = NodeBuilder::new("notification")
            .attr("from", server())
            .attr("type", "encrypt")
            .attr("id", world.iq_id())
            .attr("t", now_secs())
            .children([count]);
        world.deliver(&DeviceId { user: number, device }, notification.build());
    }
}
