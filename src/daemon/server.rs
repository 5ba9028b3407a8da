//! Accept loop and connection limits of the control socket. Owns the accepting, the number of connections, and the
//! end of all of them. What goes over a connection is `connection`'s business.

use std::collections::HashMap;
use std::io;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{Id as TaskId, JoinSet};
use tokio::time::{sleep, timeout};

use crate::daemon::auth::{Access, KernelPeers, Peer, Peers};
use crate::daemon::call_memory::CallMemory;
use crate::daemon::connection;
use crate::daemon::engine_handle::EngineHandle;
use crate::daemon::inbox_service::InboxService;
use crate::daemon::turns::Turns;
use crate::liveness::Liveness;
use crate::spool::Spool;
use tetherd_api::frame::{Id, encode_error};
use tetherd_api::{CONNECTIONS_KEPT, CONNECTIONS_MAX, CONNECTIONS_PER_USER_MAX, Error, ErrorKind};

/// How long replies on their way may take once the daemon stops.
pub const STOP_TIME_MAX: Duration = Duration::from_secs(2);
/// Peers that get the reason of their refusal at a time. Further ones are closed without an answer.
const REFUSALS_MAX: usize = 32;
/// How long a refused peer may take to read why.
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(1);
/// A pause after a failed accept: out of descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const _: () = assert!(CONNECTIONS_PER_USER_MAX <= CONNECTIONS_MAX);

/// What a connection needs to know.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) engine: EngineHandle,
    pub(crate) access: Access,
    /// None: this server has no inbox.
    pub(crate) inbox: Option<InboxService>,
    /// None: this server takes no files.
    pub(crate) spool: Option<Spool>,
    /// Bytes of requests and replies.
    pub(crate) memory: CallMemory,
    /// Of users who ask at the same time.
    pub(crate) turns: Turns,
}

/// Serves the control socket.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    service: Arc<Service>,
    peers: Box<dyn Peers>,
    liveness: Liveness,
}

impl Server {
    /// Serves a listener, whoever bound it. Call it within the runtime.
    pub fn new(
        listener: StdUnixListener,
        engine: EngineHandle,
        access: Access,
    ) -> io::Result<Server> {
        listener.set_nonblocking(true)?;
        Ok(Server {
            listener: UnixListener::from_std(listener)?,
            service: Arc::new(Service {
                engine,
                access,
                inbox: None,
                spool: None,
                memory: CallMemory::default(),
                turns: Turns::default(),
            }),
            peers: Box::new(KernelPeers),
            liveness: Liveness::unwatched(),
        })
    }

    /// Serves incoming messages, too.
    #[must_use]
    pub fn with_inbox(mut self, inbox: InboxService) -> Self {
        // Nobody shares it before the server runs.
        if let Some(service) = Arc::get_mut(&mut self.service) {
            service.inbox = Some(inbox);
        }
        self
    }

    /// Asks somebody else than the kernel who calls.
    #[must_use]
    pub fn with_peers(mut self, peers: impl Peers + 'static) -> Self {
        self.peers = Box::new(peers);
        self
    }

    /// Takes files of messages into this spool.
    #[must_use]
    pub fn with_spool(mut self, spool: Spool) -> Self {
        // Nobody shares it before the server runs.
        if let Some(service) = Arc::get_mut(&mut self.service) {
            service.spool = Some(spool);
        }
        self
    }

    /// Shows on this liveness check that connections can be accepted.
    #[must_use]
    pub fn with_liveness(mut self, liveness: Liveness) -> Self {
        self.liveness = liveness;
        self
    }

    /// Serves until `stop` turns true or its sender is gone; then takes no more
    /// connections and requests, lets replies on their way out within
    /// [`STOP_TIME_MAX`], and returns. The engine should live until then.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let Server { listener, service, peers, liveness } = self;
        let mut connections = Connections::default();
        loop {
            tokio::select! {
                () = stopped(&mut stop) => break,
                () = connections.one_ended(), if !connections.users.is_empty() => {}
                () = liveness.asked() => liveness.answer().await,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => match peers.peer(&stream) {
                        Ok(peer) => connections.admit(stream, &peer, &service, &stop),
                        Err(error) => tracing::warn!(%error, "a caller's credentials are unknown"),
                    },
                    Err(error) => {
                        tracing::warn!(%error, "no connection could be accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        let all_ended = async {
            while !connections.users.is_empty() {
                connections.one_ended().await;
            }
        };
        if timeout(STOP_TIME_MAX, all_ended).await.is_err() {
            tracing::warn!("connections were cut off at the end: their replies took too long");
        }
    }
}

/// Returns once the daemon stops.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    /// Whose connection each task serves.
    users: HashMap<TaskId, u32>,
    /// Peers that get the reason of their refusal.
    refusals: JoinSet<()>,
}

impl Connections {
    fn admit(
        &mut self,
        stream: UnixStream,
        peer: &Peer,
        service: &Arc<Service>,
        stop: &watch::Receiver<bool>,
    ) {
        let caller = match service.access.caller(peer) {
            Ok(caller) => caller,
            Err(denied) => {
                tracing::info!(uid = peer.uid, "a connection was refused: it has no tier");
                return self.refuse(stream, denied);
            }
        };
        let kept = if service.access.keeps_places_for(peer.uid) { 0 } else { CONNECTIONS_KEPT };
        let of_user = self.users.values().filter(|uid| **uid == peer.uid).count();
        if self.users.len() + kept >= CONNECTIONS_MAX || of_user >= CONNECTIONS_PER_USER_MAX {
            tracing::warn!(uid = peer.uid, "a connection was refused: there are too many");
            let error = too_many(of_user, self.users.len());
            return self.refuse(stream, error);
        }
        tracing::debug!(uid = peer.uid, tier = ?caller.tier, "a connection was accepted");
        let serving = connection::serve(stream, caller, Arc::clone(service), stop.clone());
        let task = self.tasks.spawn(serving);
        self.users.insert(task.id(), peer.uid);
    }

    fn refuse(&mut self, stream: UnixStream, error: Error) {
        while self.refusals.try_join_next().is_some() {}
        if self.refusals.len() < REFUSALS_MAX {
            self.refusals.spawn(refuse(stream, error));
        }
    }

    async fn one_ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                tracing::error!("a connection's task failed");
                error.id()
            }
            None => return self.users.clear(),
        };
        self.users.remove(&id);
    }
}

fn too_many(of_user: usize, open: usize) -> Error {
    let sentence = if of_user >= CONNECTIONS_PER_USER_MAX {
        format!("this user has {CONNECTIONS_PER_USER_MAX} connections already")
    } else {
        format!("there are {open} connections already")
    };
    Error::new(ErrorKind::TooManyConnections, sentence)
        .remedy("close one that is not needed, and try again")
}

/// Says why, and lets the peer read it: to close on what it has written meanwhile would take
/// the error away from some clients.
async fn refuse(mut stream: UnixStream, error: Error) {
    let said = async {
        stream.write_all(&encode_error(&Id::Null, &error)).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    // A caller who is gone needs no error.
    let _ = timeout(REFUSAL_TIME_MAX, said).await;
}
