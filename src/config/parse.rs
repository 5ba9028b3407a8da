//! A file's text -> values, and everything that is wrong with it. Knows the keys through
//! the table only.

use std::borrow::Cow;
use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::form::{Form, LOG_MODULES, is_module, one_of};
use crate::problem::{Problem, Source};
use crate::settings::{Config, SECTIONS};
use crate::table::{Key, Section};
use crate::value::{Level, did_you_mean};

/// Where each key's value begins, in bytes.
pub(crate) type Places = BTreeMap<&'static str, usize>;

type Name<'i> = Spanned<Cow<'i, str>>;

pub(crate) struct Parser<'a> {
    source: &'a Source<'a>,
    config: &'a mut Config,
    problems: Vec<Problem>,
    places: Places,
}

/// Reads `source` into `config`, and says what is wrong with it and where the values are.
/// What does not fit leaves the value that was there before.
pub(crate) fn parse(source: &Source<'_>, config: &mut Config) -> (Vec<Problem>, Places) {
    let mut parser = Parser { source, config, problems: Vec::new(), places: Places::new() };
    let (table, errors) = DeTable::parse_recoverable(source.text);
    for error in &errors {
        let byte = error.span().map_or(0, |span| span.start);
        let message = error.message().lines().next().unwrap_or_default();
        let what = format!("This is not TOML: {}.", message.trim_end_matches('.'));
        parser.wrong(byte, what, "Write KEY = VALUE lines under [SECTION] lines.");
    }
    // After an error of syntax the table is a guess.
    if errors.is_empty() {
        table.into_inner().into_iter().for_each(|(name, value)| parser.section(&name, value));
    }
    (parser.problems, parser.places)
}

impl Parser<'_> {
    fn wrong(&mut self, byte: usize, what: String, remedy: impl Into<String>) {
        self.problems.push(self.source.problem(byte, what, remedy.into()));
    }

    fn section(&mut self, name: &Name<'_>, value: Spanned<DeValue<'_>>) {
        let (at, name) = (name.span().start, name.get_ref());
        let Some(section) = SECTIONS.iter().find(|section| section.name == name) else {
            return self.wrong(at, format!("There is no section [{name}]."), unknown_section(name));
        };
        let DeValue::Table(table) = value.into_inner() else {
            let remedy = format!("Write [{name}] on a line of its own, and its keys below.");
            return self.wrong(at, format!("{name:?} is a section, not a key."), remedy);
        };
        for (name, value) in table {
            let (at, name) = (name.span().start, name.get_ref());
            match section.keys.iter().find(|key| key.name() == name) {
                Some(key) => self.key(key, value),
                None => {
                    let what = format!("[{}] has no key {name:?}.", section.name);
                    self.wrong(at, what, unknown_key(section, name));
                }
            }
        }
    }

    fn key(&mut self, key: &'static Key, value: Spanned<DeValue<'_>>) {
        let span = value.span();
        self.places.insert(key.path, span.start);
        if let ("log.modules", DeValue::Table(levels)) = (key.path, value.get_ref())
            && self.has_wrong_levels(levels)
        {
            return;
        }
        if !(key.set)(self.config, value.clone()) {
            let form = (key.form)();
            if self.has_wrong_element(key.path, &value, &form) {
                return;
            }
            let usual = (key.get)(&Config::without_paths());
            self.misfit(key.path, span, &form, &usual);
        }
    }

    /// Says which texts of a list are wrong.
    fn has_wrong_element(&mut self, path: &str, list: &Spanned<DeValue<'_>>, form: &Form) -> bool {
        let (Some(element), DeValue::Array(values)) = (form.element, list.get_ref()) else {
            return false;
        };
        let before = self.problems.len();
        for value in values {
            if let DeValue::String(text) = value.get_ref()
                && !(element.fits)(text)
            {
                let what = format!("{path} cannot have {text:?}.");
                let remedy = format!("Write {}. {}", element.text, form.hint);
                self.wrong(value.span().start, what, remedy);
            }
        }
        self.problems.len() > before
    }

    /// Says what is wrong with the levels of single modules.
    fn has_wrong_levels(&mut self, levels: &DeTable<'_>) -> bool {
        let before = self.problems.len();
        for (name, value) in levels {
            let module = name.get_ref();
            let level = one_of::<Level>();
            if !is_module(module) {
                let first = module.split("::").next().unwrap_or_default();
                let what = format!("log.modules names no module {module:?}.");
                self.wrong(name.span().start, what, suggest(first, LOG_MODULES));
            } else if level.read(value.clone()).is_none() {
                self.misfit(&format!("log.modules.{module}"), value.span(), &level.form, "\"\"");
            }
        }
        self.problems.len() > before
    }

    /// `usual` is another value of the key, as it is written.
    fn misfit(&mut self, path: &str, at: std::ops::Range<usize>, form: &Form, usual: &str) {
        let written = self.source.text.get(at.clone()).unwrap_or_default();
        let typed = written.trim_matches(['"', '\'']);
        let meant = did_you_mean(typed, form.names.iter().copied());
        let meant = meant.map(|name| format!("Did you mean {name:?}? ")).unwrap_or_default();
        let quotes = match (is_quoted(usual), is_quoted(written)) {
            (true, false) => ", in quotes",
            (false, true) if usual.starts_with('[') => ", in brackets",
            (false, true) => ", without quotes",
            (true, true) | (false, false) => "",
        };
        let Form { text, hint, .. } = form;
        let remedy = format!("{meant}Write {text}{quotes}. {hint}");
        self.wrong(at.start, format!("{path} cannot be {written}."), remedy.trim_end());
    }
}

fn is_quoted(value: &str) -> bool {
    value.starts_with(['"', '\''])
}

fn suggest(typed: &str, names: impl IntoIterator<Item = &'static str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match did_you_mean(typed, names.iter().copied()) {
        Some(name) => format!("Did you mean {name:?}?"),
        None => format!("There are {}.", names.join(", ")),
    }
}

/// The section of a key that is spelt right and stands in the wrong place.
fn section_of(name: &str) -> Option<&'static str> {
    let has = |section: &&Section| section.keys.iter().any(|key| key.name() == name);
    SECTIONS.iter().find(has).map(|section| section.name)
}

fn unknown_section(name: &str) -> String {
    match section_of(name) {
        Some(section) => format!("The key {name:?} belongs under [{section}]."),
        None => suggest(name, SECTIONS.iter().map(|section| section.name)),
    }
}

fn unknown_key(section: &Section, name: &str) -> String {
    match section_of(name) {
        Some(section) => format!("It belongs under [{section}]."),
        None => suggest(name, section.keys.iter().map(Key::name)),
    }
}
