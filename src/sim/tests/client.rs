//! A real client over a small transport that trusts one simulator.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use whatsapp_rust::bot::{Bot, BotHandle};
use whatsapp_rust::bytes::Bytes;
use whatsapp_rust::http::{HttpClient, HttpRequest, HttpResponse};
use whatsapp_rust::pair_code::PairCodeOptions;
use whatsapp_rust::transport::{Transport, TransportEvent, TransportFactory};
use whatsapp_rust::wacore::net::DisconnectReason;
use whatsapp_rust::wacore::store::InMemoryBackend;
use whatsapp_rust::wacore::types::events::{ChannelEventHandler, Event};
use whatsapp_rust::{Client, TokioRuntime};

use super::super::Sim;

/// How long a test waits for anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// The version that the client claims; any will do.
const VERSION: (u32, u32, u32) = (2, 3000, 1);
/// Prekeys a client uploads at a time: few, because tests make many clients.
const PREKEYS: usize = 20;

struct Wire {
    sink: Mutex<SplitSink<WebSocketStream<TlsStream<TcpStream>>, Message>>,
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, data: Bytes) -> anyhow::Result<()> {
        Ok(self.sink.lock().await.send(Message::Binary(data)).await?)
    }
    async fn disconnect(&self) {
        let _ = self.sink.lock().await.close().await;
    }
}

/// Connects to one simulator.
struct Connector {
    endpoint: String,
    address: String,
    tls: TlsConnector,
}

/// Trusts this simulator and nobody else.
fn trusting(sim: &Sim) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(sim.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

impl Connector {
    fn new(sim: &Sim) -> Self {
        let endpoint = sim.endpoint();
        let address = endpoint.strip_prefix("wss://").unwrap().split('/').next().unwrap();
        Connector { address: address.to_owned(), tls: trusting(sim), endpoint }
    }
}

#[async_trait]
impl TransportFactory for Connector {
    async fn create_transport(
        &self,
    ) -> anyhow::Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>)> {
        let tcp = TcpStream::connect(&self.address).await?;
        let tls = self.tls.connect(ServerName::try_from("127.0.0.1")?, tcp).await?;
        let (socket, _) = client_async(&self.endpoint, tls).await?;
        let (sink, mut stream) = socket.split();
        let (events, receiver) = async_channel::bounded(1024);
        events.send(TransportEvent::Connected).await.context("nobody listens")?;
        tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                if let Message::Binary(data) = message
                    && events.send(TransportEvent::DataReceived(data)).await.is_err()
                {
                    return;
                }
            }
            let end = TransportEvent::Disconnected(DisconnectReason::StreamEnded);
            let _ = events.send(end).await;
        });
        Ok((Arc::new(Wire { sink: Mutex::new(sink) }), receiver))
    }
}

/// Fetches from the simulator's media host, and from nowhere else.
pub(super) struct MediaHost {
    address: String,
    tls: TlsConnector,
}

impl MediaHost {
    pub(super) fn of(sim: &Sim) -> Self {
        MediaHost { address: sim.media_address().to_string(), tls: trusting(sim) }
    }

    /// One request to `host`, a name that the certificate has: the status and the whole answer.
    pub(super) async fn ask(&self, host: &str, request: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let tcp = TcpStream::connect(&self.address).await?;
        let mut tls = self.tls.connect(ServerName::try_from(host.to_owned())?, tcp).await?;
        tls.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        tls.read_to_end(&mut answer).await?;
        let text = String::from_utf8_lossy(&answer);
        let status = text.split(' ').nth(1).context("no status")?.parse()?;
        Ok((status, answer))
    }
}

/// The content of an answer.
pub(super) fn body(answer: &[u8]) -> &[u8] {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    &answer[end + 4..]
}

#[async_trait]
impl HttpClient for MediaHost {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let place = request.url.strip_prefix("https://").context("not over HTTPS")?;
        let (address, path) = place.split_once('/').context("no path")?;
        anyhow::ensure!(address == self.address, "a test fetched {}", request.url);
        anyhow::ensure!(request.method == "GET", "a test sent to {}", request.url);
        let (status_code, answer) =
            self.ask("127.0.0.1", &format!("GET /{path} HTTP/1.1\r\n\r\n")).await?;
        Ok(HttpResponse { status_code, body: body(&answer).to_vec() })
    }
}

/// A client that runs until it is dropped.
pub(super) struct TestClient {
    pub(super) client: Arc<Client>,
    pub(super) backend: Arc<InMemoryBackend>,
    events: async_channel::Receiver<Arc<Event>>,
    handle: BotHandle,
}

impl Drop for TestClient {
    fn drop(&mut self) {
        self.client.signal_shutdown_sync();
        self.handle.abort();
    }
}

impl TestClient {
    /// A new client, which will ask to be paired.
    pub(super) async fn new(sim: &Sim) -> Self {
        Self::start(sim, Arc::new(InMemoryBackend::new()), None).await
    }

    /// A new client that shows a code for this number's phone.
    pub(super) async fn with_code(sim: &Sim, number: &str) -> Self {
        let options =
            PairCodeOptions { phone_number: number.to_owned(), ..PairCodeOptions::default() };
        Self::start(sim, Arc::new(InMemoryBackend::new()), Some(options)).await
    }

    /// A client with what another one has stored.
    pub(super) async fn again(sim: &Sim, backend: &Arc<InMemoryBackend>) -> Self {
        Self::start(sim, Arc::clone(backend), None).await
    }

    async fn start(
        sim: &Sim,
        backend: Arc<InMemoryBackend>,
        code: Option<PairCodeOptions>,
    ) -> Self {
        let (handler, events) = ChannelEventHandler::new();
        let mut builder = Bot::builder()
            .with_backend_arc(backend.clone())
            .with_transport_factory(Connector::new(sim))
            .with_http_client(MediaHost::of(sim))
            .with_runtime(TokioRuntime)
            .with_version(VERSION)
            .with_wanted_pre_key_count(PREKEYS)
            .skip_history_sync();
        if let Some(code) = code {
            builder = builder.with_pair_code(code);
        }
        let bot = builder.build().await.unwrap();
        let client = bot.client();
        client.subscribe_handler(handler).detach();
        let handle = bot.spawn();
        TestClient { client, backend, events, handle }
    }

    /// Waits for an event of interest.
    pub(super) async fn event<T>(&self, wanted: impl Fn(&Event) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the client has ended");
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, search).await.expect("the event did not come in time")
    }

    /// The QR code that the client shows.
    pub(super) async fn qr(&self) -> String {
        self.event(|event| match event {
            Event::PairingQrCode(qr) => Some(qr.code.clone()),
            _ => None,
        })
        .await
    }

    /// Waits until the client counts itself connected.
    pub(super) async fn connected(&self) {
        self.event(|event| matches!(event, Event::Connected(_)).then_some(())).await;
    }

    /// The next message with a text: who sent it in which chat, and the text.
    pub(super) async fn incoming(&self) -> (String, String, String) {
        self.event(|event| match event {
            Event::Messages(batch) => batch.messages.iter().find_map(|message| {
                let text =
                    message.message.conversation.clone().or_else(|| {
                        message.message.extended_text_message.as_option()?.text.clone()
                    })?;
                let source = &message.info.source;
                Some((source.sender.to_string(), source.chat.to_string(), text))
            }),
            _ => None,
        })
        .await
    }

    /// Pairs by QR and waits until the client is logged in.
    pub(super) async fn paired(sim: &Sim, account: Option<&str>) -> Self {
        let client = Self::new(sim).await;
        let qr = client.qr().await;
        sim.phone_scan(account, &qr).await.unwrap();
        client.connected().await;
        client
    }

    /// From here on one connection, and no other when it ends.
    pub(super) fn no_reconnect(&self) {
        self.client.enable_auto_reconnect.store(false, Ordering::Relaxed);
    }

    /// Leaves in order.
    pub(super) async fn leave(self) -> Arc<InMemoryBackend> {
        self.client.disconnect().await;
        Arc::clone(&self.backend)
    }
}
