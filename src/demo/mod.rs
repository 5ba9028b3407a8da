//! `tetherd demo`: the daemon with its real store, socket and session, against the
//! simulator, in time lapse. Tells what happens as it happens, and checks the end.
//!
//! Everything here is a client of the socket, as any program would be, except for
//! what a phone's owner and the network would do: those ask the simulator.

mod scenario;
mod tell;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::daemon::Daemon;
use crate::daemon::args::DemoArgs;
use crate::daemon::signals::Signals;
use tether_sim::{Sim, SimConfig};
use tetherd_api::exit::ExitCode;
use tetherd_config::{Config, Environment};

use scenario::Scenario;

/// Runs the demonstration.
pub async fn run(args: DemoArgs) -> ExitCode {
    match play(&args).await {
        Ok(true) => ExitCode::Ok,
        Ok(false) => ExitCode::No,
        Err(error) => {
            eprintln!("tetherd demo: {error:#}");
            ExitCode::Software
        }
    }
}

/// Whether every message arrived once and in order.
async fn play(args: &DemoArgs) -> anyhow::Result<bool> {
    let mut signals = Signals::register()?;
    let folder = Folder::new(args.dir.as_deref())?;
    let sim = Arc::new(Sim::start(SimConfig::default()).await?);
    let config = config(&folder.path, &sim, args.window)?;
    let daemon = Daemon::start(&config).await?;
    let socket = config.socket.path.clone();
    tell::opening(&socket, &config.pacing);
    let scenario = Scenario::new(Arc::clone(&sim), socket);
    let result = tokio::select! {
        result = scenario.play(args.once) => result,
        _ = signals.next() => {
            tell::line("stopping");
            Ok(true)
        }
    };
    daemon.stop().await?;
    result
}

/// The configuration that a person would write, but for the pace.
fn config(folder: &Path, sim: &Sim, window_s: u64) -> anyhow::Result<Config> {
    let ca_file = folder.join("ca.pem");
    std::fs::write(&ca_file, sim.ca_pem())?;
    let quoted = |path: &Path| format!("{:?}", path.display().to_string());
    let text = format!(
        "[state]\ndir = {}\n[socket]\npath = {}\n[session]\nendpoint = {:?}\nca_file = {}\n\
         backoff_first = \"200ms\"\n[pacing]\nwindow = \"{window_s}s\"\n",
        quoted(&folder.join("state")),
        quoted(&folder.join("control.sock")),
        sim.endpoint(),
        quoted(&ca_file),
    );
    Ok(Config::from_text(&text, None, &Environment::current())?.config)
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
