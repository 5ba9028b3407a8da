//! One connection from its first byte to its last: handshake, then stanzas in and
//! out. Decides nothing; the world does.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::WebSocketStream;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::error::BinaryError;
use whatsapp_rust::wacore_binary::marshal::unmarshal_ref;
use whatsapp_rust::wacore_binary::util::unpack;
use whatsapp_rust::wacore_binary::{Node, marshal};

use super::frames::{FrameError, Frames};
use super::noise::{Answered, NoiseFailure, Peer, Responder, Transport};
use super::shared::Shared;
use super::world::{LinkId, Out};
use super::{dispatch, login, streams};

/// Why a connection ended before its time.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// Frames could not be read or written.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The handshake or a frame's encryption failed.
    #[error(transparent)]
    Noise(#[from] NoiseFailure),
    /// A stanza could not be decoded or encoded.
    #[error("a stanza cannot be decoded: {0}")]
    Stanza(#[from] BinaryError),
}

/// Serves one websocket until either side ends it.
pub(super) async fn serve<S>(
    shared: &Arc<Shared>,
    socket: WebSocketStream<S>,
) -> Result<(), SessionError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stall = shared.stall();
    let mut frames = Frames::new(socket);
    let mut connected = handshake(shared, &mut frames, &mut stall).await;
    let Some((transport, peer)) = connected.as_mut().ok().and_then(Option::take) else {
        shared.change().await.stats.handshakes_failed += 1;
        return connected.map(|_| ());
    };
    let (id, outbox, recycle_s) = {
        let mut world = shared.change().await;
        let (id, outbox) = world.open(peer.static_key);
        login::begin(&mut world, id, &peer);
        (id, outbox, world.settings.streams.recycle_s)
    };
    let ends = (recycle_s > 0).then(|| Instant::now() + Duration::from_secs(recycle_s));
    let mut session = Session { shared, id, frames, transport, outbox, stall, ends };
    let ended = session.run().await;
    // The server knows it no more from here on; a client that is back at once is not a
    // second one.
    shared.change().await.closed(id);
    session.frames.close().await;
    ended
}

/// `None` if the client goes away in the middle, which clients do.
async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    frames: &mut Frames<S>,
    stall: &mut watch::Receiver<bool>,
) -> Result<Option<(Transport, Peer)>, SessionError> {
    let Some(prologue) = frames.header().await? else { return Ok(None) };
    if let Some(routing) = frames.routing() {
        streams::routed(&mut *shared.change().await, routing);
    }
    let Some(hello) = frames.next().await? else { return Ok(None) };
    if stall.wait_for(|stalled| !stalled).await.is_err() {
        return Ok(None);
    }
    let responder = {
        let world = shared.look().await;
        Responder {
            key: world.noise.server().map_err(NoiseFailure::from)?,
            chain: world.noise.chain(now_secs()).map_err(NoiseFailure::from)?,
            prologue,
            refuse_ik: world.settings.refuse_ik,
        }
    };
    let (reply, next, fallback) = responder.answer(&hello)?;
    frames.send(&reply).await?;
    let connected = match next {
        Answered::Done(done) => {
            shared.change().await.stats.handshakes_ik += 1;
            *done
        }
        Answered::Await(finish) => {
            let Some(message) = frames.next().await? else { return Ok(None) };
            let connected = finish.finish(&message)?;
            let mut world = shared.change().await;
            if fallback {
                world.stats.handshakes_fallback += 1;
            } else {
                world.stats.handshakes_xx += 1;
            }
            connected
        }
    };
    Ok(Some(connected))
}

struct Session<'a, S> {
    shared: &'a Arc<Shared>,
    id: LinkId,
    frames: Frames<S>,
    transport: Transport,
    outbox: mpsc::Receiver<Out>,
    stall: watch::Receiver<bool>,
    /// When the server ends the stream.
    ends: Option<Instant>,
}

async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, S> {
    async fn run(&mut self) -> Result<(), SessionError> {
        loop {
            let stalled = *self.stall.borrow_and_update();
            tokio::select! {
                biased;
                changed = self.stall.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                out = self.outbox.recv(), if !stalled => match out {
                    Some(Out::Node(node)) => self.write(&node).await?,
                    Some(Out::Close) | None => return Ok(()),
                },
                () = reached(self.ends) => {
                    self.ends = None;
                    streams::end(&mut *self.shared.change().await, self.id);
                }
                frame = self.frames.next() => {
                    let Some(mut frame) = frame? else { return Ok(()) };
                    // Counted even when nothing is answered: the cipher counts frames.
                    self.transport.decrypt(&mut frame)?;
                    if !stalled {
                        // Before the world is locked, which others may hold for long.
                        let arrived = Instant::now();
                        let plain = unpack(&frame)?;
                        let node = unmarshal_ref(&plain)?.to_owned();
                        dispatch::stanza(self.shared, self.id, node, arrived).await;
                    }
                }
            }
        }
    }

    async fn write(&mut self, node: &Node) -> Result<(), SessionError> {
        let sealed = self.transport.encrypt(&marshal(node)?)?;
        self.frames.send(&sealed).await?;
        Ok(())
    }
}
