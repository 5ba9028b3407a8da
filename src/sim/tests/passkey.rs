//! Pairing with a passkey, with the protocol crate's own client.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::Value;
use whatsapp_rust::passkey::{Assertion, PasskeyError};
use whatsapp_rust::store::commands::DeviceCommand;
use whatsapp_rust::wacore::types::events::Event;

use super::super::{PasskeyPolicy, Proof, Signing, Sim, SimConfig, SimError};
use super::client::TestClient;

const ASKING: PasskeyPolicy =
    PasskeyPolicy { on: true, without_options: false, proof: Proof::Accepted, timeout_ms: 600_000 };

async fn sim(policy: PasskeyPolicy) -> Sim {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    sim.phone_passkey(None, policy).await.unwrap();
    sim
}

async fn options(client: &TestClient) -> Value {
    let json = client
        .event(|event| match event {
            Event::PairPasskeyRequest(request) => Some(request.request_options_json.clone()),
            _ => None,
        })
        .await;
    serde_json::from_str(&json).unwrap()
}

async fn asked(sim: &Sim, client: &TestClient) -> Value {
    let qr = client.qr().await;
    assert!(matches!(sim.phone_scan(None, &qr).await, Err(SimError::PasskeyAsked)));
    options(client).await
}

async fn answer(
    sim: &Sim,
    client: &TestClient,
    options: &Value,
    how: &Signing,
) -> Result<(), PasskeyError> {
    let signed = sim.phone_sign_passkey(None, options, how).unwrap();
    let assertion = Assertion {
        credential_id: BASE64.decode(signed["rawId"].as_str().unwrap()).unwrap(),
        assertion_json: signed.to_string().into_bytes(),
    };
    client.client.send_passkey_response(assertion).await
}

/// The code, and whether the client has sent the proof.
async fn code(client: &TestClient) -> (String, bool) {
    client
        .event(|event| match event {
            Event::PairPasskeyConfirmation(it) => Some((it.code.clone(), it.skip_handoff_ux)),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn without_a_proof_both_sides_show_a_code_that_is_compared() {
    let sim = sim(PasskeyPolicy { without_options: true, ..ASKING }).await;
    let client = TestClient::new(&sim).await;
    let options = asked(&sim, &client).await;
    answer(&sim, &client, &options, &Signing::default()).await.unwrap();
    let (shown, proven) = code(&client).await;
    assert!(!proven);
    assert_eq!(sim.phone_passkey_code(None).await.unwrap(), shown.replace('-', ""));
    assert!(matches!(sim.phone_compare_passkey(None, "AAAA-AAAA").await, Err(SimError::WrongCode)));
    client.client.send_passkey_confirmation().await.unwrap();
    assert_eq!(sim.server_stats().await.pairings, 0);
    sim.phone_compare_passkey(None, &shown).await.unwrap();
    client.connected().await;
    assert_eq!(sim.server_stats().await.pairings, 1);
}

#[tokio::test]
async fn a_proof_makes_the_comparing_needless() {
    let sim = sim(PasskeyPolicy { proof: Proof::Required, ..ASKING }).await;
    let client = TestClient::new(&sim).await;
    let qr = client.qr().await;
    let manager = client.client.persistence_manager();
    // The client sends a proof only if it knows an account.
    manager.process_command(DeviceCommand::SetLid(Some("1@lid".parse().unwrap()))).await;
    assert!(matches!(sim.phone_scan(None, &qr).await, Err(SimError::PasskeyAsked)));
    let options = options(&client).await;
    answer(&sim, &client, &options, &Signing::default()).await.unwrap();
    let (_, proven) = code(&client).await;
    assert!(proven);
    client.client.send_passkey_confirmation().await.unwrap();
    client.connected().await;
}

#[tokio::test]
async fn a_code_that_is_typed_is_followed_by_a_passkey_too() {
    let sim = sim(ASKING).await;
    let client = TestClient::with_code(&sim, "15550100").await;
    let typed = client
        .event(|event| match event {
            Event::PairingCode(code) => Some(code.code.clone()),
            _ => None,
        })
        .await;
    assert!(matches!(sim.phone_enter_code(None, &typed).await, Err(SimError::PasskeyAsked)));
    let options = options(&client).await;
    answer(&sim, &client, &options, &Signing::default()).await.unwrap();
    let (shown, _) = code(&client).await;
    sim.phone_compare_passkey(None, &shown).await.unwrap();
    client.client.send_passkey_confirmation().await.unwrap();
    client.connected().await;
}

#[tokio::test]
async fn what_is_signed_elsewhere_or_by_somebody_else_is_refused() {
    let sim = sim(ASKING).await;
    let client = TestClient::new(&sim).await;
    let options = asked(&sim, &client).await;
    let elsewhere = Signing { origin: Some("https://example.com".into()), ..Signing::default() };
    let other = Signing { other_credential: true, ..Signing::default() };
    for (how, code) in [(elsewhere, "403"), (other, "401")] {
        let refused = answer(&sim, &client, &options, &how).await.unwrap_err();
        assert!(refused.to_string().contains(code), "{refused}");
    }
    // The request stands.
    answer(&sim, &client, &options, &Signing::default()).await.unwrap();
    sim.phone_refuse_passkey(None).await.unwrap();
    code_or_error(&client).await;
    assert!(client.client.send_passkey_confirmation().await.is_err());
    assert_eq!(sim.server_stats().await.pairings, 0);
}

/// The refusal can meet the client before it shows its code, or after.
async fn code_or_error(client: &TestClient) {
    client
        .event(|event| {
            let either =
                matches!(event, Event::PairPasskeyConfirmation(_) | Event::PairPasskeyError(_));
            either.then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_request_runs_out() {
    let sim = sim(PasskeyPolicy { timeout_ms: 0, ..ASKING }).await;
    let client = TestClient::new(&sim).await;
    let options = asked(&sim, &client).await;
    let refused = answer(&sim, &client, &options, &Signing::default()).await.unwrap_err();
    assert!(refused.to_string().contains("410"), "{refused}");
}

#[tokio::test]
async fn a_hosted_account_does_not_verify() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    sim.phone_hosted(None, true).await.unwrap();
    let client = TestClient::new(&sim).await;
    let qr = client.qr().await;
    let refused = sim.phone_scan(None, &qr).await.unwrap_err();
    assert!(refused.to_string().contains("401 signature-mismatch"), "{refused}");
}
