//! The configuration's keys: what each takes, asked of its reader, and the prose of
//! contrib/tetherd.toml. Owns no prose.

use roff::Roff;
use toml::de::DeTable;

use super::page::{sentences, set, term};
use tetherd::config::Config;
use tetherd::config::keys::{KEYS, Key, TAKEOVER_AFTER_MIN, TAKEOVER_AFTER_MIN_NETWORK};
use tetherd::config::value::format_duration;

pub(super) const EXAMPLE: &str = include_str!("../../contrib/tetherd.toml");

/// What stands behind a key that a running daemon does not take over.
const RESTART: &str = "restart";

/// A section of the example.
#[derive(Default)]
struct Section {
    name: String,
    /// Said of the whole section.
    intro: Vec<String>,
    groups: Vec<Group>,
}

/// Keys that are explained together.
#[derive(Default)]
struct Group {
    keys: Vec<&'static Key>,
    prose: Vec<String>,
}

/// The example, with each key's default and what it takes as the code has them.
pub(super) fn example() -> String {
    let mut made = String::new();
    let mut section = "";
    for line in EXAMPLE.lines() {
        section = heading(line).unwrap_or(section);
        match key(section, line) {
            Some(key) => {
                let value = (key.get)(&Config::default());
                let mut said = form(key);
                if !key.reloads {
                    said = format!("{said}; {RESTART}");
                }
                made.push_str(&format!("#{} = {value}  # {said}", key.name()));
            }
            None => made.push_str(line),
        }
        made.push('\n');
    }
    made
}

/// What is said of the configuration before its first section. The first paragraph there
/// is about the example.
pub(super) fn about_the_file(roff: &mut Roff) {
    let said = &sections()[0].intro;
    let first = said.iter().position(String::is_empty).unwrap();
    paragraphs(roff, &said[first..]);
}

/// Every section with its keys.
pub(super) fn all(roff: &mut Roff) {
    for section in &sections()[1..] {
        roff.control("SS", [format!("[{}]", section.name).as_str()]);
        paragraphs(roff, &section.intro);
        for group in &section.groups {
            let named = |key: &&Key| {
                let value = (key.get)(&Config::default());
                format!("`{}` = {value} ({})", key.name(), form(key))
            };
            term(roff, &group.keys.iter().map(named).collect::<Vec<_>>());
            let prose = group.prose.join("\n");
            for (at, paragraph) in prose.split("\n\n").enumerate() {
                if at > 0 {
                    roff.control("IP", []);
                }
                sentences(roff, &paragraph.replace('\n', " "));
            }
            sentences(roff, &restart(&group.keys));
        }
    }
}

fn restart(keys: &[&Key]) -> String {
    let fixed: Vec<String> =
        keys.iter().filter(|key| !key.reloads).map(|key| format!("`{}`", key.name())).collect();
    match fixed.len() {
        0 => String::new(),
        all if all == keys.len() => String::from("Needs a restart."),
        _ => format!("A change of {} needs a restart.", fixed.join(", ")),
    }
}

fn paragraphs(roff: &mut Roff, lines: &[String]) {
    set(roff, &lines.join("\n"), &|part, _| panic!("no part {part}"));
}

/// The example's sections; the first holds what comes before all of them.
fn sections() -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut prose: Vec<String> = Vec::new();
    for line in EXAMPLE.lines().chain([""]) {
        let section = sections.last_mut().unwrap();
        if let Some(name) = heading(line) {
            sections.push(Section { name: name.into(), ..Section::default() });
        } else if let Some(key) = key(&section.name, line) {
            if !prose.is_empty() || section.groups.is_empty() {
                let prose = std::mem::take(&mut prose);
                section.groups.push(Group { keys: Vec::new(), prose });
            }
            section.groups.last_mut().unwrap().keys.push(key);
        } else if let Some(said) = line.strip_prefix('#') {
            prose.push(said.trim().to_owned());
        } else {
            assert_eq!(line, "", "neither a section, a key, a comment nor empty");
            section.intro.append(&mut prose);
        }
    }
    sections
}

fn heading(line: &'static str) -> Option<&'static str> {
    line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
}

/// The key that a line of the example shows.
fn key(section: &str, line: &str) -> Option<&'static Key> {
    let (name, _) = line.strip_prefix('#')?.split_once(" = ")?;
    KEYS.iter().find(|key| key.section() == section && key.name() == name)
}

/// What a key takes. Its reader says so when it is given something else.
fn form(key: &Key) -> String {
    let refusal = |value: &str| read(key, value).err().unwrap_or_default();
    let takes = |value: &str| read(key, value).is_ok();
    let ranges = ["-1", "\"9999999d\"", "\"9999999GiB\""].map(refusal);
    let limits = ["Write a number from", "Write a duration from", "Write a size up to"];
    let ranged = ranges.iter().find(|said| limits.iter().any(|limit| said.starts_with(limit)));
    if takes("true") {
        return "true or false".into();
    }
    if let Some(said) = ranged {
        let off = if takes("\"off\"") { ", or \"off\"" } else { "" };
        return format!("{}{off}", written(said));
    }
    if takes("\"/x\"") && !takes("\"x\"") {
        let none = if takes("\"\"") { ", or \"\"" } else { "" };
        return format!("an absolute path{none}");
    }
    let others = ["\"?\"", "\"a b\"", "\"\""].map(refusal);
    written(others.iter().find(|said| !said.is_empty()).unwrap())
}

/// Gives the key this value; `Err` tells what to write instead.
fn read(key: &Key, value: &str) -> Result<(), String> {
    let text = format!("it = {value}");
    let table = DeTable::parse(&text).unwrap();
    let value = table.get_ref().get("it").unwrap().get_ref();
    (key.set)(&mut Config::default(), value).map_err(|wrong| {
        // A build with the simulator takes a shorter one; the page is of one without.
        let (sim, network) = (TAKEOVER_AFTER_MIN, TAKEOVER_AFTER_MIN_NETWORK);
        let quoted = |duration| format!("{:?}", format_duration(duration));
        match key.path {
            "session.takeover_after" => wrong.remedy.replace(&quoted(sim), &quoted(network)),
            _ => wrong.remedy,
        }
    })
}

/// `Write a number from 1 to 9, without quotes.` -> `a number from 1 to 9`;
/// `There are on, off.` -> `one of "on", "off"`
fn written(remedy: &str) -> String {
    if let Some(names) = remedy.strip_prefix("There are ") {
        let names = names.trim_end_matches('.').split(", ").map(|name| format!("{name:?}"));
        return format!("one of {}", names.collect::<Vec<_>>().join(", "));
    }
    let said = remedy.strip_prefix("Write ").unwrap_or_else(|| panic!("{remedy}"));
    let end = [", without quotes", ", such as", ";", ". "].iter().filter_map(|end| said.find(end));
    said[..end.min().unwrap_or(said.len())].trim_end_matches('.').to_owned()
}

#[test]
fn what_a_key_takes_is_what_its_reader_says() {
    let form = |path: &str| form(KEYS.iter().find(|key| key.path == path).unwrap());
    for (path, said) in [
        ("state.dir", "an absolute path"),
        ("state.key_file", "an absolute path, or \"\""),
        ("socket.group_read", "a name from /etc/group, or \"\" for none"),
        ("queue.capacity", "a number from 1 to 4000"),
        ("queue.undo", "a duration from \"0s\" to \"1d\", or \"off\""),
        ("preflight.numbers", "true or false"),
        ("preflight.links", "one of \"park\", \"warn\", \"off\""),
        ("files.quota", "a size up to \"1024GiB\""),
        ("fetch.allow_addresses", "a list of networks"),
        ("session.endpoint", "an address that begins with wss://"),
        ("session.on_conflict", "\"hold\" or \"takeover_after\""),
        ("session.takeover_after", "a duration from \"60s\" to \"1d\""),
    ] {
        assert_eq!(form(path), said, "{path}");
    }
}

#[test]
fn the_example_names_every_module_that_can_have_a_level() {
    let (_, levels) = EXAMPLE.split_once("[log.modules]\n").unwrap();
    let (names, _) = levels.split_once(';').unwrap();
    let names = names.split_once(':').unwrap().1.replace("\n#", "");
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    assert_eq!(names, tetherd::config::keys::LOG_MODULES);
}
