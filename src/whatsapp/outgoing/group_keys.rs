//! Who holds this device's key of a group. The library notes for every device that it meant to
//! give the key to that it has it, also where no keys of that device could be fetched: those
//! are unmarked, so that the next message gives them the key.

use std::collections::HashSet;

use whatsapp_rust::Jid;
use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust::wacore::store::error::StoreError;

/// The devices that are known to hold the key, as they are stored.
pub(super) async fn holders(
    manager: &PersistenceManager,
    group: &Jid,
) -> Result<HashSet<String>, StoreError> {
    let marked = manager.backend().get_sender_key_devices(&group.to_string()).await?;
    Ok(marked.into_iter().filter(|(_, has_key)| *has_key).map(|(device, _)| device).collect())
}

/// Unmarks the devices that were not holders before and for which nothing was in the stanza.
pub(super) async fn unmark_missed(
    manager: &PersistenceManager,
    group: &Jid,
    before: &HashSet<String>,
    served: &[Jid],
) -> Result<(), StoreError> {
    let after = holders(manager, group).await?;
    let is_served = |device: &str| {
        let device = device.parse::<Jid>();
        device.is_ok_and(|device| served.iter().any(|served| is_same_device(served, &device)))
    };
    let missed: Vec<(&str, bool)> = after
        .difference(before)
        .filter(|device| !is_served(device))
        .map(|device| (device.as_str(), false))
        .collect();
    if missed.is_empty() {
        return Ok(());
    }
    tracing::debug!(devices = missed.len(), "devices of a group did not get its key");
    manager.backend().set_sender_key_status(&group.to_string(), &missed).await
}

fn is_same_device(one: &Jid, other: &Jid) -> bool {
    one.user == other.user && one.device == other.device && one.server == other.server
}
