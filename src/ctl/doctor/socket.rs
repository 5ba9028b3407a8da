//! The sockets: which are there, whose, and whether somebody listens and answers.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::doctor::finding::{Finding, Topic};
use crate::doctor::machine::quoted;
use crate::doctor::target::{Rule, Target};
use tetherd_api::client::knock;
use tetherd_api::exit::ExitCode;

const ABOUT: Topic = Topic::Socket;

/// One socket, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) path: PathBuf,
    pub(crate) rule: Rule,
    pub(crate) file: File,
    pub(crate) knock: Knock,
}

/// What is at the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    Missing,
    /// A folder on the way is closed to the caller.
    Closed,
    Socket {
        mode: u32,
        uid: u32,
        gid: u32,
    },
    Other,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knock {
    Listens,
    Nobody,
    Denied,
    Failed(Errno),
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// In the order in which `tetherctl` tries them.
    pub(crate) seen: Vec<Seen>,
    pub(crate) target: Target,
    /// Where the configuration has it, if that is known.
    pub(crate) configured: Option<PathBuf>,
    /// The groups that may use it, by number and name.
    pub(crate) groups: Vec<(u32, String)>,
    /// Whether systemd knows the units.
    pub(crate) installed: bool,
    /// What the one that listens said to the first question; none: it was not asked.
    pub(crate) answer: Option<Answer>,
}

/// Whether the daemon speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    /// Not in this many seconds.
    Late(u64),
    /// It ended the connection, or its words are not the contract's.
    Garbled(String),
    /// It takes no more calls.
    Busy(String),
}

impl Seen {
    /// Looks at a path, and knocks.
    pub(crate) fn at(path: &Path, rule: Rule) -> Seen {
        let file = match std::fs::metadata(path) {
            Ok(meta) if meta.file_type().is_socket() => {
                File::Socket { mode: meta.mode() & 0o777, uid: meta.uid(), gid: meta.gid() }
            }
            Ok(_) => File::Other,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => File::Closed,
            Err(_) => File::Missing,
        };
        let knock = match knock(path) {
            // A full backlog is somebody who listens, too.
            Ok(()) | Err(Errno::EAGAIN) => Knock::Listens,
            Err(Errno::ECONNREFUSED | Errno::ENOENT | Errno::ENOTDIR) => Knock::Nobody,
            Err(Errno::EACCES | Errno::EPERM) => Knock::Denied,
            Err(errno) => Knock::Failed(errno),
        };
        Seen { path: path.to_path_buf(), rule, file, knock }
    }
}

impl Facts {
    /// The user whose socket the chosen one is.
    pub(crate) fn owner(&self) -> Option<u32> {
        match self.chosen()?.file {
            File::Socket { uid, .. } => Some(uid),
            File::Missing | File::Closed | File::Other => None,
        }
    }

    /// The one that `tetherctl` would speak to, or the configured one if that listens.
    pub(crate) fn chosen(&self) -> Option<&Seen> {
        self.seen.iter().find(|seen| seen.knock != Knock::Nobody)
    }
}

/// What to say about it.
pub(crate) fn judge(facts: &Facts) -> Vec<Finding> {
    let Some(seen) = facts.chosen() else { return vec![nobody(facts)] };
    let path = seen.path.display();
    let mut findings = match seen.knock {
        Knock::Nobody => Vec::new(),
        Knock::Denied => vec![denied(seen)],
        Knock::Failed(errno) => {
            let what = format!("{path} cannot be connected to: {}.", errno.desc());
            let finding = ABOUT.failure("socket_failed", ExitCode::Unavailable, what);
            vec![finding.remedy("put right what the system names; ls -l shows what is there")]
        }
        Knock::Listens => vec![listens(facts, seen)],
    };
    if let File::Socket { mode, gid, .. } = seen.file
        && let Some((_, outside)) = facts.groups.iter().find(|group| !lets_in(mode, gid, group.0))
    {
        let what = format!(
            "Members of the group {outside} may use the daemon, and {path} (mode {mode:04o}) does \
             not let them in."
        );
        findings.push(ABOUT.warning("socket_closed_to_group", what).remedy(facts.target.restart()));
    }
    let elsewhere = matches!(seen.rule, Rule::Configured) && facts.seen.len() > 1;
    if elsewhere {
        let what =
            format!("The configuration has the socket at {path}, where tetherctl does not look.");
        let remedy = format!("export TETHERD_SOCKET={}", quoted(&seen.path));
        findings.push(ABOUT.warning("socket_elsewhere", what).remedy(remedy));
    }
    if let Some(configured) = &facts.configured
        && seen.knock == Knock::Listens
        && !elsewhere
        && *configured != seen.path
    {
        let what = format!(
            "The configuration has the socket at {}; this one is another's, or systemd's.",
            configured.display()
        );
        findings.push(ABOUT.note("socket_not_configured", what));
    }
    let others = facts.seen.iter().filter(|other| {
        other.path != seen.path && other.knock == Knock::Listens && other.rule != Rule::Configured
    });
    findings.extend(others.map(|other| {
        let shell = quoted(&other.path);
        let other = other.path.display();
        let what = format!("Another daemon listens at {other}; tetherctl speaks to {path}.");
        ABOUT.note("two_daemons", what).remedy(format!("tetherctl --socket {shell} doctor"))
    }));
    findings
}

fn listens(facts: &Facts, seen: &Seen) -> Finding {
    let path = seen.path.display();
    let how = match seen.rule {
        Rule::Named => "as named".to_owned(),
        Rule::Configured => "as configured".to_owned(),
        Rule::User | Rule::System => facts.target.named(),
    };
    let log = match facts.target.unit() {
        Some(unit) if facts.installed => format!("journalctl -u {unit}.service -n 50"),
        Some(_) | None => "look at the daemon's log, and start it again".to_owned(),
    };
    match &facts.answer {
        Some(Answer::Yes) => ABOUT.ok("socket_ok", format!("A daemon answers at {path} ({how}).")),
        None => ABOUT.ok("socket_ok", format!("Somebody listens at {path} ({how}).")),
        Some(Answer::Late(seconds)) => {
            let what = format!("{path} takes connections, and no answer comes within {seconds} s.");
            ABOUT.failure("socket_silent", ExitCode::IoErr, what).remedy(log)
        }
        Some(Answer::Garbled(what)) => {
            let what = format!("What listens at {path} does not answer as a daemon: {what}.");
            ABOUT.failure("socket_foreign", ExitCode::Protocol, what).remedy(log)
        }
        Some(Answer::Busy(what)) => {
            let what = format!("The daemon at {path} takes no calls now: {what}.");
            ABOUT.failure("socket_busy", ExitCode::TempFail, what).remedy("try again")
        }
    }
}

fn lets_in(mode: u32, owner: u32, group: u32) -> bool {
    mode & 0o006 == 0o006 || (owner == group && mode & 0o060 == 0o060)
}

fn start(facts: &Facts) -> String {
    match facts.target.unit() {
        Some(unit) if facts.installed => format!("systemctl enable --now {unit}.socket"),
        Some(_) | None => "start `tetherd`, or name its socket with --socket".to_owned(),
    }
}

/// None of them has anybody behind it.
fn nobody(facts: &Facts) -> Finding {
    let paths: Vec<String> =
        facts.seen.iter().map(|seen| seen.path.display().to_string()).collect();
    let at = |file: fn(File) -> bool| facts.seen.iter().find(|seen| file(seen.file));
    if let Some(other) = at(|file| file == File::Other) {
        let (path, shell) = (other.path.display(), quoted(&other.path));
        let what = format!("{path} is there and is no socket: the daemon does not start.");
        return ABOUT
            .failure("socket_not_a_socket", ExitCode::Unavailable, what)
            .remedy(format!("mv {shell} {shell}.old"));
    }
    if let Some(stale) = at(|file| matches!(file, File::Socket { .. })) {
        let path = stale.path.display();
        let what = format!("Nobody listens at {path}: its daemon ended without removing it.");
        return ABOUT.failure("socket_stale", ExitCode::Unavailable, what).remedy(start(facts));
    }
    let what = if paths.is_empty() {
        "No daemon: no place for a socket is known (XDG_RUNTIME_DIR is not set).".to_owned()
    } else {
        format!("No daemon: there is no socket at {}.", paths.join(" or "))
    };
    ABOUT.failure("no_daemon", ExitCode::Unavailable, what).remedy(start(facts))
}

fn denied(seen: &Seen) -> Finding {
    let path = seen.path.display();
    let what = match seen.file {
        File::Socket { mode, .. } => {
            format!("This user may not connect to {path} (mode {mode:04o}).")
        }
        File::Closed | File::Missing | File::Other => {
            format!("A folder on the way to {path} is closed to this user.")
        }
    };
    let remedy = "be made a member of a group that [socket] names, or be the daemon's user";
    ABOUT.failure("socket_denied", ExitCode::NoPerm, what).remedy(remedy)
}
