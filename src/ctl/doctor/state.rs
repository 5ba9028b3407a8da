//! The state directory, from outside: whose it is, who uses it, and whether there is room.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::doctor::finding::{Finding, Topic};
use crate::doctor::machine::{quoted, with_limit};
use crate::doctor::target::Target;
use tetherd_api::exit::ExitCode;
use tetherd_config::Config;
use tetherd_state::inspect::{Filesystem, Format, Holder, Inside, Inspection};
use tetherd_state::{DISK_FREE_MIN, SPOOL};

const ABOUT: Topic = Topic::State;
/// Files of messages that are counted; beyond, the rest is taken for nothing.
const FILES_MAX: usize = 10_000;

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) dir: PathBuf,
    pub(crate) inspection: Seen,
    /// Room that messages' files may still take, by the quota.
    pub(crate) quota_left: u64,
    pub(crate) caller: u32,
    pub(crate) target: Target,
    /// Whether systemd starts the daemon, and gives it the directory.
    pub(crate) installed: bool,
    /// The user of the process that holds the lock, or that listens.
    pub(crate) daemon_uid: Option<u32>,
    pub(crate) daemon: Daemon,
}

/// The directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Missing,
    /// A folder on the way is closed to the caller.
    Closed,
    /// The disk does not answer, or with an error.
    Failed(String),
    There(Inspection),
}

/// The daemon that answers on the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Daemon {
    /// There is none.
    Silent,
    /// This process.
    Process(i32),
    /// Somebody whose process is not known.
    Somebody,
}

impl Facts {
    /// Looks at the directory of this configuration.
    pub(crate) async fn gather(config: &Config, target: &Target, limit: Duration) -> Facts {
        let dir = config.state.dir.clone();
        let at = dir.clone();
        let seen = with_limit(limit, move || (Inspection::of(&at), spooled(&at))).await;
        let (inspection, spooled) = match seen {
            Some((Ok(inspection), spooled)) => (Seen::There(inspection), spooled),
            Some((Err(error), _)) => (unseen(&error), 0),
            None => (Seen::Failed(format!("no answer within {} s", limit.as_secs())), 0),
        };
        Facts {
            dir,
            inspection,
            quota_left: config.files.quota.saturating_sub(spooled),
            caller: nix::unistd::geteuid().as_raw(),
            target: target.clone(),
            installed: false,
            daemon_uid: None,
            daemon: Daemon::Silent,
        }
    }

    /// Who holds the lock, where that is known.
    pub(crate) fn holder(&self) -> Option<i32> {
        match self.inside()?.holder {
            Holder::Process(pid) => Some(pid),
            Holder::Nobody | Holder::Unknown => None,
        }
    }

    fn inside(&self) -> Option<&Inside> {
        match &self.inspection {
            Seen::There(inspection) => inspection.inside.as_ref(),
            Seen::Missing | Seen::Closed | Seen::Failed(_) => None,
        }
    }
}

fn unseen(error: &io::Error) -> Seen {
    if error.kind() == io::ErrorKind::NotFound {
        Seen::Missing
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        Seen::Closed
    } else {
        Seen::Failed(error.to_string())
    }
}

fn spooled(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir.join(SPOOL)).into_iter().flatten().flatten();
    entries.take(FILES_MAX).filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}

/// What to say about it.
pub(crate) fn judge(facts: &Facts) -> Vec<Finding> {
    let dir = facts.dir.display();
    let inspection = match &facts.inspection {
        Seen::There(inspection) => inspection,
        Seen::Missing if facts.daemon == Daemon::Silent => {
            let what = format!("There is no {dir} yet: the daemon makes it when it first starts.");
            return vec![ABOUT.note("state_missing", what)];
        }
        Seen::Missing => return vec![elsewhere(facts)],
        Seen::Closed => return vec![not_checked(facts)],
        Seen::Failed(why) => {
            let what = format!("{dir} cannot be looked at: {why}.");
            let finding = ABOUT.failure("state_failed", ExitCode::IoErr, what);
            return vec![finding.remedy("look at the disk; the kernel's log names its errors")];
        }
    };
    if !inspection.is_directory {
        let what = format!("{dir} is not a directory: the daemon does not start.");
        return vec![
            ABOUT
                .failure("state_not_a_directory", ExitCode::Config, what)
                .remedy(format!("mv {0} {0}.old", quoted(&facts.dir))),
        ];
    }
    let mut findings = Vec::new();
    findings.extend(owner(facts, inspection));
    findings.extend(mode(facts, inspection));
    if findings.is_empty() {
        let what = format!("{dir} belongs to the daemon alone.");
        findings.push(ABOUT.ok("state_ok", what));
    }
    findings.extend(filesystem(facts, inspection));
    findings.push(room(facts, inspection));
    match &inspection.inside {
        Some(inside) => findings.extend(contents(facts, inside)),
        None => findings.push(not_checked(facts)),
    }
    findings
}

fn not_checked(facts: &Facts) -> Finding {
    let dir = facts.dir.display();
    let what = format!("{dir} is closed to this user, as it should be: not checked.");
    ABOUT.note("state_not_checked", what).remedy("sudo tetherctl doctor")
}

fn elsewhere(facts: &Facts) -> Finding {
    let what = format!(
        "The daemon that answers does not use {}: it has another configuration.",
        facts.dir.display()
    );
    ABOUT.warning("state_elsewhere", what).remedy("name its configuration with --config")
}

fn owner(facts: &Facts, inspection: &Inspection) -> Option<Finding> {
    // While a daemon runs, its user is right; systemd gives the directory to its own.
    let right = match (facts.daemon_uid, &facts.target) {
        (Some(uid), _) => uid,
        (None, Target::User) => facts.caller,
        (None, Target::System | Target::Instance(_)) if !facts.installed => 0,
        (None, Target::System | Target::Instance(_)) => return None,
    };
    if inspection.owner == right {
        return None;
    }
    let (dir, owner) = (facts.dir.display(), inspection.owner);
    let what = format!("{dir} belongs to user {owner}, and the daemon is user {right}.");
    // The slash: it may be a link.
    let remedy = format!("chown -R {right} {}/", quoted(&facts.dir));
    Some(ABOUT.failure("state_owner", ExitCode::NoPerm, what).remedy(remedy))
}

fn mode(facts: &Facts, inspection: &Inspection) -> Option<Finding> {
    if inspection.mode & 0o077 == 0 {
        return None;
    }
    let (dir, mode) = (facts.dir.display(), inspection.mode);
    let what = format!("{dir} is open to others (mode {mode:04o}): the daemon does not start.");
    let remedy = format!("chmod 700 {}", quoted(&facts.dir));
    Some(ABOUT.failure("state_open", ExitCode::NoPerm, what).remedy(remedy))
}

fn filesystem(facts: &Facts, inspection: &Inspection) -> Option<Finding> {
    let dir = facts.dir.display();
    let remedy = "move it to a disk of this machine, while the daemon is down";
    match inspection.filesystem {
        Filesystem::Disk => None,
        Filesystem::Network(name) => {
            let what = format!("{dir} lies on {name}: locks and syncs are not to be relied on.");
            Some(ABOUT.warning("state_on_network", what).remedy(remedy))
        }
        Filesystem::Fuse => {
            let what = format!("{dir} lies on FUSE: what a sync is worth there is not known.");
            Some(ABOUT.warning("state_on_fuse", what).remedy(remedy))
        }
        Filesystem::Memory => {
            let what = format!("{dir} lies in memory: the queue and the pairing end with it.");
            Some(ABOUT.warning("state_in_memory", what).remedy(remedy))
        }
        Filesystem::Overlay => {
            let what =
                format!("{dir} lies on an overlay: if it is a container's, it goes with it.");
            Some(ABOUT.note("state_on_overlay", what).remedy("put it on a volume"))
        }
    }
}

fn room(facts: &Facts, inspection: &Inspection) -> Finding {
    let dir = facts.dir.display();
    let free = mebibytes(inspection.free_bytes);
    let remedy = "make room on that disk";
    if inspection.too_full_to_start || !inspection.takes_files {
        let what = format!("The disk of {dir} is full: the daemon cannot work on it.");
        return ABOUT.failure("state_disk_full", ExitCode::IoErr, what).remedy(remedy);
    }
    if inspection.free_bytes < DISK_FREE_MIN {
        let what = format!("The disk of {dir} is nearly full ({free}): no more files are taken.");
        return ABOUT.warning("disk_nearly_full", what).remedy(remedy);
    }
    if inspection.free_bytes < facts.quota_left.saturating_add(DISK_FREE_MIN) {
        let quota = mebibytes(facts.quota_left);
        let what = format!(
            "The disk of {dir} has {free} free, less than the {quota} that files may still take."
        );
        return ABOUT
            .note("disk_below_quota", what)
            .remedy("lower quota under [files], so that it is refused and not run out of");
    }
    ABOUT.ok("disk_ok", format!("The disk of {dir} has {free} free."))
}

fn mebibytes(bytes: u64) -> String {
    let mebibytes = bytes >> 20;
    if mebibytes >= 10 << 10 {
        format!("{} GiB", mebibytes >> 10)
    } else {
        format!("{mebibytes} MiB")
    }
}

fn contents(facts: &Facts, inside: &Inside) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(format(facts, inside));
    findings.extend(lock(facts, inside));
    let dir = facts.dir.display();
    if inside.holder == Holder::Nobody && (inside.copy || inside.half_made) {
        let what =
            format!("A start or a repair was cut off in {dir}; the next start puts it right.");
        findings.push(ABOUT.note("state_leftovers", what));
    }
    if inside.blobs {
        let what = format!("{dir}/store/blobs is not empty: a power cut may cost what is in it.");
        let remedy = "back the directory up while the daemon is down, and report it as a bug";
        findings.push(ABOUT.warning("store_blobs", what).remedy(remedy));
    }
    findings
}

fn format(facts: &Facts, inside: &Inside) -> Option<Finding> {
    let dir = facts.dir.display();
    match inside.format {
        Format::None => None,
        Format::Known(format) => {
            Some(ABOUT.ok("store_format", format!("The store has format {format}, which fits.")))
        }
        Format::Newer(format) => {
            let what = format!("The store in {dir} has format {format}, a newer program's.");
            let remedy = "install the newer tetherd again";
            Some(ABOUT.failure("store_newer", ExitCode::Protocol, what).remedy(remedy))
        }
        Format::Garbled => {
            let what = format!("The store in {dir} is damaged: its file format is not a number.");
            let remedy = "restore a backup of the state directory";
            Some(ABOUT.failure("store_damaged", ExitCode::DataErr, what).remedy(remedy))
        }
        Format::Unknown => None,
    }
}

fn lock(facts: &Facts, inside: &Inside) -> Option<Finding> {
    let dir = facts.dir.display();
    match (inside.holder, facts.daemon) {
        (Holder::Unknown, _) => None,
        (Holder::Nobody, Daemon::Silent) => {
            Some(ABOUT.ok("state_unused", format!("No daemon uses {dir} now.")))
        }
        (Holder::Nobody, Daemon::Process(_)) => Some(elsewhere(facts)),
        // It may be in a namespace whose locks we do not see.
        (Holder::Nobody, Daemon::Somebody) => None,
        (Holder::Process(pid), Daemon::Process(daemon)) if pid == daemon => {
            Some(ABOUT.ok(
                "state_locked",
                format!("Process {pid} holds {dir}, and listens on the socket."),
            ))
        }
        (Holder::Process(pid), Daemon::Process(daemon)) => {
            let what = format!("Process {pid} holds {dir}, and process {daemon} answers.");
            let remedy = "one of them has another configuration: name it with --config";
            Some(ABOUT.warning("state_elsewhere", what).remedy(remedy))
        }
        (Holder::Process(pid), Daemon::Somebody) => {
            Some(ABOUT.ok("state_locked", format!("Process {pid} holds {dir}.")))
        }
        (Holder::Process(pid), Daemon::Silent) => {
            let what = format!("Process {pid} holds {dir}, and nobody answers on the socket.");
            let remedy =
                format!("it starts, hangs, or listens elsewhere: see its log, or kill {pid}");
            Some(ABOUT.warning("state_held", what).remedy(remedy))
        }
    }
}
