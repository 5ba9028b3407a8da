//! What the session does without a server.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;
use whatsapp_rust::traits::{Backend, DeviceStore as _};
use whatsapp_rust::wacore::store::cache::CacheStore;
use whatsapp_rust::wacore::store::{Device, InMemoryBackend};

use crate::liveness::Liveness;
use crate::whatsapp::storage::{AskedAgain, ContactTokens};
use crate::whatsapp::{
    Inbound, KeyStore, KeyStoreError, Order, SessionConfig, SessionHandle, spawn,
};
use tetherd_api::MessageId;
use tetherd_core::action::Outgoing;
use tetherd_core::action::SessionCommand;
use tetherd_core::draft::Draft;
use tetherd_core::event::{Body, EndReason, NotSent, SessionEvent};
use tetherd_core::ids::{Attempt, Digest, WaMessageId};

/// How long a test waits for anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Keys in memory; forgetting them starts afresh.
pub(in crate::whatsapp) struct Keys(Mutex<Arc<InMemoryBackend>>);

impl Keys {
    pub(in crate::whatsapp) fn new() -> Arc<Keys> {
        Arc::new(Keys(Mutex::new(Arc::new(InMemoryBackend::new()))))
    }

    /// How many hold the keys besides us.
    #[cfg(feature = "sim")]
    pub(super) fn holders(&self) -> usize {
        Arc::strong_count(&self.0.lock().unwrap()) - 1
    }
}

#[async_trait]
impl KeyStore for Keys {
    fn backend(&self) -> Arc<dyn Backend> {
        self.0.lock().unwrap().clone()
    }

    fn lid_cache(&self) -> Option<Arc<dyn CacheStore>> {
        None
    }

    fn asked_again(&self) -> Option<AskedAgain> {
        None
    }

    async fn save(&self, device: &Device) -> Result<(), KeyStoreError> {
        let keys = self.0.lock().unwrap().clone();
        keys.save(device).await.map_err(|error| KeyStoreError(Box::new(error)))
    }

    fn is_good(&self) -> bool {
        true
    }

    fn contact_tokens(&self) -> Arc<ContactTokens> {
        Arc::default()
    }

    async fn want_history(&self) -> Result<(), KeyStoreError> {
        Ok(())
    }

    async fn end_history(&self) -> Result<(), KeyStoreError> {
        Ok(())
    }

    fn wants_history(&self) -> Result<bool, KeyStoreError> {
        Ok(false)
    }

    async fn keep(&self) -> Result<(), KeyStoreError> {
        Ok(())
    }

    async fn settle(&self) -> Result<(), KeyStoreError> {
        Ok(())
    }

    async fn forget(&self) -> Result<(), KeyStoreError> {
        *self.0.lock().unwrap() = Arc::new(InMemoryBackend::new());
        Ok(())
    }
}

/// A session and what it says.
pub(super) struct Bench {
    pub(super) handle: SessionHandle,
    pub(super) events: mpsc::Receiver<SessionEvent>,
}

impl Bench {
    pub(super) fn new(config: SessionConfig, keys: Arc<dyn KeyStore>) -> Bench {
        let (sender, events) = mpsc::channel(64);
        Bench {
            handle: spawn(
                config,
                keys,
                Inbound::default(),
                (sender, Liveness::unwatched()),
                &Handle::current(),
            )
            .unwrap(),
            events,
        }
    }

    pub(super) fn order(&self, order: impl Into<Order>) {
        self.handle.order(order.into()).unwrap();
    }

    /// The next report that is not about the phone or about who wrote: both speak when they
    /// like.
    pub(super) async fn next(&mut self) -> SessionEvent {
        loop {
            let event = self.next_of_all().await;
            let stays = matches!(
                event,
                SessionEvent::PhoneActivity { .. } | SessionEvent::ChatActivity { .. }
            );
            if !stays {
                return event;
            }
        }
    }

    pub(super) async fn next_of_all(&mut self) -> SessionEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("nothing happens").expect("it ended")
    }

    pub(super) async fn ended(&mut self) -> EndReason {
        loop {
            if let SessionEvent::Ended { reason, .. } = self.next().await {
                return reason;
            }
        }
    }
}

/// The order to send a text.
pub(super) fn message(number: u64, to: &str, text: &str) -> Order {
    let out = Outgoing {
        id: MessageId(number),
        attempt: Attempt(1),
        draft: Box::new(Draft::text(to.parse().unwrap(), Digest([0; 32]), wa_id(number))),
        media: None,
        refresh: tetherd_core::action::Refresh::default(),
    };
    Order { command: SessionCommand::Send(out), body: Some(Body(text.into())) }
}

/// The network's id of a message.
pub(super) fn wa_id(number: u64) -> WaMessageId {
    WaMessageId(format!("3EB0{number:018X}"))
}

#[tokio::test]
async fn a_message_without_a_connection_is_not_sent() {
    let mut bench = Bench::new(nowhere(), Keys::new());
    bench.order(message(1, "+15550101", "hello"));
    let SessionEvent::NotSent { id, why, .. } = bench.next().await else { panic!("sent") };
    assert_eq!((id, why), (MessageId(1), NotSent::NotConnected));
    bench.handle.stop().await;
}

#[tokio::test]
async fn a_login_without_keys_has_no_account() {
    let mut bench = Bench::new(nowhere(), Keys::new());
    bench.order(SessionCommand::Connect);
    assert_eq!(bench.ended().await, EndReason::logged_out(None));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable_and_its_address_is_not_told() {
    let mut bench = Bench::new(nowhere(), Keys::new());
    bench.order(SessionCommand::Pair { phone: None });
    let EndReason::Unreachable { what } = bench.ended().await else { panic!("reached") };
    assert!(!what.contains("127.0.0.1"), "{what}");
    bench.order(SessionCommand::Pair { phone: Some("15550100".into()) });
    assert!(matches!(bench.ended().await, EndReason::Unreachable { .. }));
    bench.handle.stop().await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_after_the_time_limit() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("wss://{}/ws/chat", silent.local_addr().unwrap());
    let connect_timeout = Duration::from_millis(200);
    let config = SessionConfig { endpoint, connect_timeout, ..SessionConfig::default() };
    let mut bench = Bench::new(config, Keys::new());
    bench.order(SessionCommand::Pair { phone: None });
    assert!(matches!(bench.ended().await, EndReason::Unreachable { .. }));
}

#[tokio::test]
async fn an_end_that_was_ordered_is_reported_while_the_connection_is_still_being_made() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("wss://{}/ws/chat", silent.local_addr().unwrap());
    let config = SessionConfig { endpoint, ..SessionConfig::default() };
    let mut bench = Bench::new(config, Keys::new());
    bench.order(SessionCommand::Pair { phone: None });
    bench.order(SessionCommand::Close);
    assert_eq!(bench.ended().await, EndReason::Closed);
    bench.handle.stop().await;
}

#[tokio::test]
async fn the_session_must_be_able_to_send() {
    let config = SessionConfig { sends_at_once: 0, ..nowhere() };
    let (sender, _events) = mpsc::channel(1);
    assert!(
        spawn(
            config,
            Keys::new(),
            Inbound::default(),
            (sender, Liveness::unwatched()),
            &Handle::current()
        )
        .is_err()
    );
}

/// A port that nobody listens on: it was free a moment ago and is in the range that
/// the kernel gives away by itself, which it does not do twice in a row.
fn nowhere() -> SessionConfig {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("wss://{}/ws/chat", gone.local_addr().unwrap());
    SessionConfig { endpoint, ..SessionConfig::default() }
}
