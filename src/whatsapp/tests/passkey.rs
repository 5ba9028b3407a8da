//! Pairing with a passkey against the simulator's phone: at each of its clocks, with and
//! without a proof, by QR code and by code, and each refusal.

#![expect(clippy::wildcard_enum_match_arm, reason = "whatever else happens fails the test")]

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::Value;
use tether_sim::{PasskeyPolicy, Proof, Signing, SimError};

use crate::whatsapp::tests::simulated::World;
use tetherd_api::{PairFailure, Redacted};
use tetherd_core::action::{PasskeyAnswer, SessionCommand};
use tetherd_core::event::{EndReason, Offer, PasskeyFault, PasskeyReport, SessionEvent};

const ASKING: PasskeyPolicy =
    PasskeyPolicy { on: true, without_options: false, proof: Proof::Required, timeout_ms: 600_000 };

/// The next report about the passkey. QR codes are what the library waits by.
async fn passkey(world: &mut World) -> PasskeyReport {
    loop {
        match world.bench.next().await {
            SessionEvent::Passkey(report) => return report,
            SessionEvent::Offer(_) => {}
            event => panic!("{event:?}"),
        }
    }
}

async fn wanted(world: &mut World) -> Value {
    let PasskeyReport::Wanted { request } = passkey(world).await else { panic!("not asked") };
    serde_json::from_str(&request).unwrap()
}

async fn asked(policy: PasskeyPolicy) -> (World, Value) {
    let mut world = World::new().await;
    world.sim.phone_passkey(None, policy).await.unwrap();
    world.bench.order(SessionCommand::Pair { phone: None });
    let SessionEvent::Offer(Offer::Qr { text, .. }) = world.bench.next().await else {
        panic!("no QR code");
    };
    let scanned = world.sim.phone_scan(None, &text).await;
    assert!(matches!(scanned, Err(SimError::PasskeyAsked)), "{scanned:?}");
    let request = wanted(&mut world).await;
    (world, request)
}

async fn asked_by_code(policy: PasskeyPolicy) -> (World, Value) {
    let mut world = World::new().await;
    world.sim.phone_passkey(None, policy).await.unwrap();
    world.bench.order(SessionCommand::Pair { phone: Some("15550100".into()) });
    let SessionEvent::Offer(Offer::Code { code, .. }) = world.bench.next().await else {
        panic!("no code");
    };
    let typed = world.sim.phone_enter_code(None, &code).await;
    assert!(matches!(typed, Err(SimError::PasskeyAsked)), "{typed:?}");
    let request = wanted(&mut world).await;
    (world, request)
}

/// What the core makes of what a browser signed.
fn answer(world: &World, request: &Value, how: &Signing) -> SessionCommand {
    let signed = world.sim.phone_sign_passkey(None, request, how).unwrap();
    SessionCommand::AnswerPasskey(PasskeyAnswer {
        credential_id: Redacted(BASE64.decode(signed["rawId"].as_str().unwrap()).unwrap()),
        assertion: signed.to_string().into(),
    })
}

async fn code(world: &mut World) -> (Redacted<String>, bool) {
    assert_eq!(passkey(world).await, PasskeyReport::Answered(Ok(())));
    let PasskeyReport::Code { code, proven } = passkey(world).await else { panic!("no code") };
    (code, proven)
}

async fn paired(world: &mut World) {
    loop {
        match world.bench.next().await {
            SessionEvent::Passkey(report) => assert_eq!(report, PasskeyReport::Confirmed(Ok(()))),
            SessionEvent::Offer(_) => {}
            SessionEvent::Paired { .. } => break,
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(world.bench.ended().await, EndReason::Restart);
    world.connect().await;
    assert_eq!(world.sim.server_stats().await.pairings, 1);
}

/// Lets so much time go by as far as timers are concerned, a second at a time, and everything
/// that it brings about between.
async fn let_pass(seconds: u64) {
    for _ in 0..seconds {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(1)).await;
        tokio::time::resume();
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }
}

/// The library would disconnect after 160 s, and make a new secret 60 s after a typed code.
async fn completes_after(seconds: u64, (mut world, request): (World, Value)) {
    let_pass(seconds).await;
    world.bench.order(answer(&world, &request, &Signing::default()));
    let (_, proven) = code(&mut world).await;
    assert!(proven);
    world.bench.order(SessionCommand::ConfirmPasskey);
    paired(&mut world).await;
}

#[tokio::test]
async fn by_qr_a_passkey_is_taken_at_once() {
    completes_after(0, asked(ASKING).await).await;
}

#[tokio::test]
async fn by_qr_a_passkey_is_taken_after_150_seconds() {
    completes_after(150, asked(PasskeyPolicy { without_options: true, ..ASKING }).await).await;
}

#[tokio::test]
async fn by_qr_a_passkey_is_taken_after_500_seconds() {
    completes_after(500, asked(ASKING).await).await;
}

#[tokio::test]
async fn by_code_a_passkey_is_taken_at_once() {
    completes_after(0, asked_by_code(ASKING).await).await;
}

#[tokio::test]
async fn by_code_a_passkey_is_taken_after_150_seconds() {
    completes_after(150, asked_by_code(ASKING).await).await;
}

#[tokio::test]
async fn by_code_a_passkey_is_taken_after_500_seconds() {
    completes_after(500, asked_by_code(ASKING).await).await;
}

/// The minute after a typed code ends between the confirmation and the phone's consent.
#[tokio::test]
async fn by_code_the_new_secret_outlives_the_minute_of_the_old_one() {
    let (mut world, request) =
        asked_by_code(PasskeyPolicy { proof: Proof::Ignored, ..ASKING }).await;
    let_pass(50).await;
    world.bench.order(answer(&world, &request, &Signing::default()));
    let (shown, _) = code(&mut world).await;
    world.bench.order(SessionCommand::ConfirmPasskey);
    assert_eq!(passkey(&mut world).await, PasskeyReport::Confirmed(Ok(())));
    let_pass(20).await;
    world.sim.phone_compare_passkey(None, &shown).await.unwrap();
    paired(&mut world).await;
}

#[tokio::test]
async fn a_passkey_of_somebody_else_is_refused_and_another_one_may_follow() {
    let (mut world, request) = asked(PasskeyPolicy { proof: Proof::Accepted, ..ASKING }).await;
    let other = Signing { other_credential: true, ..Signing::default() };
    world.bench.order(answer(&world, &request, &other));
    let refused = PasskeyReport::Answered(Err(PasskeyFault::Refused { code: 401 }));
    assert_eq!(passkey(&mut world).await, refused);
    // The proof went with the first one: now the code is compared.
    world.bench.order(answer(&world, &request, &Signing::default()));
    let (shown, proven) = code(&mut world).await;
    assert!(!proven);
    assert_eq!(world.sim.phone_passkey_code(None).await.unwrap(), shown.replace('-', ""));
    world.bench.order(SessionCommand::ConfirmPasskey);
    world.sim.phone_compare_passkey(None, &shown).await.unwrap();
    paired(&mut world).await;
}

#[tokio::test]
async fn a_refusal_on_the_phone_is_one() {
    let (mut world, request) = asked(PasskeyPolicy { proof: Proof::Ignored, ..ASKING }).await;
    world.bench.order(answer(&world, &request, &Signing::default()));
    code(&mut world).await;
    world.sim.phone_refuse_passkey(None).await.unwrap();
    world.bench.order(SessionCommand::ConfirmPasskey);
    let refused = PasskeyReport::Confirmed(Err(PasskeyFault::Refused { code: 403 }));
    assert_eq!(passkey(&mut world).await, refused);
}

#[tokio::test]
async fn a_request_that_has_run_out_at_the_server_is_refused() {
    let (mut world, request) = asked(PasskeyPolicy { timeout_ms: 60_000, ..ASKING }).await;
    let_pass(61).await;
    world.bench.order(answer(&world, &request, &Signing::default()));
    let refused = PasskeyReport::Answered(Err(PasskeyFault::Refused { code: 410 }));
    assert_eq!(passkey(&mut world).await, refused);
}

#[tokio::test]
async fn a_hosted_account_is_named() {
    let mut world = World::new().await;
    world.sim.phone_hosted(None, true).await.unwrap();
    world.bench.order(SessionCommand::Pair { phone: None });
    let SessionEvent::Offer(Offer::Qr { text, .. }) = world.bench.next().await else {
        panic!("no QR code");
    };
    let (scanned, reason) = tokio::join!(world.sim.phone_scan(None, &text), world.bench.ended());
    assert!(scanned.is_err());
    assert_eq!(reason, EndReason::PairingFailed { why: PairFailure::HostedAccount });
}
