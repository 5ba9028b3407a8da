//! Frames on a websocket: the connection header, the optional routing preamble, and
//! length-prefixed frames, any number of them in one websocket message.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use whatsapp_rust::bytes::{Buf as _, Bytes, BytesMut};

/// The header that starts each connection, without its version byte.
const HEADER: [u8; 3] = [b'W', b'A', 6];
/// What starts the optional routing preamble.
const ROUTING: [u8; 4] = [b'E', b'D', 0, 1];
/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 3;
/// The longest frame that is read or written, in bytes.
pub(super) const FRAME_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long the other side may take to end a connection that was closed.
const GOODBYE_TIME_MAX: Duration = Duration::from_secs(2);

/// How long a client may take to handle what it has read last.
const HANDLING_TIME: Duration = Duration::from_millis(200);

const _: () = assert!(FRAME_BYTES_MAX < 1 << (8 * LENGTH_BYTES));

/// Why a connection's frames could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// The websocket failed.
    #[error("the websocket failed: {0}")]
    Socket(#[from] Box<WsError>),
    /// The connection did not start as the protocol asks.
    #[error("the connection does not start with its header")]
    Header,
    /// A frame is longer than may be.
    #[error("a frame of {0} bytes is too long")]
    TooLong(usize),
}

impl From<WsError> for FrameError {
    fn from(error: WsError) -> Self {
        FrameError::Socket(Box::new(error))
    }
}

/// One connection's frames.
pub(super) struct Frames<S> {
    socket: WebSocketStream<S>,
    buffer: BytesMut,
    routing: Option<Vec<u8>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    /// Over an established websocket.
    pub(super) fn new(socket: WebSocketStream<S>) -> Self {
        Frames { socket, buffer: BytesMut::new(), routing: None }
    }

    /// The routing information that the connection began with.
    pub(super) fn routing(&self) -> Option<&[u8]> {
        self.routing.as_deref()
    }

    /// Reads the connection's start and its routing preamble. `None` at the end.
    pub(super) async fn header(&mut self) -> Result<Option<[u8; 4]>, FrameError> {
        loop {
            let routing = routing(&self.buffer);
            if let Some(header) = take_header(&mut self.buffer)? {
                self.routing = routing;
                return Ok(Some(header));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// The next frame. `None` at the end. Safe to cancel.
    pub(super) async fn next(&mut self) -> Result<Option<BytesMut>, FrameError> {
        loop {
            if let Some(frame) = take_frame(&mut self.buffer)? {
                return Ok(Some(frame));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Writes one frame and flushes it.
    pub(super) async fn send(&mut self, payload: &[u8]) -> Result<(), FrameError> {
        if payload.len() > FRAME_BYTES_MAX {
            return Err(FrameError::TooLong(payload.len()));
        }
        let mut frame = Vec::with_capacity(LENGTH_BYTES + payload.len());
        frame.extend_from_slice(&payload.len().to_be_bytes()[size_of::<usize>() - LENGTH_BYTES..]);
        frame.extend_from_slice(payload);
        self.socket.send(Message::Binary(Bytes::from(frame))).await?;
        Ok(())
    }

    /// Ends the connection after the other side has read what was sent last, a stream error for
    /// instance: it has when it answers a ping. Then it may end it itself, because clients that
    /// handle stanzas in tasks of their own see an end before what came ahead of it. What it still
    /// sends is read: a socket that is closed with unread data resets the connection, and the
    /// other side's kernel throws away what it has not given to the client.
    pub(super) async fn close(&mut self) {
        let goodbye = async {
            if self.socket.send(Message::Ping(Bytes::new())).await.is_ok() {
                loop {
                    match self.socket.next().await {
                        Some(Ok(Message::Pong(_))) => break,
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => return,
                    }
                }
                let _ = timeout(HANDLING_TIME, async {
                    while let Some(Ok(_)) = self.socket.next().await {}
                })
                .await;
            }
            let _ = self.socket.close(None).await;
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        let _ = timeout(GOODBYE_TIME_MAX, goodbye).await;
    }

    async fn fill(&mut self) -> Result<bool, FrameError> {
        match self.socket.next().await {
            Some(Ok(Message::Binary(data))) => self.buffer.extend_from_slice(&data),
            Some(Ok(Message::Close(_))) | None => return Ok(false),
            Some(Ok(
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
            )) => {}
            Some(Err(error)) => return Err(error.into()),
        }
        Ok(true)
    }
}

fn length(bytes: &[u8]) -> usize {
    bytes.iter().take(LENGTH_BYTES).fold(0, |sum, byte| (sum << 8) | usize::from(*byte))
}

fn routing(buffer: &[u8]) -> Option<Vec<u8>> {
    let (prefix, rest) = buffer.strip_prefix(&ROUTING)?.split_at_checked(LENGTH_BYTES)?;
    rest.get(..length(prefix)).map(<[u8]>::to_vec)
}

fn take_header(buffer: &mut BytesMut) -> Result<Option<[u8; 4]>, FrameError> {
    let mut start = 0;
    if buffer.starts_with(&ROUTING) {
        let Some(prefix) = buffer.get(ROUTING.len()..ROUTING.len() + LENGTH_BYTES) else {
            return Ok(None);
        };
        start = ROUTING.len() + LENGTH_BYTES + length(prefix);
        if start > FRAME_BYTES_MAX {
            return Err(FrameError::TooLong(start));
        }
    } else if buffer.len() < ROUTING.len() {
        return Ok(None);
    }
    let Some(header) = buffer.get(start..start + 4).and_then(|header| header.try_into().ok())
    else {
        return Ok(None);
    };
    let header: [u8; 4] = header;
    if !header.starts_with(&HEADER) {
        return Err(FrameError::Header);
    }
    buffer.advance(start + header.len());
    Ok(Some(header))
}

fn take_frame(buffer: &mut BytesMut) -> Result<Option<BytesMut>, FrameError> {
    let Some(prefix) = buffer.get(..LENGTH_BYTES) else { return Ok(None) };
    let payload = length(prefix);
    if payload > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong(payload));
    }
    if buffer.len() < LENGTH_BYTES + payload {
        return Ok(None);
    }
    buffer.advance(LENGTH_BYTES);
    Ok(Some(buffer.split_to(payload)))
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    /// Both ends of a websocket.
    async fn pair() -> (Frames<tokio::io::DuplexStream>, WebSocketStream<tokio::io::DuplexStream>) {
        let (here, there) = tokio::io::duplex(64 * 1024);
        let server = WebSocketStream::from_raw_socket(here, Role::Server, None).await;
        let client = WebSocketStream::from_raw_socket(there, Role::Client, None).await;
        (Frames::new(server), client)
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_comes_after_the_other_side_has_read_what_came_before() {
        let (mut frames, mut client) = pair().await;
        frames.send(b"last").await.unwrap();
        let ended = tokio::spawn(async move { frames.close().await });
        let mut got = Vec::new();
        while let Some(Ok(message)) = client.next().await {
            got.push(match message {
                Message::Binary(_) => "frame",
                Message::Ping(_) => "question",
                Message::Close(_) => "end",
                Message::Text(_) | Message::Pong(_) | Message::Frame(_) => "other",
            });
        }
        assert_eq!(got, ["frame", "question", "end"]);
        ended.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_left_after_a_while() {
        let (mut frames, client) = pair().await;
        frames.send(b"last").await.unwrap();
        let before = tokio::time::Instant::now();
        frames.close().await;
        assert_eq!(before.elapsed(), GOODBYE_TIME_MAX);
        drop(client);
    }

    #[test]
    fn a_routing_preamble_is_skipped_and_arrives_in_any_pieces() {
        let wire = [&b"ED\0\x01\0\0\x02rr"[..], b"WA\x06\x03", b"\0\0\x01x", b"\0\0\x00"].concat();
        for cut in 0..wire.len() {
            let mut buffer = BytesMut::from(&wire[..cut]);
            let early = take_header(&mut buffer).unwrap();
            buffer.extend_from_slice(&wire[cut..]);
            let header = early.or_else(|| take_header(&mut buffer).unwrap());
            assert_eq!(header, Some(*b"WA\x06\x03"));
            assert_eq!(take_frame(&mut buffer).unwrap().unwrap(), &b"x"[..]);
            assert!(take_frame(&mut buffer).unwrap().unwrap().is_empty());
            assert!(take_frame(&mut buffer).unwrap().is_none());
        }
    }

    #[test]
    fn another_protocol_is_refused() {
        let mut buffer = BytesMut::from(&b"GET / HTTP/1.1"[..]);
        assert!(matches!(take_header(&mut buffer), Err(FrameError::Header)));
    }
}
