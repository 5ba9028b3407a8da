//! Target daemon is looked at: a system service's, an instance's, or the user's own; and by
//! which configuration and sockets. Decides from what it is given.

use std::path::{Path, PathBuf};

use crate::doctor::finding::Finding;
use crate::doctor::machine::quoted;
use tetherd_config::Environment;
use tetherd_config::paths::{SYSTEM_CONFIG, SYSTEM_SOCKET, SYSTEM_STATE_DIR};

/// Target daemon it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `tetherd.service`, or root's.
    System,
    /// `tetherd@NAME.service`.
    Instance(String),
    /// The caller's own, or one that was started by hand.
    User,
}

impl Target {
    /// The units' names, without `.service` and `.socket`.
    pub(crate) fn unit(&self) -> Option<String> {
        match self {
            Target::System => Some("tetherd".to_owned()),
            Target::Instance(name) => Some(format!("tetherd@{name}")),
            Target::User => None,
        }
    }

    /// What starts it again.
    pub(crate) fn restart(&self) -> String {
        match self.unit() {
            Some(unit) => format!("systemctl restart {unit}.service"),
            None => "end `tetherd` and start it again".to_owned(),
        }
    }

    /// As it reads in a sentence.
    pub(crate) fn named(&self) -> String {
        match self {
            Target::System => "the system's".to_owned(),
            Target::Instance(name) => format!("the instance {name}'s"),
            Target::User => "one's own".to_owned(),
        }
    }

    /// The instance that a socket of this path belongs to, as the units lay it out.
    pub(crate) fn of_socket(path: &Path) -> Option<Target> {
        if path == Path::new(SYSTEM_SOCKET) {
            return Some(Target::System);
        }
        let folder = path.strip_prefix("/run").ok()?.parent()?;
        instance(folder.to_str()?.strip_prefix("tetherd-")?)
    }

    fn of_config(path: &Path) -> Option<Target> {
        let name = path.strip_prefix("/etc/tetherd").ok()?.to_str()?.strip_suffix(".toml")?;
        if name == "tetherd" { Some(Target::System) } else { instance(name) }
    }
}

fn instance(name: &str) -> Option<Target> {
    (!name.is_empty() && !name.contains('/')).then(|| Target::Instance(name.to_owned()))
}

/// How a socket came to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// `--socket` or `TETHERD_SOCKET`.
    Named,
    /// What the configuration says.
    Configured,
    /// The usual place of a user's daemon.
    User,
    /// The usual place of the system's.
    System,
}

/// What the caller said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// `--socket`.
    pub(crate) socket: Option<&'a Path>,
    /// `--config`.
    pub(crate) config: Option<&'a Path>,
}

/// What looks again, and sees more.
const AS_ROOT: &str = "sudo tetherctl doctor";

impl Asked<'_> {
    /// A remedy that has the doctor look again looks at the same daemon.
    pub(crate) fn again(self, mut finding: Finding) -> Finding {
        if finding.remedy.as_deref() == Some(AS_ROOT) {
            let option = |name: &str, path: Option<&Path>| {
                path.map(|path| format!(" --{name} {}", quoted(path))).unwrap_or_default()
            };
            let options = option("config", self.config) + &option("socket", self.socket);
            finding.remedy = Some(format!("{AS_ROOT}{options}"));
        }
        finding
    }
}

/// Target daemon it is. `listens` and `exists` look at the machine.
pub(crate) fn resolve(
    asked: Asked<'_>,
    env: &Environment,
    listens: impl Fn(&Path) -> bool,
    exists: impl Fn(&Path) -> bool,
) -> Target {
    // What is named, and is not where the units have it, was started by hand.
    if let Some(config) = asked.config.or(env.config.as_deref()) {
        return Target::of_config(config).unwrap_or(Target::User);
    }
    if let Some(socket) = asked.socket {
        return Target::of_socket(socket).unwrap_or(Target::User);
    }
    if env.root {
        return Target::System;
    }
    let user = env.socket_path().is_some_and(|path| path != Path::new(SYSTEM_SOCKET));
    if let Some(path) = env.client_sockets().into_iter().find(|path| listens(path)) {
        return Target::of_socket(&path).unwrap_or(Target::User);
    }
    let users = [env.config_file().map(|found| found.0), env.state_dir(), env.socket_path()];
    let has_own = users.into_iter().flatten().any(|path| exists(&path));
    let system = [SYSTEM_SOCKET, SYSTEM_CONFIG, SYSTEM_STATE_DIR];
    let has_system = system.iter().any(|path| exists(Path::new(path)));
    if user && (has_own || !has_system) { Target::User } else { Target::System }
}

/// The environment that such a daemon has, as far as paths go.
pub(crate) fn environment(target: &Target, env: &Environment) -> Environment {
    match target {
        Target::User => env.clone(),
        Target::System => Environment {
            config: env.config.clone(),
            state_directory: env.state_directory.clone().filter(|_| env.root),
            runtime_directory: env.runtime_directory.clone().filter(|_| env.root),
            ..Environment::system()
        },
        Target::Instance(name) => Environment {
            config: Some(format!("/etc/tetherd/{name}.toml").into()),
            state_directory: Some(format!("/var/lib/tetherd-{name}").into()),
            runtime_directory: Some(format!("/run/tetherd-{name}").into()),
            ..Environment::system()
        },
    }
}

/// The sockets to look at, in `tetherctl`'s order; the configured one last, where it is
/// another.
pub(crate) fn sockets(
    asked: Asked<'_>,
    env: &Environment,
    target: &Target,
    configured: Option<&Path>,
) -> Vec<(PathBuf, Rule)> {
    if let Some(path) = asked.socket {
        return vec![(path.to_owned(), Rule::Named)];
    }
    let configured = configured.filter(|path| !path.as_os_str().is_empty());
    let by_name = asked.config.is_some() || matches!(target, Target::Instance(_));
    if let (Some(path), true) = (configured, by_name) {
        return vec![(path.to_owned(), Rule::Configured)];
    }
    let rule =
        |path: &PathBuf| if path == Path::new(SYSTEM_SOCKET) { Rule::System } else { Rule::User };
    let mut sockets: Vec<(PathBuf, Rule)> =
        env.client_sockets().into_iter().map(|path| (path.clone(), rule(&path))).collect();
    if let Some(path) = configured
        && !sockets.iter().any(|(known, _)| known == path)
    {
        sockets.push((path.to_owned(), Rule::Configured));
    }
    sockets
}
