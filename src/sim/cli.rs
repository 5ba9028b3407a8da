//! The simulator as a program: arguments, the line that says it is ready, signals.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use tokio::io::AsyncReadExt as _;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::error::SimError;
use super::{Sim, SimConfig, control};

/// The control socket's name in the state folder.
const CONTROL_FILE: &str = "control.sock";

/// A simulator of the WhatsApp Web server, the phone and the recipients.
///
/// Prints one JSON line when it is ready: `endpoint`, `media`, `ca_file`, `root_key`, `control`.
#[derive(Debug, Parser)]
#[command(name = "tether-sim", version)]
struct Arguments {
    /// Where to listen; loopback only, port 0 for any.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the media host listens; loopback only, any port at the same address by default.
    #[arg(long, value_name = "ADDRESS")]
    media: Option<SocketAddr>,
    /// A further host that the certificate names, for clients with a hard-wired host.
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
    /// The control socket; `control.sock` in the state folder by default.
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// Where keys, accounts and people are kept; forgotten at the end by default.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Only our own lines: the protocol crate's may name people and keys.
    let ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(ours);
    tracing_subscriber::registry().with(lines).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// `TETHER_SIM_LOG`: a level; what the server did not understand is logged at `debug`.
fn level() -> tracing::Level {
    std::env::var("TETHER_SIM_LOG")
        .ok()
        .and_then(|level| level.parse().ok())
        .unwrap_or(tracing::Level::INFO)
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "tether-sim: {error}");
    ExitCode::FAILURE
}

async fn run(arguments: Arguments) -> Result<(), SimError> {
    let mut signals = signals()?;
    // Absolute: what is printed is copied into configurations.
    let absolute = |path: PathBuf| {
        std::path::absolute(path).map_err(SimError::io("the current folder is unknown"))
    };
    let dir = arguments.dir.map(absolute).transpose()?;
    let config =
        SimConfig { listen: arguments.listen, media: arguments.media, names: arguments.names, dir };
    let sim = Arc::new(Sim::start(config).await?);
    let path = match arguments.control {
        Some(path) => absolute(path)?,
        None => sim.dir().join(CONTROL_FILE),
    };
    let socket = control::bind(&path)?;
    let callers = tokio::spawn(control::run(socket, Arc::clone(&sim)));
    let ready = json!({
        "endpoint": sim.endpoint(),
        "media": sim.media_address(),
        "ca_file": sim.ca_file(),
        "root_key": hex::encode(sim.root_key()),
        "control": path,
    });
    let mut out = std::io::stdout();
    writeln!(out, "{ready}").and_then(|()| out.flush()).map_err(SimError::io("cannot print"))?;

    let mut byte = [0];
    signals.read_exact(&mut byte).await.map_err(SimError::io("cannot wait for signals"))?;
    callers.abort();
    let _ = callers.await;
    let _ = std::fs::remove_file(&path);
    sim.stop().await
}

/// A stream that gets a byte when the program is to end.
fn signals() -> Result<tokio::net::UnixStream, SimError> {
    let failed = || SimError::io("cannot wait for signals");
    let (receiver, sender) = std::os::unix::net::UnixStream::pair().map_err(failed())?;
    for signal in [SIGTERM, SIGINT] {
        let sender = sender.try_clone().map_err(failed())?;
        signal_hook::low_level::pipe::register(signal, sender).map_err(failed())?;
    }
    receiver.set_nonblocking(true).map_err(failed())?;
    tokio::net::UnixStream::from_std(receiver).map_err(failed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_hosts_and_the_media_host_are_arguments() {
        let given = "tether-sim --name web.example.net --name 127.0.0.2 --media 127.0.0.2:0";
        let arguments = Arguments::parse_from(given.split(' '));
        assert_eq!(arguments.names, ["web.example.net", "127.0.0.2"]);
        assert_eq!(arguments.media, Some("127.0.0.2:0".parse().unwrap()));
        assert!(Arguments::try_parse_from(["tether-sim", "--media", "nowhere"]).is_err());
    }
}
