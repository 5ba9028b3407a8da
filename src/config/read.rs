//! Reads the file's text into a configuration and collects everything that is wrong.
//! Knows the keys through [`super::keys`] only.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, LOG_MODULES, SECTIONS};
use super::problem::{Problem, Source};
use super::readers::{Wrong, level};
use super::value::did_you_mean;
use super::{Config, ConfigError};

/// What reading found.
pub(super) struct Read {
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
    /// Where each key's value begins, in bytes.
    pub(super) places: BTreeMap<&'static str, usize>,
}

struct Reader<'a> {
    source: &'a Source<'a>,
    read: Read,
}

/// Reads `source` into `config`, which holds the defaults before.
pub(super) fn read(source: &Source<'_>, config: &mut Config) -> Read {
    let mut reader =
        Reader { source, read: Read { problems: Vec::new(), places: BTreeMap::new() } };
    match DeTable::parse(source.text) {
        Ok(table) => reader.file(table.get_ref(), config),
        Err(error) => {
            let byte = error.span().map_or(0, |span| span.start);
            let what = format!("This is not TOML: {}.", first_line(error.message()));
            reader.wrong(
                byte,
                what,
                String::from("Write KEY = VALUE lines under [SECTION] lines."),
            );
        }
    }
    reader.read
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or(message).trim_end_matches('.')
}

type Entry<'t, 'i> = (&'t Spanned<std::borrow::Cow<'i, str>>, &'t Spanned<DeValue<'i>>);

impl Reader<'_> {
    fn wrong(&mut self, byte: usize, what: String, remedy: String) {
        let problem = self.source.problem(byte, what, remedy);
        self.read.problems.push(problem);
    }

    fn file(&mut self, table: &DeTable<'_>, config: &mut Config) {
        for (name, value) in table {
            let at = name.span().start;
            match SECTIONS.into_iter().find(|section| *section == name.get_ref()) {
                None => {
                    let (what, remedy) = unknown_section(name.get_ref());
                    self.wrong(at, what, remedy);
                }
                Some(section) => match value.get_ref().as_table() {
                    Some(table) => self.section(section, table, config),
                    None => self.wrong(
                        at,
                        format!("{section:?} is a section, not a key."),
                        format!("Write [{section}] on a line of its own, and its keys below."),
                    ),
                },
            }
        }
    }

    fn section(&mut self, section: &'static str, table: &DeTable<'_>, config: &mut Config) {
        for (name, value) in table {
            if section == "log" && name.get_ref() == "modules" {
                self.modules((name, value), config);
                continue;
            }
            let key =
                KEYS.iter().find(|key| key.section() == section && key.name() == name.get_ref());
            let Some(key) = key else {
                let (what, remedy) = unknown_key(section, name.get_ref());
                self.wrong(name.span().start, what, remedy);
                continue;
            };
            self.read.places.insert(key.path, value.span().start);
            if let Err(Wrong { what, remedy }) = (key.set)(config, value.get_ref()) {
                self.wrong(value.span().start, format!("{} {what}", key.path), remedy);
            }
        }
    }

    fn modules(&mut self, (name, value): Entry<'_, '_>, config: &mut Config) {
        let Some(table) = value.get_ref().as_table() else {
            let what = String::from("log.modules is a table of levels.");
            let remedy = String::from("Write [log.modules], and lines such as store = \"debug\".");
            self.wrong(name.span().start, what, remedy);
            return;
        };
        for (module, value) in table {
            let room = module.get_ref().split("::").next().unwrap_or_default();
            if !LOG_MODULES.contains(&room) {
                let what = format!("log.modules names no module {:?}.", module.get_ref());
                let remedy = suggest(room, &LOG_MODULES);
                self.wrong(module.span().start, what, remedy);
                continue;
            }
            match level(value.get_ref()) {
                Ok(level) => {
                    config.log.modules.insert(module.get_ref().to_string(), level);
                }
                Err(Wrong { what, remedy }) => {
                    let what = format!("log.modules.{} {what}", module.get_ref());
                    self.wrong(value.span().start, what, remedy);
                }
            }
        }
    }
}

fn suggest(typed: &str, names: &[&'static str]) -> String {
    match did_you_mean(typed, names.iter().copied()) {
        Some(name) => format!("Did you mean {name:?}?"),
        None => format!("There are {}.", names.join(", ")),
    }
}

fn unknown_section(name: &str) -> (String, String) {
    let what = format!("There is no section [{name}].");
    // A key above the first section is a common slip.
    if let Some(key) = KEYS.iter().find(|key| key.name() == name) {
        return (what, format!("The key {name:?} belongs under [{}].", key.section()));
    }
    (what, suggest(name, &SECTIONS))
}

fn unknown_key(section: &str, name: &str) -> (String, String) {
    let what = format!("[{section}] has no key {name:?}.");
    let mut own: Vec<&'static str> =
        KEYS.iter().filter(|key| key.section() == section).map(|key| key.name()).collect();
    if section == "log" {
        own.push("modules");
    }
    // A key that is spelt right is in the wrong place, whatever else is like it.
    if let Some(key) = KEYS.iter().find(|key| key.name() == name) {
        return (what, format!("It belongs under [{}].", key.section()));
    }
    (what, suggest(name, &own))
}

impl From<Vec<Problem>> for ConfigError {
    fn from(problems: Vec<Problem>) -> Self {
        ConfigError { problems }
    }
}
