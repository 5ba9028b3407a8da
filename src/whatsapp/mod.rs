//! The session with WhatsApp Web: makes one connection for each order to connect,
//! reports what happens on it, and reports once why it ended.
//!
//! Never reconnects by itself, never chooses what to send or when, never reads the
//! queue. When to try again is the core's decision; what lasts longer than a
//! connection is in the key store.
//!
//! - `session_task`: takes orders, has one connection at a time. `connection`: one of them, from
//!   its start to its end, with `client_builder` and `transport` below it.
//! - `outgoing`: messages that leave. `media`: their files, and those of incoming messages.
//! - `incoming`: messages of others, on their way to the inbox.
//! - `events`: what the library reports, as the core's events.
//! - `contact_lookup`, `group_lookup`, `probe`: questions about numbers and groups, and to our
//!   own phone.
//! - [`storage`], `credentials`: the account's keys in the daemon's store.

mod client_builder;
mod connection;
mod contact_lookup;
mod credentials;
mod events;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod group_lookup;
mod incoming;
mod media;
mod outgoing;
mod probe;
mod session_task;
pub mod storage;
mod tasks;
#[cfg(test)]
mod tests;
mod transport;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use whatsapp_rust::traits::Backend;
use whatsapp_rust::wacore::store::Device;
use whatsapp_rust::wacore::store::cache::CacheStore;

pub use crate::whatsapp::credentials::StoredKeys;
pub use crate::whatsapp::incoming::{CurrentConnection, Inbound, NotMarked};
pub use crate::whatsapp::media::download::DownloadError;

use tetherd_net::connect::Connector;
use tetherd_net::endpoint::{Endpoint, EndpointError};
use tetherd_net::ip_filter::IpFilter;
use tetherd_net::trust::{Trust, TrustError};

use crate::liveness::Liveness;
use crate::whatsapp::media::uploads;
use crate::whatsapp::outgoing::send::Outcome;
use crate::whatsapp::session_task::SessionContext;
use crate::whatsapp::storage::{AskedAgain, ContactTokens};
use tetherd_config::settings::SessionSection;
use tetherd_config::value::ClientVersion;
use tetherd_core::action::SessionCommand;
use tetherd_core::event::{Body, NotSent, SessionEvent};
use tetherd_core::files::UploadFault;

/// Has the library read the wall clock of a test.
#[cfg(feature = "sim")]
pub(crate) fn use_clock(wall_ms: fn() -> i64) {
    struct Clock(fn() -> i64);
    impl whatsapp_rust::wacore::time::TimeProvider for Clock {
        fn now_millis(&self) -> i64 {
            (self.0)()
        }
    }
    // It is there already only where several daemons run in one process, with the same clock.
    let _ = whatsapp_rust::wacore::time::set_time_provider(Clock(wall_ms));
}

/// Orders that wait for the session at most. The core has few messages in flight, so
/// a full queue means that the session is stuck.
pub const ORDERS_MAX: usize = 256;

/// From the end of the handshake until the account is ready to send.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(90);

/// Messages in preparation at a time; more of them wait.
const SENDS_AT_ONCE: usize = 4;

/// How the session connects and how it presents itself.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The websocket, `wss://HOST[:PORT]/PATH`.
    pub endpoint: String,
    /// PEM file with the only certificates to trust; none: the system's.
    pub ca_file: Option<PathBuf>,
    /// The folder with the files of messages.
    pub spool: PathBuf,
    /// The client version to announce. Nothing is fetched to find out a newer one.
    pub version: (u32, u32, u32),
    /// The name under which the phone lists this device.
    pub device_name: String,
    /// The account's name as others see it; none: the one that the phone has.
    pub push_name: Option<String>,
    /// Name resolution, TCP, TLS and the websocket's handshake together.
    pub connect_timeout: Duration,
    /// From the end of the handshake until the account is ready to send.
    pub login_timeout: Duration,
    /// One message, from the order until its frame is flushed.
    pub send_timeout: Duration,
    /// Messages in preparation at a time; more of them wait.
    pub sends_at_once: usize,
}

/// The handshake's own limit in the library, which cannot be set.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);

impl SessionConfig {
    /// What `[session]` says, and the folder with the files of messages.
    pub fn new(section: &SessionSection, spool: PathBuf) -> SessionConfig {
        let ClientVersion(major, minor, build) = section.client_version;
        SessionConfig {
            endpoint: section.endpoint.clone(),
            ca_file: section.ca_file.clone(),
            spool,
            version: (major, minor, build),
            device_name: section.device_name.clone(),
            push_name: None,
            connect_timeout: section.connect_timeout,
            login_timeout: LOGIN_TIMEOUT,
            send_timeout: section.send_timeout,
            sends_at_once: SENDS_AT_ONCE,
        }
    }

    /// The longest way from an order to connect to `Connected` or the run's end, but for
    /// the time that the end itself takes.
    pub fn login_time_max(&self) -> Duration {
        self.connect_timeout + HANDSHAKE_TIMEOUT + self.login_timeout
    }

    /// The same for an order to pair, until `Paired`.
    pub fn pairing_time_max(&self) -> Duration {
        self.login_time_max() + connection::pairing::OFFERS_TIME_MAX
    }

    /// The longest way from an order to send to its answer: its turn, then the sending.
    pub fn send_time_max(&self) -> Duration {
        self.send_timeout * 2
    }
}

#[cfg(test)]
impl Default for SessionConfig {
    fn default() -> Self {
        SessionConfig::new(&tetherd_config::Config::default().session, PathBuf::new())
    }
}

/// Where the account's keys are kept.
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// The library's storage, asked for once at the start of each connection.
    fn backend(&self) -> Arc<dyn Backend>;

    /// The library's cache of numbers and LIDs, on the storage that was asked for last; none:
    /// the library keeps them in memory.
    fn lid_cache(&self) -> Option<Arc<dyn CacheStore>>;

    /// The requests for messages that could not be read, on the storage that was asked for last;
    /// none: they are forgotten with the connection.
    fn asked_again(&self) -> Option<AskedAgain>;

    /// Keeps the device's state, and what waits to be written, at the end of a connection.
    async fn save(&self, device: &Device) -> Result<(), KeyStoreError>;

    /// Whether what is to be kept still is: not after a write has failed.
    fn is_good(&self) -> bool;

    /// The privacy tokens that contacts give, as they arrive in the storage.
    fn contact_tokens(&self) -> Arc<ContactTokens>;

    /// A pairing begins: the account's history is wanted, until all of it was read.
    async fn want_history(&self) -> Result<(), KeyStoreError>;

    /// All of the history was read.
    async fn end_history(&self) -> Result<(), KeyStoreError>;

    /// Whether the account's history is wanted now.
    fn wants_history(&self) -> Result<bool, KeyStoreError>;

    /// Puts the account's keys away while another pairing runs. Called between connections
    /// only, as are the following.
    async fn keep(&self) -> Result<(), KeyStoreError>;

    /// Brings back what was put away, unless a device has been paired since: then it goes.
    async fn settle(&self) -> Result<(), KeyStoreError>;

    /// Removes every key of the account, those that were put away included.
    async fn forget(&self) -> Result<(), KeyStoreError>;
}

/// The key store could not do it.
#[derive(Debug, thiserror::Error)]
#[error("the key store failed: {0}")]
pub struct KeyStoreError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The endpoint cannot be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The certificates to trust cannot be read.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Nothing could ever be sent.
    #[error("sends_at_once must be at least 1")]
    NoSends,
}

/// A command of the core. A message comes with its body, which the core does not keep.
#[derive(Clone, Debug)]
pub struct Order {
    /// What to do.
    pub command: SessionCommand,
    /// The body of a [`SessionCommand::Send`]; none: it cannot be read.
    pub body: Option<Body>,
}

impl From<SessionCommand> for Order {
    fn from(command: SessionCommand) -> Order {
        Order { command, body: None }
    }
}

/// The answer to a command that needs a connection, where there is none.
fn not_connected(command: &SessionCommand) -> Option<SessionEvent> {
    match command {
        SessionCommand::Send(out) => Some(Outcome::NotSent(NotSent::NotConnected).report(out)),
        SessionCommand::Upload(upload) => Some(uploads::failed(upload, UploadFault::NotConnected)),
        SessionCommand::CheckNumbers { ticket, .. } => Some(contact_lookup::not_connected(*ticket)),
        SessionCommand::ListGroups { ticket } => Some(group_lookup::not_connected(*ticket)),
        SessionCommand::Probe => Some(SessionEvent::Probed { left: false }),
        SessionCommand::Connect
        | SessionCommand::Pair { .. }
        // Answered while pairing, and by the end of the run.
        | SessionCommand::AnswerPasskey(_)
        | SessionCommand::ConfirmPasskey
        | SessionCommand::Close
        | SessionCommand::Logout
        | SessionCommand::KeepKeys
        | SessionCommand::Forget => None,
    }
}

/// The order was not taken; it comes back.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// [`ORDERS_MAX`] orders wait.
    #[error("the session does not keep up")]
    Full(Box<Order>),
    /// The session's task has ended.
    #[error("the session is gone")]
    Gone(Box<Order>),
}

impl OrderError {
    /// The order.
    pub fn order(self) -> Order {
        match self {
            OrderError::Full(order) | OrderError::Gone(order) => *order,
        }
    }
}

/// The way to a running session. Dropping it ends the session.
#[derive(Debug)]
pub struct SessionHandle {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

impl SessionHandle {
    /// The way to a session that a test plays.
    #[cfg(test)]
    pub(crate) fn played(orders: mpsc::Sender<Order>, task: JoinHandle<()>) -> SessionHandle {
        SessionHandle { orders, task }
    }

    /// Gives an order, without waiting: whoever gives orders also drains the events,
    /// and two bounded queues that wait for each other would never move again.
    pub fn order(&self, order: Order) -> Result<(), OrderError> {
        self.orders.try_send(order).map_err(|error| match error {
            mpsc::error::TrySendError::Full(order) => OrderError::Full(Box::new(order)),
            mpsc::error::TrySendError::Closed(order) => OrderError::Gone(Box::new(order)),
        })
    }

    /// Ends the session and waits for it. A connection is closed first, within bounded
    /// time; its events must be drained meanwhile.
    pub async fn stop(self) {
        let SessionHandle { orders, task } = self;
        drop(orders);
        // A panic in the task has been reported by the panic hook.
        let _ = task.await;
    }
}

/// Starts the session's task on this runtime, idle; it reports there and answers liveness checks.
pub fn spawn(
    config: SessionConfig,
    keys: Arc<dyn KeyStore>,
    inbound: Inbound,
    (events, liveness): (mpsc::Sender<SessionEvent>, Liveness),
    runtime: &Handle,
) -> Result<SessionHandle, SessionError> {
    let endpoint: Endpoint = config.endpoint.parse()?;
    if config.sends_at_once == 0 {
        return Err(SessionError::NoSends);
    }
    let trust = Arc::new(Trust::new(config.ca_file.clone())?);
    // The operator names the endpoint, the server its media hosts.
    let connector = Arc::new(Connector::new(trust, IpFilter::Any));
    let (orders, inbox) = mpsc::channel(ORDERS_MAX);
    let session = session_task::Session::new(
        SessionContext { config, endpoint, connector, keys, inbound, liveness },
        events,
        inbox,
    );
    let task = runtime.spawn(session.run());
    Ok(SessionHandle { orders, task })
}
