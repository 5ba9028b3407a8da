//! `[[webhook]]` of the configuration: where events are sent, and which. Decides what an address
//! may look like. Never prints one: it may hold a secret.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::Error as _;
use tetherd_api::URL_BYTES_MAX;
use tetherd_net::ip_filter::parse_network;
use url::{Host, Url};

/// Webhooks in all.
pub(super) const WEBHOOKS_MAX: usize = 32;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What it is called, on the page, in metrics and in its folder.
    pub name: String,
    /// Where events are posted to.
    pub url: Target,
    /// The daemon whose events they are; without it the only one, or the one called `main`.
    #[serde(default)]
    pub daemon: Option<String>,
    /// What is sent.
    #[serde(default = "all_kinds")]
    pub events: BTreeSet<Kind>,
    /// The file with its secret; without it the one that `tether-web webhook new-secret` writes.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Networks that may be connected to, apart from the public internet.
    #[serde(default)]
    pub allow_addresses: Vec<Network>,
    /// The only authorities to trust, as PEM; without it the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Whether nothing is sent.
    #[serde(default)]
    pub paused: bool,
}

/// A kind of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Messages that come in.
    Incoming,
    /// What becomes of messages of the queue.
    Message,
    /// Conditions that begin and end.
    Condition,
}

fn all_kinds() -> BTreeSet<Kind> {
    [Kind::Incoming, Kind::Message, Kind::Condition].into()
}

/// An address to post to.
#[derive(Clone, PartialEq, Eq)]
pub struct Target(Url);

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Target(..)")
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Target, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl std::str::FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Target, &'static str> {
        let form = "a webhook's `url` looks like https://host/path";
        let url = Url::parse(text).map_err(|_| form)?;
        let has_host = url.host().is_some_and(|host| host != Host::Domain(""));
        if !has_host || text.len() > URL_BYTES_MAX || !["http", "https"].contains(&url.scheme()) {
            return Err(form);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a webhook's `url` has no user name and no password: requests are signed");
        }
        if url.scheme() == "http" && !is_loopback(&url) {
            return Err("a webhook's `url` is https, or http://127.0.0.1/path on this machine");
        }
        Ok(Target(url))
    }
}

impl Target {
    /// The address.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

/// A loopback address, written as such: a name could lead elsewhere.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    }
}

/// A network of addresses, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(pub IpNet);

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Network, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_network(&text).map(Network).map_err(D::Error::custom)
    }
}

/// Why an entry cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    /// It is no name.
    #[error("a webhook's name has 1 to 32 letters, digits and hyphens")]
    Name,
    /// There are two of that name.
    #[error("there are two webhooks called `{0}`")]
    Twice(String),
    /// Its daemon is not configured, or none is named and there are several.
    #[error("[[webhook]] `{0}`: `daemon` is the name of a daemon of [daemons]")]
    Daemon(String),
    /// It would send nothing.
    #[error("[[webhook]] `{0}`: `events` is empty; use `paused = true` to send nothing")]
    NoEvents(String),
    /// Without encryption, and not declared.
    #[error("[[webhook]] `{0}`: name the http address in `allow_addresses` as well")]
    NotDeclared(String),
    /// There are too many.
    #[error("there are more than {WEBHOOKS_MAX} webhooks")]
    TooMany,
}

/// Whether these can be used together with daemons of these names.
pub fn check(all: &[Settings], daemons: &BTreeSet<&str>) -> Result<(), BadSettings> {
    if all.len() > WEBHOOKS_MAX {
        return Err(BadSettings::TooMany);
    }
    let mut names = BTreeSet::new();
    for one in all {
        one.check(daemons)?;
        if !names.insert(&one.name) {
            return Err(BadSettings::Twice(one.name.clone()));
        }
    }
    Ok(())
}

impl Settings {
    fn check(&self, daemons: &BTreeSet<&str>) -> Result<(), BadSettings> {
        let fits = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        if !(1..=32).contains(&self.name.len()) || !self.name.bytes().all(fits) {
            return Err(BadSettings::Name);
        }
        if self.daemon_of(daemons).is_none() {
            return Err(BadSettings::Daemon(self.name.clone()));
        }
        if self.events.is_empty() {
            return Err(BadSettings::NoEvents(self.name.clone()));
        }
        let url = self.url.url();
        let declared = match url.host() {
            Some(Host::Ipv4(address)) => self.allows(address.into()),
            Some(Host::Ipv6(address)) => self.allows(address.into()),
            Some(Host::Domain(_)) | None => false,
        };
        if url.scheme() == "http" && !declared {
            return Err(BadSettings::NotDeclared(self.name.clone()));
        }
        Ok(())
    }

    fn allows(&self, address: std::net::IpAddr) -> bool {
        self.allow_addresses.iter().any(|network| network.0.contains(&address))
    }

    /// The daemon that is meant.
    pub(super) fn daemon_of<'a>(&'a self, daemons: &BTreeSet<&'a str>) -> Option<&'a str> {
        let usual = if daemons.len() == 1 { daemons.first().copied() } else { None };
        let usual = usual.unwrap_or(crate::config::DEFAULT_DAEMON);
        let meant = self.daemon.as_deref().unwrap_or(usual);
        daemons.contains(meant).then_some(meant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(), String> {
        #[derive(Deserialize)]
        struct All {
            webhook: Vec<Settings>,
        }
        let all: All = toml::from_str(text).map_err(|error| error.to_string())?;
        check(&all.webhook, &["main", "work"].into()).map_err(|error| error.to_string())
    }

    fn with(line: &str) -> Result<(), String> {
        read(&format!("[[webhook]]\nname = \"shop\"\n{line}\n"))
    }

    #[test]
    fn an_address_is_https_or_a_declared_one_on_this_machine() {
        for good in [
            "url = \"https://hooks.example/x?token=1\"",
            "url = \"http://127.0.0.1:9000/\"\nallow_addresses = [\"127.0.0.0/8\"]",
            "url = \"http://[::1]/\"\nallow_addresses = [\"::1\"]",
            "url = \"https://10.0.0.7/\"\nallow_addresses = [\"10.0.0.7\"]",
            "url = \"https://hooks.example\"\ndaemon = \"work\"\nevents = [\"incoming\"]",
        ] {
            with(good).unwrap();
        }
        for bad in [
            "url = \"http://hooks.example/\"",
            "url = \"http://localhost/\"\nallow_addresses = [\"127.0.0.1\"]",
            "url = \"http://127.0.0.1/\"",
            "url = \"http://10.0.0.7/\"\nallow_addresses = [\"10.0.0.7\"]",
            "url = \"https://ada:secret@hooks.example/\"",
            "url = \"ftp://hooks.example/\"",
            "url = \"hooks.example\"",
            "url = \"https://\"",
            "url = \"https://hooks.example\"\nallow_addresses = [\"10.0.0.1/8\"]",
            "url = \"https://hooks.example\"\ndaemon = \"other\"",
            "url = \"https://hooks.example\"\nevents = []",
            "url = \"https://hooks.example\"\nevents = [\"sent\"]",
            "url = \"https://hooks.example\"\nurls = 1",
            "",
        ] {
            with(bad).unwrap_err();
        }
    }

    #[test]
    fn names_are_plain_and_unique_and_an_address_is_never_shown() {
        let one =
            |name: &str| format!("[[webhook]]\nname = {name:?}\nurl = \"https://a.example/s\"\n");
        read(&(one("a") + &one("b"))).unwrap();
        read(&(one("a") + &one("a"))).unwrap_err();
        for bad in ["", "a b", "../x", &"x".repeat(33)] {
            read(&one(bad)).unwrap_err();
        }
        let many: String = (0..=WEBHOOKS_MAX).map(|at| one(&format!("w{at}"))).collect();
        read(&many).unwrap_err();
        let target: Target = "https://a.example/s3cret".parse().unwrap();
        assert_eq!(format!("{target:?}"), "Target(..)");
    }
}
