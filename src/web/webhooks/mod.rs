//! Webhooks: what happens at a daemon, posted to a receiver's address as Standard Webhooks 1.0.0
//! has it. Each webhook has a place in the changes feed, on disk, that moves when the receiver has
//! taken an event: nothing is lost over restarts of either side, and order holds.
//!
//! - `settings`: what the configuration says. `secret`: secrets and signatures.
//! - `event`: what is sent. `reader`: where it comes from. `place`: what is on disk.
//! - `attempt`: one request. `schedule`: when the next one is made. `worker`: one webhook at work.
//! - `acts`: what people and programs can do with one, and how it stands; `rest`: for programs.
//!
//! Never logs an address or a body, and never drops an event by itself.

mod acts;
mod attempt;
mod event;
mod place;
mod reader;
mod rest;
mod schedule;
#[cfg(test)]
mod schemas;
mod secret;
mod settings;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tetherd_metrics::{Counts, WebhookCounts};
use tetherd_net::connect::System;
use tetherd_net::trust::TrustError;
use tokio::task::JoinHandle;

use self::attempt::Poster;
use self::place::Place;
use self::worker::{Known, Worker};
use crate::config::Config;
use crate::daemon::Daemons;

pub(crate) use acts::{Act, Standing, State};
pub(crate) use rest::{described, routes, schemas};
pub use secret::{SecretError, renew as new_secret};
pub use settings::{BadSettings, Kind, Network as AllowedNetwork, Settings, Target, check};

/// The folder of their places and secrets, below the front's own.
const FOLDER: &str = "webhooks";
/// Lookups of one webhook at a time: one whose resolver is silent holds up no other.
const LOOKUPS_MAX: usize = 1;

/// Why the webhooks cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Settings(#[from] BadSettings),
    /// What is kept of one cannot be read. It is left as it is.
    #[error(
        "the webhook's place in {} cannot be read: {source}; without the file it begins where the \
         feed ends", .path.display()
    )]
    Place {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The authorities to trust.
    #[error("[[webhook]] `{name}`: {source}")]
    Trust {
        /// Which.
        name: String,
        /// Why.
        source: TrustError,
    },
}

/// All of them. Dropping it ends their work.
#[derive(Debug)]
pub(crate) struct Webhooks {
    all: BTreeMap<String, Arc<Worker>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Webhooks {
    /// Starts each, from now on.
    pub(crate) fn start(
        config: &Config,
        daemons: &Daemons,
        counts: &Counts,
    ) -> Result<Webhooks, StartError> {
        let made = config.webhooks.iter();
        let made = made.map(|settings| make(settings, config, daemons, counts));
        let all: BTreeMap<String, Arc<Worker>> = made.collect::<Result<_, _>>()?;
        let tasks = all.values().map(|worker| tokio::spawn(Arc::clone(worker).run())).collect();
        Ok(Webhooks { all, tasks })
    }

    /// All of them, by name.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Worker>> {
        self.all.values()
    }

    /// One, by its name.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Worker>> {
        self.all.get(name)
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn make(
    settings: &Settings,
    config: &Config,
    daemons: &Daemons,
    counts: &Counts,
) -> Result<(String, Arc<Worker>), StartError> {
    let name = settings.name.clone();
    let names: BTreeSet<&str> = config.daemons.keys().map(String::as_str).collect();
    check(std::slice::from_ref(settings), &names)?;
    let daemon = settings.daemon_of(&names).and_then(|daemon| daemons.get(daemon));
    let daemon = daemon.ok_or_else(|| BadSettings::Daemon(name.clone()))?;
    let folder = folder(&config.state_dir(), &name);
    let path = folder.join(format!("{}.json", daemon.name));
    let place =
        Place::read(&path).map_err(|source| StartError::Place { path: path.clone(), source })?;
    let network = Arc::new(System::with_lookups(LOOKUPS_MAX));
    let poster = Poster::new(settings, network)
        .map_err(|source| StartError::Trust { name: name.clone(), source })?;
    let known = Known { place, ..Known::default() };
    let worker = Worker {
        daemon: Arc::clone(daemon),
        poster,
        path,
        secret: secret_file(settings, &config.state_dir()),
        counts: WebhookCounts::new(&name, counts),
        known: Mutex::new(known),
        writing: tokio::sync::Mutex::default(),
        wake: tokio::sync::Notify::new(),
        settings: settings.clone(),
    };
    Ok((name, Arc::new(worker)))
}

fn folder(state_dir: &Path, name: &str) -> PathBuf {
    state_dir.join(FOLDER).join(name)
}

/// The file that gets a new secret. Outside the state directory only one that is there: who may
/// read it is not known here.
pub fn file_for_new_secret(settings: &Settings, state_dir: &Path) -> Result<PathBuf, SecretError> {
    let path = secret_file(settings, state_dir);
    if path.starts_with(state_dir) {
        return Ok(path);
    }
    match std::fs::canonicalize(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SecretError::Outside),
        found => Ok(found?),
    }
}

/// Where a webhook's secret is.
pub fn secret_file(settings: &Settings, state_dir: &Path) -> PathBuf {
    let usual = || folder(state_dir, &settings.name).join("secret");
    settings.secret_file.clone().unwrap_or_else(usual)
}

/// Why a webhook's requests cannot be signed, if they cannot.
pub fn lacks_secret(settings: &Settings, state_dir: &Path) -> Option<SecretError> {
    secret::Secrets::read(&secret_file(settings, state_dir)).err()
}
