//! Library events that prove that our phone is online. Pure. What else an event means is
//! `translate`'s.

use whatsapp_rust::types::events::{Event, Receipt};
use whatsapp_rust::wacore::types::message::{MessageInfo, MessageSource};
use whatsapp_rust::wacore::types::presence::ReceiptType;

use crate::whatsapp::events::translate::{ConnectionEvent, Me};
use tetherd_core::event::SessionEvent;
use tetherd_core::phone::PhoneActivity;

/// The phone of an account is its device 0.
const PHONE: u16 = 0;

/// The proof in this event that the phone is online, if it is one.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library has 60 kinds, we name ours")]
pub(crate) fn phone_activity(event: &Event, me: &Me) -> Option<ConnectionEvent> {
    let (activity, at_ms) = match event {
        Event::Receipt(receipt) => from_receipt(receipt, me)?,
        Event::Messages(batch) => {
            batch.iter().filter_map(|message| from_message(&message.info, me)).next_back()?
        }
        _ => return None,
    };
    Some(ConnectionEvent::Report(SessionEvent::PhoneActivity { activity, at_ms }))
}

fn is_phone(source: &MessageSource, me: &Me) -> bool {
    let own = me.owns(&source.sender) || source.sender_alt.as_ref().is_some_and(|j| me.owns(j));
    own && source.sender.device == PHONE
}

fn from_receipt(receipt: &Receipt, me: &Me) -> Option<(PhoneActivity, Option<i64>)> {
    if !is_phone(&receipt.source, me) {
        return None;
    }
    let activity = match &receipt.r#type {
        ReceiptType::PeerMsg | ReceiptType::HistorySync => PhoneActivity::Peer,
        ReceiptType::Sender | ReceiptType::Delivered | ReceiptType::Inactive => {
            PhoneActivity::Receipt
        }
        ReceiptType::Retry | ReceiptType::EncRekeyRetry => PhoneActivity::Retry,
        // Where somebody read something says nothing about the phone: it may have been
        // another of the account's devices.
        ReceiptType::Read
        | ReceiptType::Played
        | ReceiptType::ReadSelf
        | ReceiptType::PlayedSelf
        | ReceiptType::Sent
        | ReceiptType::ServerError
        | ReceiptType::Other(_)
        | _ => return None,
    };
    Some((activity, receipt.offline.then(|| by_end_of(receipt.timestamp.timestamp()))))
}

fn from_message(info: &MessageInfo, me: &Me) -> Option<(PhoneActivity, Option<i64>)> {
    if !is_phone(&info.source, me) {
        return None;
    }
    Some((PhoneActivity::Message, info.is_offline.then(|| by_end_of(info.timestamp.timestamp()))))
}

/// The server counts whole seconds.
fn by_end_of(second: i64) -> i64 {
    second.saturating_mul(1_000).saturating_add(999)
}
