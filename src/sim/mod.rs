//! A simulator of the WhatsApp Web server, the phone and the recipients.
//!
//! It speaks the protocol over a real TLS websocket on loopback, and serves any client
//! that trusts its keys. One process holds many accounts. The rooms:
//! - `listener`, `frames`, `noise`, `session`: a connection, from TCP to stanzas.
//! - `dispatch`, `login`, `pairing`, `pair_code`, `iq`: what the server answers.
//! - `world`, `accounts`, `settings`, `shared`: what it knows, behind one lock.
//!
//! Invariants: never listens outside loopback; every outbox and list has a bound; no
//! number, text or key reaches a log.

mod accounts;
mod cert;
mod dispatch;
mod error;
mod frames;
mod iq;
mod listener;
mod login;
mod nodes;
mod noise;
mod pair_code;
mod pairing;
mod session;
mod settings;
mod shared;
#[cfg(test)]
mod tests;
mod world;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

pub use cert::CertError;
pub use error::{PairingError, SimError};
pub use settings::{
    ATTEMPTS_MAX, AckError, Attempt, LoginFailure, REACHOUT_CODE, Receipts, Settings,
    SettingsChange, Stats, Times,
};

use accounts::Accounts;
use cert::{NoiseKeys, TlsKeys};
use shared::Shared;
use world::World;

/// The account of a phone that scans a code and was not named.
pub const DEFAULT_ACCOUNT: &str = "+15550100";
/// How long a phone waits for a client to complete a pairing.
const PAIRING_TIMEOUT: Duration = Duration::from_secs(30);

/// How to start a simulator.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Where to listen: loopback, port 0 for any.
    pub listen: SocketAddr,
}

impl Default for SimConfig {
    fn default() -> Self {
        SimConfig { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) }
    }
}

/// A running simulator. Ends when dropped.
pub struct Sim {
    shared: Arc<Shared>,
    address: SocketAddr,
    ca_pem: String,
    root_key: [u8; 32],
    server: JoinHandle<()>,
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Sim {
    /// Starts a simulator inside this process.
    pub async fn start(config: SimConfig) -> Result<Sim, SimError> {
        let listener = listener::bind(config.listen).await?;
        let address = listener.local_addr().map_err(SimError::io("cannot listen"))?;
        let tls = TlsKeys::generate()?;
        let noise = NoiseKeys::generate();
        let root_key = noise.root_public()?;
        let shared = Arc::new(Shared::new(World::new(noise, Accounts::default())));
        let server =
            tokio::spawn(listener::run(listener, tls.server_config()?, Arc::clone(&shared)));
        Ok(Sim { shared, address, ca_pem: tls.ca_pem, root_key, server })
    }

    /// Where clients connect.
    pub fn endpoint(&self) -> String {
        format!("wss://{}{}", self.address, listener::PATH)
    }

    /// The authority that signed the listener's certificate.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The public key of the Noise certificate root.
    pub fn root_key(&self) -> [u8; 32] {
        self.root_key
    }

    /// A phone scans a QR code; it and its account are made if they are new. Returns
    /// the companion's address.
    pub async fn phone_scan(&self, account: Option<&str>, qr: &str) -> Result<String, SimError> {
        let user = digits(account.unwrap_or(DEFAULT_ACCOUNT))?;
        let paired = pairing::scan(&mut *self.shared.change().await, &user, qr)?;
        let device = timeout(PAIRING_TIMEOUT, paired)
            .await
            .map_err(|_| SimError::TimedOut)?
            .map_err(|_| PairingError::Gone)??;
        Ok(device.jid().to_string())
    }

    /// The owner of a phone types the code that a client shows.
    pub async fn phone_enter_code(
        &self,
        account: Option<&str>,
        code: &str,
    ) -> Result<String, SimError> {
        let user = account.map(digits).transpose()?;
        let typing = pair_code::find(&*self.shared.look().await, user.as_deref())?;
        let code = code.to_owned();
        let hello = tokio::task::spawn_blocking(move || typing.derive(&code))
            .await
            .map_err(|_| SimError::WrongCode)??;
        let typed = pair_code::phone_hello(&mut *self.shared.change().await, hello)?;
        let device = timeout(PAIRING_TIMEOUT, pair_code::wait(typed))
            .await
            .map_err(|_| SimError::TimedOut)??;
        Ok(device.jid().to_string())
    }

    /// Changes how the server behaves.
    pub async fn server_set(&self, change: SettingsChange) -> Settings {
        let mut world = self.shared.change().await;
        world.settings.apply(change);
        world.settings
    }

    /// The next logins fail like this.
    pub async fn server_fail_login(&self, failure: LoginFailure) {
        let times = failure.times.unwrap_or(1);
        self.shared.change().await.failure = (times > 0).then_some((failure, times));
    }

    /// Another client takes over: connections of this account, or of all, are replaced.
    pub async fn server_replace_session(&self, account: Option<&str>) -> Result<usize, SimError> {
        self.each_link(account, |world, link| world.replace(link)).await
    }

    /// Connections of this account, or of all, end without a word.
    pub async fn server_disconnect(&self, account: Option<&str>) -> Result<usize, SimError> {
        self.each_link(account, |world, link| world.hang_up(link)).await
    }

    async fn each_link(
        &self,
        account: Option<&str>,
        mut act: impl FnMut(&mut World, world::LinkId),
    ) -> Result<usize, SimError> {
        let user = account.map(digits).transpose()?;
        let mut world = self.shared.change().await;
        let links: Vec<_> = world
            .links()
            .into_iter()
            .map(|(id, _)| id)
            .filter(|id| {
                world
                    .device(*id)
                    .is_some_and(|device| user.as_ref().is_none_or(|user| *user == device.user))
            })
            .collect();
        for link in &links {
            act(&mut world, *link);
        }
        Ok(links.len())
    }

    /// The server gets another static key: clients' cached ones are stale.
    pub async fn server_rotate_key(&self) {
        self.shared.change().await.noise.rotate();
    }

    /// What has happened.
    pub async fn server_stats(&self) -> Stats {
        self.shared.look().await.stats.clone()
    }

    /// Waits until the counts are as wanted, and returns them.
    pub async fn wait_for(
        &self,
        wanted: impl Fn(&Stats) -> bool,
        within: Duration,
    ) -> Result<Stats, SimError> {
        let deadline = Instant::now() + within;
        let mut changes = self.shared.changes();
        loop {
            changes.borrow_and_update();
            let stats = self.server_stats().await;
            if wanted(&stats) {
                return Ok(stats);
            }
            match timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(SimError::TimedOut),
            }
        }
    }
}

/// A number's digits.
fn digits(number: &str) -> Result<String, SimError> {
    let digits = number.strip_prefix('+').unwrap_or(number);
    let fits = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if fits { Ok(digits.to_owned()) } else { Err(SimError::BadNumber) }
}
