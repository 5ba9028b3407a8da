//! The process `tether-web`: arguments, configuration, signals, exit codes.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream as StdStream;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use tetherd_api::exit::ExitCode;
use tetherd_config::Environment;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;

use crate::args::{Args, Command, TokenCommand, WebhookCommand};
use crate::auth::{TokenError, TokenFile};
use crate::config::{Config, ConfigError};
use crate::front;
use crate::listen::{ListenError, Listener};
use crate::webhooks::{self, SecretError};

/// Threads that read files.
const BLOCKING_THREADS_MAX: usize = 8;

/// Why the program ends without having done what was asked.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("there is no [[webhook]] `{0}` in the configuration")]
    NoWebhook(String),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Failure {
    fn exit(&self) -> ExitCode {
        match self {
            Failure::Config(_) | Failure::Listen(ListenError::Activation(_)) => ExitCode::Config,
            Failure::Listen(ListenError::Bind { .. }) => ExitCode::CantCreate,
            Failure::Token(TokenError::Unknown(_)) | Failure::NoWebhook(_) => ExitCode::NoInput,
            Failure::Secret(SecretError::Form | SecretError::Missing) => ExitCode::DataErr,
            Failure::Secret(SecretError::Outside) => ExitCode::CantCreate,
            Failure::Secret(SecretError::Io(_) | SecretError::Random(_)) => ExitCode::IoErr,
            Failure::Token(TokenError::Taken(_) | TokenError::TooMany) => ExitCode::No,
            Failure::Token(TokenError::BadName | TokenError::Form { .. }) => ExitCode::DataErr,
            Failure::Token(TokenError::Io { .. } | TokenError::Random(_)) | Failure::Io(_) => {
                ExitCode::IoErr
            }
        }
    }
}

/// Runs the process to its end.
pub fn main() -> std::process::ExitCode {
    let exit = match Args::read() {
        Err(exit) => exit,
        Ok(args) => match run(args) {
            Ok(()) => ExitCode::Ok,
            Err(failure) => {
                say(&failure.to_string());
                failure.exit()
            }
        },
    };
    exit.into()
}

/// A line for whoever looks after the program.
fn say(line: &str) {
    // Nobody reads it: then it need not be said.
    let _ = writeln!(io::stderr(), "tether-web: {line}");
}

fn run(args: Args) -> Result<(), Failure> {
    if let Some(Command::Completions { shell }) = args.command {
        return Ok(io::stdout().write_all(&crate::args::completions(shell))?);
    }
    let config = Config::load(args.config.as_deref(), &Environment::current())?;
    match args.command {
        None | Some(Command::Run) => {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime =
                builder.enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build()?;
            runtime.block_on(serve(config))
        }
        Some(Command::CheckConfig) => {
            let names: Vec<&str> = config.daemons.keys().map(String::as_str).collect();
            let (address, tokens) = (&config.listen.address, config.tokens_file());
            let (names, tokens) = (names.join(", "), tokens.display());
            let webhooks: Vec<&str> =
                config.webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
            let webhooks = match webhooks.is_empty() {
                true => String::new(),
                false => format!("; webhooks: {}", webhooks.join(", ")),
            };
            Ok(writeln!(
                io::stdout(),
                "listens on {address}; tokens in {tokens}; daemons: {names}{webhooks}"
            )?)
        }
        Some(Command::Webhook(WebhookCommand::NewSecret { name })) => new_secret(&name, &config),
        Some(Command::Token(command)) => token(command, &TokenFile::new(config.tokens_file())),
        // Answered above, where no configuration is read.
        Some(Command::Completions { .. }) => Ok(()),
    }
}

async fn serve(config: Config) -> Result<(), Failure> {
    let mut signals = stop_signals()?;
    let listener = Listener::open(&config.listen.address)?;
    let place = match (listener.address(), &config.listen.address) {
        (Some(address), _) => format!("http://{address}/"),
        (None, address) => address.to_string(),
    };
    if TokenFile::new(config.tokens_file()).list()?.is_empty() {
        say("there is no token yet: tether-web token add NAME --tier admin");
    }
    for webhook in &config.webhooks {
        if let Some(lack) = webhooks::lacks_secret(webhook, &config.state_dir()) {
            say(&format!("[[webhook]] `{}`: {lack}", webhook.name));
        }
    }
    let running = front::start(config, listener)?;
    say(&format!("listening on {place}"));
    notify(&[sd_notify::NotifyState::Ready]);
    // Its end is a signal as well: it never comes.
    let _ = signals.read(&mut [0; 1]).await;
    notify(&[sd_notify::NotifyState::Stopping]);
    running.stop().await;
    say("stopped");
    Ok(())
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if std::env::var_os("NOTIFY_SOCKET").is_some()
        && let Err(error) = sd_notify::notify(states)
    {
        say(&format!("the service manager could not be notified: {error}"));
    }
}

/// SIGTERM and SIGINT as a stream.
fn stop_signals() -> io::Result<UnixStream> {
    let (stop, handler) = StdStream::pair()?;
    pipe::register(SIGTERM, handler.try_clone()?)?;
    pipe::register(SIGINT, handler)?;
    stop.set_nonblocking(true)?;
    UnixStream::from_std(stop)
}

fn new_secret(name: &str, config: &Config) -> Result<(), Failure> {
    let found = config.webhooks.iter().find(|webhook| webhook.name == name);
    let webhook = found.ok_or_else(|| Failure::NoWebhook(name.into()))?;
    let file = webhooks::file_for_new_secret(webhook, &config.state_dir())?;
    let secret = webhooks::new_secret(&file)?;
    Ok(writeln!(io::stdout(), "{secret}")?)
}

fn token(command: TokenCommand, file: &TokenFile) -> Result<(), Failure> {
    let mut out = io::stdout();
    match command {
        TokenCommand::Add { name, tier } => {
            let made = file.add(&name, tier.into())?;
            writeln!(out, "{}", made.secret)?;
            say("this is shown once; whoever has it is let in");
        }
        TokenCommand::List => {
            for token in file.list()?.iter() {
                let (name, tier) = (&token.name, token.tier.name());
                writeln!(out, "{name}  {tier}  {}", token.made_at)?;
            }
        }
        TokenCommand::Remove { name } => file.remove(&name)?,
    }
    Ok(())
}
