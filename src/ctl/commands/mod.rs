//! The commands that need the daemon: the table of them, and what several share. Each performs
//! its call and prints the result; those of one call are in the table, the others in modules.

mod amend;
mod cancel;
mod check;
mod clear;
mod follow;
mod inbox;
pub(crate) mod metrics;
mod pair;
mod payload;
mod put_back;
mod queue;
mod send;
pub(crate) mod version;

use std::io::{BufRead, IsTerminal, Write};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use serde_json::Value;

use crate::cli::{Command, HeartbeatArgs, ShowArgs};
use crate::error::CommandError;
use crate::output::Output;
use crate::render::{self, Clock};
use crate::{explain, phone};
use tetherd_api::client::{Client, ClientError};
use tetherd_api::{
    GetParams, GroupListParams, HeartbeatParams, NoParams, ReadParams, ReadResult, Signature,
    Status, call,
};

/// Carries out a command that needs the daemon.
pub(crate) async fn dispatch(
    command: Command,
    client: &Client,
    sockets: &[PathBuf],
    out: &mut Output,
) -> Result<(), CommandError> {
    let none = NoParams {};
    match command {
        Command::Status => print(call::Status, &none, client, out, render::status).await,
        Command::Why { all } => {
            let text = |why: &_, clock: &_| explain::explanation(why, all, clock);
            print(call::Explain, &none, client, out, text).await
        }
        Command::Show(ShowArgs { id, key, wa_id }) => {
            let params = GetParams { id, wa_id, key: key.map(Into::into) };
            print(call::MessageGet, &params, client, out, render::message).await
        }
        Command::Groups { fresh } => {
            let params = GroupListParams { fresh };
            print(call::GroupList, &params, client, out, render::groups).await
        }
        Command::Heartbeat(args) => {
            print(call::PhoneHeartbeat, &heartbeat(args), client, out, phone::lines).await
        }
        Command::Pause => {
            let done = "paused: nothing leaves until `tetherctl resume`";
            command_of(call::QueuePause, done, client, out).await
        }
        Command::Resume => {
            let done = "resumed: messages leave again as pace and connection allow";
            command_of(call::QueueResume, done, client, out).await
        }
        Command::Release => {
            let done = "released: what waited leaves as pace and connection allow";
            command_of(call::QueueRelease, done, client, out).await
        }
        Command::Reconnect => {
            command_of(call::SessionReconnect, "trying to connect", client, out).await
        }
        Command::Takeover => {
            command_of(call::SessionTakeover, "taking the session back", client, out).await
        }
        Command::Logout { yes } => {
            if !yes {
                let question =
                    "Unlink this device from the phone? Sending needs a new pairing then.";
                confirm(question, "add --yes", out)?;
            }
            let done = "logged out: pair again with `tetherctl pair`";
            command_of(call::SessionLogout, done, client, out).await
        }
        Command::React(args) => amend::react(args, client, out).await,
        Command::Edit(args) => amend::edit(args, client, out).await,
        Command::Revoke(args) => amend::revoke(args, client, out).await,
        Command::Read { cursors } => {
            let text = |done: &ReadResult, _: &Clock| {
                format!("{} marked as read\n", render::messages(done.read))
            };
            print(call::MessageRead, &ReadParams { cursors }, client, out, text).await
        }
        Command::Send(args) => send::run(*args, client, sockets, out).await,
        Command::Queue(args) => queue::run(args, client, out).await,
        Command::Clear(args) => clear::run(args, client, out).await,
        Command::Cancel(args) => cancel::run(args, client, out).await,
        Command::Restore(args) => put_back::restore(args, client, out).await,
        Command::Retry(args) => put_back::retry(args, client, out).await,
        Command::Check(args) => check::run(args, client, out).await,
        Command::Pair(args) => pair::run(args, client, out).await,
        Command::Events { after } => follow::events(after, client, sockets, out).await,
        Command::Inbox(args) => inbox::run(args, client, out).await,
        // Carried out before there is a connection.
        Command::Version
        | Command::Top
        | Command::Metrics { .. }
        | Command::Doctor(_)
        | Command::Completions { .. } => Ok(()),
    }
}

fn heartbeat(args: HeartbeatArgs) -> HeartbeatParams {
    let HeartbeatArgs { battery, charging, not_charging, network, at, source } = args;
    HeartbeatParams {
        battery_percent: battery,
        charging: (charging || not_charging).then_some(charging),
        network,
        at,
        source,
    }
}

/// One call, and its result as text.
async fn print<C: Signature>(
    method: C,
    params: &C::Params,
    client: &Client,
    out: &mut Output,
    text: impl FnOnce(&C::Result, &Clock) -> String,
) -> Result<(), CommandError> {
    let (result, wire) = ask(client, method, params).await?;
    if out.json() {
        return out.json_line(&wire);
    }
    let clock = out.clock();
    out.text(&text(&result, &clock))
}

/// A command that answers the status, which is printed after what was `done`.
async fn command_of<C>(
    method: C,
    done: &str,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError>
where
    C: Signature<Params = NoParams, Result = Status>,
{
    let text =
        |status: &Status, clock: &Clock| format!("{done}\n{}", render::status(status, clock));
    print(method, &NoParams {}, client, out, text).await
}

/// Calls a method; answers the typed result, and the wire's own JSON for `--json`.
async fn ask<C: Signature>(
    client: &Client,
    method: C,
    params: &C::Params,
) -> Result<(C::Result, Value), CommandError> {
    ask_with(client, method, params, &[]).await
}

/// As [`ask`], with descriptors.
async fn ask_with<C: Signature>(
    client: &Client,
    _: C,
    params: &C::Params,
    fds: &[BorrowedFd<'_>],
) -> Result<(C::Result, Value), CommandError> {
    let params = serde_json::to_value(params).map_err(ClientError::Decode)?;
    let (wire, _none) = client.exchange(C::METHOD.name(), &params, fds).await?;
    let result = serde_json::from_value(wire.clone()).map_err(ClientError::Decode)?;
    Ok((result, wire))
}

/// Asks on the terminal; `Err` if there is none, or the answer is not yes. `otherwise`
/// is what to do where nobody can be asked.
fn confirm(question: &str, otherwise: &'static str, out: &mut Output) -> Result<(), CommandError> {
    let stdin = std::io::stdin();
    if out.json() || !stdin.is_terminal() {
        return Err(CommandError::NeedsYes(otherwise));
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
        Err(CommandError::No(String::from("nothing was changed")))
    }
}

/// How what was withdrawn comes back.
fn way_back(undo_until: Option<tetherd_api::Time>, clock: &Clock) -> String {
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
    call: impl Future<Output = Result<(T, Value), CommandError>>,
    events: &mut tetherd_api::client::Events,
    mut seen: impl FnMut(tetherd_api::Event),
) -> Result<(T, Value), CommandError> {
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
