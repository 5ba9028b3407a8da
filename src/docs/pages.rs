//! What the pages consist of, and that what no definition says is true as well.

use super::{commands, keys, man, words};
use expect_test::expect_file;
use tetherd_api::exit::ExitCode;
use tetherd_config::paths::{KEY_CREDENTIAL, SYSTEM_CONFIG, SYSTEM_SOCKET, SYSTEM_STATE_DIR};

const TETHERCTL: &str = include_str!("tetherctl.1.md");
const TETHERD: &str = include_str!("tetherd.8.md");
const TETHER_WEB: &str = include_str!("tether-web.8.md");
const TETHERD_TOML: &str = include_str!("tetherd.toml.5.md");

/// A part of tetherctl(1) that is made.
fn of_tetherctl(part: &str) -> String {
    match part {
        "name" => man::name_and_synopsis(&commands::tetherctl()),
        "options" => man::options(&commands::tetherctl()),
        "commands" => man::commands(&commands::tetherctl(), &commands::is_filter),
        "conditions" => man::without_heading(&man::options(&commands::filters())),
        "exit" => exits(ExitCode::for_tetherctl),
        other => panic!("tetherctl(1) has no part {other}"),
    }
}

fn of_tetherd(part: &str) -> String {
    match part {
        "name" => man::name_and_synopsis(&commands::tetherd()),
        "options" => man::options(&commands::tetherd()),
        "commands" => man::commands(&commands::tetherd(), &|_| false),
        "exit" => exits(ExitCode::for_tetherd),
        other => panic!("tetherd(8) has no part {other}"),
    }
}

fn of_tether_web(part: &str) -> String {
    match part {
        "name" => man::name_and_synopsis(&commands::tether_web()),
        "options" => man::options(&commands::tether_web()),
        "commands" => man::commands(&commands::tether_web(), &|_| false),
        other => panic!("tether-web(8) has no part {other}"),
    }
}

fn of_the_configuration(part: &str) -> String {
    match part {
        "file" => plain(keys::ABOUT),
        "keys" => plain(&keys::sections()),
        other => panic!("tetherd.toml(5) has no part {other}"),
    }
}

/// Markdown in which nothing is made.
fn plain(text: &str) -> String {
    man::markdown(text, |part| panic!("no part {part}"))
}

fn exits(meaning: fn(ExitCode) -> &'static str) -> String {
    // A build without the feature `sim` has no `demo`.
    let codes = ExitCode::ALL.into_iter().map(|code| (code, meaning(code)));
    let codes = codes.filter(|(_, meaning)| !meaning.is_empty() && !meaning.starts_with("demo "));
    plain(&codes.map(|(code, meaning)| format!("`{code}`\n: {meaning}\n\n")).collect::<String>())
}

#[test]
fn the_pages_are_those_of_the_definitions() {
    for (name, text, part) in [
        ("tetherctl.1", TETHERCTL, of_tetherctl as fn(&str) -> String),
        ("tetherd.8", TETHERD, of_tetherd),
        ("tether-web.8", TETHER_WEB, of_tether_web),
        ("tetherd.toml.5", TETHERD_TOML, of_the_configuration),
    ] {
        let page = man::page(name, text, part);
        expect_file![format!("../../contrib/man/{name}")].assert_eq(&page);
    }
}

#[test]
fn the_example_says_behind_each_key_what_it_takes() {
    expect_file!["../../contrib/tetherd.toml"].assert_eq(&keys::example());
}

#[test]
fn every_command_in_the_pages_is_one() {
    let shown = |text: &'static str| text.lines().filter_map(|line| line.strip_prefix("    "));
    let mut commands = 0;
    for line in
        shown(TETHERCTL).chain(shown(TETHERD)).chain(shown(TETHERD_TOML)).chain(shown(TETHER_WEB))
    {
        for part in line.split(['|', ';']).map(str::trim) {
            match words(part).first().map(String::as_str) {
                Some("tetherctl") if !part.contains("COMMAND") => {
                    <tetherctl::cli::Args as clap::Parser>::try_parse_from(words(part)).unwrap();
                }
                Some("tetherd") if !part.contains("COMMAND") => {
                    <tetherd::daemon::args::Args as clap::Parser>::try_parse_from(words(part))
                        .unwrap();
                }
                Some("tether-web") => {
                    <tether_web::args::Args as clap::Parser>::try_parse_from(words(part)).unwrap();
                }
                Some(_) | None => continue,
            }
            commands += 1;
        }
    }
    assert!(commands >= 14, "{commands}");
}

#[test]
fn a_configuration_that_is_shown_is_one() {
    let (_, shown) = TETHERD_TOML.split_once("# EXAMPLES\n").unwrap();
    let lines = shown.lines().filter_map(|line| line.strip_prefix("    "));
    let text: Vec<&str> = lines.collect();
    let env = tetherd_config::Environment::system();
    assert!(text.len() > 3);
    tetherd_config::Config::from_text(&text.join("\n"), None, &env).unwrap();
}

/// The front's configuration in the indented lines of this part of a page.
fn of_the_front(shown: &str) -> tether_web::config::Config {
    let text: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.toml");
    std::fs::write(&path, text.join("\n")).unwrap();
    let env = tetherd_config::Environment::system();
    tether_web::config::Config::load(Some(&path), &env).unwrap()
}

#[test]
fn the_front_s_configuration_that_is_shown_is_one() {
    let (_, shown) = TETHER_WEB.split_once("# EXAMPLES\n").unwrap();
    let (shown, drop_in) = shown.split_once("And for `tether-web.socket`").unwrap();
    let (drop_in, _) = drop_in.split_once("A message, from a program").unwrap();
    let config = of_the_front(shown);
    assert_eq!((config.daemons.len(), config.webhooks.len()), (2, 2));
    let opened = include_str!("../../systemd/webhooks.conf").lines();
    for line in opened.filter(|line| !line.starts_with('#')) {
        assert!(TETHER_WEB.contains(&format!("\n    {line}\n")), "{line}");
    }
    // A socket that is passed comes before an address: the configuration names none, and has
    // what one with a path needs.
    assert_eq!(config.listen.address.to_string(), tether_web::config::DEFAULT_ADDRESS);
    config.check_listener(None).unwrap();
    assert!(drop_in.contains("    ListenStream=\n    ListenStream=/"), "{drop_in}");
    for path in [tether_web::config::SYSTEM_CONFIG, tether_web::config::SYSTEM_TOKENS] {
        assert!(TETHER_WEB.contains(path), "{path}");
    }
    assert!(TETHER_WEB.contains(tether_web::config::DEFAULT_ADDRESS));
    assert!(TETHER_WEB.contains(&tether_web::limits::UPLOAD_BYTES_MAX.to_string()));
    let unit = include_str!("../../systemd/system/tether-web.socket");
    let listens = format!("ListenStream={}\n", tether_web::config::DEFAULT_ADDRESS);
    assert!(unit.contains(&listens));
    assert!(unit.contains(&format!("FileDescriptorName={}\n", tether_web::listen::LISTENER_NAME)));
}

#[test]
fn the_front_s_receivers_that_are_shown_are_some() {
    let (_, shown) = TETHER_WEB.split_once("# RECEIVERS\n").unwrap();
    let (shown, keys) = shown.split_once("It takes a token").unwrap();
    let config = of_the_front(shown);
    assert_eq!(config.receivers.len(), 2);
    let length = tether_web::limits::RECEIVED_TEXT_CHARS_MAX;
    assert!(keys.contains(&format!("cut off at\n  {length} characters")), "{length}");
}

#[test]
fn the_pages_name_the_files_the_variables_and_the_credential() {
    let (_, variables) = TETHERD.split_once("# ENVIRONMENT\n").unwrap();
    let (variables, _) = variables.split_once("\n# ").unwrap();
    let read = include_str!("../config/paths.rs").lines().flat_map(|line| {
        let named = line.split(['"']).skip(1).step_by(2);
        named.filter(|_| line.contains("path(\"") || line.contains("absolute(\""))
    });
    let read: Vec<&str> = read.filter(|name| !name.contains('/')).collect();
    assert!(read.len() >= 8, "{read:?}");
    for name in read {
        assert!(variables.contains(&format!("`{name}`")), "{name}");
    }
    for path in [SYSTEM_CONFIG, SYSTEM_SOCKET, SYSTEM_STATE_DIR, KEY_CREDENTIAL] {
        assert!(TETHERD.contains(path), "{path}");
    }
    assert!(TETHERCTL.contains(SYSTEM_SOCKET));
}

#[test]
fn what_a_restart_does_not_mend_is_what_the_unit_says() {
    let unit = include_str!("../../systemd/system/tetherd.service");
    let codes = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus="));
    let codes = codes.unwrap().replace(' ', ", ");
    assert!(TETHERD.contains(&format!("exit codes {codes}")), "{codes}");
}
