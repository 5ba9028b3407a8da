//! The configuration: one TOML file, every key with a default. Decides where the front may
//! listen, and what it is called by browsers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::Error as _;
use tetherd_config::Environment;

use crate::limits::UPLOAD_BYTES_MAX;
use crate::origins::{Origin, Origins};
use crate::receivers::{self, Receiver, ReceiversError};
use crate::webhooks;

/// Where a system service's configuration is.
pub const SYSTEM_CONFIG: &str = "/etc/tetherd/web.toml";
/// Where a system service keeps its tokens.
pub const SYSTEM_TOKENS: &str = "/var/lib/tether-web/tokens";
/// Where it listens if nobody says.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:8420";
/// What the only daemon is called if none is named.
pub const DEFAULT_DAEMON: &str = "main";

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where and as what it listens.
    pub listen: Listen,
    /// Who may come in.
    pub tokens: Tokens,
    /// Files that are handed in.
    pub uploads: Uploads,
    /// The daemons behind it: a name for each control socket. None: the system's, or the
    /// user's own.
    pub daemons: BTreeMap<String, PathBuf>,
    /// Which daemon an instance's number means, in addresses of other services' interfaces.
    /// None: any number means the usual daemon.
    pub instances: BTreeMap<String, String>,
    /// Programs that post alerts, and what becomes of those.
    #[serde(rename = "receiver")]
    pub receivers: Vec<Receiver>,
    /// Where events are posted to.
    #[serde(rename = "webhook")]
    pub webhooks: Vec<webhooks::Settings>,
}

/// `[listen]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// An address and port, or `unix:` and a path. A socket that the service manager passes
    /// comes before it.
    pub address: Address,
    /// Whether a proxy in front speaks TLS. Nothing but loopback and Unix sockets is listened
    /// on without it.
    pub tls_in_front: bool,
    /// What browsers call it, such as `https://queue.example`. On loopback its own address
    /// and `localhost` are known, too.
    pub origins: Vec<Origin>,
}

impl Default for Listen {
    fn default() -> Listen {
        let address = Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 8420)));
        Listen { address, tls_in_front: false, origins: Vec::new() }
    }
}

/// `[tokens]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// The file that `tether-web token` writes.
    pub file: Option<PathBuf>,
}

/// `[uploads]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Uploads {
    /// Where a file lies while it comes in, without a name; `TMPDIR` or /tmp without it.
    pub dir: Option<PathBuf>,
    /// The largest file, in bytes.
    pub max_bytes: u64,
}

impl Default for Uploads {
    fn default() -> Uploads {
        Uploads { dir: None, max_bytes: UPLOAD_BYTES_MAX }
    }
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address and port.
    Tcp(SocketAddr),
    /// A path.
    Unix(PathBuf),
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl std::str::FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Address, &'static str> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| path.starts_with('/')) {
            return Ok(Address::Unix(path.into()));
        }
        let form = "an address looks like 127.0.0.1:8420, [::1]:8420 or unix:/run/web.sock";
        text.parse().map(Address::Tcp).map_err(|_| form)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "{address}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what a configuration looks like.
    #[error("{}:{line}:{column}: {what}", .path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// Where in the line, in characters from 1.
        column: usize,
        /// Why. The line itself may hold an address that is secret.
        what: String,
    },
    /// Anybody on the way could read tokens and messages.
    #[error(
        "{0} is not a loopback address, and there is no TLS here: listen on loopback or on a Unix \
         socket, or set `tls_in_front = true` below [listen] if a proxy speaks TLS there"
    )]
    Open(SocketAddr),
    /// Nobody knows what the front is called.
    #[error(
        "a Unix socket, and `tls_in_front`, need `origins` below [listen]: what browsers call this \
         front, such as [\"https://queue.example\"]"
    )]
    NoOrigin,
    /// Behind TLS everything is https.
    #[error("{0} is no https origin, and `tls_in_front` is set")]
    NotHttps(Origin),
    /// A daemon's name stands in addresses.
    #[error("`{0}` is no name for a daemon: 1 to 32 letters, digits and hyphens, and no method")]
    BadName(String),
    /// An instance is no number, or its daemon is not configured.
    #[error("[instances] `{0}`: a number, and the name of a daemon of [daemons]")]
    BadInstance(String),
    /// A receiver cannot be used.
    #[error(transparent)]
    Receivers(#[from] ReceiversError),
    /// The webhooks.
    #[error(transparent)]
    Webhook(#[from] webhooks::StartError),
    /// The kernel gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// Nobody says where something is.
    #[error("{0}")]
    Nowhere(&'static str),
}

impl Config {
    /// From a file: the named one, or the usual one if it is there.
    pub fn load(named: Option<&Path>, env: &Environment) -> Result<Config, ConfigError> {
        let (path, must_exist) = match named {
            Some(path) => (path.to_owned(), true),
            None => match usual(env) {
                Some(path) => (path, false),
                None => return Config::default().completed(env),
            },
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => Config::from_text(&text, &path)?.completed(env),
            Err(error) if !must_exist && error.kind() == std::io::ErrorKind::NotFound => {
                Config::default().completed(env)
            }
            Err(source) => Err(ConfigError::Read { path, source }),
        }
    }

    fn from_text(text: &str, path: &Path) -> Result<Config, ConfigError> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            let (line, column) = tetherd_config::position(text, at);
            let what = error.message().to_owned();
            ConfigError::Form { path: path.into(), line, column, what }
        })
    }

    /// With what the environment says where the file says nothing; checked.
    pub fn completed(mut self, env: &Environment) -> Result<Config, ConfigError> {
        if self.daemons.is_empty() {
            let sockets = env.client_sockets();
            let socket = sockets.iter().find(|path| path.exists()).or(sockets.last());
            let none = ConfigError::Nowhere("name the daemons' sockets below [daemons]");
            self.daemons.insert(DEFAULT_DAEMON.into(), socket.cloned().ok_or(none)?);
        }
        if self.tokens.file.is_none() {
            let none = ConfigError::Nowhere("name the tokens' `file` below [tokens]");
            self.tokens.file = Some(usual_tokens(env).ok_or(none)?);
        }
        if self.uploads.dir.is_none() {
            self.uploads.dir.clone_from(&env.state_directory);
        }
        match self.daemons.keys().find(|name| !is_name(name)) {
            Some(name) => return Err(ConfigError::BadName(name.clone())),
            None => self.check_origins()?,
        }
        self.check_instances()?;
        receivers::check(&self.receivers, &self.daemons)?;
        let names = self.daemons.keys().map(String::as_str).collect();
        webhooks::check(&self.webhooks, &names).map_err(webhooks::StartError::from)?;
        self.check_listener(match &self.listen.address {
            Address::Tcp(address) => Some(*address),
            Address::Unix(_) => None,
        })?;
        Ok(self)
    }

    /// Whether a socket of this address may be served on; without one, it has a path.
    pub fn check_listener(&self, address: Option<SocketAddr>) -> Result<(), ConfigError> {
        match address {
            Some(address) if !address.ip().is_loopback() && !self.listen.tls_in_front => {
                Err(ConfigError::Open(address))
            }
            // A path gives no name: every request would be for somebody else.
            None if self.listen.origins.is_empty() => Err(ConfigError::NoOrigin),
            Some(_) | None => Ok(()),
        }
    }

    fn check_instances(&self) -> Result<(), ConfigError> {
        let fits = |number: &str, daemon: &str| {
            number.parse::<u64>().is_ok_and(|parsed| parsed.to_string() == number)
                && self.daemons.contains_key(daemon)
        };
        match self.instances.iter().find(|(number, daemon)| !fits(number, daemon)) {
            Some((number, _)) => Err(ConfigError::BadInstance(number.clone())),
            None => Ok(()),
        }
    }

    fn check_origins(&self) -> Result<(), ConfigError> {
        if !self.listen.tls_in_front {
            return Ok(());
        }
        match self.listen.origins.iter().find(|origin| !origin.is_https()) {
            Some(origin) => Err(ConfigError::NotHttps(origin.clone())),
            None if self.listen.origins.is_empty() => Err(ConfigError::NoOrigin),
            None => Ok(()),
        }
    }

    /// What browsers may call a front that listens there.
    pub fn origins(&self, address: Option<SocketAddr>) -> Origins {
        let own = address.filter(|_| !self.listen.tls_in_front);
        Origins::new(&self.listen.origins, own)
    }

    /// The folder for what the front remembers: that of the tokens.
    pub fn state_dir(&self) -> PathBuf {
        self.tokens_file().parent().map(Path::to_owned).unwrap_or_default()
    }

    /// The file of the tokens.
    pub fn tokens_file(&self) -> PathBuf {
        self.tokens.file.clone().unwrap_or_else(|| SYSTEM_TOKENS.into())
    }
}

/// Where the configuration is if no option says.
pub fn usual(env: &Environment) -> Option<PathBuf> {
    let (path, _) = Environment { config: None, ..env.clone() }.config_file()?;
    Some(path.with_file_name("web.toml"))
}

fn usual_tokens(env: &Environment) -> Option<PathBuf> {
    if let Some(folder) = &env.state_directory {
        return Some(folder.join("tokens"));
    }
    if env.root {
        return Some(SYSTEM_TOKENS.into());
    }
    Some(env.state_dir()?.with_file_name("tether-web").join("tokens"))
}

fn is_name(name: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    (1..=32).contains(&name.len())
        && name.bytes().all(fits)
        && name != "events"
        && tetherd_api::Method::find(name).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, ConfigError> {
        Config::from_text(text, Path::new("web.toml"))?.completed(&Environment::system())
    }

    #[test]
    fn nothing_said_is_loopback_and_the_system_s_daemon() {
        let config = read("").unwrap();
        assert_eq!(config.listen.address.to_string(), DEFAULT_ADDRESS);
        assert_eq!(config.tokens_file(), Path::new(SYSTEM_TOKENS));
        assert_eq!(config.daemons[DEFAULT_DAEMON], Path::new("/run/tetherd/control.sock"));
        assert_eq!(usual(&Environment::system()).unwrap(), Path::new(SYSTEM_CONFIG));
    }

    #[test]
    fn an_open_address_needs_tls_in_front_and_that_a_name() {
        for open in ["0.0.0.0:80", "[::]:80", "192.0.2.1:8420", "[2001:db8::1]:1"] {
            let text = format!("[listen]\naddress = {open:?}\n");
            assert!(matches!(read(&text).unwrap_err(), ConfigError::Open(_)), "{open}");
            let text = format!("{text}tls_in_front = true\n");
            assert!(matches!(read(&text).unwrap_err(), ConfigError::NoOrigin), "{open}");
            let plain = format!("{text}origins = [\"http://queue.example\"]\n");
            assert!(matches!(read(&plain).unwrap_err(), ConfigError::NotHttps(_)), "{open}");
            read(&format!("{text}origins = [\"https://queue.example\"]\n")).unwrap();
        }
        for own in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80"] {
            read(&format!("[listen]\naddress = {own:?}\n")).unwrap();
        }
        let path = "[listen]\naddress = \"unix:/run/x.sock\"\n";
        assert!(matches!(read(path).unwrap_err(), ConfigError::NoOrigin));
        read(&format!("{path}origins = [\"http://queue.example\"]\n")).unwrap();
    }

    #[test]
    fn a_wrong_address_is_placed_and_not_quoted() {
        let url = "ftp://receiver.example/the-secret-path";
        let text = format!("[[webhook]]\nname = \"shop\"\nurl = \"{url}\"\n");
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains(":3:7: a webhook's `url` looks like"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for wrong in [
            "[listen]\naddres = \"127.0.0.1:1\"",
            "[listen]\naddress = \"localhost\"",
            "[listen]\norigins = [\"queue.example\"]",
            "[daemons]\n\"a b\" = \"/x\"",
            "[daemons]\nstatus = \"/x\"",
            "[daemons]\nevents = \"/x\"",
            "[instances]\n7 = \"other\"",
            "[instances]\nx = \"main\"",
            "[instances]\n07 = \"main\"",
        ] {
            read(wrong).unwrap_err();
        }
    }
}
