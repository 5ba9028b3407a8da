//! The session against the simulator: pairing, logins, and each way to end.

#![expect(clippy::wildcard_enum_match_arm, reason = "whatever else happens fails the test")]

use std::sync::Arc;

use tokio::time::timeout;

use crate::whatsapp::SessionConfig;
use crate::whatsapp::tests::offline::{Bench, Keys, PATIENCE};
use tether_sim::{LoginFailure, SettingsChange, Sim, SimConfig};
use tetherd_core::action::SessionCommand;
use tetherd_core::event::{EndReason, Offer, SessionEvent};
use tetherd_core::trouble::{LoginTrouble, ServerText, TroubleKind};

/// A simulator, and a session that knows only that.
pub(super) struct World {
    pub(super) sim: Sim,
    pub(super) keys: Arc<Keys>,
    pub(super) bench: Bench,
    pub(super) config: SessionConfig,
    _folder: tempfile::TempDir,
}

impl World {
    pub(super) async fn new() -> World {
        World::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut SessionConfig)) -> World {
        let sim = Sim::start(SimConfig::default()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, sim.ca_pem()).unwrap();
        let mut config = SessionConfig {
            endpoint: sim.endpoint(),
            ca_file: Some(ca_file),
            ..SessionConfig::default()
        };
        change(&mut config);
        let keys = Keys::new();
        let bench = Bench::new(config.clone(), keys.clone());
        World { sim, keys, bench, config, _folder: folder }
    }

    /// Paired, and the connection that did it over.
    pub(super) async fn paired(mut self) -> World {
        self.bench.order(SessionCommand::Pair { phone: None });
        let SessionEvent::Offer(Offer::Qr { text, valid_ms }) = self.bench.next().await else {
            panic!("no QR code");
        };
        assert!(valid_ms > 50_000, "{valid_ms}");
        let (scanned, ()) = tokio::join!(self.sim.phone_scan(None, &text), async {
            let SessionEvent::Paired { account } = self.bench.next().await else {
                panic!("not paired");
            };
            assert_eq!(account.jid, "15550100@s.whatsapp.net");
            assert_eq!(self.bench.ended().await, EndReason::Restart);
        });
        scanned.unwrap();
        self
    }

    pub(super) async fn connect(&mut self) {
        self.bench.order(SessionCommand::Connect);
        loop {
            match self.bench.next().await {
                SessionEvent::Connected { account } => {
                    assert_eq!(account.jid, "15550100@s.whatsapp.net");
                    return;
                }
                // What came while nobody was there.
                SessionEvent::Receipt { .. } | SessionEvent::Ack { .. } => {}
                event => panic!("{event:?}"),
            }
        }
    }

    pub(super) async fn connected() -> World {
        let mut world = World::new().await.paired().await;
        world.connect().await;
        world
    }
}

#[tokio::test]
async fn a_session_pairs_by_qr_and_logs_in_again_and_again() {
    let mut world = World::new().await.paired().await;
    for _ in 0..2 {
        world.connect().await;
        world.bench.order(SessionCommand::Close);
        assert_eq!(world.bench.ended().await, EndReason::Closed);
    }
    world.bench.handle.stop().await;
}

#[tokio::test]
async fn a_session_pairs_by_code() {
    let mut world = World::new().await;
    world.bench.order(SessionCommand::Pair { phone: Some("15550100".into()) });
    let SessionEvent::Offer(Offer::Code { code, valid_ms }) = world.bench.next().await else {
        panic!("no code");
    };
    assert!(valid_ms > 60_000, "{valid_ms}");
    let (entered, reason) =
        tokio::join!(world.sim.phone_enter_code(None, &code), world.bench.ended());
    entered.unwrap();
    assert_eq!(reason, EndReason::Restart);
    world.connect().await;
}

#[tokio::test]
async fn a_paired_session_does_not_pair_again_before_it_forgets() {
    let mut world = World::new().await.paired().await;
    world.bench.order(SessionCommand::Pair { phone: None });
    assert!(matches!(world.bench.ended().await, EndReason::PairingFailed { .. }));
    world.bench.order(SessionCommand::Forget);
    world.bench.order(SessionCommand::Connect);
    assert_eq!(world.bench.ended().await, EndReason::logged_out(None));
    let world = world.paired().await;
    drop(world.keys);
}

#[tokio::test]
async fn another_session_takes_over() {
    let mut world = World::connected().await;
    world.sim.server_replace_session(None).await.unwrap();
    assert_eq!(world.bench.ended().await, EndReason::Replaced);
}

#[tokio::test]
async fn a_line_that_breaks_is_lost() {
    let mut world = World::connected().await;
    world.sim.server_disconnect(None).await.unwrap();
    assert!(matches!(world.bench.ended().await, EndReason::Lost { .. }));
    world.connect().await;
}

#[tokio::test]
async fn a_stream_that_the_server_ends_in_order_is_not_lost() {
    let mut world = World::connected().await;
    world.sim.stream_end(None).await.unwrap();
    assert_eq!(world.bench.ended().await, EndReason::StreamEnded);
    world.connect().await;
}

#[tokio::test]
async fn each_refused_login_has_its_reason() {
    let mut world = World::new().await.paired().await;
    let failure = |reason| LoginFailure { reason, ..LoginFailure::default() };
    let trouble = |kind, code| LoginTrouble::new(kind, Some(code));
    let ended = |trouble| EndReason::Trouble(Box::new(trouble));
    let banned = LoginFailure { code: Some(101), expire: Some(60), ..failure(402) };
    let ban = LoginTrouble { for_ms: Some(60_000), ..trouble(TroubleKind::Banned, 101) };
    let locked = LoginFailure {
        message: Some("locked".to_owned()),
        logout_message_header: Some("Open\nWhatsApp".to_owned()),
        url: Some("https://example.org/help".to_owned()),
        appeal_token: Some("a secret".to_owned()),
        ..failure(403)
    };
    let text = ServerText::new("Open WhatsApp locked https://example.org/help");
    for (failure, expected) in [
        (failure(401), EndReason::logged_out(Some(401))),
        (failure(402), ended(LoginTrouble::new(TroubleKind::Banned, None))),
        (
            LoginFailure { code: None, ..banned.clone() },
            ended(LoginTrouble { code: None, ..ban.clone() }),
        ),
        (LoginFailure { expire: None, ..banned.clone() }, ended(trouble(TroubleKind::Banned, 101))),
        (banned, ended(ban)),
        (locked, ended(LoginTrouble { text, ..trouble(TroubleKind::Locked, 403) })),
        (failure(405), ended(trouble(TroubleKind::Outdated, 405))),
        (failure(406), ended(trouble(TroubleKind::BannedForGood, 406))),
        (failure(409), ended(trouble(TroubleKind::Declined, 409))),
        (failure(415), ended(trouble(TroubleKind::Declined, 415))),
        (failure(500), EndReason::Refused { code: 500 }),
        (failure(503), EndReason::Refused { code: 503 }),
    ] {
        world.sim.server_fail_login(failure).await;
        world.bench.order(SessionCommand::Connect);
        assert_eq!(world.bench.ended().await, expected);
    }
    world.connect().await;
}

#[tokio::test]
async fn a_logout_unlinks_the_device_and_forgets_the_keys() {
    let mut world = World::connected().await;
    world.bench.order(SessionCommand::Logout);
    assert_eq!(world.bench.ended().await, EndReason::Closed);
    world.bench.order(SessionCommand::Connect);
    assert_eq!(world.bench.ended().await, EndReason::logged_out(None));
}

#[tokio::test]
async fn a_second_connection_takes_the_place_of_the_first() {
    let mut world = World::connected().await;
    world.bench.order(SessionCommand::Connect);
    assert_eq!(world.bench.ended().await, EndReason::Closed);
    assert!(matches!(world.bench.next().await, SessionEvent::Connected { .. }));
    world.sim.wait_for(|stats| stats.logged_in == 1, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_silent_during_the_login_can_be_left() {
    let mut world = World::new().await.paired().await;
    let stall = SettingsChange { stall: Some(true), ..Default::default() };
    world.sim.server_set(stall).await;
    world.bench.order(SessionCommand::Connect);
    world.bench.order(SessionCommand::Close);
    assert_eq!(world.bench.ended().await, EndReason::Closed);
}

#[tokio::test]
async fn a_device_that_the_phone_removes_is_logged_out() {
    let mut world = World::connected().await;
    world.sim.phone_unlink(None, None).await.unwrap();
    assert_eq!(world.bench.ended().await, EndReason::logged_out(Some(401)));
}

#[tokio::test]
async fn a_server_with_a_new_key_is_looked_at_again() {
    let mut world = World::new().await.paired().await;
    for _ in 0..2 {
        world.connect().await;
        world.bench.order(SessionCommand::Close);
        assert_eq!(world.bench.ended().await, EndReason::Closed);
        world.sim.server_rotate_key().await;
    }
    let stats = world.sim.server_stats().await;
    assert_eq!((stats.handshakes_ik, stats.handshakes_fallback), (0, 1), "{stats:?}");
}

#[tokio::test]
async fn nothing_of_a_connection_outlives_it() {
    let mut world = World::connected().await;
    world.bench.order(SessionCommand::Close);
    assert_eq!(world.bench.ended().await, EndReason::Closed);
    let freed = async {
        while world.keys.holders() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, freed).await.expect("something still holds the client");
}
