//! The demonstration: a daemon with its real store, socket and session, against the simulator,
//! in time lapse. Prints what happens as it happens, and checks the end. Knows the daemon only
//! by its socket; whoever calls starts it.
//!
//! What a phone's owner and the network would do, the simulator is asked for.

mod print;
mod scenario;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Sim, SimConfig};
use scenario::Scenario;

pub use print::line;

/// How a pairing code is drawn in a terminal.
pub type DrawQr = fn(&str) -> anyhow::Result<String>;

/// A simulator, and a folder for a daemon that talks to it.
pub struct Demo {
    sim: Arc<Sim>,
    folder: Folder,
    window_s: u64,
}

impl Demo {
    /// Starts the simulator. Everything lies in this folder, or in a fresh one that is removed
    /// at the end.
    pub async fn start(folder: Option<&Path>, window_s: u64) -> anyhow::Result<Demo> {
        let folder = Folder::new(folder)?;
        let sim = Arc::new(Sim::start(SimConfig::default()).await?);
        std::fs::write(folder.path.join("ca.pem"), sim.ca_pem())?;
        Ok(Demo { sim, folder, window_s })
    }

    /// Where it all lies.
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// The configuration that a person would write for the daemon, but for the pace.
    pub fn config(&self) -> String {
        let path = |name: &str| format!("{:?}", self.folder.path.join(name).display().to_string());
        format!(
            "[state]\ndir = {}\n[socket]\npath = {}\n[session]\nendpoint = {:?}\nca_file = {}\n\
             backoff_first = \"200ms\"\n[pacing]\nwindow = \"{}s\"\n",
            path("state"),
            path("control.sock"),
            self.sim.endpoint(),
            path("ca.pem"),
            self.window_s,
        )
    }

    /// Plays the scenario with the daemon that listens there. With `once` it ends with the
    /// check: whether every message arrived once and in order.
    pub async fn play(&self, socket: &Path, once: bool, draw: DrawQr) -> anyhow::Result<bool> {
        print::opening(socket, self.window_s);
        Scenario::new(Arc::clone(&self.sim), socket.to_owned(), draw).play(once).await
    }
}

/// Where it all lies; removed at the end unless it was named.
struct Folder {
    path: PathBuf,
    ours: bool,
}

impl Folder {
    fn new(named: Option<&Path>) -> std::io::Result<Folder> {
        if let Some(path) = named {
            std::fs::create_dir_all(path)?;
            return Ok(Folder { path: std::path::absolute(path)?, ours: false });
        }
        // Short, because a Unix socket's path must be.
        let path = std::env::temp_dir().join(format!("tetherd-demo-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Folder { path, ours: true })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.ours {
            // What is left in a folder for temporary files harms nobody.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
