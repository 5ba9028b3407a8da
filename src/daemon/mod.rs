//! The shell around the core: start-up and shut-down order.
//!
//! Start: the store (its lock comes before anything else), the core restored from it,
//! the inbox, the spool (swept of what no message needs), the session (idle), the socket
//! (bound, or passed by the service manager), the engine, which makes the first
//! connection. Each step that fails ends the start with an error that says what to do.
//!
//! Stop: the engine lets what is in flight finish, then the session closes; the
//! socket takes no more calls; the store is closed last.
//!
//! - [`process`]: `tetherd` itself. [`signals`], [`systemd`], `supervision`: signals and the
//!   service manager. [`log`], `event_log`: what it logs.
//! - [`socket`], [`server`], `connection`, `descriptors`, [`auth`]: the control socket, from
//!   its path to one request. `startup_refusal`: answers clients queued there when the start fails.
//! - `handlers`: a method's parameters, checked. [`engine_handle`]: the way to the engine.
//! - `engine`: the core's owner, and the queue's only writer. [`clock`]: its clocks.
//!   `event_hub`, `event_stream`: subscriptions.
//! - `spool_sweep`, `preparing`: the spool; files fetched and links checked before a message waits.
//! - [`inbox_service`]: the inbox as callers see it.
//! - `config_mapping`: the configuration as the other rooms take it.

pub mod args;
pub mod auth;
pub(crate) mod call_memory;
pub mod clock;
mod config_mapping;
pub(crate) mod connection;
#[cfg(feature = "sim")]
mod demo;
mod descriptors;
mod engine;
pub mod engine_handle;
mod error;
mod event_hub;
mod event_log;
mod event_stream;
mod handlers;
mod inbox_files;
pub mod inbox_service;
pub mod log;
mod malloc_tuning;
mod preparing;
pub mod process;
mod sending_hours;
pub mod server;
pub mod signals;
pub mod socket;
mod spool_sweep;
mod startup_refusal;
mod store_command;
mod supervision;
pub mod systemd;
#[cfg(test)]
mod tests;
mod turns;

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use crate::daemon::auth::Access;
use crate::daemon::config_mapping::{access_groups, fetch_settings, inbox_bounds, session_config};
use crate::daemon::engine::{Control, Engine, EngineError, Parts};
use crate::daemon::engine_handle::EngineHandle;
use crate::daemon::inbox_service::InboxService;
use crate::daemon::preparing::Preparer;
use crate::daemon::sending_hours::SendingHours;
use crate::daemon::server::{STOP_TIME_MAX, Server};
use crate::daemon::socket::{BoundSocket, SocketPath};
use crate::daemon::supervision::Supervision;
use crate::daemon::systemd::{Manager, Notify};
use crate::fetch::Fetcher;
use crate::inbox::Inbox;
use crate::store::{self, Failure, OpenError, SealKey, Store};
use crate::whatsapp::{self, CurrentConnection, Inbound, KeyStore as _, KeyStoreError, StoredKeys};
use tetherd_api as api;
use tetherd_config::Config;
use tetherd_core::Core;
use tetherd_core::facts::Facts;

pub use config_mapping::core_config;
pub use error::{EndError, StartError};

/// Events of the session that wait for the engine.
const SESSION_EVENTS_MAX: usize = 1_024;
/// Orders of the main task that wait for the engine.
const CONTROL_MAX: usize = 8;
/// How long an attempt in flight may hold up the end: its message id makes it safe to
/// cut off, so this only spares the recipient's side a second copy.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);
/// How long the session's end may take after that. It is bounded by itself; this only
/// holds if that fails.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(15);

/// How long the store may take to open and to verify, and what the service manager is asked to
/// wait for it: the time is the disk's, and a start that is cut off only begins anew.
const VERIFY_TIME_MAX: Duration = Duration::from_secs(5 * 60);
/// What it is asked to wait for the store's last sync.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(10);

/// A running daemon.
pub struct Daemon {
    engine: Option<JoinHandle<Result<(), EngineError>>>,
    result: Option<Result<(), EndError>>,
    control: mpsc::Sender<Control>,
    server: JoinHandle<()>,
    stop_server: watch::Sender<bool>,
    /// None: the socket is the service manager's, and outlives us.
    socket: Option<SocketPath>,
    store: Store,
    inbox: InboxService,
    notify: Notify,
}

impl Daemon {
    /// Starts everything. Returns once callers are served.
    pub async fn start(config: &Config) -> Result<Daemon, StartError> {
        Daemon::start_under(config, Manager::none(), &Handle::current()).await
    }

    /// As [`Daemon::start`], on the listener that this manager passed, and under its
    /// watchdog, with the session's tasks on a runtime of their own.
    pub async fn start_under(
        config: &Config,
        manager: Manager,
        session: &Handle,
    ) -> Result<Daemon, StartError> {
        manager.notify().status("Verifying the store");
        manager.notify().extend(VERIFY_TIME_MAX);
        let store = open(config).await?;
        let (mut restored, damaged) = store::queue::restore(&store)?;
        restored.store = api::StoreStatus {
            sealed: store.is_sealed(),
            quarantined: store.quarantined().len() + damaged.len(),
            feed: None,
        };
        for record in &damaged {
            tracing::warn!(area = record.area(), damage = %record.damage, "a record is quarantined");
        }
        let keys = Arc::new(StoredKeys::new(store.clone()));
        agree(&keys, &mut restored.facts).await?;
        let fetcher = Fetcher::new(&fetch_settings(config)).map_err(StartError::Fetch)?;
        let now = clock::now();
        let waiting = restored.messages.iter().filter(|m| m.state().takes_a_place()).count();
        let spool =
            spool_sweep::open(config.state.dir.clone(), &config.files, &restored.messages).await?;
        let kept = restored.messages.iter().map(|message| message.id).collect();
        let numbers = store::feed::open(&store, kept, clock::new_feed_id()).await?;
        restored.store.feed = numbers.runs.current();
        let uptime_ms = restored.facts.uptime_ms;
        let (core, first) = Core::new(core_config(config), clock::boot_id(), restored, now);
        let access = Access::resolve(&access_groups(config))?;
        let connection = CurrentConnection::default();
        let bounds = inbox_bounds(config);
        let inbox = Inbox::open(store.clone(), bounds, now.wall_ms, uptime_ms).await?;
        let incoming = inbox.range();
        let service = InboxService::new(
            inbox.clone(),
            connection.clone(),
            config.state.dir.clone(),
            config.inbox.file_max,
        );
        let inbound = Inbound { inbox: Some(inbox), connection };
        let (events, session_events) = mpsc::channel(SESSION_EVENTS_MAX);
        let (supervision, watched) = Supervision::new(&manager);
        let running = (events, watched.session);
        let session = whatsapp::spawn(session_config(config), keys, inbound, running, session)?;

        let notify = manager.notify();
        let (listener, socket) = match manager.listener {
            Some(listener) => (listener, None),
            None => {
                let bound = BoundSocket::bind(&config.socket.path, &access)?;
                (bound.listener, Some(bound.path))
            }
        };
        let at = address(&listener);
        let (handle, calls) = EngineHandle::channel();
        let server = Server::new(listener, handle.fetching(fetcher.schemes()), access)
            .map_err(StartError::Listen)?
            .with_inbox(service.clone())
            .with_liveness(watched.accept)
            .with_spool(spool.clone());
        let (stop_server, stop) = watch::channel(false);
        let (control, orders) = mpsc::channel(CONTROL_MAX);
        let parts = Parts {
            core,
            first,
            hours: SendingHours::new(&config.pacing),
            store: store.clone(),
            numbers,
            incoming,
            spool: spool.clone(),
            calls,
            session_events,
            session,
            preparer: Preparer::new(Arc::new(fetcher), spool.clone()),
            control: orders,
            supervision,
            clock: clock::now,
        };
        // All records were read, once.
        malloc_tuning::give_back();
        // The store is verified and the socket listens: whoever connects now is served. The
        // engine reports the status, and that comes after this.
        notify.ready();
        let daemon = Daemon {
            engine: Some(tokio::spawn(Engine::run(parts))),
            result: None,
            control,
            server: tokio::spawn(server.run(stop)),
            stop_server,
            socket,
            store,
            inbox: service,
            notify,
        };
        tracing::info!(
            waiting,
            socket = %at,
            passed = daemon.socket.is_none().then_some(true),
            version = tetherd_version::WITH_REVISION,
            "ready"
        );
        Ok(daemon)
    }

    /// Takes what the engine can take of this configuration. Returns once it is in force.
    pub async fn reconfigure(&self, config: &Config) {
        self.inbox.set_limits(inbox_bounds(config), config.inbox.file_max);
        let (done, is_done) = oneshot::channel();
        let hours = SendingHours::new(&config.pacing);
        let config = Box::new(core_config(config));
        // An engine that is gone ends the daemon anyway.
        let _ = self.control.send(Control::Reconfigure { config, hours, done }).await;
        let _ = is_done.await;
    }

    /// Holds why the store has failed for good, once it has.
    pub fn store_failed(&self) -> watch::Receiver<Option<Failure>> {
        self.store.failed()
    }

    /// Returns when the daemon has ended by itself: its store has failed.
    pub async fn ended(&mut self) {
        if let Some(engine) = self.engine.as_mut() {
            let result = engine.await;
            self.engine = None;
            self.result = Some(flatten(result));
        }
    }

    /// Makes the store go wrong, for tests.
    #[cfg(feature = "sim")]
    pub fn inject(&self, fault: store::InjectedFault, good: u32) {
        self.store.inject_after(fault, good);
    }

    /// Lets what is in flight finish, and ends everything in order.
    pub async fn stop(self) -> Result<(), EndError> {
        self.stop_or(std::future::pending()).await
    }

    /// As [`Daemon::stop`], but what is in flight is waited for only until `hurry`.
    pub async fn stop_or(mut self, hurry: impl Future<Output = ()>) -> Result<(), EndError> {
        self.notify.stopping(DRAIN_TIME_MAX + LEAVE_TIME_MAX + STOP_TIME_MAX + CLOSE_TIME_MAX);
        let _ = self.control.send(Control::Drain).await;
        let why = tokio::select! {
            () = self.ended() => None,
            () = tokio::time::sleep(DRAIN_TIME_MAX) => Some("it takes too long"),
            () = hurry => Some("a second signal"),
        };
        if let Some(why) = why {
            tracing::warn!("{why}: what is still in flight goes out again after the next start");
            let _ = self.control.send(Control::Leave).await;
        }
        if timeout(LEAVE_TIME_MAX, self.ended()).await.is_err()
            && let Some(engine) = self.engine.take()
        {
            tracing::error!("the session does not end: it is cut off");
            engine.abort();
            let _ = engine.await;
        }
        self.stop_server.send_replace(true);
        // Reported by the panic hook if it panicked; its connections are gone either way.
        let _ = self.server.await;
        drop(self.socket);
        let store = self.store;
        self.notify.extend(CLOSE_TIME_MAX);
        let failed = store.failed();
        let closed = tokio::task::spawn_blocking(move || store.close()).await;
        // Whatever else it led to, that is what a person has to know.
        if let Some(failure) = failed.borrow().clone() {
            return Err(EndError::Store(failure));
        }
        if closed.is_err() {
            let what = "closing the database broke off".to_owned();
            return Err(EndError::Store(Failure { what, disk_full: false }));
        }
        self.result.unwrap_or(Ok(()))
    }
}

/// Where it listens, for people.
fn address(listener: &UnixListener) -> String {
    let address = listener.local_addr().ok();
    let path = address.as_ref().and_then(|address| address.as_pathname());
    path.map_or_else(|| "(no path)".to_owned(), |path| path.display().to_string())
}

/// The session writes the keys, the core the facts, in two changes: a crash between them
/// leaves one without the other. Keys that the facts call void are forgotten now; else
/// the keys decide.
async fn agree(keys: &StoredKeys, facts: &mut Facts) -> Result<(), KeyStoreError> {
    if facts.keys_void {
        keys.forget().await?;
    }
    // It may have died during a pairing.
    keys.settle().await?;
    let account = keys.account().await?;
    if account.is_none() && facts.account.is_some() {
        tracing::warn!("the account's keys are not in the store: it has to be paired again");
    }
    facts.account_lid = account.as_ref().and_then(|account| account.lid.clone());
    facts.account = account.map(|account| account.jid);
    Ok(())
}

fn flatten(joined: Result<Result<(), EngineError>, JoinError>) -> Result<(), EndError> {
    match joined {
        Ok(result) => result.map_err(EndError::from),
        Err(error) => Err(EndError::Broken(error)),
    }
}

async fn open(config: &Config) -> Result<Store, StartError> {
    let key = config.state.key_file.as_deref().map(SealKey::read).transpose()?;
    open_in_time(config.state.dir.clone(), key).await
}

/// sled waits for ever after some failed writes, also while it opens.
async fn open_in_time(dir: PathBuf, key: Option<SealKey>) -> Result<Store, StartError> {
    let path = dir.clone();
    let opening = tokio::task::spawn_blocking(move || Store::open_with(&dir, key));
    let Ok(opened) = timeout(VERIFY_TIME_MAX, opening).await else {
        let source = std::io::ErrorKind::TimedOut.into();
        return Err(OpenError::Io { what: "open the store in", path, source }.into());
    };
    Ok(opened.map_err(StartError::Broken)??)
}

#[cfg(test)]
mod agreement {
    use whatsapp_rust::wacore::store::Device;

    use super::*;
    use crate::daemon::tests::support::state_dir;

    const ACCOUNT: &str = "15550100@s.whatsapp.net";

    #[tokio::test]
    async fn the_keys_decide_unless_they_are_void() {
        let dir = state_dir();
        let store = Store::open(dir.path()).unwrap();
        let keys = StoredKeys::new(store.clone());

        // It died after the pairing's keys were stored, before it learnt of the pairing.
        let mut device = Device::new();
        device.pn = Some("15550100:7@s.whatsapp.net".parse().unwrap());
        keys.backend().save(&device).await.unwrap();
        let mut facts = Facts::default();
        agree(&keys, &mut facts).await.unwrap();
        assert_eq!(facts.account.as_deref(), Some(ACCOUNT));

        // It died after the logout was answered, before the keys were forgotten.
        let mut facts = Facts { keys_void: true, ..Facts::default() };
        agree(&keys, &mut facts).await.unwrap();
        assert_eq!(facts.account, None);
        assert_eq!(keys.account().await.unwrap(), None);

        // The keys were lost some other way.
        let mut facts = Facts { account: Some(ACCOUNT.into()), ..Facts::default() };
        agree(&keys, &mut facts).await.unwrap();
        assert_eq!(facts.account, None);
        store.close();
    }
}
