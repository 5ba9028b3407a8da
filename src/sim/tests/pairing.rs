//! Handshakes, pairing and login.

use whatsapp_rust::wacore::types::events::Event;

use super::super::{LoginFailure, PairingError, SettingsChange, Sim, SimConfig, SimError};
use super::client::{PATIENCE, TestClient};

async fn sim() -> Sim {
    Sim::start(SimConfig::default()).await.unwrap()
}

#[tokio::test]
async fn a_client_pairs_by_qr_and_logs_in_again_without_pairing() {
    let sim = sim().await;
    let client = TestClient::paired(&sim, None).await;
    assert_eq!(client.client.pn().unwrap().to_string(), "15550100:1@s.whatsapp.net");
    let backend = client.leave().await;

    let again = TestClient::again(&sim, &backend).await;
    again.connected().await;
    let stats = sim.server_stats().await;
    assert_eq!((stats.pairings, stats.logins), (1, 2));
    assert_eq!((stats.handshakes_xx, stats.handshakes_ik), (2, 1));
}

#[tokio::test]
async fn a_client_pairs_by_code() {
    let sim = sim().await;
    let client = TestClient::with_code(&sim, "15550101").await;
    let code = client
        .event(|event| match event {
            Event::PairingCode(code) => Some(code.code.clone()),
            _ => None,
        })
        .await;
    let device = sim.phone_enter_code(None, &code).await.unwrap();
    assert_eq!(device, "15550101:1@s.whatsapp.net");
    client.connected().await;
}

#[tokio::test]
async fn a_wrong_code_is_refused() {
    let sim = sim().await;
    let client = TestClient::with_code(&sim, "15550101").await;
    client.event(|event| matches!(event, Event::PairingCode(_)).then_some(())).await;
    assert!(matches!(sim.phone_enter_code(None, "not it").await, Err(SimError::WrongCode)));
    assert!(matches!(
        sim.phone_enter_code(None, "ABCD-1234").await,
        Err(SimError::Pairing(PairingError::WrongCode))
    ));
    assert_eq!(sim.server_stats().await.pairings, 0);
}

#[tokio::test]
async fn a_bad_adv_hmac_is_refused() {
    let sim = sim().await;
    let client = TestClient::new(&sim).await;
    let qr = client.qr().await;
    let mut fields: Vec<&str> = qr.split(',').collect();
    let other = "A".repeat(43) + "=";
    fields[3] = &other;
    let refused = sim.phone_scan(None, &fields.join(",")).await;
    let Err(SimError::Pairing(PairingError::Refused { code, .. })) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(code, "401");
    assert_eq!(sim.server_stats().await.pairings, 0);
}

#[tokio::test]
async fn a_qr_code_with_other_keys_is_refused() {
    let sim = sim().await;
    let client = TestClient::new(&sim).await;
    let qr = client.qr().await;
    let fields: Vec<&str> = qr.split(',').collect();
    let other = "A".repeat(43) + "=";
    for field in [1, 2] {
        let mut changed = fields.clone();
        changed[field] = &other;
        let refused = sim.phone_scan(None, &changed.join(",")).await;
        assert!(matches!(refused, Err(SimError::BadQr(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_second_connection_replaces_the_first() {
    let sim = sim().await;
    let first = TestClient::paired(&sim, None).await;
    first.no_reconnect();
    let second = TestClient::again(&sim, &first.backend).await;
    first.event(|event| matches!(event, Event::StreamReplaced(_)).then_some(())).await;
    second.connected().await;
    let stats = sim.wait_for(|stats| stats.connections == 1, PATIENCE).await.unwrap();
    assert_eq!((stats.replaced, stats.logged_in), (1, 1));
}

#[tokio::test]
async fn an_ik_hello_with_a_stale_key_falls_back_to_xx() {
    let sim = sim().await;
    let backend = TestClient::paired(&sim, None).await.leave().await;
    let known = TestClient::again(&sim, &backend).await;
    known.connected().await;
    known.leave().await;
    assert_eq!(sim.server_stats().await.handshakes_ik, 1);

    sim.server_rotate_key().await;
    let stale = TestClient::again(&sim, &backend).await;
    stale.connected().await;
    stale.leave().await;
    let stats = sim.server_stats().await;
    assert_eq!((stats.handshakes_ik, stats.handshakes_fallback), (1, 1));

    let change = SettingsChange { refuse_ik: Some(true), ..SettingsChange::default() };
    sim.server_set(change).await;
    let refused = TestClient::again(&sim, &backend).await;
    refused.connected().await;
    assert_eq!(sim.server_stats().await.handshakes_fallback, 2);
}

#[tokio::test]
async fn logins_fail_as_told() {
    let sim = sim().await;
    let backend = TestClient::paired(&sim, None).await.leave().await;
    let ban = LoginFailure {
        reason: 402,
        code: Some(101),
        expire: Some(3600),
        ..LoginFailure::default()
    };
    sim.server_fail_login(ban).await;
    let banned = TestClient::again(&sim, &backend).await;
    banned.no_reconnect();
    banned.event(|event| matches!(event, Event::TemporaryBan(_)).then_some(())).await;
    drop(banned);

    let out = LoginFailure { reason: 401, ..LoginFailure::default() };
    sim.server_fail_login(out).await;
    let gone = TestClient::again(&sim, &backend).await;
    gone.event(|event| matches!(event, Event::LoggedOut(_)).then_some(())).await;
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let listen = "0.0.0.0:0".parse().unwrap();
    let config = SimConfig { listen, ..SimConfig::default() };
    assert!(matches!(Sim::start(config).await, Err(SimError::NotLoopback(_))));
}
