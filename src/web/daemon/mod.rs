//! The daemons behind the front, each by its control socket: one connection for calls and
//! for what is shown live, and a few more for programs that follow events. Never repeats a
//! call: whether it was carried out is said to the caller.

mod feed;
mod incoming;

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tetherd_api::client::{Client, ClientError, ConnectError, Events};
use tetherd_api::{Error, ErrorKind, Event, FeedPlace, Signature};
use tetherd_metrics::{Counts, FeedMetrics};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::limits::{CALLS_MAX, READERS_MAX, STREAMS_MAX};
pub use feed::{Feed, Left};

/// The first wait before another try to connect, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// How long a call waits for a connection that is being made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no connection.
    #[error("{0}")]
    NoDaemon(String),
    /// Too many calls, or too many that follow events.
    #[error("too many at a time: {0}")]
    TooMany(&'static str),
    /// The connection, or what came over it.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl CallError {
    /// Whether a subscription was refused for its place: the feed is another one.
    pub(crate) fn is_feed_renewed(&self) -> bool {
        matches!(self, CallError::Client(error) if error.is_feed_renewed())
    }

    /// As the contract says errors.
    pub fn into_contract(self) -> Error {
        match self {
            CallError::Client(ClientError::Rpc(error)) => error,
            CallError::Client(error @ (ClientError::Timeout(_) | ClientError::Closed)) => {
                Error::new(ErrorKind::OutcomeUnknown, error.to_string())
            }
            CallError::Client(
                error @ (ClientError::Encode(_)
                | ClientError::Descriptor(_)
                | ClientError::Decode(_)),
            ) => Error::new(ErrorKind::InternalError, error.to_string()),
            CallError::NoDaemon(sentence) => {
                Error::new(ErrorKind::ShuttingDown, sentence).retry_after_ms(1_000)
            }
            CallError::TooMany(what) => {
                Error::new(ErrorKind::TooManyConnections, format!("too many at a time: {what}"))
                    .retry_after_ms(1_000)
            }
        }
    }
}

/// How the connection stands.
#[derive(Clone, Debug)]
enum Link {
    Connecting,
    Up(Arc<Client>),
    Down(String),
}

/// One daemon.
#[derive(Debug)]
pub struct Daemon {
    /// What it is called.
    pub name: String,
    /// What is known of it by its feed.
    pub feed: Feed,
    socket: PathBuf,
    link: watch::Sender<Link>,
    again: Notify,
    calls: Semaphore,
    streams: Arc<Semaphore>,
    reader: Arc<Semaphore>,
}

/// A subscription of its own, for one program.
#[derive(Debug)]
pub struct Subscription {
    /// What happens.
    pub events: Events,
    /// The feed, and its newest number when it began.
    pub newest: FeedPlace,
    // Ends the connection when it is dropped.
    _client: Client,
    _place: OwnedSemaphorePermit,
}

impl Daemon {
    fn new(name: &str, socket: &Path, counts: &Counts) -> Daemon {
        Daemon {
            name: name.into(),
            feed: Feed::new(FeedMetrics::new(name, counts)),
            socket: socket.into(),
            link: watch::Sender::new(Link::Connecting),
            again: Notify::new(),
            calls: Semaphore::new(CALLS_MAX),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            reader: Arc::new(Semaphore::new(READERS_MAX)),
        }
    }

    /// Calls a method.
    pub async fn call<C: Signature>(
        &self,
        _: C,
        params: &C::Params,
    ) -> Result<C::Result, CallError> {
        let params = serde_json::to_value(params).map_err(ClientError::Decode)?;
        let (value, _) = self.exchange(C::METHOD.name(), &params, &[]).await?;
        serde_json::from_value(value).map_err(|error| ClientError::Decode(error).into())
    }

    /// Calls a method by its name, with descriptors in both directions.
    pub async fn exchange(
        &self,
        method: &str,
        params: &Value,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(Value, Vec<OwnedFd>), CallError> {
        let place = self.calls.acquire().await;
        let client = self.client().await?;
        let outcome = client.exchange(method, params, fds).await;
        drop(place);
        Ok(outcome?)
    }

    /// Follows events on a connection of its own.
    pub async fn subscribe(&self, after: Option<FeedPlace>) -> Result<Subscription, CallError> {
        let places = Arc::clone(&self.streams);
        let place =
            places.try_acquire_owned().map_err(|_| CallError::TooMany("streams of events"))?;
        self.subscribe_at(after, place).await
    }

    /// The same for who reads a page and ends it: one after the other.
    pub(crate) async fn read(&self, after: Option<FeedPlace>) -> Result<Subscription, CallError> {
        let places = Arc::clone(&self.reader);
        let closed = |_| CallError::TooMany("readers of events");
        let place = places.acquire_owned().await.map_err(closed)?;
        self.subscribe_at(after, place).await
    }

    async fn subscribe_at(
        &self,
        after: Option<FeedPlace>,
        place: OwnedSemaphorePermit,
    ) -> Result<Subscription, CallError> {
        let client = Client::connect(&self.socket).await.map_err(no_daemon)?;
        let (events, newest) = client.subscribe_after(after).await?;
        Ok(Subscription { events, newest, _client: client, _place: place })
    }

    /// Why there is no connection, if there is none.
    pub fn trouble(&self) -> Option<String> {
        match &*self.link.borrow() {
            Link::Up(_) => None,
            Link::Connecting => Some("connecting".into()),
            Link::Down(why) => Some(why.clone()),
        }
    }

    async fn client(&self) -> Result<Arc<Client>, CallError> {
        let mut link = self.link.subscribe();
        if let Link::Down(_) = &*link.borrow_and_update() {
            self.again.notify_one();
        } else {
            link.mark_changed();
        }
        let settled = async {
            loop {
                link.changed().await.ok()?;
                match &*link.borrow_and_update() {
                    Link::Up(client) => return Some(Ok(Arc::clone(client))),
                    Link::Down(why) => return Some(Err(CallError::NoDaemon(why.clone()))),
                    Link::Connecting => {}
                }
            }
        };
        let late = || CallError::NoDaemon("the daemon does not answer".into());
        timeout(CONNECT_TIME_MAX, settled).await.ok().flatten().unwrap_or_else(|| Err(late()))
    }

    /// Keeps the connection, and the feed.
    async fn keep(self: Arc<Daemon>) {
        let mut backoff = BACKOFF.0;
        loop {
            self.link.send_replace(Link::Connecting);
            let ended = match Client::connect(&self.socket).await {
                Ok(client) => self.follow(Arc::new(client), &mut backoff).await,
                Err(error) => no_daemon(error),
            };
            self.link.send_replace(Link::Down(ended.to_string()));
            self.feed.changed();
            // A call, or a person who looks, does not wait for it.
            let _ = timeout(backoff, self.again.notified()).await;
            backoff = (backoff * 2).min(BACKOFF.1);
        }
    }

    async fn follow(&self, client: Arc<Client>, backoff: &mut Duration) -> CallError {
        let mut subscribed = client.subscribe_after(Some(self.feed.place())).await;
        if subscribed.as_ref().is_err_and(ClientError::is_feed_renewed) {
            self.feed.forget();
            subscribed = client.subscribe_after(Some(FeedPlace::START)).await;
        }
        let (mut events, newest) = match subscribed {
            Ok(subscribed) => subscribed,
            Err(error) => return error.into(),
        };
        self.feed.is_called(newest.feed);
        loop {
            match events.next().await {
                Ok(frame) => {
                    let complete = matches!(frame.event, Event::SnapshotEnd {});
                    self.feed.apply(&frame);
                    if complete {
                        *backoff = BACKOFF.0;
                        self.link.send_replace(Link::Up(Arc::clone(&client)));
                        self.feed.changed();
                    }
                }
                Err(error) => return error.into(),
            }
        }
    }
}

fn no_daemon(error: ConnectError) -> CallError {
    CallError::NoDaemon(error.to_string())
}

/// All of them, by name. Dropping it ends their connections.
#[derive(Debug)]
pub struct Daemons {
    all: BTreeMap<String, Arc<Daemon>>,
    keepers: Vec<JoinHandle<()>>,
}

impl Daemons {
    /// Connects to each, from now on.
    pub fn start(sockets: &BTreeMap<String, PathBuf>, counts: &Counts) -> Daemons {
        let made = sockets
            .iter()
            .map(|(name, path)| (name.clone(), Arc::new(Daemon::new(name, path, counts))));
        let all: BTreeMap<String, Arc<Daemon>> = made.collect();
        let keepers = all.values().map(|daemon| tokio::spawn(Arc::clone(daemon).keep())).collect();
        Daemons { all, keepers }
    }

    /// One, by its name.
    pub fn get(&self, name: &str) -> Option<&Arc<Daemon>> {
        self.all.get(name)
    }

    /// The one that is meant when none is named: the only one, or the one called `main`.
    pub fn usual(&self) -> Option<&Arc<Daemon>> {
        let mut all = self.all.values();
        match (all.next(), all.next()) {
            (Some(only), None) => Some(only),
            (Some(_) | None, _) => self.get(crate::config::DEFAULT_DAEMON),
        }
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Daemon>> {
        self.all.values()
    }
}

impl Drop for Daemons {
    fn drop(&mut self) {
        self.keepers.iter().for_each(JoinHandle::abort);
    }
}
