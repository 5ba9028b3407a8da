//! The configuration: an optional TOML file on top of defaults, checked as a whole.
//!
//! Owns the keys, their defaults and their limits ([`keys`]), where the file is looked
//! for ([`paths`]), and the daemon's command line ([`args`]). Never creates a folder,
//! opens a socket or logs: callers do that with the values they get.

pub mod args;
mod check;
mod fetching;
pub mod keys;
pub mod paths;
pub mod problem;
mod read;
mod readers;
mod sections;
#[cfg(test)]
mod tests;
pub mod value;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use paths::Environment;
pub use problem::{ConfigError, Problem};
pub use sections::{
    FetchConfig, FilesConfig, InboxConfig, LogConfig, PacingConfig, PhoneConfig, PreflightConfig,
    QueueConfig, SessionConfig, SocketConfig, StateConfig,
};
pub use value::{ClientVersion, Level, Links, OnConflict, OnRateLimit};

pub use tetherd_core::phone::HoldBattery;

/// Longest configuration file, in bytes.
pub const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Everything that can be configured, checked. `Config::default()` is what a system
/// service gets without a file; [`Config::defaults`] what another environment gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[state]`: where the daemon keeps what must not be lost.
    pub state: StateConfig,
    /// `[socket]`: where programs reach it, and who may do what.
    pub socket: SocketConfig,
    /// `[queue]`: how much is kept.
    pub queue: QueueConfig,
    /// `[pacing]`: how fast messages leave.
    pub pacing: PacingConfig,
    /// `[preflight]`: what is looked at before a message leaves.
    pub preflight: PreflightConfig,
    /// `[session]`: the connection to the network.
    pub session: SessionConfig,
    /// `[files]`: how much of callers' files is kept until they are sent.
    pub files: FilesConfig,
    /// `[fetch]`: files by web address.
    pub fetch: FetchConfig,
    /// `[phone]`: what is done while the phone is not well.
    pub phone: PhoneConfig,
    /// `[inbox]`: messages that come in.
    pub inbox: InboxConfig,
    /// `[log]`: what is told on stderr.
    pub log: LogConfig,
}

/// A configuration and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// The file that was read; none if there was none.
    pub file: Option<PathBuf>,
    /// What is allowed and unwise; to be logged as warnings, and told by `check-config`.
    pub warnings: Vec<Problem>,
}

/// Which keys differ between two configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadDiff {
    /// Keys whose new values a running daemon takes over.
    pub applied: Vec<&'static str>,
    /// Keys whose new values need a restart.
    pub needs_restart: Vec<&'static str>,
}

impl Default for Config {
    fn default() -> Self {
        Config::defaults(&Environment::system())
    }
}

impl Config {
    /// What this environment gets without a file. Paths that cannot be guessed are
    /// empty; [`Config::load`] refuses those.
    pub fn defaults(env: &Environment) -> Self {
        Config {
            state: StateConfig {
                dir: env.state_dir().unwrap_or_default(),
                key_file: env.key_credential.clone(),
            },
            socket: SocketConfig {
                path: env.socket_path().unwrap_or_default(),
                group_read: None,
                group_send: None,
                group_admin: None,
            },
            queue: QueueConfig {
                capacity: 400,
                parked_max: 400,
                history_max: 2_000,
                history_age: Duration::from_secs(7 * 24 * 3_600),
                undo: Duration::from_secs(10 * 60),
                confirm_after: None,
            },
            pacing: PacingConfig {
                messages: keys::TOLERATED_MESSAGES,
                window: keys::TOLERATED_WINDOW,
                on_rate_limit: OnRateLimit::Slow,
                slow_first: Duration::from_secs(2 * 60),
                slow_cap: Duration::from_secs(3_600),
            },
            preflight: PreflightConfig {
                numbers: true,
                yes_for: Duration::from_secs(30 * 24 * 3_600),
                no_for: Duration::from_secs(24 * 3_600),
                check_every: Duration::from_secs(2),
                links: Links::Park,
            },
            session: SessionConfig {
                endpoint: String::from("wss://web.whatsapp.com/ws/chat"),
                ca_file: None,
                // The version that the protocol crate's tables were made from.
                client_version: ClientVersion(2, 3000, 1_042_742_319),
                device_name: String::from("tetherd"),
                connect_timeout: Duration::from_secs(15),
                send_timeout: Duration::from_secs(45),
                ack_timeout: Duration::from_secs(20),
                backoff_first: Duration::from_secs(1),
                backoff_cap: Duration::from_secs(5 * 60),
                on_conflict: OnConflict::Hold,
                takeover_after: Duration::from_secs(10 * 60),
                takeovers_per_hour: 3,
            },
            // What the network's own clients allow, as far as is known.
            files: FilesConfig {
                quota: 2 << 30,
                image_max: 16 << 20,
                video_max: 100 << 20,
                audio_max: 100 << 20,
                document_max: 2_000 << 20,
            },
            fetch: FetchConfig {
                allow_http: false,
                allow_addresses: Vec::new(),
                ca_file: None,
                retry_pause: Duration::from_secs(5),
            },
            phone: PhoneConfig {
                hold_when_offline: true,
                hold_when_battery: HoldBattery::Critical,
                silent_after: Duration::from_secs(30 * 60),
                ask_after: Duration::from_secs(120),
                offline_after: Duration::from_secs(180),
                battery_low: 15,
                battery_critical: 5,
                battery_stale_after: Duration::from_secs(30 * 60),
            },
            inbox: InboxConfig {
                max: 2_000,
                max_age: Duration::from_secs(30 * 24 * 3_600),
                file_max: 100 * 1024 * 1024,
            },
            log: LogConfig { level: Level::Info, library: Level::Off, modules: BTreeMap::new() },
        }
    }

    /// Finds the file, reads it, checks everything.
    pub fn load(named: Option<&Path>, env: &Environment) -> Result<Loaded, ConfigError> {
        let found = match named {
            Some(path) => Some((path.to_path_buf(), true)),
            None => env.config_file(),
        };
        let Some((path, required)) = found else { return Config::from_text("", None, env) };
        match read_file(&path) {
            Ok(text) => Config::from_text(&text, Some(&path), env),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {
                Config::from_text("", None, env)
            }
            Err(error) => Err(unreadable(path, &error).into()),
        }
    }

    /// Reads a configuration's text and checks everything. `file` is for the sentences.
    pub fn from_text(
        text: &str,
        file: Option<&Path>,
        env: &Environment,
    ) -> Result<Loaded, ConfigError> {
        let source = problem::Source { file: file.unwrap_or(Path::new("(no file)")), text };
        let mut config = Config::defaults(env);
        let read = read::read(&source, &mut config);
        let mut problems = read.problems;
        let (errors, warnings) = check::check(&config, &source, &read.places);
        problems.extend(errors);
        problems.sort_by_key(|problem| problem.at);
        if problems.is_empty() {
            Ok(Loaded { config, file: file.map(Path::to_path_buf), warnings })
        } else {
            Err(ConfigError { problems })
        }
    }

    /// What a running daemon can take over from `new`, and what needs a restart.
    pub fn reload_diff(old: &Config, new: &Config) -> ReloadDiff {
        let mut diff = ReloadDiff::default();
        for key in keys::KEYS {
            if (key.get)(old) != (key.get)(new) {
                let side = if key.reloads { &mut diff.applied } else { &mut diff.needs_restart };
                side.push(key.path);
            }
        }
        if old.log.modules != new.log.modules {
            diff.applied.push("log.modules");
        }
        diff
    }

    /// `old` with the reloadable values of `new`.
    #[must_use]
    pub fn reloaded(old: &Config, new: &Config) -> Config {
        Config {
            queue: new.queue.clone(),
            pacing: new.pacing.clone(),
            preflight: new.preflight.clone(),
            inbox: new.inbox.clone(),
            session: SessionConfig {
                ack_timeout: new.session.ack_timeout,
                backoff_first: new.session.backoff_first,
                backoff_cap: new.session.backoff_cap,
                on_conflict: new.session.on_conflict,
                takeover_after: new.session.takeover_after,
                takeovers_per_hour: new.session.takeovers_per_hour,
                ..old.session.clone()
            },
            fetch: FetchConfig { retry_pause: new.fetch.retry_pause, ..old.fetch.clone() },
            phone: new.phone.clone(),
            log: new.log.clone(),
            ..old.clone()
        }
    }
}

fn read_file(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "it is too large"));
    }
    Ok(text)
}

fn unreadable(path: PathBuf, error: &std::io::Error) -> Problem {
    Problem {
        file: Some(path),
        at: None,
        what: format!("The configuration cannot be read: {error}."),
        remedy: String::from("Name another with --config, or make it readable for this user."),
    }
}
