//! The calling side of the socket: used by `tetherctl`, the screen and the tests.
//! Never reconnects and never repeats a call; that is the caller's decision, with an
//! idempotency key.

use std::collections::HashMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::call::EventsSubscribe;
use crate::fds::{FdReader, write_line};
use crate::frame::{EncodeError, FromDaemon, Id, encode_request, parse_from_daemon};
use crate::framing::LineReader;
use crate::{
    Error, ErrorKind, EventFrame, FRAME_BYTES_MAX, FeedPlace, Method, SOCKET_PATH_BYTES_MAX,
    Signature, SubscribeParams,
};

/// How long a call waits for its reply unless the caller sets another limit.
pub const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// How long a call waits that passes a file: the daemon copies it before it answers.
pub const FILE_CALL_DEADLINE: Duration = Duration::from_secs(11 * 60);
/// Requests that wait to be written.
const OUTGOING_MAX: usize = 64;
/// Events that wait to be read, and the bytes of their lines. Beyond either the connection is not
/// read, replies included.
const EVENTS_MAX: usize = 1_024;
pub(crate) const EVENTS_BYTES_MAX: usize = 4 * 1024 * 1024;

const _: () = assert!(FRAME_BYTES_MAX <= EVENTS_BYTES_MAX && EVENTS_BYTES_MAX <= u32::MAX as usize);

/// Whether somebody listens. Does not block, as connecting to a full backlog would.
pub fn knock(path: &Path) -> Result<(), nix::errno::Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(std::os::fd::AsRawFd::as_raw_fd(&fd), &UnixAddr::new(path)?)
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no socket at the path.
    #[error("there is no socket at {}: is tetherd running?", .path.display())]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// A socket without a daemon behind it, or no socket at all.
    #[error("nobody listens at {}: is tetherd running?", .path.display())]
    Refused {
        /// The path.
        path: PathBuf,
    },
    /// The file permissions say no.
    #[error("no permission to connect to {}", .path.display())]
    Denied {
        /// The path.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot connect to {}: {source}", .path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ClientError {
    /// Whether a subscription was refused for its place: the feed is another one.
    pub fn is_feed_renewed(&self) -> bool {
        matches!(self, ClientError::Rpc(error) if error.data.kind == ErrorKind::FeedRenewed)
    }
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The daemon answered with an error.
    #[error(transparent)]
    Rpc(#[from] Error),
    /// No reply in time. The daemon may still carry it out.
    #[error("no reply within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The connection ended before the reply. The daemon may have carried it out.
    #[error("the connection to tetherd ended before the reply came")]
    Closed,
    /// The request does not fit into a line.
    #[error("the request {0}")]
    Encode(#[from] EncodeError),
    /// A descriptor cannot be passed.
    #[error("the descriptor cannot be passed: {0}")]
    Descriptor(io::Error),
    /// The daemon's answer is not what the contract says.
    #[error("the daemon's answer is not understood: {0}")]
    Decode(serde_json::Error),
}

type Outcome = Result<Value, Error>;
/// What came back, and the descriptors with it.
type Reply = (Outcome, Vec<OwnedFd>);
/// A line to be written, and the descriptors that go with it.
type Outgoing = (Vec<u8>, Vec<OwnedFd>);

/// An event that waits to be read, and the room that it takes.
type Waiting = (EventFrame, OwnedSemaphorePermit);

#[derive(Default)]
struct Pending {
    last_id: u64,
    replies: HashMap<u64, oneshot::Sender<Reply>>,
    events: Option<mpsc::Sender<Waiting>>,
    /// Set once nothing more will come, with what the daemon said about the whole connection.
    closed: Option<Option<Error>>,
}

/// A connection to the daemon. Calls can be made at the same time; replies find their
/// callers by id. Dropping it ends the connection.
pub struct Client {
    pending: Arc<Mutex<Pending>>,
    outgoing: mpsc::Sender<Outgoing>,
    deadline: Duration,
    tasks: [JoinHandle<()>; 2],
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client(..)")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Client {
    /// Connects to the daemon's socket.
    pub async fn connect(path: &Path) -> Result<Client, ConnectError> {
        if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            let bytes = path.as_os_str().len();
            let what = format!("it has {bytes} bytes, and at most {SOCKET_PATH_BYTES_MAX} fit");
            let source = io::Error::new(io::ErrorKind::InvalidInput, what);
            return Err(ConnectError::Io { path: path.to_path_buf(), source });
        }
        let stream = UnixStream::connect(path).await.map_err(|source| {
            let path = path.to_path_buf();
            if source.kind() == io::ErrorKind::NotFound {
                ConnectError::NoSocket { path }
            } else if source.kind() == io::ErrorKind::ConnectionRefused {
                ConnectError::Refused { path }
            } else if source.kind() == io::ErrorKind::PermissionDenied {
                ConnectError::Denied { path }
            } else {
                ConnectError::Io { path, source }
            }
        })?;
        Ok(Client::over(stream))
    }

    /// Speaks over a connection that is there already.
    pub fn over(stream: UnixStream) -> Client {
        let (from, to) = stream.into_split();
        let (outgoing, queued) = mpsc::channel(OUTGOING_MAX);
        let pending = Arc::new(Mutex::new(Pending::default()));
        let reading = tokio::spawn(read_all(from, Arc::clone(&pending)));
        let writing = tokio::spawn(write_all(to, queued));
        Client { pending, outgoing, deadline: CALL_DEADLINE, tasks: [reading, writing] }
    }

    /// Waits this long for each reply.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Calls a method: `client.call(call::Status, &NoParams {}).await`.
    pub async fn call<C: Signature>(
        &self,
        _: C,
        params: &C::Params,
    ) -> Result<C::Result, ClientError> {
        let params = serde_json::to_value(params).map_err(EncodeError::Json)?;
        let value = self.call_raw(C::METHOD.name(), &params).await?;
        serde_json::from_value(value).map_err(ClientError::Decode)
    }

    /// Calls a method by its name and answers the wire's JSON.
    pub async fn call_raw(&self, method: &str, params: &Value) -> Result<Value, ClientError> {
        self.exchange(method, params, &[]).await.map(|(value, _)| value)
    }

    /// As [`Client::call`], with descriptors that go with the request, and those that
    /// come with the reply. The request's stay the caller's.
    pub async fn call_with_fds<C: Signature>(
        &self,
        _: C,
        params: &C::Params,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(C::Result, Vec<OwnedFd>), ClientError> {
        let params = serde_json::to_value(params).map_err(EncodeError::Json)?;
        let (value, fds) = self.exchange(C::METHOD.name(), &params, fds).await?;
        Ok((serde_json::from_value(value).map_err(ClientError::Decode)?, fds))
    }

    /// As [`Client::call_raw`], with descriptors in both directions.
    pub async fn exchange(
        &self,
        method: &str,
        params: &Value,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(Value, Vec<OwnedFd>), ClientError> {
        let takes_long = !fds.is_empty() || method == Method::InboxFile.name();
        let deadline =
            if takes_long { self.deadline.max(FILE_CALL_DEADLINE) } else { self.deadline };
        let fds: Result<Vec<OwnedFd>, io::Error> =
            fds.iter().map(BorrowedFd::try_clone_to_owned).collect();
        let fds = fds.map_err(ClientError::Descriptor)?;
        let (reply, replied) = oneshot::channel();
        let id = self.register(reply)?;
        let forget = Forget { pending: &self.pending, id };
        let line = encode_request(id, method, params)?;
        let exchange = async {
            // A writer that is gone leaves the reader to say why.
            let _ = self.outgoing.send((line, fds)).await;
            replied.await
        };
        let outcome = timeout(deadline, exchange).await;
        drop(forget);
        match outcome {
            Err(_) => Err(ClientError::Timeout(deadline)),
            Ok(Ok((outcome, fds))) => Ok((outcome?, fds)),
            Ok(Err(_)) => Err(locked(&self.pending).why_closed()),
        }
    }

    /// Subscribes, beginning with the live messages. While more than a thousand events or 4 MiB
    /// of them are not read, replies on this connection wait too.
    pub async fn subscribe(&self) -> Result<Events, ClientError> {
        Ok(self.subscribe_after(None).await?.0)
    }

    /// Subscribes, continuing after a place; answers the feed and its newest number as well.
    pub async fn subscribe_after(
        &self,
        place: Option<FeedPlace>,
    ) -> Result<(Events, FeedPlace), ClientError> {
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        // Before the call: the first events follow the reply at once.
        locked(&self.pending).expect_events(sender);
        let newest = self.call(EventsSubscribe, &SubscribeParams::from(place)).await?;
        Ok((Events { receiver, pending: Arc::clone(&self.pending) }, newest.into()))
    }

    fn register(&self, reply: oneshot::Sender<Reply>) -> Result<u64, ClientError> {
        let mut pending = locked(&self.pending);
        if pending.closed.is_some() {
            return Err(pending.why_closed());
        }
        pending.last_id += 1;
        let id = pending.last_id;
        pending.replies.insert(id, reply);
        Ok(id)
    }
}

/// Takes a call off the list when it ends, however it ends.
struct Forget<'a> {
    pending: &'a Mutex<Pending>,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        locked(self.pending).replies.remove(&self.id);
    }
}

impl Pending {
    fn expect_events(&mut self, sender: mpsc::Sender<Waiting>) {
        if self.events.as_ref().is_none_or(mpsc::Sender::is_closed) {
            self.events = Some(sender);
        }
    }

    fn why_closed(&self) -> ClientError {
        match &self.closed {
            Some(Some(error)) => ClientError::Rpc(error.clone()),
            Some(None) | None => ClientError::Closed,
        }
    }
}

/// Every change under this lock is a single step, so a panic leaves nothing half done.
fn locked(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The events of a subscription, the snapshot first.
pub struct Events {
    receiver: mpsc::Receiver<Waiting>,
    pending: Arc<Mutex<Pending>>,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events(..)")
    }
}

impl Events {
    /// The next event; an error once the connection has ended. Can be cancelled without loss.
    pub async fn next(&mut self) -> Result<EventFrame, ClientError> {
        match self.receiver.recv().await {
            Some((frame, _room)) => Ok(frame),
            None => Err(locked(&self.pending).why_closed()),
        }
    }

    /// As a stream that ends with the connection.
    pub fn into_stream(self) -> impl futures_util::Stream<Item = EventFrame> {
        futures_util::stream::unfold(self, |mut events| async {
            events.next().await.ok().map(|frame| (frame, events))
        })
    }
}

async fn read_all(from: OwnedReadHalf, pending: Arc<Mutex<Pending>>) {
    let mut lines = LineReader::new(FdReader::new(from), FRAME_BYTES_MAX, None);
    let mut about_all = None;
    let room = Arc::new(Semaphore::new(EVENTS_BYTES_MAX));
    while let Ok(Some(line)) = lines.next().await {
        // Those of a line that nobody waits for are closed.
        let fds = lines.source_mut().take_passed().fds;
        match parse_from_daemon(&line) {
            Ok(FromDaemon::Reply { id, outcome }) => match (id, outcome) {
                (Id::Number(id), outcome) => {
                    let id = id.as_u64().unwrap_or_default();
                    if let Some(reply) = locked(&pending).replies.remove(&id) {
                        let _ = reply.send((outcome, fds));
                    }
                }
                // Not about one request: the daemon closes after saying why.
                (Id::Null, Err(error)) => about_all = Some(error),
                (Id::Null | Id::String(_), _) => {}
            },
            Ok(FromDaemon::Event(frame)) => {
                let events = locked(&pending).events.clone();
                let bytes = u32::try_from(line.len()).unwrap_or(u32::MAX);
                let space = Arc::clone(&room).acquire_many_owned(bytes).await;
                if let (Some(events), Ok(space)) = (events, space) {
                    let _ = events.send((*frame, space)).await;
                }
            }
            Ok(FromDaemon::Unknown) => {}
            Err(_) => break,
        }
    }
    let mut pending = locked(&pending);
    pending.closed = Some(about_all);
    pending.events = None;
    pending.replies.clear();
}

async fn write_all(mut to: OwnedWriteHalf, mut queued: mpsc::Receiver<Outgoing>) {
    while let Some((line, fds)) = queued.recv().await {
        if write_line(&mut to, &line, &fds).await.is_err() {
            break;
        }
    }
    // The half stays open until the client is dropped: an ended half reads as goodbye.
    std::future::pending::<()>().await;
}
