//! `tetherctl doctor`: what an administrator would look at, each with its remedy.
//!
//! Each module gathers its facts from the machine, and judges them in a pure function. Beyond the socket, which the rest of
//! `tetherctl` keeps to, it reads the configuration, looks at the state directory from
//! outside, and goes the session's way as far as TLS. It changes nothing, takes no lock,
//! and never opens the store. Everything that may hang has a limit.

mod access;
mod clock;
mod configuration;
mod contact;
mod daemon;
mod finding;
mod machine;
mod network;
mod service;
mod socket;
mod state;
mod target;
#[cfg(test)]
mod tests;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::CommandError;
use crate::output::Output;
use tetherd_api::exit::ExitCode;
use tetherd_config::{Config, Environment};

use contact::Contact;
use finding::{Finding, Topic};
use socket::{Knock, Seen};
use target::{Asked, Target};

/// How long the machine, the service manager, and each of the daemon's answers may take.
const LIMIT: Duration = Duration::from_secs(5);
/// The process that listens for a daemon that systemd starts.
const SYSTEMD_PID: i32 = 1;

/// `doctor`.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Look at the daemon of this configuration file, and at the socket that it names.
    ///
    /// Without it, as the daemon: $TETHERD_CONFIG, else /etc/tetherd/tetherd.toml for the
    /// system's daemon and ~/.config/tetherd/tetherd.toml for this user's.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Do not try the way to the server (name, TCP, TLS).
    #[arg(long)]
    pub offline: bool,
}

/// Below the help of `doctor`.
pub(crate) const HELP: &str = "\
Findings are ok, note (nothing has to be done, or it was not checked), warning (it works, \
but somebody should do something) and failure (it does not work), and those that need it \
end with what to do. Nothing is changed, and nothing is sent to the network's server but a \
TLS handshake. As root it sees more.

Ends with 0 if nothing is worse than a note, with 1 for warnings, and for failures with the \
code of the first: 65 a damaged store, 69 no daemon, or no way to the server, 74 a full \
disk, or no answer, 75 a busy daemon, 76 versions, 77 not allowed, 78 configuration or clock.

With --json: a finding a line, {\"id\",\"severity\",\"topic\",\"what\",\"remedy\"}. The ids \
are stable.";

/// Examines, prints the findings, and ends as they say.
pub(crate) async fn run(
    args: DoctorArgs,
    socket: Option<PathBuf>,
    env: &Environment,
    out: &mut Output,
) -> Result<(), CommandError> {
    let asked = Asked { socket: socket.as_deref(), config: args.config.as_deref() };
    let Examined { mut findings, config, is_daemons } = examine(asked, env).await;
    print(&findings, out)?;
    // The network may take a while: the rest is printed first.
    let network = match config {
        Some(config) if !args.offline => {
            let way = network::gather(&config, network::STEP_LIMIT).await;
            network::judge(&way, is_daemons)
        }
        Some(_) => vec![network::skipped("--offline")],
        None => vec![network::skipped("the configuration is not known")],
    };
    let network: Vec<Finding> = network.into_iter().map(|found| asked.again(found)).collect();
    print(&network, out)?;
    findings.extend(network);
    if !out.json() {
        out.line(&format!("\n{}", finding::summary(&findings)))?;
    }
    let code = finding::exit(&findings);
    if code == ExitCode::Ok { Ok(()) } else { Err(CommandError::Diagnosed(code)) }
}

fn print(findings: &[Finding], out: &mut Output) -> Result<(), CommandError> {
    let clock = out.clock();
    for finding in findings {
        if out.json() {
            out.json_line(finding)?;
        } else {
            out.text(&finding.text(&clock))?;
        }
    }
    out.flush()
}

/// Everything but the network, by topic; and what the network is tried with.
struct Examined {
    findings: Vec<Finding>,
    config: Option<Config>,
    /// Whether the caller reads what the daemon reads.
    is_daemons: bool,
}

async fn examine(asked: Asked<'_>, env: &Environment) -> Examined {
    let listens = |path: &Path| Seen::at(path, target::Rule::User).knock != Knock::Nobody;
    let target = target::resolve(asked, env, listens, Path::exists);
    let env = target::environment(&target, env);
    // Before anybody knocks: a knock starts a service that waits for one.
    let service = service::Facts::gather(&target, LIMIT).await;
    let installed = service.as_ref().is_some_and(service::Facts::is_installed);

    let mut configured = configuration::Facts::gather(asked.config, &env, &target);
    configured.dynamic_user = service.as_ref().is_some_and(|facts| facts.service.dynamic_user);
    let is_named = asked.config.is_some() || env.config.is_some();
    let by_hand = asked.socket.filter(|_| target == Target::User && !is_named);
    let its_own = |config: &&Config| by_hand.is_none_or(|path| path == config.socket.path);
    let config = configured.config().filter(its_own).cloned();
    let known = config.as_ref().filter(|_| configured.is_known());

    let path = config.as_ref().map(|config| config.socket.path.as_path());
    let seen = target::sockets(asked, &env, &target, path);
    let mut socket = socket::Facts {
        seen: seen.iter().map(|(path, rule)| Seen::at(path, *rule)).collect(),
        target: target.clone(),
        configured: known.map(|config| config.socket.path.clone()),
        groups: known.map(|_| configured.known_groups()).unwrap_or_default(),
        installed,
        answer: None,
    };
    let listening = socket.chosen().filter(|seen| seen.knock == Knock::Listens);
    let contact = match listening.map(|seen| seen.path.clone()) {
        Some(path) => Contact::make(&path, LIMIT).await,
        None => None,
    };
    socket.answer = contact.as_ref().map(|contact| contact.answer.clone());

    let daemon = process(contact.as_ref(), service.as_ref());
    // Who started it by hand owns its socket, too.
    let owner = socket.owner().filter(|_| target == Target::User);
    let daemon_uid = user(contact.as_ref(), daemon).or(owner);
    let mut findings = match &config {
        None if configured.loaded.is_ok() => vec![configuration::unknown()],
        Some(_) | None => configuration::judge(&configured),
    };
    if let Some(config) = &config {
        let mut facts = state::Facts::gather(config, &target, LIMIT).await;
        facts.installed = installed;
        facts.daemon = daemon;
        facts.daemon_uid = facts.holder().and_then(user_of).or(daemon_uid);
        findings.extend(state::judge(&facts));
    } else {
        let what = "Not checked: the configuration is not known.";
        findings.push(Topic::State.note("state_not_checked", what));
    }
    findings.extend(service::judge(service.as_ref()));
    findings.extend(socket::judge(&socket));

    let mut access = access::Facts::gather(&target);
    access.configured = known.map(|_| configured.groups.clone());
    let would_be = (target == Target::User).then_some(access.uid);
    access.daemon_uid = daemon_uid.or(would_be);
    access.granted = contact
        .as_ref()
        .filter(|contact| contact.answer == socket::Answer::Yes)
        .map(|contact| contact.tier);
    findings.extend(access::judge(&access));
    if let Some(contact) = &contact {
        let own = daemon::Own::this();
        findings.extend(daemon::judge_version(&own, contact, is_replaced(daemon), &target));
        findings.extend(daemon::judge_messages(contact, &target));
    }
    findings.push(clock::judge(clock::Facts::gather()));
    findings.sort_by_key(|finding| finding.topic);
    let is_daemons = access.uid == 0 || access.daemon_uid == Some(access.uid);
    let findings = findings.into_iter().map(|found| asked.again(found)).collect();
    Examined { findings, config, is_daemons }
}

/// Which process the daemon is that answers. Where systemd listens, systemd knows.
fn process(contact: Option<&Contact>, service: Option<&service::Facts>) -> state::Daemon {
    let Some(contact) = contact else { return state::Daemon::Silent };
    let pid = match contact.peer.and_then(|peer| peer.pid) {
        Some(SYSTEMD_PID) => service.and_then(|facts| facts.service.pid),
        pid => pid,
    };
    pid.map_or(state::Daemon::Somebody, state::Daemon::Process)
}

/// Target process the daemon is that answers.
fn user(contact: Option<&Contact>, daemon: state::Daemon) -> Option<u32> {
    let peer = contact?.peer?;
    match daemon {
        state::Daemon::Process(pid) => user_of(pid),
        state::Daemon::Somebody if peer.pid != Some(SYSTEMD_PID) => Some(peer.uid),
        state::Daemon::Somebody | state::Daemon::Silent => None,
    }
}

fn user_of(pid: i32) -> Option<u32> {
    std::fs::metadata(format!("/proc/{pid}")).ok().map(|meta| meta.uid())
}

/// Whether its program's file is gone, as after an upgrade. For root, and for one's own.
fn is_replaced(daemon: state::Daemon) -> bool {
    let state::Daemon::Process(pid) = daemon else { return false };
    let program = std::fs::read_link(format!("/proc/{pid}/exe"));
    program.is_ok_and(|path| path.to_string_lossy().ends_with(" (deleted)"))
}
