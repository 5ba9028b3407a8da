//! The configuration: which file, whether it is right, and whether what it names is there.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::Group;

use crate::doctor::finding::{Finding, Topic};
use crate::doctor::machine::quoted;
use crate::doctor::target::Target;
use tetherd_api::Tier;
use tetherd_api::exit::ExitCode;
use tetherd_config::value::GroupRef;
use tetherd_config::{Config, ConfigError, Environment, Loaded};
use tetherd_state::{KeyFileError, read_key};

const ABOUT: Topic = Topic::Configuration;

/// What was found out.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The file that is read, or would be.
    pub(crate) file: Option<PathBuf>,
    pub(crate) seen: File,
    pub(crate) loaded: Result<Loaded, ConfigError>,
    pub(crate) groups: Vec<GroupSeen>,
    pub(crate) key: Option<Key>,
    pub(crate) target: Target,
    pub(crate) root: bool,
    /// Whether the service runs under a user that systemd makes up.
    pub(crate) dynamic_user: bool,
}

/// The file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    Missing,
    /// Not for the caller to read.
    Closed,
    Seen {
        mode: u32,
    },
}

/// A group that `[socket]` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupSeen {
    pub(crate) tier: Tier,
    pub(crate) name: String,
    /// None: there is no such group.
    pub(crate) gid: Option<u32>,
}

/// The key file that the configuration names.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) path: PathBuf,
    pub(crate) read: Result<(), KeyFileError>,
    pub(crate) mode: Option<u32>,
}

impl Facts {
    /// Reads the file and asks for what it names.
    pub(crate) fn gather(named: Option<&Path>, env: &Environment, target: &Target) -> Facts {
        let file = named.map(Path::to_path_buf).or_else(|| env.config_file().map(|found| found.0));
        let seen = match file.as_deref().map(std::fs::File::open) {
            Some(Ok(file)) => File::Seen { mode: file.metadata().map_or(0o644, |m| m.mode()) },
            Some(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => File::Closed,
            Some(Err(_)) | None => File::Missing,
        };
        let loaded = match seen {
            // What it says is not known: the defaults are the best guess.
            File::Closed => Config::from_text("", None, env),
            File::Missing | File::Seen { .. } => Config::load(named, env),
        };
        let config = loaded.as_ref().ok().map(|loaded| &loaded.config);
        let groups = config.map(groups).unwrap_or_default();
        let key = config.and_then(|config| config.state.key_file.as_deref()).map(|path| Key {
            path: path.to_path_buf(),
            read: read_key(path).map(drop),
            mode: std::fs::metadata(path).ok().map(|meta| meta.mode()),
        });
        let root = nix::unistd::geteuid().is_root();
        Facts { file, seen, loaded, groups, key, target: target.clone(), root, dynamic_user: false }
    }

    /// What is known of the values; none if the file cannot be used.
    pub(crate) fn config(&self) -> Option<&Config> {
        self.loaded.as_ref().ok().map(|loaded| &loaded.config)
    }

    /// Whether the values are the ones that the daemon would go by.
    pub(crate) fn is_known(&self) -> bool {
        self.seen != File::Closed && self.loaded.is_ok()
    }

    /// The groups that are there, by number and name.
    pub(crate) fn known_groups(&self) -> Vec<(u32, String)> {
        self.groups.iter().filter_map(|group| Some((group.gid?, group.name.clone()))).collect()
    }

    fn is_the_daemon_s_user(&self) -> bool {
        self.root || self.target == Target::User
    }
}

fn groups(config: &Config) -> Vec<GroupSeen> {
    let named = [
        (Tier::Read, &config.socket.group_read),
        (Tier::Send, &config.socket.group_send),
        (Tier::Admin, &config.socket.group_admin),
    ];
    let seen = |(tier, name): (Tier, &Option<String>)| {
        let name = name.clone()?;
        let gid = match GroupRef::from_text(&name) {
            GroupRef::Gid(gid) => Some(gid),
            GroupRef::Name(name) => {
                Group::from_name(&name).ok().flatten().map(|group| group.gid.as_raw())
            }
        };
        Some(GroupSeen { tier, name, gid })
    };
    named.into_iter().filter_map(seen).collect()
}

/// Where a socket is named, and the file that is found by itself has another.
pub(crate) fn unknown() -> Finding {
    let what = "Which configuration the daemon of this socket has is not known: not checked.";
    ABOUT.note("config_unknown", what).remedy("name it with --config")
}

/// What to say about it.
pub(crate) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![];
    let file = facts.file.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
    match (&facts.loaded, facts.seen) {
        (_, File::Closed) => return vec![closed(facts, &file)],
        (Err(error), _) => return errors(error),
        (Ok(loaded), _) => match (&loaded.file, facts.file.is_some()) {
            (Some(_), _) => findings.push(ABOUT.ok("config_ok", format!("{file} has no errors."))),
            (None, true) => findings.push(
                ABOUT.ok("config_default", format!("There is no {file}: the defaults hold.")),
            ),
            (None, false) => findings
                .push(ABOUT.ok("config_default", "There is no configuration: the defaults hold.")),
        },
    }
    findings.extend(access_to_file(facts, &file));
    if let Ok(loaded) = &facts.loaded {
        findings.extend(loaded.warnings.iter().map(|unwise| {
            let plain = tetherd_config::Problem { remedy: String::new(), ..unwise.clone() };
            ABOUT.warning("config_unwise", plain.to_string()).remedy(unwise.remedy.clone())
        }));
    }
    findings.extend(facts.groups.iter().filter(|group| group.gid.is_none()).map(|group| {
        let (tier, name) = (group.tier.name(), &group.name);
        let what = format!(
            "[socket] group_{tier} names {name}, and there is no such group: the daemon does not \
             start."
        );
        let remedy = format!("groupadd --system {name}");
        ABOUT.failure("group_missing", ExitCode::Config, what).remedy(remedy)
    }));
    findings.extend(facts.key.as_ref().and_then(|key| judge_key(key, facts)));
    findings
}

fn closed(facts: &Facts, file: &str) -> Finding {
    if facts.is_the_daemon_s_user() {
        let what = format!("{file} is not readable for this user, who is the daemon's.");
        return ABOUT
            .failure("config_unreadable", ExitCode::Config, what)
            .remedy(format!("make {file} readable"));
    }
    let what = format!("{file} is not for this user to read: what follows goes by the defaults.");
    ABOUT.note("config_not_checked", what).remedy("sudo tetherctl doctor")
}

fn errors(error: &ConfigError) -> Vec<Finding> {
    let findings = error.problems.iter().map(|problem| {
        let plain = tetherd_config::Problem { remedy: String::new(), ..problem.clone() };
        let finding = ABOUT.failure("config_error", ExitCode::Config, plain.to_string());
        if problem.remedy.is_empty() { finding } else { finding.remedy(problem.remedy.clone()) }
    });
    findings.collect()
}

fn access_to_file(facts: &Facts, file: &str) -> Option<Finding> {
    let File::Seen { mode } = facts.seen else { return None };
    let shell = facts.file.as_deref().map(quoted).unwrap_or_default();
    if mode & 0o022 != 0 {
        let what = format!("Others than its owner may change {file} (mode {:04o}).", mode & 0o7777);
        return Some(ABOUT.warning("config_writable", what).remedy(format!("chmod go-w {shell}")));
    }
    if facts.dynamic_user && mode & 0o004 == 0 {
        let what = format!(
            "The service's user, which systemd makes up, may not read {file} (mode {:04o}).",
            mode & 0o7777
        );
        return Some(
            ABOUT.warning("config_closed_to_service", what).remedy(format!("chmod o+r {shell}")),
        );
    }
    None
}

fn judge_key(key: &Key, facts: &Facts) -> Option<Finding> {
    match &key.read {
        Err(KeyFileError::Io { source, .. })
            if source.kind() == io::ErrorKind::PermissionDenied
                && !facts.is_the_daemon_s_user() =>
        {
            let what = "The key file is not for this user to read: not checked.";
            Some(ABOUT.note("key_not_checked", what).remedy("sudo tetherctl doctor"))
        }
        Err(error) => {
            let what = error.to_string().replacen("the", "The", 1);
            let what = format!("{what}: the daemon does not start.");
            let remedy = format!("head -c 32 /dev/urandom > {}", quoted(&key.path));
            let remedy = format!("put the key back; for a new pairing, {remedy}");
            Some(ABOUT.failure("key_unusable", ExitCode::Config, what).remedy(remedy))
        }
        Ok(()) if key.mode.is_some_and(|mode| mode & 0o077 != 0) => {
            let path = quoted(&key.path);
            let what = format!("Others than its owner may use the key file {path}.");
            Some(ABOUT.warning("key_open", what).remedy(format!("chmod 600 {path}")))
        }
        Ok(()) => Some(ABOUT.ok("key_ok", format!("The key file {} reads.", key.path.display()))),
    }
}
