//! One file for each command: the call, and what is told of its answer.

mod attach;
pub(crate) mod cancel;
pub(crate) mod check;
pub(crate) mod clear;
pub(crate) mod events;
mod follow;
pub(crate) mod heartbeat;
pub(crate) mod inbox;
pub(crate) mod logout;
pub(crate) mod pair;
pub(crate) mod pause;
pub(crate) mod queue;
pub(crate) mod reconnect;
pub(crate) mod release;
pub(crate) mod restore;
pub(crate) mod resume;
pub(crate) mod retry;
pub(crate) mod send;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod takeover;
pub(crate) mod version;
pub(crate) mod why;

use std::io::{BufRead, IsTerminal, Write};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use serde_json::Value;

use crate::cli::Command;
use crate::failure::Failure;
use crate::out::Out;
use crate::render;
use tetherd_api::NoParams;
use tetherd_api::Signature;
use tetherd_api::client::{Client, ClientError};

/// Carries out a command that needs the daemon.
pub(crate) async fn dispatch(
    command: Command,
    client: &Client,
    sockets: &[PathBuf],
    out: &mut Out,
) -> Result<(), Failure> {
    match command {
        Command::Status => status::run(client, out).await,
        Command::Why { all } => why::run(all, client, out).await,
        Command::Send(args) => send::run(*args, client, sockets, out).await,
        Command::Show(args) => show::run(args, client, out).await,
        Command::Queue(args) => queue::run(args, client, out).await,
        Command::Clear(args) => clear::run(args, client, out).await,
        Command::Cancel(args) => cancel::run(args, client, out).await,
        Command::Restore(args) => restore::run(args, client, out).await,
        Command::Retry(args) => retry::run(args, client, out).await,
        Command::Check(args) => check::run(args, client, out).await,
        Command::Pause => pause::run(client, out).await,
        Command::Resume => resume::run(client, out).await,
        Command::Release => release::run(client, out).await,
        Command::Heartbeat(args) => heartbeat::run(args, client, out).await,
        Command::Pair { code } => pair::run(code, client, out).await,
        Command::Reconnect => reconnect::run(client, out).await,
        Command::Takeover => takeover::run(client, out).await,
        Command::Logout { yes } => logout::run(yes, client, out).await,
        Command::Events { after } => events::run(after, client, sockets, out).await,
        Command::Inbox(args) => inbox::run(args, client, out).await,
        // Carried out before there is a connection.
        Command::Version | Command::Doctor(_) | Command::Completions { .. } => Ok(()),
    }
}

/// Calls a method; answers the typed result, and the wire's own JSON for `--json`.
async fn ask<C: Signature>(
    client: &Client,
    method: C,
    params: &C::Params,
) -> Result<(C::Result, Value), Failure> {
    ask_with(client, method, params, &[]).await
}

/// As [`ask`], with descriptors.
async fn ask_with<C: Signature>(
    client: &Client,
    _: C,
    params: &C::Params,
    fds: &[BorrowedFd<'_>],
) -> Result<(C::Result, Value), Failure> {
    let params = serde_json::to_value(params).map_err(ClientError::Decode)?;
    let (wire, _none) = client.exchange(C::METHOD.name(), &params, fds).await?;
    let result = serde_json::from_value(wire.clone()).map_err(ClientError::Decode)?;
    Ok((result, wire))
}

/// Calls a method that answers the status, and tells it after `sentence`.
async fn command<C>(
    method: C,
    sentence: &str,
    client: &Client,
    out: &mut Out,
) -> Result<(), Failure>
where
    C: Signature<Params = NoParams, Result = tetherd_api::Status>,
{
    let (status, wire) = ask(client, method, &NoParams {}).await?;
    if out.json() {
        return out.json_line(&wire);
    }
    out.line(sentence)?;
    let clock = out.clock();
    out.text(&render::status(&status, &clock))
}

/// Asks on the terminal; `Err` if there is none, or the answer is not yes. `otherwise`
/// is what to do where nobody can be asked.
fn confirm(question: &str, otherwise: &'static str, out: &mut Out) -> Result<(), Failure> {
    let stdin = std::io::stdin();
    if out.json() || !stdin.is_terminal() {
        return Err(Failure::NeedsYes(otherwise));
    }
    out.flush()?;
    let mut stderr = std::io::stderr();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(Failure::No(String::from("nothing was changed")))
    }
}

/// How what was withdrawn comes back.
fn way_back(undo_until: Option<tetherd_api::Time>, clock: &render::Clock) -> String {
    match undo_until {
        Some(at) => format!(
            "`tetherctl restore` brings back what was withdrawn, until {}\n",
            clock.local(at)
        ),
        None => String::new(),
    }
}

/// `m1, m2, m3`.
fn ids(ids: &[tetherd_api::MessageId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The events that a command follows while its own call is under way.
///
/// They are read during the call too: an unread subscription would hold the reply back.
async fn call_while_reading<T>(
    call: impl Future<Output = Result<(T, Value), Failure>>,
    events: &mut tetherd_api::client::Events,
    mut seen: impl FnMut(tetherd_api::Event),
) -> Result<(T, Value), Failure> {
    tokio::pin!(call);
    loop {
        tokio::select! {
            // The reply first: what follows it is then left for the caller to read.
            biased;
            reply = &mut call => return reply,
            frame = events.next() => seen(frame?.event),
        }
    }
}
