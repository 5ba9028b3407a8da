//! A simulator of the WhatsApp Web server, the phone and the recipients.
//!
//! It speaks the protocol over a real TLS websocket on loopback, and serves any client
//! that trusts its keys. One process holds many accounts. The rooms:
//! - `listener`, `frames`, `noise`, `session`: a connection, from TCP to stanzas.
//! - `dispatch`, `login`, `pairing`, `pair_code`, `passkey` with `webauthn`, `iq`, `route`: what
//!   the server does.
//! - `history`: what a phone sends to a new companion.
//! - `app_state`, `phone_state`, `preferences`: what accounts keep on the server.
//! - `group_requests`, `group_invites`, `presence`, `calls`, `notices`: what clients do to groups, who is there,
//!   and who learns of it.
//! - `contacts`, `quota`, `tokens`: whom accounts may write to, and with which token.
//! - `media`, `media_host`, `content`: the media host, and who opens its files.
//! - `world`, `accounts`, `settings`, `shared`, `disk`: what it knows, behind one lock.
//! - [`people`] and below it [`device`], [`groups`], [`inbox`], `stanza`: everybody's
//!   Signal devices, and what they answer.
//! - `api`, `linking_api`, `media_api`, `streams`: the operations of phone, recipients and
//!   server, as methods of [`Sim`]; `control` and `cli`: the same over a socket, as a program.
//! - `demo` (feature `demo`): a daemon against all of it, in time lapse.
//!
//! Invariants: never listens outside loopback; every outbox and list has a bound; no
//! number, text or key reaches a log.

mod about;
mod accounts;
mod adv;
mod api;
mod app_state;
mod calls;
mod cert;
mod checks;
pub mod cli;
mod compose;
mod contacts;
mod content;
mod control;
#[cfg(feature = "demo")]
pub mod demo;
pub mod device;
mod disk;
mod dispatch;
mod error;
mod frames;
mod group_invites;
mod group_requests;
pub mod groups;
mod history;
pub mod inbox;
mod iq;
mod keys;
mod linking_api;
mod listener;
mod login;
mod media;
mod media_api;
mod media_host;
mod nodes;
mod noise;
mod notices;
mod pair_code;
mod pairing;
mod passkey;
pub mod people;
mod person;
mod phone_state;
mod preferences;
mod presence;
mod quota;
pub mod receive;
mod route;
mod rules;
mod session;
mod settings;
mod shared;
mod stanza;
mod streams;
mod strict;
#[cfg(test)]
mod tests;
mod token_api;
mod tokens;
mod usernames;
mod webauthn;
mod world;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

pub use api::{Composed, DEFAULT_ACCOUNT, InboxMessage};
pub use cert::CertError;
pub use content::SentFile;
pub use error::{PairingError, SimError};
pub use history::MadeUp;
pub use media::{MediaChange, MediaSettings, MediaStats};
pub use passkey::{PasskeyPolicy, Proof};
pub use presence::SeenActivity;
pub use quota::{CappingStatus, QUOTA_CODE, Quota};
pub use rules::Rules;
pub use settings::{
    ATTEMPTS_MAX, AckError, Attempt, LoginFailure, REACHOUT_CODE, ReachoutTimelock, Receipts,
    Settings, SettingsChange, Stats, Times,
};
pub use streams::{ListReceipts, Streams};
pub use strict::{Fault, Violation};
pub use tokens::CarriedToken;
pub use webauthn::Signing;

use disk::Folder;
use shared::Shared;
use world::World;

/// How to start a simulator.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Where to listen: loopback, port 0 for any.
    pub listen: SocketAddr,
    /// Where the media host listens: loopback; absent: any port at the same address.
    pub media: Option<SocketAddr>,
    /// Further hosts that the certificate names, for clients with a hard-wired one.
    pub names: Vec<String>,
    /// Where keys, accounts and people are kept. Without it they live as long as the
    /// simulator, in a folder that it removes.
    pub dir: Option<PathBuf>,
}

impl Default for SimConfig {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        SimConfig { listen, media: None, names: Vec::new(), dir: None }
    }
}

/// A running simulator. Ends when dropped; [`Sim::stop`] also writes its state down.
pub struct Sim {
    shared: Arc<Shared>,
    address: SocketAddr,
    media: SocketAddr,
    names: Vec<String>,
    ca_pem: String,
    root_key: [u8; 32],
    folder: Folder,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.abort_tasks();
    }
}

impl Sim {
    /// Starts a simulator inside this process.
    pub async fn start(config: SimConfig) -> Result<Sim, SimError> {
        let listener = listener::bind(config.listen).await?;
        let address = listener.local_addr().map_err(SimError::io("cannot listen"))?;
        let folder = Folder::open(config.dir.as_deref())?;
        let state = folder.load(&config.names)?;
        let root_key = state.noise.root_public()?;
        let tls = state.tls;
        let mut world = World::new(state.noise, state.accounts, state.people);
        let files = config.media.unwrap_or_else(|| (address.ip(), 0).into());
        let files = listener::bind(files).await?;
        world.media.address = files.local_addr().map_err(SimError::io("cannot listen"))?;
        let media = world.media.address;
        let shared = Arc::new(Shared::new(world));
        let server = listener::run(listener, tls.server_config()?, Arc::clone(&shared));
        let host = media_host::run(files, tls.server_config()?, Arc::clone(&shared));
        let mut tasks = vec![tokio::spawn(server), tokio::spawn(host)];
        if folder.is_kept() {
            tasks.push(tokio::spawn(disk::keep(folder.path(), tls.clone(), Arc::clone(&shared))));
        }
        let names = config.names;
        let tasks = Mutex::new(tasks);
        Ok(Sim { shared, address, media, names, ca_pem: tls.ca_pem, root_key, folder, tasks })
    }

    fn abort_tasks(&self) -> Vec<JoinHandle<()>> {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for task in tasks.iter() {
            task.abort();
        }
        std::mem::take(&mut tasks)
    }

    /// Ends it, and writes its state down if it is kept.
    pub async fn stop(&self) -> Result<(), SimError> {
        for task in self.abort_tasks() {
            let _ = task.await;
        }
        if self.folder.is_kept() {
            let tls = self.folder.load(&self.names)?.tls;
            disk::save(&self.folder.path(), &tls, &self.shared).await?;
        }
        Ok(())
    }

    /// Where clients connect.
    pub fn endpoint(&self) -> String {
        format!("wss://{}{}", self.address, listener::PATH)
    }

    /// Where the media host listens.
    pub fn media_address(&self) -> SocketAddr {
        self.media
    }

    /// The authority that signed the listener's certificate.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The same as a file.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.ca_file()
    }

    /// The folder of its state.
    pub fn dir(&self) -> &Path {
        self.folder.as_path()
    }

    /// The public key of the Noise certificate root.
    pub fn root_key(&self) -> [u8; 32] {
        self.root_key
    }
}
