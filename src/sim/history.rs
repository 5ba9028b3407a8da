//! The history that a phone sends to a companion after its first login: conversations with
//! privacy tokens, the account's salt, and which number is which LID. Compressed, in parts,
//! as messages of category `peer`; the files are on the media host. Small by default, and as
//! large as a test wants it.

use serde::Deserialize;
use whatsapp_rust::buffa::{Message as _, MessageField};
use whatsapp_rust::wacore::download::MediaType;
use whatsapp_rust::wacore::time::now_secs_u64;
use whatsapp_rust::wacore::upload::encrypt_media;
use whatsapp_rust::wacore_binary::Jid;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::history_sync::HistorySyncType as PartType;
use whatsapp_rust::waproto::whatsapp::message::HistorySyncType;
use whatsapp_rust::waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use zlib_rs::{Deflate, DeflateFlush, Status};

use super::accounts::DeviceId;
use super::media::{direct_path, token_of};
use super::world::{World, random};

/// Conversations with people who exist, at most.
const PEOPLE_CHATS_MAX: usize = 50;
/// Made-up conversations, at most.
pub(super) const CHATS_MAX: usize = 50_000;
/// Their numbers count up from here.
const MADE_UP_BASE: u64 = 15_556_000_000;
/// Their LIDs, too.
const MADE_UP_LID_BASE: u64 = 200_000_000_000_000;
/// Conversations in one part: a part of a real phone has about a mebibyte, compressed.
const PART_CHATS: usize = 1_000;

/// As phones do it: fast, with the largest window.
const COMPRESSION: i32 = 1;
const WINDOW_BITS: u8 = 15;

/// What a phone's history holds besides the people who exist.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MadeUp {
    /// Conversations with a token each.
    pub chats: usize,
    /// Messages in each of them.
    pub messages: usize,
}

/// A conversation's person: number and LID, and the token that it gave.
struct Chat {
    number: String,
    lid: String,
    token: Option<(Vec<u8>, u64)>,
    messages: usize,
}

/// The phone sends its history to a companion, once.
pub(super) async fn send(world: &mut World, device: &DeviceId) {
    if world.accounts.companion(device).is_none_or(|companion| companion.has_history) {
        return;
    }
    let chats = chats(world, &device.user);
    let salt = world.tokens.salt(&device.user);
    let parts = chats.chunks(PART_CHATS).count().max(1);
    let empty = chats.is_empty().then_some(&chats[..]);
    for (order, part) in chats.chunks(PART_CHATS).chain(empty).enumerate() {
        let first = order == 0;
        let progress = u32::try_from((order + 1) * 100 / parts).unwrap_or(100);
        let kind = if first && parts > 1 { PartType::INITIAL_BOOTSTRAP } else { PartType::RECENT };
        let history = wa::HistorySync {
            sync_type: kind,
            conversations: part.iter().map(conversation).collect(),
            chunk_order: u32::try_from(order).ok(),
            progress: Some(progress),
            phone_number_to_lid_mappings: part.iter().map(mapping).collect(),
            nct_salt: first.then(|| salt.to_vec()),
            ..Default::default()
        };
        let Some(message) = notification(world, &history) else { return };
        let Some(node) = world.people.peer_message(&device.user, device.device, &message).await
        else {
            return;
        };
        world.phone_says(device, node);
    }
    if let Some(companion) = world.accounts.companion_mut(device) {
        companion.has_history = true;
    }
}

fn chats(world: &World, account: &str) -> Vec<Chat> {
    let people = world.people.persons.values();
    let people = people.filter(|person| person.on_network && person.number != account);
    let mut chats: Vec<Chat> = people
        .take(PEOPLE_CHATS_MAX)
        .map(|person| Chat {
            number: person.number.clone(),
            lid: person.lid.clone(),
            token: world
                .tokens
                .given(account, &person.number)
                .map(|(token, since)| (token.to_vec(), u64::try_from(since).unwrap_or(0))),
            messages: 1,
        })
        .collect();
    let MadeUp { chats: made_up, messages } = world.tokens.made_up;
    let now = now_secs_u64();
    chats.extend((0..made_up as u64).map(|chat| Chat {
        number: (MADE_UP_BASE + chat).to_string(),
        lid: (MADE_UP_LID_BASE + chat).to_string(),
        token: Some((random::<32>().to_vec(), now)),
        messages,
    }));
    chats
}

fn conversation(chat: &Chat) -> wa::Conversation {
    let jid = Jid::lid(chat.lid.as_str()).to_string();
    let (token, since) = chat.token.clone().unzip();
    wa::Conversation {
        id: jid.clone(),
        messages: (0..chat.messages).map(|_| message(&jid)).collect(),
        tc_token: token,
        tc_token_timestamp: since,
        ..Default::default()
    }
}

/// Text that does not compress well, as real ones do not.
fn message(chat: &str) -> wa::HistorySyncMsg {
    let text = hex::encode(random::<48>());
    let key = wa::MessageKey {
        remote_jid: Some(chat.to_owned()),
        from_me: Some(false),
        id: Some(hex::encode_upper(random::<8>())),
        ..Default::default()
    };
    let content = wa::Message { conversation: Some(text), ..Default::default() };
    let info = wa::WebMessageInfo {
        key: MessageField::some(key),
        message: MessageField::some(content),
        message_timestamp: Some(now_secs_u64()),
        ..Default::default()
    };
    wa::HistorySyncMsg { message: MessageField::some(info), ..Default::default() }
}

fn mapping(chat: &Chat) -> wa::PhoneNumberToLIDMapping {
    wa::PhoneNumberToLIDMapping {
        pn_jid: Some(Jid::pn(chat.number.as_str()).to_string()),
        lid_jid: Some(Jid::lid(chat.lid.as_str()).to_string()),
    }
}

fn compressed(plain: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![0; plain.len() + plain.len() / 100 + 1_024];
    let mut deflate = Deflate::new(COMPRESSION, true, WINDOW_BITS);
    match deflate.compress(plain, &mut out, DeflateFlush::Finish) {
        Ok(Status::StreamEnd) => {}
        Ok(Status::Ok | Status::BufError) | Err(_) => return None,
    }
    out.truncate(usize::try_from(deflate.total_out()).ok()?);
    Some(out)
}

/// Puts a part on the media host, and says where.
fn notification(world: &World, history: &wa::HistorySync) -> Option<wa::Message> {
    let part = compressed(&history.encode_to_vec())?;
    let sealed = encrypt_media(&part, MediaType::History).ok()?;
    let token = token_of(&sealed.file_enc_sha256);
    world.media.files.put(&token, sealed.data_to_upload);
    let notification = wa::message::HistorySyncNotification {
        file_sha256: Some(sealed.file_sha256.to_vec()),
        file_length: Some(part.len() as u64),
        media_key: Some(sealed.media_key.to_vec()),
        file_enc_sha256: Some(sealed.file_enc_sha256.to_vec()),
        direct_path: Some(direct_path(&token)),
        sync_type: Some(if history.sync_type == PartType::INITIAL_BOOTSTRAP {
            HistorySyncType::INITIAL_BOOTSTRAP
        } else {
            HistorySyncType::RECENT
        }),
        chunk_order: history.chunk_order,
        progress: history.progress,
        ..Default::default()
    };
    let protocol = wa::message::ProtocolMessage {
        r#type: Some(ProtocolType::HISTORY_SYNC_NOTIFICATION),
        history_sync_notification: MessageField::some(notification),
        ..Default::default()
    };
    Some(wa::Message { protocol_message: MessageField::some(protocol), ..Default::default() })
}
