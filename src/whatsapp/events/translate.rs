//! Translates the library's events for the core. Pure: an event and our own identity in, at
//! most one [`ConnectionEvent`] out.
//!
//! Never reports a delivery that is not a recipient's: our own devices, protocol
//! traffic and failed decryptions confirm with receipts too.

use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust::types::events::{
    ConnectFailureReason, Disconnected, Event, EventInterest, EventKind, LazyHistorySync, Receipt,
    ServerAck, StreamError,
};
use whatsapp_rust::wacore::net::DisconnectReason;
use whatsapp_rust::wacore::types::presence::ReceiptType;
use whatsapp_rust::wacore_binary::Node;
use whatsapp_rust::waproto::whatsapp::history_sync::HistorySyncType;
use whatsapp_rust::{Jid, Server};

use crate::whatsapp::connection::passkey::refusal;
use crate::whatsapp::events::mex::mex_notice;
use crate::whatsapp::events::names::account_names;
use crate::whatsapp::events::stream::stream_notice;
use tetherd_api::{PairFailure, Redacted};
use tetherd_core::event::{EndReason, Offer, PasskeyReport, ReceiptKind, SessionEvent};
use tetherd_core::ids::WaMessageId;
use tetherd_core::trouble::{LoginTrouble, ServerText, TroubleKind};

/// The code of a refusal that names none that is a number: still a refusal.
const ERROR_UNNAMED: u32 = 0;

/// Every kind that [`translate`], `phone_activity` or `chat_activity` reads; the library does not
/// build the others for us.
pub(crate) fn interest() -> EventInterest {
    EventInterest::of(&[
        EventKind::Connected,
        EventKind::Disconnected,
        EventKind::PairSuccess,
        EventKind::PairError,
        EventKind::LoggedOut,
        EventKind::PairingQrCode,
        EventKind::PairingCode,
        EventKind::PairingCodeRefresh,
        EventKind::PairingCodeError,
        EventKind::PairingQrCodesExhausted,
        EventKind::QrScannedWithoutMultidevice,
        EventKind::PairPasskeyRequest,
        EventKind::PairPasskeyConfirmation,
        EventKind::PairPasskeyError,
        EventKind::ClientOutdated,
        EventKind::SelfPushNameUpdated,
        EventKind::Messages,
        EventKind::Receipt,
        EventKind::ServerAck,
        EventKind::StreamReplaced,
        EventKind::TemporaryBan,
        EventKind::ConnectFailure,
        EventKind::StreamError,
        EventKind::MexNotification,
        EventKind::GroupUpdate,
        EventKind::HistorySync,
        EventKind::RawNode,
    ])
}

/// What an event means to the connection that saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionEvent {
    /// Passed on to the core.
    Report(SessionEvent),
    /// Logged in, ready to send.
    Ready,
    /// The account's own name has been learnt.
    Named,
    /// A code to show. Which codes are wanted, the pairing knows.
    Offer(Offer),
    /// The code to type is no longer good; `by_hand`: the phone wants to start over.
    CodeRefresh { by_hand: bool },
    /// No QR code is left.
    QrExhausted,
    /// The last part of the account's history was read.
    HistoryRead,
    /// The connection is over, and this is why.
    End(EndReason),
    /// The connection is gone; a better reason may already be known.
    Gone(EndReason),
}

/// Who we are: an account has a number and a hidden identity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Me {
    pub(crate) pn: Option<Redacted<Jid>>,
    pub(crate) lid: Option<Redacted<Jid>>,
}

impl Me {
    /// As the library knows it now.
    pub(crate) fn of(manager: &PersistenceManager) -> Me {
        let device = manager.get_device_snapshot();
        Me { pn: device.pn.clone().map(Redacted), lid: device.lid.clone().map(Redacted) }
    }

    pub(crate) fn owns(&self, jid: &Jid) -> bool {
        let is = |own: &Option<Redacted<Jid>>| {
            own.as_ref()
                .is_some_and(|Redacted(own)| own.user == jid.user && own.server == jid.server)
        };
        is(&self.pn) || is(&self.lid)
    }
}

/// What the event means; none: nothing to us.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library has 60 kinds, we name ours")]
pub(crate) fn translate(event: &Event, me: &Me) -> Option<ConnectionEvent> {
    match event {
        Event::ServerAck(ack) => self::ack(ack),
        Event::Receipt(receipt) => self::receipt(receipt, me),
        Event::Connected(_) => Some(ConnectionEvent::Ready),
        Event::SelfPushNameUpdated(_) => Some(ConnectionEvent::Named),
        Event::Disconnected(gone) => Some(ConnectionEvent::Gone(lost(gone))),
        Event::StreamReplaced(_) => Some(ConnectionEvent::End(EndReason::Replaced)),
        Event::LoggedOut(out) => Some(ConnectionEvent::End(match &out.raw {
            Some(raw) if out.on_connect => refused_login(out.reason.code(), Some(raw)),
            raw => EndReason::logged_out(raw.as_ref().and_then(|raw| number(raw, "code"))),
        })),
        Event::TemporaryBan(ban) => {
            let reason = ConnectFailureReason::TempBanned.code();
            Some(ConnectionEvent::End(refused_login(reason, ban.raw.as_ref())))
        }
        Event::ClientOutdated(outdated) => {
            let reason = ConnectFailureReason::ClientOutdated.code();
            Some(ConnectionEvent::End(refused_login(reason, outdated.raw.as_ref())))
        }
        Event::ConnectFailure(failure) => {
            let reason = failure.reason.code();
            Some(ConnectionEvent::End(refused_login(reason, failure.raw.as_ref())))
        }
        Event::StreamError(error) => stream_error(error),
        Event::GroupUpdate(_) => Some(ConnectionEvent::Report(SessionEvent::GroupsChanged)),
        Event::RawNode(node) => stream_notice(node),
        Event::MexNotification(mex) => mex_notice(mex).map(ConnectionEvent::Report),
        Event::HistorySync(part) => history_is_read(part).then_some(ConnectionEvent::HistoryRead),
        Event::PairingQrCode(qr) => Some(ConnectionEvent::Offer(Offer::Qr {
            text: qr.code.clone().into(),
            valid_ms: millis(qr.timeout),
        })),
        Event::PairingCode(code) => Some(ConnectionEvent::Offer(Offer::Code {
            code: code.code.clone().into(),
            valid_ms: millis(code.timeout),
        })),
        Event::PairingCodeRefresh(refresh) => {
            Some(ConnectionEvent::CodeRefresh { by_hand: refresh.force_manual })
        }
        Event::PairingQrCodesExhausted(_) => Some(ConnectionEvent::QrExhausted),
        Event::PairSuccess(success) => Some(ConnectionEvent::Report(SessionEvent::Paired {
            account: account_names(&success.id, Some(&success.lid)),
        })),
        Event::PairError(error) => Some(failed(not_verified(&error.error))),
        // Without an answer of the server's the line is bad, and its end says more.
        Event::PairingCodeError(error) => Some(failed(match error.rejection {
            Some(_) => PairFailure::CodeRefused,
            None => PairFailure::Connection,
        })),
        Event::QrScannedWithoutMultidevice(_) => Some(failed(PairFailure::AppTooOld)),
        Event::PairPasskeyRequest(request) => Some(passkey(PasskeyReport::Wanted {
            request: request.request_options_json.clone().into(),
        })),
        Event::PairPasskeyConfirmation(confirmation) => Some(passkey(PasskeyReport::Code {
            code: confirmation.code.clone().into(),
            proven: confirmation.skip_handoff_ux,
        })),
        Event::PairPasskeyError(error) => Some(failed(match refusal(&error.error) {
            Some(_) => PairFailure::PasskeyRefused,
            None => PairFailure::PasskeyBroken,
        })),
        _ => None,
    }
}

/// The phone sends its history in parts and says with each how far it has come, in percent.
fn history_is_read(part: &LazyHistorySync) -> bool {
    let kinds = [HistorySyncType::RECENT as i32, HistorySyncType::FULL as i32];
    kinds.contains(&part.sync_type()) && part.progress().is_some_and(|percent| percent >= 100)
}

fn failed(why: PairFailure) -> ConnectionEvent {
    ConnectionEvent::End(EndReason::PairingFailed { why })
}

fn passkey(report: PasskeyReport) -> ConnectionEvent {
    ConnectionEvent::Report(SessionEvent::Passkey(report))
}

/// The library checks the shared secret first, then the phone's signature. One that is right
/// and a signature that is not: it reads a hosted account's in the wrong way.
fn not_verified(error: &str) -> PairFailure {
    match error.contains("signature-mismatch") {
        true => PairFailure::HostedAccount,
        false => PairFailure::NotVerified,
    }
}

/// The stream errors that the library reports as an event are passing, except for the
/// one after which it hangs up without a further event.
fn stream_error(error: &StreamError) -> Option<ConnectionEvent> {
    let raw = error.raw.as_ref()?;
    raw.get_optional_child("xml-not-well-formed").map(|_| {
        ConnectionEvent::Gone(EndReason::Lost {
            what: "the server found our stream malformed".to_owned(),
        })
    })
}

/// An ack without a class says nothing about a message: taken for one, it could turn
/// into a "sent" that is none. The message stays unacknowledged and goes out again
/// under its id.
fn ack(ack: &ServerAck) -> Option<ConnectionEvent> {
    if ack.class.as_deref() != Some("message") {
        return None;
    }
    let error = ack.error.as_deref().map(|text| text.parse().unwrap_or(ERROR_UNNAMED));
    Some(ConnectionEvent::Report(SessionEvent::Ack { wa_id: WaMessageId(ack.id.clone()), error }))
}

fn receipt(receipt: &Receipt, me: &Me) -> Option<ConnectionEvent> {
    let source = &receipt.source;
    let own = me.owns(&source.sender) || source.sender_alt.as_ref().is_some_and(|j| me.owns(j));
    let own_phone = own && source.sender.device == 0;
    let personal = matches!(source.chat.server, Server::Pn | Server::Lid | Server::Group);
    let kind = match &receipt.r#type {
        _ if !personal => return None,
        ReceiptType::Sender if own_phone => ReceiptKind::OwnPhone,
        // A message to ourselves: the phone is the recipient and says "delivered".
        ReceiptType::Delivered if own_phone => ReceiptKind::OwnPhone,
        ReceiptType::Delivered if !own => ReceiptKind::Delivered,
        ReceiptType::Read | ReceiptType::Played if !own => ReceiptKind::Read,
        ReceiptType::Delivered
        | ReceiptType::Read
        | ReceiptType::Played
        | ReceiptType::Sender
        | ReceiptType::Sent
        | ReceiptType::Retry
        | ReceiptType::EncRekeyRetry
        | ReceiptType::ReadSelf
        | ReceiptType::PlayedSelf
        | ReceiptType::ServerError
        | ReceiptType::Inactive
        | ReceiptType::PeerMsg
        | ReceiptType::HistorySync
        | ReceiptType::Other(_)
        | _ => return None,
    };
    let wa_ids: Vec<_> = receipt.message_ids.iter().map(|id| WaMessageId(id.to_string())).collect();
    (!wa_ids.is_empty()).then_some(ConnectionEvent::Report(SessionEvent::Receipt { wa_ids, kind }))
}

/// A refused login: the server says everything on its `<failure>`. The library reports a ban
/// without a code or an end as a plain failure, and folds a lock and a final ban into a
/// logout: only the stanza tells them apart.
fn refused_login(reason: i32, raw: Option<&Node>) -> EndReason {
    let reason = code(reason);
    let Some(kind) = TroubleKind::of_login(reason) else {
        return EndReason::Refused { code: reason };
    };
    let given = |name| raw.and_then(|raw| number(raw, name));
    let (code, expire) = match kind {
        TroubleKind::Banned => (given("code"), given("expire")),
        TroubleKind::LoggedOut
        | TroubleKind::Locked
        | TroubleKind::BannedForGood
        | TroubleKind::Outdated
        | TroubleKind::Declined => (Some(reason), None),
    };
    let for_ms = expire.map(|seconds| u64::from(seconds).saturating_mul(1_000));
    let text = raw.and_then(server_text);
    EndReason::Trouble(Box::new(LoginTrouble { kind, code, for_ms, text }))
}

/// What the server wrote for people, and its link. Other attributes are secrets of the
/// account (an appeal's token) or mean nothing to people.
fn server_text(failure: &Node) -> Option<ServerText> {
    const TEXTS: [&str; 4] = ["logout_message_header", "logout_message_subtext", "message", "url"];
    let given = TEXTS.into_iter().filter_map(|name| failure.attrs().optional_string(name));
    let parts: Vec<String> = given.map(|text| text.trim().to_owned()).collect();
    ServerText::new(&parts.join(" "))
}

fn number(node: &Node, attribute: &str) -> Option<u32> {
    node.attrs().optional_string(attribute).and_then(|text| text.parse().ok())
}

fn lost(gone: &Disconnected) -> EndReason {
    let what = match &gone.reason {
        DisconnectReason::ServerClose { code: Some(code), .. } => {
            format!("the server closed the connection (code {code})")
        }
        DisconnectReason::ServerClose { code: None, .. } | DisconnectReason::StreamEnded => {
            "the server closed the connection".to_owned()
        }
        // The text is our own transport's, which names no addresses.
        DisconnectReason::ReadError(text) => text.clone(),
        DisconnectReason::Unknown => "the connection ended".to_owned(),
    };
    EndReason::Lost { what }
}

fn code(code: i32) -> u32 {
    u32::try_from(code).unwrap_or(ERROR_UNNAMED)
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
