//! `ProtocolStore`: who has our sender keys, which LID is which number, whose devices
//! are which, group metadata, sent messages for retries, received ones before they
//! are acknowledged.

use std::sync::Arc;

use async_trait::async_trait;
use whatsapp_rust::wacore::store::traits::{
    DeviceListRecord, LidPnMappingEntry, PendingInboundKey, PendingInboundRow, ProtocolStore,
    TcTokenEntry,
};
use whatsapp_rust::wacore::time::now_secs;

use super::bounded::Bounded;
use super::expiring_records::{Due, ExpiringRecords, Limits};
use super::{Result, SessionBackend, count, from_json, group_key, key, read_error, text, to_json};
use crate::store::{Batch, ReadError, View};

const SENDER_KEY_DEVICE: &str = "sender_key_device";
pub(super) const LID: &str = "lid";
const NUMBER: &str = "number";
const BASE_KEY: &str = "base_key";
const DEVICES: &str = "devices";
const GROUP: &str = "group";

/// Most people whose devices are remembered: as many as chats are known.
pub(super) const DEVICES_MAX: usize = 20_000;
/// Most people of whom both identifiers are remembered.
pub(super) const LIDS_MAX: usize = 20_000;
/// Most groups whose members are remembered.
const GROUPS_MAX: usize = 1_024;
/// Most devices, in all groups, that are known to have our key. One that is forgotten is
/// given the key again.
const SENDER_KEY_DEVICES_MAX: usize = 50_000;
/// Most messages whose repeated requests are compared.
pub(super) const BASE_KEYS_MAX: usize = 1_024;

const ALL_DEVICES: Bounded = Bounded {
    area: DEVICES,
    max: DEVICES_MAX,
    learnt: |value| from_json(value).map_or(0, |record: DeviceListRecord| record.timestamp),
};
const LIDS: Bounded = Bounded {
    area: LID,
    max: LIDS_MAX,
    learnt: |value| from_json(value).map_or(0, |entry: LidPnMappingEntry| entry.updated_at),
};
const GROUPS: Bounded = Bounded { area: GROUP, max: GROUPS_MAX, learnt: |_| 0 };
const SENDER_KEY_DEVICES: Bounded =
    Bounded { area: SENDER_KEY_DEVICE, max: SENDER_KEY_DEVICES_MAX, learnt: |_| 0 };
const BASE_KEYS: Bounded = Bounded { area: BASE_KEY, max: BASE_KEYS_MAX, learnt: |_| 0 };

/// Timed by when they were stored.
const SENT: ExpiringRecords = ExpiringRecords { area: "sent", times: "sent_at" };
const INBOUND: ExpiringRecords = ExpiringRecords { area: "inbound", times: "inbound_at" };

/// How long a sent message can be asked for again by a recipient, in seconds: a fortnight, for
/// devices that were off.
pub(crate) const SENT_SECONDS: i64 = 14 * 24 * 3600;

/// Most sent messages kept for retries, and their bytes in all; the oldest give way.
pub(super) const SENT_MESSAGES_MAX: usize = 2_048;
pub(super) const SENT_BYTES_MAX: u64 = 16 * 1024 * 1024;
const SENT_MAX: Limits = Limits { count: SENT_MESSAGES_MAX, bytes: SENT_BYTES_MAX };

fn base_key(address: &str, message_id: &str) -> Vec<u8> {
    group_key(BASE_KEY, &[address, message_id])
}

fn sent(chat: &str, id: &str) -> Vec<u8> {
    group_key(SENT.area, &[chat, id])
}

fn inbound(chat: &str, sender: &str, id: &str) -> Vec<u8> {
    group_key(INBOUND.area, &[chat, sender, id])
}

/// The device's JID at the end of a key, after its group's.
fn device_of(rest: &[u8]) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
    rest.get(2 + length..)
}

/// Removes a mapping, and the one the other way round if it is still its own.
fn forget_lid(
    view: &View<'_>,
    batch: &mut Batch,
    record: Vec<u8>,
) -> std::result::Result<(), ReadError> {
    if let Some(bytes) = view.get(&record)? {
        let entry: LidPnMappingEntry = from_json(&bytes)?;
        let number = key(NUMBER, entry.phone_number.as_bytes());
        // The number may have gone to another LID since.
        if view.get(&number)?.is_some_and(|lid| lid == entry.lid.as_bytes()) {
            batch.remove(number);
        }
    }
    batch.remove(record);
    Ok(())
}

impl SessionBackend {
    /// Whether this message is kept, under this chat or under the other name of its person.
    pub(super) fn has_sent_message(&self, chat: &str, message_id: &str) -> Result<bool> {
        if self.read(&sent(chat, message_id))?.is_some() {
            return Ok(true);
        }
        let is_it = |record: &[u8]| record.ends_with(message_id.as_bytes());
        let mut all = self.store.scan(&key(SENT.area, &[]));
        Ok(all.any(|record| record.is_ok_and(|(record, _)| is_it(&record))))
    }

    async fn expire(&self, table: ExpiringRecords, cutoff: i64) -> Result<u32> {
        self.change(move |view| {
            let mut batch = Batch::new();
            let removed = table.expire(view, &mut batch, |time| Due::before(time, cutoff))?;
            Ok((batch, count(removed)))
        })
        .await
    }
}

#[async_trait]
impl ProtocolStore for SessionBackend {
    async fn get_sender_key_devices(&self, group_jid: &str) -> Result<Vec<(String, bool)>> {
        let found = self.list(&group_key(SENDER_KEY_DEVICE, &[group_jid]))?;
        found.into_iter().map(|(jid, has)| Ok((text(jid)?, has == [1]))).collect()
    }

    async fn set_sender_key_status(&self, group_jid: &str, entries: &[(&str, bool)]) -> Result<()> {
        let records = entries.iter().map(|(device, has_key)| {
            let mut record = group_key(SENDER_KEY_DEVICE, &[group_jid]);
            record.extend_from_slice(device.as_bytes());
            (record, vec![u8::from(*has_key)])
        });
        let records = records.collect();
        self.put_bounded(SENDER_KEY_DEVICES, |counts| &counts.sender_key_devices, records).await
    }

    async fn clear_sender_key_devices(&self, group_jid: &str) -> Result<()> {
        let mut batch = Batch::new();
        batch.remove_all(group_key(SENDER_KEY_DEVICE, &[group_jid]));
        self.write(batch).await
    }

    async fn delete_sender_key_device_rows(&self, device_jids: &[&str]) -> Result<()> {
        let devices: Vec<Vec<u8>> = device_jids.iter().map(|jid| jid.as_bytes().to_vec()).collect();
        self.change(move |view| {
            let all = key(SENDER_KEY_DEVICE, &[]);
            let mut batch = Batch::new();
            for record in view.scan(&all) {
                let (record, _) = record?;
                let device = device_of(&record[all.len()..]).ok_or(ReadError::Damaged)?;
                if devices.iter().any(|wanted| wanted == device) {
                    batch.remove(record);
                }
            }
            Ok((batch, ()))
        })
        .await
    }

    async fn clear_all_sender_key_devices(&self) -> Result<()> {
        let mut batch = Batch::new();
        batch.remove_all(key(SENDER_KEY_DEVICE, &[]));
        self.write(batch).await
    }

    async fn get_lid_mapping(&self, lid: &str) -> Result<Option<LidPnMappingEntry>> {
        self.read_json(&key(LID, lid.as_bytes()))
    }

    async fn get_pn_mapping(&self, phone: &str) -> Result<Option<LidPnMappingEntry>> {
        let Some(lid) = self.read(&key(NUMBER, phone.as_bytes()))? else { return Ok(None) };
        let entry: Option<LidPnMappingEntry> = self.read_json(&key(LID, &lid))?;
        // The LID may have moved on to another number.
        Ok(entry.filter(|entry| entry.phone_number == phone))
    }

    async fn put_lid_mapping(&self, entry: &LidPnMappingEntry) -> Result<()> {
        self.put_lid_mappings(std::slice::from_ref(entry)).await
    }

    async fn put_lid_mappings(&self, entries: &[LidPnMappingEntry]) -> Result<()> {
        let entries = entries.to_vec();
        let (counts, unstored) = (Arc::clone(&self.counts), Arc::clone(&self.unstored));
        let learnt = entries.clone();
        self.change(move |view| {
            let mut batch = Batch::new();
            for record in LIDS.make_room(view, &counts.lids, entries.len())? {
                forget_lid(view, &mut batch, record)?;
            }
            for entry in &entries {
                let record = key(LID, entry.lid.as_bytes());
                forget_lid(view, &mut batch, record.clone())?;
                batch.put(record, to_json(entry).map_err(|_| ReadError::Damaged)?);
            }
            for entry in &entries {
                batch.put(key(NUMBER, entry.phone_number.as_bytes()), entry.lid.as_bytes());
            }
            Ok((batch, ()))
        })
        .await?;
        unstored.stored(&learnt);
        Ok(())
    }

    /// None: the library would put them into its cache at each connect, and that cache is this
    /// storage.
    async fn get_all_lid_mappings(&self) -> Result<Vec<LidPnMappingEntry>> {
        Ok(Vec::new())
    }

    async fn save_base_key(&self, address: &str, message_id: &str, base: &[u8]) -> Result<()> {
        let record = (base_key(address, message_id), base.to_vec());
        self.put_bounded(BASE_KEYS, |counts| &counts.base_keys, vec![record]).await
    }

    async fn has_same_base_key(
        &self,
        address: &str,
        message_id: &str,
        current_base_key: &[u8],
    ) -> Result<bool> {
        let saved = self.read(&base_key(address, message_id))?;
        Ok(saved.is_some_and(|saved| saved == current_base_key))
    }

    async fn delete_base_key(&self, address: &str, message_id: &str) -> Result<()> {
        self.remove(base_key(address, message_id)).await
    }

    async fn update_device_list(&self, record: DeviceListRecord) -> Result<()> {
        self.update_device_lists(vec![record]).await
    }

    async fn update_device_lists(&self, records: Vec<DeviceListRecord>) -> Result<()> {
        let record = |record: &DeviceListRecord| {
            Ok((key(DEVICES, record.user.as_bytes()), to_json(record)?))
        };
        let records = records.iter().map(record).collect::<Result<_>>()?;
        self.put_bounded(ALL_DEVICES, |counts| &counts.devices, records).await
    }

    async fn get_devices(&self, user: &str) -> Result<Option<DeviceListRecord>> {
        self.read_json(&key(DEVICES, user.as_bytes()))
    }

    async fn delete_devices(&self, user: &str) -> Result<()> {
        self.remove(key(DEVICES, user.as_bytes())).await
    }

    async fn get_group_metadata(&self, group_jid: &str) -> Result<Option<Vec<u8>>> {
        self.read(&key(GROUP, group_jid.as_bytes()))
    }

    async fn put_group_metadata(&self, group_jid: &str, blob: &[u8]) -> Result<()> {
        let record = (key(GROUP, group_jid.as_bytes()), blob.to_vec());
        self.put_bounded(GROUPS, |counts| &counts.groups, vec![record]).await
    }

    async fn delete_group_metadata(&self, group_jid: &str) -> Result<()> {
        self.remove(key(GROUP, group_jid.as_bytes())).await
    }

    async fn get_tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>> {
        self.tc_token(jid).await
    }

    async fn put_tc_token(&self, jid: &str, entry: &TcTokenEntry) -> Result<()> {
        self.replace_tc_token(jid, entry).await
    }

    async fn delete_tc_token(&self, jid: &str) -> Result<()> {
        self.remove_tc_token(jid).await
    }

    async fn get_all_tc_token_jids(&self) -> Result<Vec<String>> {
        self.tc_token_jids().await
    }

    async fn delete_expired_tc_tokens(&self, token_cutoff: i64, sender_cutoff: i64) -> Result<u32> {
        self.expire_tc_tokens(token_cutoff, sender_cutoff).await
    }

    async fn touch_tc_token_sender_timestamp(&self, jid: &str, issued: i64) -> Result<()> {
        self.touch_tc_token(jid, issued).await
    }

    async fn store_received_tc_token(
        &self,
        jid: &str,
        token: &[u8],
        token_timestamp: i64,
    ) -> Result<()> {
        self.receive_tc_token(jid, token, token_timestamp).await
    }

    async fn store_sent_message(&self, chat: &str, message_id: &str, payload: &[u8]) -> Result<()> {
        let record = sent(chat, message_id);
        let payload = payload.to_vec();
        let (now, counts) = (now_secs(), Arc::clone(&self.counts));
        self.change(move |view| {
            let mut batch = Batch::new();
            SENT.make_room(view, &mut batch, &counts.sent, SENT_MAX, payload.len() as u64)?;
            SENT.put(view, &mut batch, record, now, &payload)?;
            Ok((batch, ()))
        })
        .await
    }

    /// Asked for when a recipient could not read a message. It stays: the library stores what it
    /// takes again, and a kill in between would leave nothing for the next who asks. One whose
    /// time is over may lie here until the library's next sweep.
    async fn take_sent_message(&self, chat: &str, message_id: &str) -> Result<Option<Vec<u8>>> {
        let record = sent(chat, message_id);
        let cutoff = now_secs() - SENT_SECONDS;
        let id = message_id.to_owned();
        let taken = self.change(move |view| {
            if let Some((time, payload)) = SENT.get(view, &record)?
                && time >= cutoff
            {
                return Ok((Batch::new(), Some(payload)));
            }
            // The library asks under the number and under the LID.
            let is_it = |other: &[u8]| *other != *record && other.ends_with(id.as_bytes());
            let mut all = view.scan(&key(SENT.area, &[]));
            if !all.any(|other| other.is_ok_and(|(other, _)| is_it(&other))) {
                tracing::info!("a recipient asks again for a message that is not kept any more");
            }
            Ok((Batch::new(), None))
        });
        taken.await
    }

    async fn delete_expired_sent_messages(&self, cutoff_timestamp: i64) -> Result<u32> {
        self.expire(SENT, cutoff_timestamp).await
    }

    async fn store_pending_inbound(
        &self,
        chat: &str,
        sender: &str,
        id: &str,
        message: &[u8],
    ) -> Result<()> {
        self.store_pending_inbound_batch(&[PendingInboundRow { chat, sender, id, message }]).await
    }

    async fn get_pending_inbound(
        &self,
        chat: &str,
        sender: &str,
        id: &str,
    ) -> Result<Option<Vec<u8>>> {
        let Some(value) = self.read(&inbound(chat, sender, id))? else { return Ok(None) };
        let (_, payload) =
            ExpiringRecords::split(&value).ok_or_else(|| read_error(ReadError::Damaged))?;
        Ok(Some(payload.to_vec()))
    }

    async fn delete_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<()> {
        self.delete_pending_inbound_batch(&[PendingInboundKey { chat, sender, id }]).await
    }

    async fn delete_expired_pending_inbound(&self, cutoff_timestamp: i64) -> Result<u32> {
        self.expire(INBOUND, cutoff_timestamp).await
    }

    async fn store_pending_inbound_batch(&self, rows: &[PendingInboundRow<'_>]) -> Result<()> {
        let now = now_secs();
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (inbound(row.chat, row.sender, row.id), row.message.to_vec()))
            .collect();
        self.change(move |view| {
            let mut batch = Batch::new();
            for (record, message) in rows {
                INBOUND.put(view, &mut batch, record, now, &message)?;
            }
            Ok((batch, ()))
        })
        .await
    }

    async fn delete_pending_inbound_batch(&self, keys: &[PendingInboundKey<'_>]) -> Result<()> {
        let keys: Vec<_> = keys.iter().map(|k| inbound(k.chat, k.sender, k.id)).collect();
        self.change(move |view| {
            let mut batch = Batch::new();
            for record in keys {
                INBOUND.take(view, &mut batch, record)?;
            }
            Ok((batch, ()))
        })
        .await
    }
}
