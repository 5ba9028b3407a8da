//! `tetherd demo`: this daemon for the simulator's demonstration. The scenario is in
//! `tether_sim::demo`.

use std::path::Path;

use tether_sim::demo::{Demo, line};
use tether_web::auth::TokenFile;
use tether_web::config::{Address, DEFAULT_DAEMON};
use tether_web::front::{self, Running};
use tether_web::listen::Listener;
use tetherd_api::Tier;
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

/// Serves the page of this daemon, and says where, and what lets somebody in.
fn page(folder: &Path, socket: &Path) -> anyhow::Result<Running> {
    let mut web = tether_web::config::Config::default();
    web.listen.address = Address::Tcp(([127, 0, 0, 1], 0).into());
    web.tokens.file = Some(folder.join("tokens"));
    web.daemons.insert(DEFAULT_DAEMON.into(), socket.to_owned());
    let tokens = TokenFile::new(web.tokens_file());
    // One of an earlier demonstration in the same folder is nobody's any more.
    let _ = tokens.remove("demo");
    let token = tokens.add("demo", Tier::Admin)?;
    let listener = Listener::bind(&web.listen.address)?;
    let running = front::start(web, listener)?;
    if let Some(address) = running.address {
        line(&format!("The page: http://{address}/ (log in with {})", token.secret));
    }
    Ok(running)
}

/// Whether every message arrived once and in order.
async fn play(args: &DemoArgs) -> anyhow::Result<bool> {
    let mut signals = Signals::register()?;
    let demo = Demo::start(args.dir.as_deref(), args.window).await?;
    let config = Config::from_text(&demo.config(), None, &Environment::current())?.config;
    let daemon = Daemon::start(&config).await?;
    let _page = page(demo.folder(), &config.socket.path)?;
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
