//! The README is run: every command in it as printed, every configuration through the
//! real reader. A block or a command that nothing here knows how to run is an error.

mod demo;
mod machine;
mod uses;

use std::path::Path;

use clap::{CommandFactory, Parser};
use tetherd_api::ConditionKind;
use tetherd_config::{Config, Environment};

const README: &str = include_str!("../../README.md");

/// A fenced block: its language and its text.
struct Block {
    language: &'static str,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in README.lines() {
        match (line.trim_start().strip_prefix("```"), open) {
            (Some(language), false) => {
                blocks.push(Block { language, text: String::new() });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let text = &mut blocks.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!open, "a block of the README does not end");
    blocks
}

/// The commands of the `sh` blocks, a block each, without their comments.
fn scripts() -> Vec<Vec<String>> {
    let shell = blocks().into_iter().filter(|block| block.language == "sh");
    let lines = |block: Block| {
        let bare = block.text.lines().map(|l| l.split(" #").next().unwrap().trim().to_owned());
        bare.filter(|line| !line.is_empty()).collect()
    };
    shell.map(lines).collect()
}

/// The one `sh` block with this line.
fn script(line: &str) -> Vec<String> {
    let with_it = |script: &Vec<String>| script.iter().any(|l| l == line);
    let mut found: Vec<Vec<String>> = scripts().into_iter().filter(with_it).collect();
    assert_eq!(found.len(), 1, "{line:?} is in so many blocks");
    found.remove(0)
}

/// What runs a block of the README in `sh`.
#[derive(Debug, PartialEq)]
enum Runner {
    /// `cargo`, which cannot be run inside `cargo test`, and the daemon in the foreground:
    /// what they name is checked.
    Cargo,
    /// A shell with `tetherctl` in its path, line by line.
    Lines,
    /// A shell with what a script is written in, as a whole.
    Script,
}

fn runner(script: &[String]) -> Runner {
    if script[0].starts_with("cargo ") {
        return Runner::Cargo;
    }
    if script.iter().any(|line| line.contains("socat -t") || line.contains("./tetherd.sh")) {
        return Runner::Script;
    }
    for line in script {
        let programs = line.split(['|', ';']).map(|part| part.trim().split(' ').next().unwrap());
        for program in programs {
            assert!(["tetherctl", "echo", "cat"].contains(&program), "no test can run {line:?}");
        }
    }
    Runner::Lines
}

#[test]
fn every_block_of_the_readme_is_run_by_a_test() {
    for block in blocks() {
        // `sh root`: by `.ci/boot`, in a container that has systemd.
        let known = ["sh", "sh root", "toml", "python"].contains(&block.language);
        assert!(known, "no test can run a block of {:?}:\n{}", block.language, block.text);
    }
    let count = |kind| scripts().iter().filter(|script| runner(script) == kind).count();
    // The tests below take them one by one: what runs where must not change unnoticed.
    assert_eq!([Runner::Cargo, Runner::Lines, Runner::Script].map(count), [3, 4, 2]);
}

#[test]
fn every_command_within_a_sentence_is_one() {
    let mut commands = 0;
    let prose = README.split("```").step_by(2);
    for span in prose.flat_map(|text| text.split('`').skip(1).step_by(2)) {
        let words = span.split_whitespace();
        if span.starts_with("tetherctl ") {
            let parsed = tetherctl::cli::Args::try_parse_from(words);
            let help = |e: &clap::Error| e.kind() == clap::error::ErrorKind::DisplayHelp;
            assert!(parsed.as_ref().err().is_none_or(help), "{span}: {}", parsed.unwrap_err());
            commands += 1;
        } else if span.starts_with("tetherd ") {
            tetherd::daemon::args::Args::try_parse_from(words).unwrap();
            commands += 1;
        } else if span.starts_with("tether-web ") {
            tether_web::args::Args::try_parse_from(words).unwrap();
            commands += 1;
        }
    }
    assert!(commands >= 12, "{commands}");
}

#[test]
fn every_subcommand_is_in_the_readme() {
    for command in tetherctl::cli::Args::command().get_subcommands() {
        let call = format!("tetherctl {}", command.get_name());
        assert!(README.contains(&call), "{call}");
    }
}

#[test]
fn every_cause_is_in_the_table_with_what_to_do() {
    let (_, section) = README.split_once("\n## Why messages pile up\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).collect();
    for cause in ConditionKind::ALL {
        let name = format!("`{}`", cause.name());
        let cell = |row: &&&str| row.split('|').nth(2).is_some_and(|cell| cell.contains(&name));
        assert_eq!(rows.iter().filter(cell).count(), 1, "{name}");
    }
}

#[test]
fn what_troubleshooting_names_is_what_why_and_the_doctor_say() {
    let findings = include_str!("../../src/ctl/doctor/tests/kinds.golden.txt");
    let (_, section) = README.split_once("\n## Troubleshooting\n").unwrap();
    let mut named = 0;
    for row in section.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = row.split('|').collect();
        for cause in cells[2].split('`').skip(1).step_by(2) {
            assert!(ConditionKind::ALL.iter().any(|kind| kind.name() == cause), "{cause}");
            named += 1;
        }
        for finding in cells[3].split('`').skip(1).step_by(2) {
            assert!(
                findings.lines().any(|line| line.ends_with(&format!(" {finding}"))),
                "{finding}"
            );
            named += 1;
        }
        if row.contains("daemon_replaced") {
            break;
        }
    }
    assert!(named > 15, "{named}");
}

/// The arguments that `cargo` hands to the program behind an alias.
fn alias(name: &str) -> Vec<String> {
    let config: toml::Table = include_str!("../../.cargo/config.toml").parse().unwrap();
    let line = config["alias"][name].as_str().unwrap();
    let (cargo, program) = line.split_once(" -- ").unwrap();
    assert_eq!(cargo, "run --quiet --features sim --bin tetherd");
    program.split(' ').map(str::to_owned).collect()
}

#[test]
fn every_cargo_command_of_the_readme_names_what_is_there() {
    let manifest: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
    let features = manifest["features"].as_table().unwrap();
    let scripts = scripts();
    let cargo = scripts.iter().filter(|script| runner(script) == Runner::Cargo);
    for line in cargo.flatten() {
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        match words.as_slice() {
            // The daemon in the foreground: run by the tests on what the README shows.
            [] => assert_eq!(line, "tetherd"),
            // Run by `.ci/package`.
            ["deb"] => assert!(manifest["package"]["metadata"]["deb"].is_table()),
            // Run by the tests on the demonstration.
            ["demo"] | ["demo", "--once"] => assert_eq!(alias("demo"), ["demo"]),
            // This very test.
            ["test", "--features", "sim"] => assert!(features.contains_key("sim")),
            ["install", "--path", ".", "--locked"] => {
                assert_eq!(features["default"].as_array().unwrap().len(), 0);
                for program in ["tetherd", "tetherctl"] {
                    let source = format!("{}/src/bin/{program}.rs", env!("CARGO_MANIFEST_DIR"));
                    assert!(Path::new(&source).exists(), "{source}");
                }
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock").exists());
            }
            _ => panic!("no test can run {line:?}"),
        }
    }
}

#[test]
fn every_configuration_in_the_readme_is_accepted() {
    let configurations: Vec<Block> =
        blocks().into_iter().filter(|block| block.language == "toml").collect();
    let (front_s, daemon_s): (Vec<_>, Vec<_>) = configurations
        .into_iter()
        .partition(|block| block.text.starts_with("# /etc/tetherd/web.toml\n"));
    assert!(!front_s.is_empty());
    let folder = tempfile::tempdir().unwrap();
    for block in front_s {
        let path = folder.path().join("web.toml");
        std::fs::write(&path, &block.text).unwrap();
        let env = Environment::system();
        tether_web::config::Config::load(Some(&path), &env).unwrap();
    }
    for block in daemon_s {
        let loaded = Config::from_text(&block.text, None, &Environment::system());
        assert!(loaded.is_ok(), "{}: {}", block.text, loaded.unwrap_err());
    }
}

/// The configuration of the front's receivers, as printed.
pub(crate) fn of_receivers() -> tether_web::config::Config {
    let mut configurations = blocks().into_iter().map(|block| block.text);
    let text = configurations.find(|text| text.contains("[[receiver]]")).unwrap();
    let config: tether_web::config::Config = toml::from_str(&text).unwrap();
    config.completed(&Environment::system()).unwrap()
}
