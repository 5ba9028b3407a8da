//! What the README shows is done as printed, from pairing to daily use.

use serde_json::{Value, json};

use super::machine::{FRIEND, Machine, PHONE, Program, next_line};
use super::{Block, blocks, scripts};
use crate::support::{Daemon, Events, message_is};

/// Nobody: not on the simulated network.
const NOBODY: &str = "+15550188";
/// The length of a picture that somebody sends.
const PICTURE_BYTES: usize = 3_000;

#[test]
fn the_first_use_with_a_phone_goes_as_printed() {
    let machine = Machine::new();
    let mut daemon = machine.daemon();
    let scripts = scripts();
    let [pair, rest @ ..] = scripts[2].as_slice() else { panic!("nothing to run") };
    machine.pair(pair);
    let told: Vec<String> = rest.iter().map(|line| machine.run(line)).collect();
    assert!(told[0].contains(&format!("+{PHONE}")), "{}", told[0]);
    let state = told[1].lines().last().unwrap();
    assert!(["m1 delivered", "m1 read"].contains(&state), "{}", told[1]);
    assert_eq!(machine.lab.sim.texts(FRIEND), ["hello"]);
    assert!(daemon.stop().success());
}

/// Spends the ids up to the README's `m42` and `m43`, which are then parked.
fn park_42_and_43(machine: &Machine, daemon: &Daemon) {
    daemon.call("queue.pause", json!({})).unwrap();
    let spent: Vec<String> = (1..=41).map(|_| daemon.send(FRIEND, "withdrawn")).collect();
    daemon.call("queue.cancel", json!({ "ids": spent })).unwrap();
    let parked = [daemon.send(NOBODY, "one"), daemon.send(NOBODY, "two")];
    assert_eq!(parked, ["m42", "m43"]);
    let mut events = daemon.events();
    machine.run("tetherctl resume");
    for id in &parked {
        events.wait("the message to be parked", |event| message_is(event, id, "parked"));
    }
}

/// Somebody has written, and sent the picture that the README fetches.
fn receive_two(machine: &Machine) {
    let sim = &machine.lab.sim;
    sim.call("server.wait", json!({ "key_uploads": 1 }));
    sim.call("recipient.reply", json!({ "number": FRIEND, "to": PHONE, "text": "hello back" }));
    let picture = json!({ "kind": "image", "mime": "image/jpeg", "bytes": PICTURE_BYTES });
    sim.call("media.send", json!({ "number": FRIEND, "to": PHONE, "file": picture }));
    let (mut events, newest) = Events::subscribe_with(&machine.lab.socket(), json!({ "after": 0 }));
    assert!(newest["cursor"].as_u64().unwrap() <= 2);
    events.wait("the picture", |event| event["message"]["cursor"] == 2);
}

/// Runs what `events` is given, until it has said this.
fn watch(machine: &Machine, line: &str, says: &str) {
    let mut sh = machine.command("sh", &["-c", &format!("exec {line}")]);
    let (_events, lines) = Program::start(&mut sh);
    next_line(&lines, |line| line.contains(says));
}

#[test]
fn the_daily_use_goes_as_printed() {
    let machine = Machine::new();
    let daemon = machine.daemon();
    machine.pair("tetherctl pair");
    park_42_and_43(&machine, &daemon);
    receive_two(&machine);
    let scripts = scripts();
    for line in scripts[3].iter().chain(&scripts[4]) {
        match line.as_str() {
            "tetherctl events" => watch(&machine, line, "snapshot complete"),
            "tetherctl events --after 0" => watch(&machine, line, "hello back"),
            "tetherctl inbox file 2 -o photo.jpg" => {
                machine.run(line);
                let photo = std::fs::read(machine.lab.path().join("photo.jpg")).unwrap();
                assert_eq!(photo.len(), PICTURE_BYTES);
            }
            _ => {
                let told = machine.run(line);
                assert!(!told.is_empty(), "{line} says nothing");
            }
        }
    }
    // Withdrawn, and brought back to where it was.
    assert_eq!(daemon.message("m43")["state"], "parked");
    look_at_what_was_sent(&machine, &daemon);
}

/// Everything that the README sends has come, but for what it sends later, and what
/// comes from a host that there is not.
fn look_at_what_was_sent(machine: &Machine, daemon: &Daemon) {
    let ids = |range: std::ops::RangeInclusive<u32>| range.map(|n| format!("m{n}"));
    let left: Vec<String> = ids(44..=47).chain(ids(49..=49)).chain(ids(51..=52)).collect();
    daemon.events().wait_until_left(daemon, &left);
    let later = daemon.message("m48");
    assert_eq!((&later["text"], &later["state"]), (&json!("good night"), &json!("queued")));
    assert_eq!(daemon.message("m50")["kind"], "document");
    let inbox = machine.lab.sim.inbox(FRIEND);
    let mut texts: Vec<&str> =
        inbox.iter().filter_map(|message| message["text"].as_str()).collect();
    texts.retain(|text| !text.is_empty());
    texts.sort_unstable();
    assert_eq!(texts, ["from a pipe", "hello", "invoice 7", "the report", "we are late"]);
    assert_eq!(inbox.len(), left.len());
}

#[test]
fn a_program_without_tetherctl_sends_as_printed() {
    let machine = Machine::new();
    let daemon = machine.daemon();
    machine.pair("tetherctl pair");
    let programs: Vec<Block> =
        blocks().into_iter().filter(|block| block.language == "python").collect();
    assert_eq!(programs.len(), 2);
    for block in programs {
        let output = match machine.command("python3", &["-c", &block.text]).output() {
            Ok(output) => output,
            // `.ci/run` brings python3 along and allows no exception.
            Err(error) if std::env::var_os("CI").is_none() => {
                eprintln!("skipped: the README's Python program needs python3 ({error})");
                return;
            }
            Err(error) => panic!("python3 is needed: {error}"),
        };
        let said = String::from_utf8(output.stdout).unwrap();
        let problem = String::from_utf8_lossy(&output.stderr);
        let answer: Value =
            serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}{problem}"));
        let id = answer["result"]["message"]["id"].as_str().unwrap().to_owned();
        daemon.events().wait_until_left(&daemon, &[id]);
    }
    assert_eq!(machine.lab.sim.texts(FRIEND)[0], "hello");
    assert_eq!(machine.lab.sim.inbox(FRIEND).len(), 2);
}

#[test]
fn completions_load_in_bash_and_offer_the_states() {
    let machine = Machine::new();
    let script = r#"
        source <(tetherctl completions bash)
        COMP_WORDS=(tetherctl queue --state "") COMP_CWORD=3
        _tetherctl tetherctl "" --state
        echo "${COMPREPLY[@]}"
    "#;
    let output = machine.command("bash", &["-eu", "-c", script]).output().unwrap();
    let problem = String::from_utf8(output.stderr).unwrap();
    assert_eq!(problem, "");
    let offered = String::from_utf8(output.stdout).unwrap();
    assert!(offered.contains("parked") && offered.contains(" all"), "{offered}");
}
