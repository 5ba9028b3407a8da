//! The clients' README: its programs are run as printed, and its names are names.

use serde_json::json;

use super::{CONFIG, PYTHON_CLIENT, SHELL_CLIENT, command, is_there, ok, tree};
use crate::support::{Daemon, Lab, session_is};

const README: &str = include_str!("../../contrib/clients/README.md");

/// Whom the README writes to.
const FRIEND: &str = "+15550100";
/// The account, which is somebody else's here.
const ACCOUNT: &str = "15550199";

/// The fenced blocks in this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fenced = README.split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

fn paired(lab: &Lab) -> Daemon {
    lab.people(&[FRIEND]);
    let daemon = lab.daemon(CONFIG);
    let mut events = daemon.events();
    let offer = daemon.call("session.pair", json!({})).unwrap();
    lab.sim.call("phone.scan", json!({ "qr": offer["offer"]["qr"], "account": ACCOUNT }));
    events.wait("the session to connect", |event| session_is(event, "connected"));
    daemon
}

#[test]
fn every_program_of_the_clients_readme_runs_as_printed() {
    if !is_there("python3") || !is_there("socat") {
        return;
    }
    let lab = Lab::new();
    let _daemon = paired(&lab);
    std::fs::write(lab.path().join("report.pdf"), b"%PDF-1.4\n%%EOF\n").unwrap();
    std::os::unix::fs::symlink(tree("contrib/clients/tetherd.sh"), lab.path().join("tetherd.sh"))
        .unwrap();
    let [first, second] = blocks("python").try_into().unwrap();
    let said = ok(command(&lab, "python3").args(["-c", first]).output().unwrap());
    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(words[0] == "m1" && ["sent", "delivered", "read"].contains(&words[1]), "{said}");
    ok(command(&lab, "python3").args(["-c", second]).output().unwrap());
    let [first] = blocks("sh").try_into().unwrap();
    // The same key and text as the Python program's: the same message.
    let said = ok(command(&lab, "sh").args(["-eu", "-c", first]).output().unwrap());
    assert!(["sent\n", "delivered\n", "read\n"].contains(&said.as_str()), "{said}");
    lab.sim.call("server.wait", json!({ "messages": 2 }));
    let inbox = lab.sim.inbox(FRIEND);
    assert_eq!(inbox.len(), 2, "{inbox:?}");
    assert_eq!(README.matches("```").count(), 6);
}

#[test]
fn every_function_that_the_clients_readme_names_is_there() {
    let mut names = 0;
    for word in README.split(|c: char| !c.is_alphanumeric() && !"_".contains(c)) {
        if word.starts_with("tetherd_") {
            assert!(SHELL_CLIENT.contains(&format!("\n{word}() ")), "{word}");
            names += 1;
        }
        let is_class = ["NoDaemon", "NotAllowed", "QueueFull"].contains(&word)
            || ["Lost", "Unknown", "Params", "Recipient", "File", "Error"]
                .iter()
                .any(|end| word.len() > end.len() && word.ends_with(end));
        if is_class {
            assert!(PYTHON_CLIENT.contains(&format!("\nclass {word}(")), "{word}");
            names += 1;
        }
    }
    assert!(names > 25, "{names}");
}
