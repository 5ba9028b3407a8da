//! The shells' completions of the programs: what is installed asks the program, which has
//! them from its definition. Here bash loads what is installed and completes.

use std::process::Command;

/// What bash offers when the last of these words is completed. `None` without bash.
fn offered(program: &str, words: &[&str]) -> Option<Vec<String>> {
    // A function stands for the program, and answers its script.
    const DRIVE: &str = r#"
        script=$2
        eval "$3() { [ \"\$*\" = 'completions bash' ] && printf '%s' \"\$script\"; }"
        source "$1" || exit 1
        registered=$(complete -p "$3") || exit 1
        function=${registered#*-F }; function=${function%% *}
        COMP_WORDS=("${@:3}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        "$function" "$3" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" || exit 1
        printf '%s\n' "${COMPREPLY[@]}""#;
    let installed = format!("../../contrib/completions/{program}.bash");
    let script = match program {
        "tetherd" => tetherd::daemon::args::completions(clap_complete::Shell::Bash),
        "tether-web" => tether_web::args::completions(clap_complete::Shell::Bash),
        _ => tetherctl::cli::completions(clap_complete::Shell::Bash),
    };
    let script = String::from_utf8(script).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-c", DRIVE, "bash", &installed, &script, program]);
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
        (
            "tetherctl",
            &["clear", "--reason", "not_"],
            &["not_on_network", "not_sendable", "not_admin", "not_in_group"],
        ),
        ("tetherctl", &["send", "+15550100", "hi", "--priority", ""], &["high", "normal", "low"]),
        ("tetherctl", &["send", "+15550100", "hi", "--wait", ""], &["sent", "delivered", "read"]),
        ("tetherctl", &["inbox", "fi"], &["file"]),
        ("tetherctl", &["inbox", "file", "--out"], &["--output"]),
        ("tetherd", &["check"], &["check-config"]),
        ("tetherd", &["--con"], &["--config"]),
        ("tether-web", &["token", "rem"], &["remove"]),
        ("tether-web", &["token", "add", "shop", "--tier", ""], &["read", "send", "admin"]),
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
