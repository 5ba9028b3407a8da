//! Pairing with a passkey: the request, the answer, the code, and each way to fail.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value, json};

use super::world::{ACCOUNT, World};
use crate::CoreConfig;
use crate::event::{EndReason, PasskeyFault, PasskeyReport, Request, SessionEvent, Token};
use tetherd_api::{
    ConditionKind, ErrorKind, Event, PairEnd, PairFailure, PairOffer, Redacted, Reply, SessionState,
};

const ORIGIN: &str = "https://web.whatsapp.com";

fn request(allow: &[&str]) -> String {
    let allow: Vec<_> = allow.iter().map(|id| json!({ "id": BASE64.encode(id) })).collect();
    json!({ "challenge": "AQID", "rpId": "whatsapp.com", "timeout": 600_000,
            "allowCredentials": allow })
    .to_string()
}

fn response(origin: &str, challenge: &str) -> Value {
    let data = json!({ "type": "webauthn.get", "origin": origin, "challenge": challenge });
    json!({
        "id": BASE64.encode("mine"), "rawId": BASE64.encode("mine"), "type": "public-key",
        "clientExtensionResults": {},
        "response": {
            "clientDataJSON": BASE64.encode(data.to_string()),
            "authenticatorData": "AAAA", "signature": "AAAA", "userHandle": "AAAA",
        },
    })
}

fn right() -> Value {
    response(ORIGIN, "AQID")
}

/// A pairing that the phone holds up.
fn asked(allow: &[&str]) -> World {
    let mut world = World::new(CoreConfig::default());
    world.request(Request::Pair { phone: None, anyway: false });
    world.offer_qr("first");
    report(&mut world, PasskeyReport::Wanted { request: request(allow).into() });
    world
}

fn report(world: &mut World, report: PasskeyReport) {
    world.session(SessionEvent::Passkey(report));
}

fn object(value: Value) -> Redacted<Map<String, Value>> {
    let Value::Object(object) = value else { panic!("no object: {value}") };
    Redacted(object)
}

fn give(world: &mut World, response: Value) -> Token {
    world.request(Request::Passkey { response: object(response) })
}

fn refusal(world: &World, token: Token) -> ErrorKind {
    world.replies[&token].clone().expect_err("an error").data.kind
}

fn shown(world: &World) -> Option<PairOffer> {
    let offer = |event: &Event| match event {
        Event::Pairing { offer, .. } => offer.clone(),
        _ => None,
    };
    world.events.iter().rev().find_map(offer)
}

fn failure(world: &World) -> Option<PairFailure> {
    let ended = |event: &Event| match event {
        Event::Pairing { ended: Some(PairEnd::Failed { kind, .. }), .. } => Some(*kind),
        _ => None,
    };
    world.events.iter().rev().find_map(ended)
}

#[test]
fn a_passkey_is_asked_for_given_compared_and_confirmed() {
    let mut world = asked(&[]);
    let session = world.status().session;
    assert_eq!(session.state, SessionState::PasskeyNeeded);
    assert_eq!(world.holds(), [ConditionKind::NotPaired]);
    assert!(matches!(shown(&world), Some(PairOffer::Passkey { .. })));
    // A second terminal, and one that asks by number no more than the first.
    let joined = world.request(Request::Pair { phone: None, anyway: false });
    let Ok(Reply::SessionPair(joined)) = &world.replies[&joined] else { panic!("no offer") };
    let PairOffer::Passkey { request, .. } = &joined.offer else { panic!("{joined:?}") };
    assert_eq!(request.0["rpId"], "whatsapp.com");
    // The library's codes are not shown any more.
    world.offer_qr("hidden");
    assert!(matches!(shown(&world), Some(PairOffer::Passkey { .. })));

    let given = give(&mut world, right());
    assert_eq!(world.commands.last(), Some(&"answer_passkey"));
    assert!(!world.replies.contains_key(&given));
    report(&mut world, PasskeyReport::Answered(Ok(())));
    assert!(world.replies[&given].is_ok());
    report(&mut world, PasskeyReport::Code { code: "ABCD-EFGH".into(), proven: false });
    assert!(matches!(shown(&world), Some(PairOffer::PasskeyCode { confirm: true, .. })));
    let other = world.request(Request::PasskeyConfirm { code: "ABCD-EFGX".into() });
    assert_eq!(refusal(&world, other), ErrorKind::PasskeyCodeDiffers);
    let same = world.request(Request::PasskeyConfirm { code: "abcdefgh".into() });
    assert_eq!(world.commands.last(), Some(&"confirm_passkey"));
    report(&mut world, PasskeyReport::Confirmed(Ok(())));
    assert!(world.replies[&same].is_ok());

    world.session(SessionEvent::Paired { account: ACCOUNT.into() });
    world.end(EndReason::Restart);
    world.connect();
    assert_eq!(world.status().session.state, SessionState::Connected);
}

#[test]
fn with_a_proof_nobody_has_to_confirm() {
    let mut world = asked(&[]);
    give(&mut world, right());
    report(&mut world, PasskeyReport::Answered(Ok(())));
    report(&mut world, PasskeyReport::Code { code: "ABCD-EFGH".into(), proven: true });
    assert_eq!(world.commands.last(), Some(&"confirm_passkey"));
    assert!(matches!(shown(&world), Some(PairOffer::PasskeyCode { confirm: false, .. })));
    let needless = world.request(Request::PasskeyConfirm { code: "ABCD-EFGH".into() });
    assert_eq!(refusal(&world, needless), ErrorKind::WrongState);
}

#[test]
fn what_cannot_be_right_is_named_and_never_leaves() {
    let mut long = right();
    long["response"]["signature"] = json!("A".repeat(tetherd_api::PASSKEY_BYTES_MAX));
    let mut registers = right();
    let data = json!({ "type": "webauthn.create", "origin": ORIGIN, "challenge": "AQID" });
    registers["response"]["clientDataJSON"] = json!(BASE64.encode(data.to_string()));
    for (response, kind) in [
        (json!({}), ErrorKind::PasskeyMalformed),
        (json!({ "rawId": "!" }), ErrorKind::PasskeyMalformed),
        (long, ErrorKind::PasskeyMalformed),
        (registers, ErrorKind::PasskeyMalformed),
        (response("https://example.com", "AQID"), ErrorKind::PasskeyWrongOrigin),
        (response(ORIGIN, "AQIE"), ErrorKind::PasskeyWrongChallenge),
        (right(), ErrorKind::PasskeyWrongCredential),
    ] {
        let mut world = asked(&["another"]);
        let token = give(&mut world, response);
        assert_eq!(refusal(&world, token), kind);
        assert_ne!(world.commands.last(), Some(&"answer_passkey"));
        assert_eq!(world.status().session.state, SessionState::PasskeyNeeded);
    }
    let mut world = asked(&["mine"]);
    give(&mut world, right());
    assert_eq!(world.commands.last(), Some(&"answer_passkey"));
}

#[test]
fn the_servers_refusal_leaves_the_request_standing() {
    let mut world = asked(&[]);
    for (fault, kind) in [
        (PasskeyFault::Refused { code: 401 }, ErrorKind::PasskeyWrongCredential),
        (PasskeyFault::Refused { code: 403 }, ErrorKind::PasskeyRefused),
        (PasskeyFault::Unanswered, ErrorKind::PairingFailed),
    ] {
        let token = give(&mut world, right());
        report(&mut world, PasskeyReport::Answered(Err(fault)));
        assert_eq!(refusal(&world, token), kind);
    }
    let token = give(&mut world, right());
    report(&mut world, PasskeyReport::Answered(Err(PasskeyFault::Refused { code: 410 })));
    assert_eq!(refusal(&world, token), ErrorKind::PasskeyTimedOut);
    assert_eq!(failure(&world), Some(PairFailure::PasskeyTimedOut));
    assert_eq!(world.commands.last(), Some(&"close"));
}

#[test]
fn a_refusal_on_the_phone_ends_the_pairing() {
    let mut world = asked(&[]);
    give(&mut world, right());
    report(&mut world, PasskeyReport::Answered(Ok(())));
    report(&mut world, PasskeyReport::Code { code: "ABCD-EFGH".into(), proven: false });
    let token = world.request(Request::PasskeyConfirm { code: "ABCD-EFGH".into() });
    report(&mut world, PasskeyReport::Confirmed(Err(PasskeyFault::Refused { code: 403 })));
    assert_eq!(refusal(&world, token), ErrorKind::PasskeyRefused);
    assert_eq!(failure(&world), Some(PairFailure::PasskeyRefused));
    world.end(EndReason::Closed);
    assert_eq!(world.status().session.state, SessionState::NotPaired);
}

#[test]
fn time_that_runs_out_ends_the_pairing_at_each_step() {
    let mut world = asked(&[]);
    world.pass(599_000);
    assert_eq!(failure(&world), None);
    world.pass(2_000);
    assert_eq!(failure(&world), Some(PairFailure::PasskeyTimedOut));

    let mut world = asked(&[]);
    let token = give(&mut world, right());
    world.pass(601_000);
    assert_eq!(refusal(&world, token), ErrorKind::PasskeyTimedOut);

    let mut world = asked(&[]);
    give(&mut world, right());
    report(&mut world, PasskeyReport::Answered(Ok(())));
    let waits = world.request(Request::Pair { phone: None, anyway: false });
    world.pass(181_000);
    assert_eq!(failure(&world), Some(PairFailure::PasskeyTimedOut));
    assert_eq!(refusal(&world, waits), ErrorKind::PasskeyTimedOut);
}

#[test]
fn a_line_that_breaks_answers_who_waits() {
    let mut world = asked(&[]);
    let token = give(&mut world, right());
    world.end(EndReason::Lost { what: "reset".to_owned() });
    assert_eq!(refusal(&world, token), ErrorKind::PairingFailed);
    assert_eq!(failure(&world), Some(PairFailure::Connection));
    let late = give(&mut world, right());
    assert_eq!(refusal(&world, late), ErrorKind::WrongState);
}

#[test]
fn a_request_that_cannot_be_read_ends_the_pairing() {
    let mut world = World::new(CoreConfig::default());
    world.request(Request::Pair { phone: None, anyway: false });
    report(&mut world, PasskeyReport::Wanted { request: "{}".into() });
    assert_eq!(failure(&world), Some(PairFailure::PasskeyBroken));
}

#[test]
fn invariant_9_debug_of_a_passkey_shows_nothing_of_it() {
    let mut world = asked(&[]);
    give(&mut world, right());
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        world.core,
        world.events,
        Request::Passkey { response: object(right()) },
        SessionEvent::Passkey(PasskeyReport::Code { code: "ABCD-EFGH".into(), proven: true }),
    );
    for secret in ["AQID", "ABCD", "whatsapp.com", "signature"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
