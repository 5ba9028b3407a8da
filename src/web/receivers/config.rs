//! `[[receiver]]`: who posts, through which daemon, to whom, and in which words. Finds what a
//! configuration can get wrong; never sees what is posted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;
use tetherd_api::Redacted;

use super::template::{Expression, Template, TemplateError};
use crate::config::DEFAULT_DAEMON;
use crate::limits::RECEIVERS_MAX;

/// The words for alerts of Prometheus's kind, and for those of Uptime Kuma.
const ALERTS: &str = include_str!("alerts.txt");
const UPTIME_KUMA: &str = include_str!("uptime_kuma.txt");

/// One `[[receiver]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Keys")]
pub struct Receiver {
    /// What it is called in its address.
    pub name: String,
    /// The daemon that sends. None: the one that is meant when none is named.
    pub daemon: Option<String>,
    /// To whom, as the contract's `to`.
    pub to: Redacted<String>,
    pub(super) source: AlertSource,
    pub(super) words: Words,
}

/// Who posts, and so in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AlertSource {
    /// Its webhook's version 4.
    Alertmanager,
    /// The contact point "webhook": the same with more in it.
    Grafana,
    /// Its notification "webhook", as JSON.
    UptimeKuma,
    /// Anybody, with any JSON object.
    Webhook {
        /// What two posts about one thing have in common.
        key: Option<Expression>,
        /// Whether the thing is over.
        resolved: Option<Expression>,
    },
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) template: Template,
    /// What is said if that fails: an alert is not lost for its words.
    pub(super) fallback: Option<Template>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SourceName {
    Alertmanager,
    Grafana,
    UptimeKuma,
    Webhook,
}

/// The keys as they stand in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    name: String,
    from: SourceName,
    daemon: Option<String>,
    to: Redacted<String>,
    template: Option<Template>,
    key: Option<Expression>,
    resolved: Option<Expression>,
}

/// What is wrong with a receiver by itself.
#[derive(Debug, thiserror::Error)]
enum KeysError {
    #[error("a receiver's `name` has 1 to 32 letters, digits, hyphens and underscores")]
    BadName,
    #[error("a receiver from `webhook` needs a `template`")]
    NoTemplate,
    #[error("`key` and `resolved` are for receivers from `webhook`; the others have their own")]
    NotWebhook,
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl TryFrom<Keys> for Receiver {
    type Error = KeysError;

    fn try_from(keys: Keys) -> Result<Receiver, KeysError> {
        let Keys { name, from, daemon, to, template, key, resolved } = keys;
        let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        if !(1..=32).contains(&name.len()) || !name.bytes().all(fits) {
            return Err(KeysError::BadName);
        }
        let (source, own) = match from {
            SourceName::Webhook => (AlertSource::Webhook { key, resolved }, None),
            SourceName::Alertmanager | SourceName::Grafana | SourceName::UptimeKuma
                if key.is_some() || resolved.is_some() =>
            {
                return Err(KeysError::NotWebhook);
            }
            SourceName::Alertmanager => (AlertSource::Alertmanager, Some(ALERTS)),
            SourceName::Grafana => (AlertSource::Grafana, Some(ALERTS)),
            SourceName::UptimeKuma => (AlertSource::UptimeKuma, Some(UPTIME_KUMA)),
        };
        let own = own.map(Template::new).transpose()?;
        let words = match (template, own) {
            (Some(template), fallback) => Words { template, fallback },
            (None, Some(template)) => Words { template, fallback: None },
            (None, None) => return Err(KeysError::NoTemplate),
        };
        Ok(Receiver { name, daemon, to, source, words })
    }
}

/// What is wrong with the receivers together.
#[derive(Debug, thiserror::Error)]
pub enum ReceiversError {
    /// Nobody could tell them apart.
    #[error("two receivers are called `{0}`")]
    Twice(String),
    /// The daemon is not there, or it is not clear which.
    #[error("the receiver `{0}` needs a `daemon`, the name of one of [daemons]")]
    NoDaemon(String),
    /// There are too many.
    #[error("there are more than {RECEIVERS_MAX} receivers")]
    TooMany,
}

/// Whether they can all be used.
pub(crate) fn check(
    receivers: &[Receiver],
    daemons: &BTreeMap<String, PathBuf>,
) -> Result<(), ReceiversError> {
    if receivers.len() > RECEIVERS_MAX {
        return Err(ReceiversError::TooMany);
    }
    let mut names = BTreeSet::new();
    for Receiver { name, daemon, .. } in receivers {
        if !names.insert(name) {
            return Err(ReceiversError::Twice(name.clone()));
        }
        let is_known = match daemon {
            Some(daemon) => daemons.contains_key(daemon),
            None => daemons.len() == 1 || daemons.contains_key(DEFAULT_DAEMON),
        };
        if !is_known {
            return Err(ReceiversError::NoDaemon(name.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        receiver: Vec<Receiver>,
    }

    fn read(more: &str) -> Result<Receiver, toml::de::Error> {
        let text = format!("[[receiver]]\nname = \"a\"\nto = \"+15550101\"\n{more}");
        toml::from_str::<File>(&text).map(|mut file| file.receiver.remove(0))
    }

    #[test]
    fn each_source_has_words_of_its_own_but_the_one_that_nobody_knows() {
        for from in ["alertmanager", "grafana", "uptime_kuma"] {
            let plain = read(&format!("from = {from:?}")).unwrap();
            assert_eq!(plain.words.fallback, None);
            let own = read(&format!("from = {from:?}\ntemplate = \"{{{{ status }}}}\"")).unwrap();
            assert_eq!(own.words.fallback, Some(plain.words.template));
        }
        read("from = \"webhook\"\ntemplate = \"{{ a }}\"\nkey = \"id\"\nresolved = \"ok\"")
            .unwrap();
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (wrong, named) in [
            ("from = \"webhook\"", "needs a `template`"),
            ("from = \"grafana\"\nkey = \"id\"", "`key` and `resolved`"),
            ("from = \"pagerduty\"", "unknown variant"),
            ("from = \"grafana\"\ntemplate = \"{{ a\"", "syntax error"),
            ("from = \"grafana\"\ntempalte = \"a\"", "unknown field"),
            ("from = \"webhook\"\ntemplate = \"a\"\nkey = \"a ==\"", "syntax error"),
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains(named), "{wrong}: {error}");
        }
    }

    #[test]
    fn names_are_unique_and_the_daemon_is_known() {
        let one = read("from = \"grafana\"").unwrap();
        let other = Receiver { daemon: Some("b".into()), ..one.clone() };
        let daemons = |names: &[&str]| {
            names.iter().map(|name| ((*name).to_owned(), PathBuf::new())).collect()
        };
        check(std::slice::from_ref(&one), &daemons(&["x"])).unwrap();
        check(std::slice::from_ref(&one), &daemons(&["b", DEFAULT_DAEMON])).unwrap();
        check(std::slice::from_ref(&other), &daemons(&["a", "b"])).unwrap();
        for (receivers, names) in [
            (vec![one.clone(), one.clone()], &["x"][..]),
            (vec![one.clone()], &["a", "b"]),
            (vec![other], &["a"]),
            (vec![one; RECEIVERS_MAX + 1], &["x"]),
        ] {
            check(&receivers, &daemons(names)).unwrap_err();
        }
        let bad = "[[receiver]]\nname = \"a/b\"\nto = \"x\"\nfrom = \"grafana\"";
        assert!(toml::from_str::<File>(bad).is_err());
    }
}
