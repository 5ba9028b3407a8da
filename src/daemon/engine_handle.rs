//! The way to the engine: a bounded channel, and a reply for each call. Owns what a
//! caller gets an error when the engine is gone. Decides nothing else.

use tokio::sync::{mpsc, oneshot};

use crate::daemon::event_hub::{self, Page, Walk};
use crate::fetch::address::Schemes;
use tetherd_api as api;
use tetherd_api::{ErrorKind, MessageId, Redacted, Reply};
use tetherd_core::event::{Request, Selection};
use tetherd_core::files::Room;
use tetherd_core::ids::{Digest, WaMessageId};

/// Calls that wait for the engine; beyond it callers wait to be let in.
pub const ENGINE_CALLS_MAX: usize = 64;

/// What the engine is asked.
#[derive(Debug)]
pub enum EngineCall {
    /// To change something. Replied to once the change is on disk.
    Change {
        /// What.
        request: Request,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Reply, api::Error>>,
    },
    /// To tell something.
    Query {
        /// What.
        query: Query,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Reply, api::Error>>,
    },
    /// Whether there is a place for one more message, before its file is copied.
    Room {
        /// Its key; one that is known already needs no place.
        key: Option<Redacted<String>>,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Room, api::Error>>,
    },
    /// For a subscription: how things stand.
    Subscribe {
        /// Where the answer goes.
        reply: oneshot::Sender<event_hub::Now>,
    },
    /// For a subscription: what comes next.
    Walk {
        /// What it has received.
        walk: Walk,
        /// Where the answer goes.
        reply: oneshot::Sender<Page>,
    },
}

/// What can be asked without changing anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// `status`.
    Status,
    /// `explain`.
    Explain,
    /// `message.get`.
    Get(MessageName),
    /// `message.send` again with a key that is known, and what it says.
    Repeated {
        /// The key.
        key: Redacted<String>,
        /// Over what the message says.
        digest: Digest,
    },
    /// `queue.list`.
    List {
        /// Which; its states are never empty.
        selection: Selection,
        /// Only those after this one.
        after: Option<MessageId>,
        /// At most this many.
        limit: usize,
    },
}

/// One of a message's three names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageName {
    /// Ours.
    Id(MessageId),
    /// The network's.
    WaId(WaMessageId),
    /// The caller's.
    Key(Redacted<String>),
}

/// Speaks to the engine.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    tx: mpsc::Sender<EngineCall>,
    schemes: Schemes,
}

impl EngineHandle {
    /// A handle, and the end that the engine reads.
    pub fn channel() -> (EngineHandle, mpsc::Receiver<EngineCall>) {
        EngineHandle::with_room(ENGINE_CALLS_MAX)
    }

    /// With room for so many calls.
    pub(super) fn with_room(calls_max: usize) -> (EngineHandle, mpsc::Receiver<EngineCall>) {
        let (tx, rx) = mpsc::channel(calls_max);
        (EngineHandle { tx, schemes: Schemes::Https }, rx)
    }

    /// Files by web address may come by these.
    #[must_use]
    pub(super) fn fetching(mut self, schemes: Schemes) -> EngineHandle {
        self.schemes = schemes;
        self
    }

    /// By which schemes a file may come.
    pub(super) fn schemes(&self) -> Schemes {
        self.schemes
    }

    /// Asks for a change, and waits until it is on disk.
    pub async fn change(&self, request: Request) -> Result<Reply, api::Error> {
        let (reply, replied) = oneshot::channel();
        self.submit(EngineCall::Change { request, reply }).await?;
        replied.await.unwrap_or_else(|_| Err(outcome_unknown()))
    }

    /// As [`EngineHandle::change`], but the request is made only once it is certain to
    /// reach the engine: what it takes over has an owner at any time.
    pub async fn change_with(
        &self,
        request: impl FnOnce() -> Request,
    ) -> Result<Reply, api::Error> {
        let (reply, replied) = oneshot::channel();
        let place = self.tx.reserve().await.map_err(|_| shutting_down())?;
        place.send(EngineCall::Change { request: request(), reply });
        replied.await.unwrap_or_else(|_| Err(outcome_unknown()))
    }

    /// Asks a question.
    pub async fn query(&self, query: Query) -> Result<Reply, api::Error> {
        let (reply, replied) = oneshot::channel();
        self.submit(EngineCall::Query { query, reply }).await?;
        replied.await.unwrap_or_else(|_| Err(shutting_down()))
    }

    /// Asks for a place for one more message.
    pub async fn room(&self, key: Option<Redacted<String>>) -> Result<Room, api::Error> {
        let (reply, replied) = oneshot::channel();
        self.submit(EngineCall::Room { key, reply }).await?;
        replied.await.unwrap_or_else(|_| Err(shutting_down()))
    }

    /// How things stand, for a subscription to begin with.
    pub async fn subscribe(&self) -> Result<event_hub::Now, api::Error> {
        let (reply, replied) = oneshot::channel();
        self.submit(EngineCall::Subscribe { reply }).await?;
        replied.await.map_err(|_| shutting_down())
    }

    /// What comes next for a subscription that catches up.
    pub async fn walk(&self, walk: Walk) -> Result<Page, api::Error> {
        let (reply, replied) = oneshot::channel();
        self.submit(EngineCall::Walk { walk, reply }).await?;
        replied.await.map_err(|_| shutting_down())
    }

    async fn submit(&self, call: EngineCall) -> Result<(), api::Error> {
        self.tx.send(call).await.map_err(|_| shutting_down())
    }
}

/// Nothing was changed, and nothing will be.
pub(super) fn shutting_down() -> api::Error {
    api::Error::new(ErrorKind::ShuttingDown, "the daemon is going down; nothing was changed")
        .remedy("try again once it is back")
}

fn outcome_unknown() -> api::Error {
    let sentence = "the daemon is going down, and the change may or may not be on disk";
    api::Error::new(ErrorKind::OutcomeUnknown, sentence)
        .remedy("look once it is back; with a key, message.send can be repeated safely")
}
