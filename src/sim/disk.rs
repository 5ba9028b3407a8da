//! The simulator's folder: the authority's certificate for clients, and one file with
//! everything that has to survive a restart. Written whole, renamed into place.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::accounts::Accounts;
use super::cert::{NoiseKeys, TlsKeys};
use super::error::SimError;
use super::people::People;
use super::shared::Shared;
use super::world::random;

/// The state.
const STATE_FILE: &str = "state.json";
/// The state while it is written.
const DRAFT_FILE: &str = "state.json.new";
/// The authority that clients are configured to trust.
const CA_FILE: &str = "ca.pem";
/// The least time between two writes of the state.
const SAVE_PAUSE: Duration = Duration::from_millis(500);

/// The pause is at least so many times what the last write took.
const SAVE_SHARE: u32 = 10;

/// What survives.
#[derive(Serialize, Deserialize)]
pub(super) struct State<A = Accounts, P = People, N = NoiseKeys, T = TlsKeys> {
    pub(super) tls: T,
    pub(super) noise: N,
    pub(super) accounts: A,
    pub(super) people: P,
}

/// The folder. Removed with its content when dropped, unless it is kept.
pub(super) struct Folder {
    path: PathBuf,
    kept: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

impl Folder {
    /// The given folder, or one that goes away with the simulator.
    pub(super) fn open(path: Option<&Path>) -> Result<Folder, SimError> {
        let (path, kept) = match path {
            Some(path) => (path.to_owned(), true),
            None => {
                let name = format!("tether-sim-{}", hex::encode(random::<8>()));
                (std::env::temp_dir().join(name), false)
            }
        };
        let mut builder = DirBuilder::new();
        builder.recursive(kept).mode(0o700);
        builder.create(&path).map_err(SimError::io("cannot create the state folder"))?;
        Ok(Folder { path, kept })
    }

    /// Whether what is in it survives.
    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }

    pub(super) fn as_path(&self) -> &Path {
        &self.path
    }

    pub(super) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    pub(super) fn ca_file(&self) -> PathBuf {
        self.path.join(CA_FILE)
    }

    /// What was kept, or a fresh state. Leaves the authority's file behind. For other hosts
    /// than before there is another authority.
    pub(super) fn load(&self, names: &[String]) -> Result<State, SimError> {
        let file = self.path.join(STATE_FILE);
        let state = match fs::read(&file) {
            Ok(text) => {
                let mut state: State = serde_json::from_slice(&text)?;
                if state.tls.names != names {
                    state.tls = TlsKeys::generate(names)?;
                    write(&self.path, &serde_json::to_vec(&state)?)?;
                }
                state
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let state = State {
                    tls: TlsKeys::generate(names)?,
                    noise: NoiseKeys::generate(),
                    accounts: Accounts::default(),
                    people: People::default(),
                };
                if self.kept {
                    write(&self.path, &serde_json::to_vec(&state)?)?;
                }
                state
            }
            Err(error) => return Err(SimError::io("cannot read the state")(error)),
        };
        fs::write(self.ca_file(), &state.tls.ca_pem)
            .map_err(SimError::io("cannot write the authority's certificate"))?;
        Ok(state)
    }
}

fn write(folder: &Path, state: &[u8]) -> Result<(), SimError> {
    let draft = folder.join(DRAFT_FILE);
    fs::write(&draft, state).map_err(SimError::io("cannot write the state"))?;
    fs::rename(&draft, folder.join(STATE_FILE)).map_err(SimError::io("cannot write the state"))
}

/// Writes the state down.
pub(super) async fn save(folder: &Path, tls: &TlsKeys, shared: &Shared) -> Result<(), SimError> {
    let text = {
        let world = shared.look().await;
        serde_json::to_vec(&State {
            tls,
            noise: &world.noise,
            accounts: &world.accounts,
            people: &world.people,
        })?
    };
    write(folder, &text)
}

/// Writes the state down whenever it has changed, with pauses, and a pairing at once: a
/// server that forgets whom it has just paired after a crash is like no server.
pub(super) async fn keep(folder: PathBuf, tls: TlsKeys, shared: Arc<Shared>) {
    let mut changes = shared.changes();
    while changes.changed().await.is_ok() {
        let started = Instant::now();
        let pairings = shared.look().await.stats.pairings;
        if let Err(error) = save(&folder, &tls, &shared).await {
            tracing::warn!("the state was not written: {error}");
        }
        // A large world takes long, and stands still meanwhile: not for most of the time.
        let pause = sleep(SAVE_PAUSE.max(started.elapsed() * SAVE_SHARE));
        tokio::pin!(pause);
        let mut more = false;
        loop {
            tokio::select! {
                () = &mut pause => break,
                change = changes.changed() => {
                    let Ok(()) = change else { return };
                    more = true;
                    if shared.look().await.stats.pairings != pairings {
                        break;
                    }
                }
            }
        }
        if more {
            changes.mark_changed();
        }
    }
}
