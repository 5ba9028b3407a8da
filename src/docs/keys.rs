//! The table of the configuration's keys as contrib/tetherd.toml, and as the sections of
//! tetherd.toml(5). Owns no prose about a key.

use tetherd_config::{Config, SECTIONS};

/// The file as a whole, as Markdown.
pub(super) const ABOUT: &str = include_str!("configuration.md");

const ABOUT_THE_EXAMPLE: &str = "\
tetherd's configuration; tetherd.toml(5) says the same. The lines below show the
defaults of a system service: remove the # before a line to change it. Behind each key
stands what it takes, and `restart` where a running daemon does not take a change over.

";

/// The example: every key with its documentation, its default, and what it takes.
pub(super) fn example() -> String {
    let mut example = comment(&format!("{ABOUT_THE_EXAMPLE}{ABOUT}"));
    for section in SECTIONS {
        example.push_str(&format!("\n[{}]\n{}\n", section.name, comment(&prose(section.doc))));
        for key in section.keys {
            let restart = if key.reloads { "" } else { "; restart" };
            let value = (key.get)(&Config::default());
            let form = (key.form)().text;
            example.push_str(&comment(&prose(key.doc)));
            example.push_str(&format!("#{} = {value}  # {form}{restart}\n", key.name()));
        }
    }
    example
}

fn comment(text: &str) -> String {
    text.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect()
}

/// Documentation as it was written: its lines, without the marks of Rust.
fn prose(doc: &[&str]) -> String {
    let lines: Vec<&str> = doc.iter().map(|line| line.trim()).collect();
    lines.join("\n").replace("`[", "[").replace("]`", "]")
}

/// Every section with its keys, as Markdown.
pub(super) fn sections() -> String {
    let mut text = String::new();
    for section in SECTIONS {
        text.push_str(&format!("## [{}]\n\n{}\n\n", section.name, prose(section.doc)));
        for key in section.keys {
            let value = (key.get)(&Config::default());
            let restart = if key.reloads { "" } else { " Needs a restart." };
            let takes = (key.form)().text;
            let doc = prose(key.doc).replace('\n', "\n  ");
            text.push_str(&format!("`{}` = {value} ({takes})\n: {doc}{restart}\n\n", key.name()));
        }
    }
    text
}

#[test]
fn what_a_key_takes_is_what_its_reader_says() {
    let form =
        |path: &str| (tetherd_config::keys().find(|key| key.path == path).unwrap().form)().text;
    for (path, said) in [
        ("state.dir", "an absolute path"),
        ("state.key_file", "an absolute path, or \"\" for none"),
        ("socket.group_read", "a name from /etc/group, or \"\" for none"),
        ("queue.capacity", "a number from 1 to 4000"),
        ("queue.undo", "a duration from \"0s\" to \"1d\", or \"off\""),
        ("preflight.numbers", "true or false"),
        ("preflight.links", "one of \"park\", \"warn\", \"off\""),
        ("files.quota", "a size up to \"1024GiB\""),
        ("fetch.allow_addresses", "a list of at most 64 networks"),
        ("session.endpoint", "an address that begins with wss://"),
        ("session.on_conflict", "\"hold\" or \"takeover_after\""),
        ("session.takeover_after", "a duration from \"60s\" to \"1d\""),
    ] {
        assert_eq!(form(path), said, "{path}");
    }
}
