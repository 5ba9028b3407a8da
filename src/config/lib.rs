//! The configuration: an optional TOML file on top of defaults, checked as a whole.
//!
//! Owns the keys, their defaults and their limits ([`settings`]), and where files are looked
//! for ([`paths`]). Never creates a folder, opens a socket or logs: callers do that with the
//! values they get.
//!
//! From text to values: `parse` gives each value to the [`table`]'s entry of its key, which
//! reads it with the key's `form` (serde, and limits); `check` compares keys with each other.
//! Both collect everything that is wrong.

mod check;
mod form;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod hours;
mod parse;
pub mod paths;
mod problem;
pub mod settings;
pub mod table;
#[cfg(test)]
mod tests;
pub mod value;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use check::Checker;
pub use form::{Form, LOG_MODULES};
pub use paths::Environment;
use problem::Source;
pub use problem::{ConfigError, Problem, position};
pub use settings::{Config, SECTIONS};
use table::Key;
pub use value::Level;

/// Longest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// A configuration and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// The file that was read; none if there was none.
    pub file: Option<PathBuf>,
    /// What is allowed and unwise; to be logged as warnings, and shown by `check-config`.
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

/// Every key, in the order of the example.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
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
        let mut config = Config::without_paths();
        config.state.dir = env.state_dir().unwrap_or_default();
        config.state.key_file = env.key_credential.clone();
        config.socket.path = env.socket_path().unwrap_or_default();
        config
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
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => {
                Config::from_text("", None, env)
            }
            Err(error) => {
                let what = format!("The configuration cannot be read: {error}.");
                let remedy = "Name another with --config, or make it readable for this user.";
                let problem = Problem { file: Some(path), at: None, what, remedy: remedy.into() };
                Err(ConfigError { problems: vec![problem] })
            }
        }
    }

    /// Reads a configuration's text and checks everything. `file` is for the sentences.
    pub fn from_text(
        text: &str,
        file: Option<&Path>,
        env: &Environment,
    ) -> Result<Loaded, ConfigError> {
        let source = Source { file: file.unwrap_or(Path::new("(no file)")), text };
        let mut config = Config::defaults(env);
        let (mut problems, places) = parse::parse(&source, &mut config);
        let checker = Checker { config: &config, source: &source, places: &places };
        problems.extend(checker.errors());
        problems.sort_by_key(|problem| problem.at);
        let warnings = checker.warnings();
        if problems.is_empty() {
            Ok(Loaded { config, file: file.map(Path::to_path_buf), warnings })
        } else {
            Err(ConfigError { problems })
        }
    }

    /// Takes over from `new` what a running daemon can, and says what needs a restart.
    pub fn reload(&mut self, new: &Config) -> ReloadDiff {
        let mut diff = ReloadDiff::default();
        for key in keys().filter(|key| (key.get)(self) != (key.get)(new)).collect::<Vec<_>>() {
            if key.reloads {
                (key.copy)(self, new);
                diff.applied.push(key.path);
            } else {
                diff.needs_restart.push(key.path);
            }
        }
        diff
    }
}

impl Loaded {
    /// What `check-config` prints: the file, the warnings, every value in force. It can be
    /// read back.
    pub fn report(&self) -> String {
        let mut report = match &self.file {
            Some(file) => format!("# {}: no errors\n", file.display()),
            None => String::from("# no configuration file: these are the defaults\n"),
        };
        for warning in &self.warnings {
            report.push_str(&format!("# warning: {warning}\n"));
        }
        for section in SECTIONS {
            report.push_str(&format!("\n[{}]\n", section.name));
            for key in section.keys {
                report.push_str(&format!("{} = {}\n", key.name(), (key.get)(&self.config)));
            }
        }
        report
    }
}

fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large"));
    }
    Ok(text)
}
