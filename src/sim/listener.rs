//! The TLS websocket on loopback: accepts, upgrades `/ws/chat`, and hands over to a
//! session. Never listens anywhere else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::error::SimError;
use super::frames::FRAME_BYTES_MAX;
use super::session;
use super::shared::Shared;

/// The path of the chat service.
pub(super) const PATH: &str = "/ws/chat";
/// Most connections at a time.
const CONNECTIONS_MAX: usize = 4_096;
/// How long accepting waits after the system refused a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Binds, refusing every address outside loopback.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, SimError> {
    if !address.ip().is_loopback() {
        return Err(SimError::NotLoopback(address.ip()));
    }
    TcpListener::bind(address).await.map_err(SimError::io("cannot listen"))
}

/// Accepts until dropped. Sessions end with it.
pub(super) async fn run(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    shared: Arc<Shared>,
) {
    let acceptor = TlsAcceptor::from(tls);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut sessions = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            Some(_) = sessions.join_next() => continue,
        };
        let acceptor = acceptor.clone();
        let shared = Arc::clone(&shared);
        sessions.spawn(async move {
            let _place = place;
            serve(stream, acceptor, shared).await;
        });
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let tls = match acceptor.accept(stream).await {
        Ok(tls) => tls,
        Err(error) => return tracing::debug!("a TLS handshake failed: {error}"),
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    match accept_hdr_async_with_config(tls, check_path, Some(config)).await {
        Ok(socket) => match session::serve(&shared, socket).await {
            Ok(()) => tracing::debug!("a connection ended"),
            Err(error) => tracing::debug!("a connection ended: {error}"),
        },
        Err(error) => tracing::debug!("a websocket handshake failed: {error}"),
    }
}

#[expect(clippy::result_large_err, reason = "the websocket crate asks for this type")]
fn check_path(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    if request.uri().path() == PATH {
        return Ok(response);
    }
    let mut refused = ErrorResponse::new(None);
    *refused.status_mut() = StatusCode::NOT_FOUND;
    Err(refused)
}
