//! Bytes to and from the server: TCP, TLS, websocket. `send` returns when the frame
//! has left this process, which is what makes "written" true.
//!
//! Knows nothing of frames' contents, except for one check of the handshake: the
//! library says that it failed, not why, and a server that is not who it should be is
//! distinguished from a line that broke by who hung up when.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::header::{HeaderValue, ORIGIN, USER_AGENT};
use tetherd_net::connect::{ConnectError, Connector, Stream};
use tetherd_net::endpoint::Endpoint;
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use whatsapp_rust::anyhow;
use whatsapp_rust::buffa::Message as _;
use whatsapp_rust::wacore::framing::FrameDecoder;
use whatsapp_rust::wacore::net::{
    DisconnectReason, Transport, TransportEvent, TransportFactory, WHATSAPP_WEB_ORIGIN,
};
use whatsapp_rust::waproto::whatsapp::HandshakeMessage;

/// A browser's name: the endpoint is the one for browsers.
pub(crate) const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 \
     (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

/// The largest message taken from the server, in bytes. Frames have 24-bit lengths.
const MESSAGE_BYTES_MAX: usize = 17 * 1024 * 1024;
/// One read from the socket, in bytes. Kept as long as the connection, so small.
const READ_BUFFER_BYTES: usize = 16 * 1024;
/// Bytes that wait to be written at most: one frame of the largest size and its headers.
const WRITE_BUFFER_BYTES_MAX: usize = 17 * 1024 * 1024;
/// Messages that wait for the library at most; then the socket is not read.
const EVENTS_MAX: usize = 64;
/// A frame that does not leave within this time means that the line is dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// For saying goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Why no connection came about, without addresses.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum TransportError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the server answers with HTTP status {0} instead of a websocket")]
    Status(u16),
    #[error("the websocket's handshake failed")]
    Websocket,
    #[error("no connection within {0:?}")]
    TimedOut(Duration),
}

/// How far the connection came.
#[derive(Clone, Debug, Default)]
pub(crate) enum Progress {
    /// Not tried.
    #[default]
    None,
    /// The websocket did not come about.
    Failed(String),
    /// The websocket is open; the server has not answered our hello.
    Open,
    /// The server has answered. `presents_key`: with its key and certificates.
    Answered { presents_key: bool },
    /// We have answered the server's hello, or the line went first.
    Past,
}

/// Shared between the factory, its transports and the connection's task.
#[derive(Debug)]
pub(crate) struct Trace {
    progress: Mutex<Progress>,
    received_at: Mutex<Instant>,
}

impl Default for Trace {
    fn default() -> Trace {
        Trace { progress: Mutex::default(), received_at: Mutex::new(Instant::now()) }
    }
}

impl Trace {
    pub(crate) fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the server last sent anything.
    pub(crate) fn received_at(&self) -> Instant {
        *self.received_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server has sent something.
    pub(crate) fn received(&self) {
        *self.received_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn set(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    /// A write after the server's hello finishes the handshake: the library only makes
    /// it after the certificates verified.
    fn wrote(&self) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*progress, Progress::Answered { .. }) {
            *progress = Progress::Past;
        }
    }
}

/// Waits until what came in is kept as far as it must be before an answer leaves. Whether it is.
pub(crate) type CanKeep = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// Opens transports to one endpoint.
pub(crate) struct Factory {
    endpoint: Endpoint,
    connector: Arc<Connector>,
    connect_timeout: Duration,
    trace: Arc<Trace>,
    can_keep: CanKeep,
}

impl Factory {
    pub(crate) fn new(
        endpoint: Endpoint,
        connector: Arc<Connector>,
        connect_timeout: Duration,
        trace: Arc<Trace>,
        can_keep: CanKeep,
    ) -> Factory {
        Factory { endpoint, connector, connect_timeout, trace, can_keep }
    }

    async fn open(&self) -> Result<Socket, TransportError> {
        let limit = self.connect_timeout;
        match timeout(limit, self.open_untimed()).await {
            Ok(opened) => opened,
            Err(_) => Err(TransportError::TimedOut(limit)),
        }
    }

    async fn open_untimed(&self) -> Result<Socket, TransportError> {
        let url = self.endpoint.url();
        let stream = self.connector.open(url, self.connect_timeout).await?;
        let mut request =
            url.as_str().into_client_request().map_err(|_| TransportError::Websocket)?;
        let headers = request.headers_mut();
        headers.insert(ORIGIN, HeaderValue::from_static(WHATSAPP_WEB_ORIGIN));
        headers.insert(USER_AGENT, HeaderValue::from_static(BROWSER));
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            // Every send is flushed anyway: nothing to gain from gathering.
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let opened =
            tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
        match opened {
            Ok((socket, _)) => Ok(socket),
            Err(WsError::Http(response)) => Err(TransportError::Status(response.status().as_u16())),
            Err(_) => Err(TransportError::Websocket),
        }
    }
}

type Socket = WebSocketStream<Stream>;

#[async_trait]
impl TransportFactory for Factory {
    async fn create_transport(
        &self,
    ) -> Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>), anyhow::Error> {
        let socket = match self.open().await {
            Ok(socket) => socket,
            Err(fault) => {
                self.trace.set(Progress::Failed(fault.to_string()));
                return Err(fault.into());
            }
        };
        self.trace.set(Progress::Open);
        let (sink, stream) = socket.split();
        let (events, incoming) = async_channel::bounded(EVENTS_MAX);
        let (closed, closing) = watch::channel(false);
        let (trace, can_keep) = (Arc::clone(&self.trace), Arc::clone(&self.can_keep));
        let writer = Writer { sink: AsyncMutex::new(sink), closed, trace, can_keep };
        let reader = Reader { stream, events, closing, trace: self.trace.clone() };
        tokio::spawn(reader.run());
        Ok((Arc::new(writer), incoming))
    }
}

/// The writing half.
struct Writer {
    sink: AsyncMutex<SplitSink<Socket, Message>>,
    closed: watch::Sender<bool>,
    trace: Arc<Trace>,
    can_keep: CanKeep,
}

/// Why a frame did not leave for certain.
#[derive(Debug, thiserror::Error)]
enum WriteFault {
    #[error("the connection is closed")]
    Closed,
    #[error("the store has failed")]
    NothingIsKept,
    #[error("the frame did not leave within {WRITE_TIMEOUT:?}")]
    TimedOut,
    #[error("writing failed: {0}")]
    Failed(String),
}

#[async_trait]
impl Transport for Writer {
    async fn send(&self, data: Bytes) -> Result<(), anyhow::Error> {
        let mut closing = self.closed.subscribe();
        let write = async {
            // Without its store the library refuses what comes in, and the server would forget it.
            if !(self.can_keep)().await {
                return Err(WriteFault::NothingIsKept);
            }
            self.trace.wrote();
            let mut sink = self.sink.lock().await;
            // Feeds and flushes: through the websocket, TLS, and into the kernel.
            let sent = sink.send(Message::Binary(data)).await;
            sent.map_err(|error| WriteFault::Failed(ws_fault(&error)))
        };
        tokio::select! {
            written = timeout(WRITE_TIMEOUT, write) => {
                Ok(written.unwrap_or(Err(WriteFault::TimedOut))?)
            }
            // Without this a server that stops reading would hold the sender for ever.
            _ = closing.wait_for(|closed| *closed) => Err(WriteFault::Closed.into()),
        }
    }

    async fn disconnect(&self) {
        if self.closed.send_replace(true) {
            return;
        }
        let goodbye = async {
            let mut sink = self.sink.lock().await;
            let _ = sink.close().await;
        };
        let _ = timeout(CLOSE_TIMEOUT, goodbye).await;
    }
}

/// The reading half.
struct Reader {
    stream: SplitStream<Socket>,
    events: async_channel::Sender<TransportEvent>,
    closing: watch::Receiver<bool>,
    trace: Arc<Trace>,
}

impl Reader {
    async fn run(mut self) {
        let mut hello = Some(FrameDecoder::new());
        let reason = loop {
            let message = tokio::select! {
                message = self.stream.next() => message,
                _ = self.closing.wait_for(|closed| *closed) => break DisconnectReason::Unknown,
            };
            if let Some(Ok(_)) = message {
                self.trace.received();
            }
            match message {
                Some(Ok(Message::Binary(data))) => {
                    if inspect_hello(&mut hello, &data, &self.trace) {
                        hello = None;
                    }
                    let event = TransportEvent::DataReceived(data);
                    tokio::select! {
                        sent = self.events.send(event) => if sent.is_err() { return },
                        _ = self.closing.wait_for(|closed| *closed) => {
                            break DisconnectReason::Unknown;
                        }
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    break DisconnectReason::ServerClose {
                        code: frame.map(|frame| frame.code.into()),
                        reason: String::new(),
                    };
                }
                // Pings are answered below us; text has no meaning here.
                Some(Ok(
                    Message::Ping(_) | Message::Pong(_) | Message::Text(_) | Message::Frame(_),
                )) => {}
                Some(Err(WsError::ConnectionClosed | WsError::AlreadyClosed)) | None => {
                    break DisconnectReason::StreamEnded;
                }
                Some(Err(error)) => break DisconnectReason::ReadError(ws_fault(&error)),
            }
        };
        // What came before the end is still to be read, so this may wait for room.
        tokio::select! {
            _ = self.events.send(TransportEvent::Disconnected(reason)) => {}
            _ = self.closing.wait_for(|closed| *closed) => {}
        }
    }
}

/// Notes the server's answer to our hello. True once there is nothing more to see.
fn inspect_hello(hello: &mut Option<FrameDecoder>, data: &[u8], trace: &Trace) -> bool {
    let Some(decoder) = hello else { return true };
    decoder.feed(data);
    let Some(frame) = decoder.decode_frame() else { return false };
    let presents_key = HandshakeMessage::decode_from_slice(&frame)
        .ok()
        .and_then(|message| message.server_hello.into_option())
        .is_some_and(|hello| hello.r#static.is_some());
    trace.set(Progress::Answered { presents_key });
    true
}

/// Errors of the websocket quote what the server sent; their kind is enough.
fn ws_fault(error: &WsError) -> String {
    match error {
        WsError::Io(error) => format!("the connection broke ({})", error.kind()),
        WsError::Tls(_) => "the connection broke (TLS)".to_owned(),
        WsError::Capacity(_) => "a message exceeds the bound".to_owned(),
        WsError::Protocol(_) | WsError::Utf8(_) | WsError::AttackAttempt => {
            "the server breaks the websocket's protocol".to_owned()
        }
        WsError::ConnectionClosed | WsError::AlreadyClosed => "the connection is closed".to_owned(),
        WsError::WriteBufferFull(_) => "too much waits to be written".to_owned(),
        WsError::Url(_) | WsError::Http(_) | WsError::HttpFormat(_) => {
            "the websocket's handshake failed".to_owned()
        }
    }
}
