//! The configuration as its users meet it: golden sentences, and the example.

use std::path::Path;

use super::*;

const EXAMPLE: &str = include_str!("../../contrib/tetherd.toml");

fn read(text: &str) -> Result<Loaded, ConfigError> {
    Config::from_text(text, Some(Path::new("t.toml")), &Environment::system())
}

/// What is said about a wrong file.
fn said(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

/// The warnings, those of a build with the simulator left out.
fn warned(text: &str) -> Vec<String> {
    let warnings = read(text).unwrap().warnings;
    let texts = warnings.iter().map(ToString::to_string);
    texts.filter(|text| !text.contains("build with the simulator")).collect()
}

#[test]
fn no_file_means_the_defaults() {
    assert_eq!(read("").unwrap().config, Config::default());
    let loaded = Config::load(
        None,
        &Environment {
            xdg_config_home: Some("/nonexistent".into()),
            xdg_runtime_dir: Some("/run/user/1".into()),
            home: Some("/home/u".into()),
            ..Environment::default()
        },
    );
    let loaded = loaded.unwrap();
    assert_eq!(loaded.file, None);
    assert_eq!(loaded.config.state.dir, Path::new("/home/u/.local/state/tetherd"));
}

#[test]
fn the_example_equals_the_defaults_as_it_is_and_with_every_key_uncommented() {
    let mut uncommented = String::new();
    let mut shown = 0;
    for line in EXAMPLE.lines() {
        let is_key =
            line.starts_with('#') && line[1..].starts_with(|c: char| c.is_ascii_lowercase());
        shown += usize::from(is_key);
        uncommented.push_str(if is_key { &line[1..] } else { line });
        uncommented.push('\n');
    }
    assert_eq!(shown, keys().count(), "a key is missing from the example");
    assert_eq!(read(EXAMPLE).unwrap().config, Config::default());
    assert_eq!(read(&uncommented).unwrap().config, Config::default());
    assert_eq!(warned(&uncommented), Vec::<String>::new());
}

#[test]
fn the_example_names_the_keys_in_the_table_s_order_under_their_sections() {
    let mut section = "";
    let mut found = Vec::new();
    for line in EXAMPLE.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some((name, value)) = line.strip_prefix('#').and_then(|l| l.split_once(" = "))
            && !name.contains(' ')
            && !name.is_empty()
        {
            let value = value.split("  # ").next().unwrap();
            found.push((format!("{section}.{name}"), value.to_owned()));
        }
    }
    let default = Config::default();
    let expected: Vec<_> = keys().map(|key| (key.path.to_owned(), (key.get)(&default))).collect();
    assert_eq!(found, expected);
}

#[test]
fn an_unknown_key_is_an_error_with_its_line_and_a_suggestion() {
    assert_eq!(
        said("[queue]\ncapasity = 3\n"),
        "t.toml:2:1: [queue] has no key \"capasity\". Did you mean \"capacity\"?"
    );
    assert_eq!(
        said("[queue]\nzzz = 3\n"),
        "t.toml:2:1: [queue] has no key \"zzz\". There are capacity, parked_max, history_max, \
         history_age, undo, confirm_after."
    );
    assert_eq!(
        said("[queue]\nwindow = \"120s\"\n"),
        "t.toml:2:1: [queue] has no key \"window\". It belongs under [pacing]."
    );
}

#[test]
fn an_unknown_section_is_an_error_with_a_suggestion() {
    assert_eq!(
        said("[pacng]\nmessages = 5\n"),
        "t.toml:1:2: There is no section [pacng]. Did you mean \"pacing\"?"
    );
    assert_eq!(
        said("capacity = 5\n"),
        "t.toml:1:1: There is no section [capacity]. The key \"capacity\" belongs under [queue]."
    );
    assert_eq!(
        said("queue = 5\n"),
        "t.toml:1:1: \"queue\" is a section, not a key. Write [queue] on a line of its own, and \
         its keys below."
    );
}

#[test]
fn wrong_types_and_values_say_where_what_and_what_to_write() {
    for (text, sentence) in [
        (
            "[queue]\ncapacity = \"400\"",
            "t.toml:2:12: queue.capacity cannot be \"400\". Write a number from 1 to 4000, without \
             quotes.",
        ),
        (
            "[pacing]\nhours = \"Mon 08:00-18:00\"",
            "t.toml:2:9: pacing.hours cannot be \"Mon 08:00-18:00\". Write a list of at most 32 days \
             and times, in brackets. Such as [\"Mon-Fri 08:00-18:00\", \"Sat 09:00-12:30\"].",
        ),
        (
            "[pacing]\nhours = [\"Mon 08:00-18:00\", \"Sunday 9-10\"]",
            "t.toml:2:29: pacing.hours cannot have \"Sunday 9-10\". Write a day or days, and times. \
             Such as [\"Mon-Fri 08:00-18:00\", \"Sat 09:00-12:30\"].",
        ),
        (
            "[queue]\ncapacity = 0",
            "t.toml:2:12: queue.capacity cannot be 0. Write a number from 1 to \
             4000.",
        ),
        (
            "[queue]\ncapacity = -3",
            "t.toml:2:12: queue.capacity cannot be -3. Write a number from 1 to \
             4000.",
        ),
        (
            "[pacing]\nwindow = 120",
            "t.toml:2:10: pacing.window cannot be 120. Write a duration from \"1s\" to \"1d\", in \
             quotes. It is a number and a unit (ms, s, m, h, d), such as \"120s\" or \"1h30m\".",
        ),
        (
            "[pacing]\nwindow = \"0s\"",
            "t.toml:2:10: pacing.window cannot be \"0s\". Write a duration from \"1s\" to \"1d\". It is \
             a number and a unit (ms, s, m, h, d), such as \"120s\" or \"1h30m\".",
        ),
        (
            "[pacing]\nwindow = \"2 minuten\"",
            "t.toml:2:10: pacing.window cannot be \"2 minuten\". Write a duration from \"1s\" to \
             \"1d\". It is a number and a unit (ms, s, m, h, d), such as \"120s\" or \"1h30m\".",
        ),
        (
            "[state]\ndir = \"~/x\"",
            "t.toml:2:7: state.dir cannot be \"~/x\". Write an absolute path. It begins with /; ~ and \
             variables are not expanded.",
        ),
        (
            "[session]\nendpoint = \"ws://x\"",
            "t.toml:2:12: session.endpoint cannot be \"ws://x\". Write an address that begins with \
             wss://. Leave it out to use the network's own.",
        ),
        (
            "[session]\nclient_version = \"2.3000\"",
            "t.toml:2:18: session.client_version cannot be \"2.3000\". Write three numbers with dots \
             between them. Such as \"2.3000.1042742319\".",
        ),
        (
            "[log]\nlevel = \"inof\"",
            "t.toml:2:9: log.level cannot be \"inof\". Did you mean \"info\"? Write one of \"off\", \
             \"error\", \"warn\", \"info\", \"debug\", \"trace\".",
        ),
        (
            "[log.modules]\nstroe = \"debug\"",
            "t.toml:2:1: log.modules names no module \"stroe\". Did you mean \"store\"?",
        ),
        (
            "[socket]\ngroup_read = \"a b\"",
            "t.toml:2:14: socket.group_read cannot be \"a b\". Write a name from /etc/group, or \"\" for \
             none.",
        ),
    ] {
        assert_eq!(said(text), sentence);
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file() {
    let said = said("[queue]\ncapacity = 0\n[pacing]\nmessages = 0\n[log]\nlevle = \"info\"\n");
    let places: Vec<&str> = said.lines().map(|line| &line[..9]).collect();
    assert_eq!(places, ["t.toml:2:", "t.toml:4:", "t.toml:6:"], "{said}");
}

#[test]
fn what_is_not_toml_is_told_with_its_place() {
    let said = said("[queue]\ncapacity 5\n");
    assert!(said.starts_with("t.toml:2:"), "{said}");
    assert!(said.contains("This is not TOML"), "{said}");
}

#[test]
fn columns_count_characters_not_bytes() {
    let said = said("# ü\n[log]\n\"lüvel\" = \"info\"\n");
    assert!(said.starts_with("t.toml:3:1:"), "{said}");
}

#[test]
fn a_pace_faster_than_the_default_is_allowed_and_named() {
    assert_eq!(
        warned("[pacing]\nwindow = \"3s\"\n"),
        ["t.toml:2:10: 5 messages per 3s is faster than the cautious default: up to 200 would \
         leave within 120s, instead of 5. It may get the account restricted or \
         banned; leave [pacing] out outside of tests."]
    );
    assert_eq!(warned("[pacing]\nmessages = 1\nwindow = \"24s\"\n"), Vec::<String>::new());
    assert_eq!(warned("[pacing]\nmessages = 10\nwindow = \"4m\"\n").len(), 1);
}

#[test]
fn a_queue_that_takes_long_to_leave_is_allowed_and_named() {
    assert_eq!(
        warned("[queue]\ncapacity = 1000\n"),
        ["t.toml:2:12: A full queue of 1000 messages takes 6 h 40 min to leave at this pace. A \
         program that gets queue_full earlier learns earlier that something holds the queue."]
    );
}

#[test]
fn a_first_backoff_above_the_cap_is_an_error() {
    assert_eq!(
        said("[session]\nbackoff_first = \"10m\"\n"),
        "t.toml:2:17: session.backoff_first (10m) is longer than session.backoff_cap (5m). The \
         first wait must not exceed the longest."
    );
}

#[test]
fn without_any_place_for_state_and_socket_the_remedy_names_the_keys() {
    let nobody = Environment::default();
    let said = Config::from_text("", None, &nobody).unwrap_err().to_string();
    assert!(said.contains("Set dir under [state]."), "{said}");
    assert!(said.contains("Set path under [socket]."), "{said}");
    let text = "[state]\ndir = \"/s\"\n[socket]\npath = \"/c.sock\"\n";
    assert!(Config::from_text(text, None, &nobody).is_ok());
}

#[test]
fn a_named_file_that_is_missing_is_an_error() {
    let error = Config::load(Some(Path::new("/nonexistent.toml")), &Environment::system());
    let said = error.unwrap_err().to_string();
    assert!(said.starts_with("/nonexistent.toml: The configuration cannot be read: "), "{said}");
}

#[test]
fn empty_texts_mean_none() {
    let config = read("[socket]\ngroup_read = \"staff\"\ngroup_send = \"\"\n").unwrap().config;
    assert_eq!(config.socket.group_read.as_deref(), Some("staff"));
    assert_eq!(config.socket.group_send, None);
    assert_eq!(config.session.ca_file, None);
}

#[test]
fn a_reload_tells_what_it_takes_over_and_what_it_cannot() {
    let old = Config::default();
    let text = "[queue]\ncapacity = 10\n[session]\nack_timeout = \"9s\"\ndevice_name = \"x\"\n\
         [log]\nlevel = \"debug\"\n[log.modules]\nstore = \"trace\"\n";
    let new = read(text).unwrap().config;
    let mut now = old.clone();
    let diff = now.reload(&new);
    assert_eq!(diff.applied, ["queue.capacity", "session.ack_timeout", "log.level", "log.modules"]);
    assert_eq!(diff.needs_restart, ["session.device_name"]);
    assert_eq!(old.clone().reload(&old), ReloadDiff::default());
    // After the reload only that remains which it could not take over.
    assert_eq!(now.queue.capacity, 10);
    assert_eq!(now.session.device_name, old.session.device_name);
    let rest = now.reload(&new);
    assert_eq!((rest.applied.len(), rest.needs_restart), (0, vec!["session.device_name"]));
}

#[test]
fn undo_can_be_off_and_reads_back_so() {
    for off in ["off", "0s"] {
        let loaded = read(&format!("[queue]\nundo = \"{off}\"\n")).unwrap();
        assert_eq!(loaded.config.queue.undo, None);
        let report = loaded.report();
        assert!(report.contains("undo = \"off\"\n"), "{report}");
        assert_eq!(read(&report).unwrap().config, loaded.config);
    }
    assert!(said("[queue]\nundo = \"2d\"\n").contains("cannot be \"2d\""));
}

#[test]
fn the_report_of_check_config_can_be_read_back() {
    let text = "[queue]\ncapacity = 10\n[log.modules]\n\"store::commit\" = \"trace\"\n";
    let loaded = read(text).unwrap();
    let report = loaded.report();
    assert!(report.starts_with("# t.toml: no errors\n"), "{report}");
    assert_eq!(read(&report).unwrap().config, loaded.config);
}
