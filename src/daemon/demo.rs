//! `tetherd demo`: this daemon for the simulator's demonstration. The scenario is in
//! `tether_sim::demo`.

use tether_sim::demo::{Demo, line};
use tetherd_api::exit::ExitCode;
use tetherd_config::{Config, Environment};

use crate::daemon::Daemon;
use crate::daemon::args::DemoArgs;
use crate::daemon::signals::Signals;

/// Runs the demonstration.
pub(super) async fn run(args: DemoArgs) -> ExitCode {
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
    let demo = Demo::start(args.dir.as_deref(), args.window).await?;
    let config = Config::from_text(&demo.config(), None, &Environment::current())?.config;
    let daemon = Daemon::start(&config).await?;
    let draw = |code: &str| Ok(tetherctl::qr::draw(code, false)?);
    let result = tokio::select! {
        result = demo.play(&config.socket.path, args.once, draw) => result,
        _ = signals.next() => {
            line("stopping");
            Ok(true)
        }
    };
    daemon.stop().await?;
    result
}
