//! One test for each meaning that an event of the library can have.

use std::time::Duration;

use whatsapp_rust::Jid;
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::types::events::{
    ClientOutdated, ConnectFailure, ConnectFailureReason, Connected, Disconnected, Event,
    LoggedOut, MexNotification, PairSuccess, PairingCode, PairingCodeError, PairingCodeRefresh,
    PairingQrCode, PairingQrCodesExhausted, Receipt, ServerAck, StreamError, StreamReplaced,
    TempBanReason, TemporaryBan,
};
use whatsapp_rust::wacore::chrono;
use whatsapp_rust::wacore::net::DisconnectReason;
use whatsapp_rust::wacore::types::message::MessageSource;
use whatsapp_rust::wacore::types::presence::ReceiptType;

use crate::whatsapp::events::translate::{ConnectionEvent, Me, translate};
use tetherd_api::{PairFailure, Redacted};
use tetherd_core::account_names::AccountNames;
use tetherd_core::event::{EndReason, Offer, ReceiptKind, SessionEvent, TimelockNotice};
use tetherd_core::ids::WaMessageId;
use tetherd_core::trouble::{LoginTrouble, TroubleKind};

const ID: &str = "3EB0AAAAAAAAAAAAAAAAAA";

fn me() -> Me {
    Me {
        pn: Some(Redacted("15550100:7@s.whatsapp.net".parse().unwrap())),
        lid: Some(Redacted("100000000000100:7@lid".parse().unwrap())),
    }
}

fn meaning(event: Event) -> Option<ConnectionEvent> {
    translate(&event, &me())
}

fn ack(class: Option<&str>, error: Option<&str>) -> Option<ConnectionEvent> {
    meaning(Event::ServerAck(
        ServerAck::builder()
            .id(ID.to_owned())
            .maybe_class(class.map(str::to_owned))
            .maybe_error(error.map(str::to_owned))
            .build(),
    ))
}

fn acked(error: Option<u32>) -> Option<ConnectionEvent> {
    Some(ConnectionEvent::Report(SessionEvent::Ack { wa_id: WaMessageId(ID.to_owned()), error }))
}

fn receipt(kind: ReceiptType, chat: &str, sender: &str) -> Option<ConnectionEvent> {
    receipt_from(kind, chat, sender, None)
}

fn receipt_from(
    kind: ReceiptType,
    chat: &str,
    sender: &str,
    also_known_as: Option<&str>,
) -> Option<ConnectionEvent> {
    let source = MessageSource {
        chat: chat.parse().unwrap(),
        sender: sender.parse().unwrap(),
        sender_alt: also_known_as.map(|jid| jid.parse::<Jid>().unwrap()),
        ..Default::default()
    };
    meaning(Event::Receipt(
        Receipt::builder()
            .source(source)
            .message_ids(vec![ID.to_owned()])
            .timestamp(chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap())
            .r#type(kind)
            .offline(false)
            .build(),
    ))
}

fn received(kind: ReceiptKind) -> Option<ConnectionEvent> {
    Some(ConnectionEvent::Report(SessionEvent::Receipt {
        wa_ids: vec![WaMessageId(ID.to_owned())],
        kind,
    }))
}

const FRIEND: &str = "15550101@s.whatsapp.net";
const GROUP: &str = "120363000000000001@g.us";

#[test]
fn an_ack_of_a_message_is_the_servers_word() {
    assert_eq!(ack(Some("message"), None), acked(None));
    assert_eq!(ack(Some("message"), Some("463")), acked(Some(463)));
    assert_eq!(ack(Some("message"), Some("479")), acked(Some(479)));
}

#[test]
fn a_refusal_without_a_number_is_still_a_refusal() {
    assert_eq!(ack(Some("message"), Some("what")), acked(Some(0)));
}

#[test]
fn an_ack_of_anything_else_says_nothing_about_a_message() {
    assert_eq!(ack(Some("receipt"), None), None);
    assert_eq!(ack(Some("notification"), None), None);
    assert_eq!(ack(None, None), None);
}

#[test]
fn a_recipients_device_delivers_and_reads() {
    assert_eq!(receipt(ReceiptType::Delivered, FRIEND, FRIEND), received(ReceiptKind::Delivered));
    let companion = "15550101:3@s.whatsapp.net";
    assert_eq!(
        receipt(ReceiptType::Delivered, companion, companion),
        received(ReceiptKind::Delivered)
    );
    assert_eq!(receipt(ReceiptType::Read, FRIEND, FRIEND), received(ReceiptKind::Read));
    assert_eq!(receipt(ReceiptType::Played, FRIEND, FRIEND), received(ReceiptKind::Read));
    let hidden = "100000000000101@lid";
    assert_eq!(receipt(ReceiptType::Delivered, hidden, hidden), received(ReceiptKind::Delivered));
}

#[test]
fn a_members_device_delivers_and_reads_in_a_group() {
    assert_eq!(receipt(ReceiptType::Delivered, GROUP, FRIEND), received(ReceiptKind::Delivered));
    assert_eq!(receipt(ReceiptType::Read, GROUP, FRIEND), received(ReceiptKind::Read));
}

#[test]
fn our_own_devices_never_count_as_recipients() {
    let phone = "15550100@s.whatsapp.net";
    for companion in ["15550100:9@s.whatsapp.net", "100000000000100:9@lid"] {
        for kind in [ReceiptType::Delivered, ReceiptType::Read, ReceiptType::Sender] {
            assert_eq!(receipt(kind.clone(), companion, companion), None, "{kind:?}");
            assert_eq!(receipt(kind, GROUP, companion), None);
        }
    }
    assert_eq!(receipt(ReceiptType::Read, phone, phone), None);
    let unknown = "100000000000555:2@lid";
    assert_eq!(receipt_from(ReceiptType::Delivered, GROUP, unknown, Some(phone)), None);
}

#[test]
fn our_own_phone_confirms_its_copy() {
    for phone in ["15550100@s.whatsapp.net", "100000000000100@lid"] {
        assert_eq!(receipt(ReceiptType::Sender, phone, phone), received(ReceiptKind::OwnPhone));
        assert_eq!(receipt(ReceiptType::Sender, GROUP, phone), received(ReceiptKind::OwnPhone));
        assert_eq!(receipt(ReceiptType::Delivered, phone, phone), received(ReceiptKind::OwnPhone));
    }
    assert_eq!(receipt(ReceiptType::Sender, FRIEND, FRIEND), None);
}

#[test]
fn protocol_receipts_are_nobodys_delivery() {
    for kind in [
        ReceiptType::Sent,
        ReceiptType::Retry,
        ReceiptType::EncRekeyRetry,
        ReceiptType::ReadSelf,
        ReceiptType::PlayedSelf,
        ReceiptType::ServerError,
        ReceiptType::Inactive,
        ReceiptType::PeerMsg,
        ReceiptType::HistorySync,
        ReceiptType::Other("new".to_owned()),
    ] {
        assert_eq!(receipt(kind.clone(), FRIEND, FRIEND), None, "{kind:?}");
        let phone = "15550100@s.whatsapp.net";
        assert_eq!(receipt(kind.clone(), phone, phone), None, "{kind:?}");
    }
}

#[test]
fn receipts_of_broadcasts_and_channels_are_not_ours() {
    assert_eq!(receipt(ReceiptType::Delivered, "status@broadcast", FRIEND), None);
    assert_eq!(receipt(ReceiptType::Delivered, "120363000000000002@newsletter", FRIEND), None);
}

#[test]
fn each_end_has_its_reason() {
    let end = |reason| Some(ConnectionEvent::End(reason));
    assert_eq!(
        meaning(Event::StreamReplaced(StreamReplaced::builder().build())),
        end(EndReason::Replaced)
    );
    let trouble = |kind, code| EndReason::Trouble(Box::new(LoginTrouble::new(kind, code)));
    assert_eq!(
        meaning(Event::ClientOutdated(ClientOutdated::builder().build())),
        end(trouble(TroubleKind::Outdated, Some(405)))
    );
    let failure = NodeBuilder::new("failure").attr("reason", "402").attr("code", "102");
    let ban = TemporaryBan::builder()
        .code(TempBanReason::BlockedByUsers)
        .expire(chrono::Duration::seconds(90))
        .raw(failure.attr("expire", "90").build())
        .build();
    let expected = LoginTrouble::new(TroubleKind::Banned, Some(102));
    let expected = LoginTrouble { for_ms: Some(90_000), ..expected };
    assert_eq!(meaning(Event::TemporaryBan(ban)), end(EndReason::Trouble(Box::new(expected))));
    let failure =
        ConnectFailure::builder().reason(ConnectFailureReason::ServiceUnavailable).build();
    assert_eq!(meaning(Event::ConnectFailure(failure)), end(EndReason::Refused { code: 503 }));
}

#[test]
fn a_logout_carries_the_servers_code() {
    let out = |on_connect, raw| {
        meaning(Event::LoggedOut(
            LoggedOut::builder()
                .on_connect(on_connect)
                .reason(ConnectFailureReason::LoggedOut)
                .maybe_raw(raw)
                .build(),
        ))
    };
    let end = |reason| Some(ConnectionEvent::End(reason));
    let failure = NodeBuilder::new("failure").attr("reason", "401").build();
    assert_eq!(out(true, Some(failure)), end(EndReason::logged_out(Some(401))));
    let error = NodeBuilder::new("stream:error").attr("code", "516").build();
    assert_eq!(out(false, Some(error)), end(EndReason::logged_out(Some(516))));
    assert_eq!(out(false, None), Some(ConnectionEvent::End(EndReason::logged_out(None))));
}

#[test]
fn a_broken_line_is_a_weaker_reason_and_names_no_address() {
    let gone =
        |reason| meaning(Event::Disconnected(Disconnected::builder().reason(reason).build()));
    for reason in [
        DisconnectReason::StreamEnded,
        DisconnectReason::Unknown,
        DisconnectReason::ServerClose { code: Some(1001), reason: "at 192.0.2.1".to_owned() },
    ] {
        let Some(ConnectionEvent::Gone(EndReason::Lost { what })) = gone(reason) else {
            panic!("not lost")
        };
        assert!(!what.contains("192.0.2.1"));
    }
}

#[test]
fn of_the_other_stream_errors_only_a_malformed_stream_ends_the_line() {
    let error = |child: &'static str| {
        let raw = NodeBuilder::new("stream:error").children([NodeBuilder::new(child).build()]);
        meaning(Event::StreamError(
            StreamError::builder().code(String::new()).raw(raw.build()).build(),
        ))
    };
    assert!(matches!(
        error("xml-not-well-formed"),
        Some(ConnectionEvent::Gone(EndReason::Lost { .. }))
    ));
    assert_eq!(error("ack"), None);
}

#[test]
fn pairing_shows_its_codes() {
    let qr =
        PairingQrCode::builder().code("2@ref".to_owned()).timeout(Duration::from_secs(60)).build();
    assert_eq!(
        meaning(Event::PairingQrCode(qr)),
        Some(ConnectionEvent::Offer(Offer::Qr { text: "2@ref".into(), valid_ms: 60_000 }))
    );
    let code = PairingCode::builder()
        .code("ABCD1234".to_owned())
        .timeout(Duration::from_secs(180))
        .build();
    assert_eq!(
        meaning(Event::PairingCode(code)),
        Some(ConnectionEvent::Offer(Offer::Code { code: "ABCD1234".into(), valid_ms: 180_000 }))
    );
    let refresh = PairingCodeRefresh::builder().force_manual(true).build();
    assert_eq!(
        meaning(Event::PairingCodeRefresh(refresh)),
        Some(ConnectionEvent::CodeRefresh { by_hand: true })
    );
    let exhausted = PairingQrCodesExhausted::builder().disconnected(true).build();
    assert_eq!(
        meaning(Event::PairingQrCodesExhausted(exhausted)),
        Some(ConnectionEvent::QrExhausted)
    );
}

#[test]
fn a_pairing_that_succeeds_names_the_account_without_its_device() {
    let success = PairSuccess::builder()
        .id("15550100:7@s.whatsapp.net".parse().unwrap())
        .lid("100000000000100:7@lid".parse().unwrap())
        .business_name(String::new())
        .platform("android".to_owned())
        .build();
    assert_eq!(
        meaning(Event::PairSuccess(success)),
        Some(ConnectionEvent::Report(SessionEvent::Paired {
            account: AccountNames {
                jid: "15550100@s.whatsapp.net".into(),
                lid: Some("100000000000100@lid".into()),
            }
        }))
    );
}

#[test]
fn a_refused_code_ends_the_pairing_without_quoting_the_server() {
    let error = PairingCodeError::builder().error("+15550100 is limited".to_owned()).build();
    let ended = meaning(Event::PairingCodeError(error));
    assert!(!format!("{ended:?}").contains("15550100"));
    let why = PairFailure::Connection;
    assert_eq!(ended, Some(ConnectionEvent::End(EndReason::PairingFailed { why })));
}

#[test]
fn a_login_is_ready_when_the_library_says_connected() {
    assert_eq!(
        meaning(Event::Connected(Connected::builder().build())),
        Some(ConnectionEvent::Ready)
    );
}

fn translated(op_name: &str, payload: serde_json::Value) -> Option<ConnectionEvent> {
    meaning(Event::MexNotification(
        MexNotification::builder().op_name(op_name.to_owned()).payload(payload).build(),
    ))
}

#[test]
fn a_timelock_is_read_with_its_end_and_without() {
    let lock = |lock: serde_json::Value| {
        let payload =
            serde_json::json!({ "data": { "xwa2_notify_account_reachout_timelock": lock } });
        translated("NotificationUserReachoutTimelockUpdate", payload)
    };
    let seen = |notice| Some(ConnectionEvent::Report(SessionEvent::Timelock(notice)));
    let until = Some(1_770_000_000_000);
    for ends in [serde_json::json!("1770000000"), serde_json::json!(1_770_000_000)] {
        let got = lock(serde_json::json!({ "is_active": true, "time_enforcement_ends": ends }));
        assert_eq!(got, seen(TimelockNotice::Active { until }));
    }
    for without in [
        serde_json::json!({ "is_active": true }),
        serde_json::json!({ "is_active": true, "time_enforcement_ends": "0" }),
        serde_json::json!({ "is_active": true, "time_enforcement_ends": "soon" }),
    ] {
        assert_eq!(lock(without), seen(TimelockNotice::Active { until: None }));
    }
    assert_eq!(lock(serde_json::json!({ "is_active": false })), seen(TimelockNotice::Lifted));
    assert_eq!(lock(serde_json::json!({})), None);
    assert_eq!(lock(serde_json::json!([1])), None);
    assert_eq!(translated("NotificationOfSomethingElse", serde_json::json!({})), None);
}

#[test]
fn the_debug_output_of_reports_and_of_ourselves_names_no_account() {
    let account = FRIEND.to_owned();
    let me = Me { pn: FRIEND.parse().ok().map(Redacted), lid: None };
    let said = format!("{:?} {me:?}", SessionEvent::Paired { account: account.into() });
    assert!(!said.contains("15550101"), "{said}");
}
