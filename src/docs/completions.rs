//! The shells' completions of both programs.

use clap::Command;
use clap_complete::{Shell, generate};

use super::commands;
use expect_test::expect_file;

/// The shells of the machines that the programs are installed on, and how each wants the
/// file to be called.
const SHELLS: [(Shell, &str, &str); 3] =
    [(Shell::Bash, "", ".bash"), (Shell::Zsh, "_", ""), (Shell::Fish, "", ".fish")];

type Definition = fn() -> Command;

const PROGRAMS: [(&str, Definition); 2] =
    [("tetherctl", commands::tetherctl), ("tetherd", commands::tetherd)];

fn script(shell: Shell, program: &str) -> String {
    let (name, definition) = PROGRAMS.into_iter().find(|(name, _)| *name == program).unwrap();
    let mut script = Vec::new();
    generate(shell, &mut definition(), name, &mut script);
    String::from_utf8(script).unwrap()
}

#[test]
fn completions_are_those_of_the_definitions() {
    for (name, _) in PROGRAMS {
        for (shell, before, after) in SHELLS {
            let path = format!("../../contrib/completions/{before}{name}{after}");
            expect_file![path].assert_eq(&script(shell, name));
        }
    }
}

/// What bash offers when the last of these words is completed. `None` without bash.
fn offered(program: &str, words: &[&str]) -> Option<Vec<String>> {
    const DRIVE: &str = r#"
        eval "$1" || exit 1
        complete -p "$2" >/dev/null || exit 1
        COMP_WORDS=("${@:2}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        "_$2" "$2" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" || exit 1
        printf '%s\n' "${COMPREPLY[@]}""#;
    let mut bash = std::process::Command::new("bash");
    bash.args([
        "--norc",
        "--noprofile",
        "-c",
        DRIVE,
        "bash",
        &script(Shell::Bash, program),
        program,
    ]);
    let output = match bash.args(words).output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("{error}"),
    };
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn bash_completes_commands_options_and_their_values() {
    for (program, words, all) in [
        ("tetherctl", ["qu"].as_slice(), ["queue"].as_slice()),
        ("tetherctl", &["queue", "--state", "pa"], &["parked"]),
        ("tetherctl", &["clear", "--reason", "not_"], &["not_on_network", "not_sendable"]),
        ("tetherctl", &["send", "+15550100", "hi", "--priority", ""], &["high", "normal", "low"]),
        ("tetherctl", &["send", "+15550100", "hi", "--wait", ""], &["sent", "delivered"]),
        ("tetherctl", &["inbox", "fi"], &["file"]),
        ("tetherctl", &["inbox", "file", "--out"], &["--output"]),
        ("tetherd", &["check"], &["check-config"]),
        ("tetherd", &["--con"], &["--config"]),
    ] {
        match offered(program, words) {
            Some(offered) => assert_eq!(offered, all, "{words:?}"),
            None => return eprintln!("NOT RUN: bash's completions, there is no bash"),
        }
    }
    let states = offered("tetherctl", &["queue", "--state", ""]).unwrap();
    let named = tetherd_api::State::ALL.map(|state| state.name().to_owned());
    assert!(named.iter().all(|state| states.contains(state)), "{states:?}");
}
