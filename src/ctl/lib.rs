//! `tetherctl`: one call of the daemon's socket for each command, printed for people or
//! as the wire's JSON.
//!
//! Owns the command line ([`cli`]), what people read ([`render`], [`qr`]), the screen (`top`)
//! and the exit codes of failures ([`error`]). Knows the daemon through `tetherd_api` only (but for
//! the [`doctor`], which also examines the machine), keeps nothing, and never repeats a call
//! (but for a subscription whose connection was lost).

pub mod cli;
pub(crate) mod commands;
pub mod doctor;
pub mod error;
pub mod explain;
pub mod filters;
pub mod output;
pub(crate) mod passkey;
pub mod phone;
pub mod qr;
pub mod render;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;
pub mod time;
mod top;

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Parser;

use tetherd_api::client::{Client, ConnectError};
use tetherd_api::exit::ExitCode;
use tetherd_config::Environment;

use cli::{Args, Command};
use error::CommandError;
use output::Output;

/// The whole program.
pub fn main() -> std::process::ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return clap_exit(&error).into(),
    };
    let mut out = Output::stdout(args.json);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(args, &Environment::current(), &mut out)),
        Err(error) => Err(CommandError::Output(error)),
    };
    finish(done, &mut out).into()
}

/// Prints what clap has to say, and ends with our exit code.
fn clap_exit(error: &clap::Error) -> ExitCode {
    // A closed stdout or stderr is no reason to say more.
    let _ = error.print();
    if error.use_stderr() { ExitCode::Usage } else { ExitCode::Ok }
}

/// Carries a command out.
pub async fn run(args: Args, env: &Environment, out: &mut Output) -> Result<(), CommandError> {
    if let Command::Completions { shell } = args.command {
        return out.text(&String::from_utf8_lossy(&cli::completions(shell)));
    }
    if let Command::Doctor(what) = args.command {
        return doctor::run(what, args.socket, env, out).await;
    }
    let sockets = match args.socket {
        Some(path) => vec![path],
        None => env.client_sockets(),
    };
    if matches!(args.command, Command::Version) {
        return commands::version::run(connect(&sockets).await, out).await;
    }
    if let Command::Metrics { daemon } = &args.command {
        return commands::metrics::run(connect(&sockets).await, daemon, out).await;
    }
    if matches!(args.command, Command::Top) {
        return top::run(&sockets, out).await;
    }
    let client = connect(&sockets).await?;
    commands::dispatch(args.command, &client, &sockets, out).await
}

/// Prints a failure and picks the exit code.
fn finish(done: Result<(), CommandError>, out: &mut Output) -> ExitCode {
    let Err(error) = done.and_then(|()| out.flush()) else { return ExitCode::Ok };
    if let Some(sentence) = error.sentence() {
        let sentence = render::local_times(&sentence, &out.input_clock());
        if out.json() {
            // The pipe may be the very thing that failed.
            let _ = out.json_line(&error.json());
            let _ = out.flush();
        }
        let stderr = std::io::stderr();
        let head = if stderr.is_terminal() && output::colour_wanted() {
            "\x1b[1mtetherctl:\x1b[0m"
        } else {
            "tetherctl:"
        };
        let _ = std::io::Write::write_all(&mut &stderr, format!("{head} {sentence}\n").as_bytes());
    }
    error.exit_code()
}

/// Tries the sockets in order; goes on to the next only where none is.
async fn connect(sockets: &[PathBuf]) -> Result<Client, CommandError> {
    let mut tried = Vec::new();
    for path in sockets {
        match Client::connect(path).await {
            Ok(client) => return Ok(client),
            Err(ConnectError::NoSocket { path } | ConnectError::Refused { path }) => {
                tried.push(path);
            }
            Err(ConnectError::Denied { path }) => return Err(CommandError::SocketDenied(path)),
            Err(ConnectError::Io { path, source }) => {
                return Err(CommandError::Connect { path, source });
            }
        }
    }
    Err(CommandError::NoDaemon(tried))
}
