//! What the README shows is done as printed, from pairing to daily use.

use serde_json::{Value, json};

use super::machine::{FRIEND, Machine, PHONE, Program, next_line};
use super::{blocks, script};
use crate::support::{Daemon, Events, message_is, session_is};

/// Nobody: not on the simulated network.
const NOBODY: &str = "+15550188";
/// The length of a picture that somebody sends.
const PICTURE_BYTES: usize = 3_000;

#[test]
fn the_first_use_with_a_phone_goes_as_printed() {
    let machine = Machine::new();
    let mut daemon = machine.daemon();
    let script = script("tetherctl pair");
    let [pair, rest @ ..] = script.as_slice() else { panic!("nothing to run") };
    machine.pair(pair);
    let told: Vec<String> = rest.iter().map(|line| machine.run(line)).collect();
    assert!(told[0].contains(&format!("+{PHONE}")), "{}", told[0]);
    let state = told[1].lines().last().unwrap();
    assert!(["m1 delivered", "m1 read"].contains(&state), "{}", told[1]);
    assert_eq!(machine.lab.sim.texts(FRIEND), ["hello"]);
    assert!(daemon.stop().success());
}

#[test]
fn groups_are_used_as_printed() {
    let machine = Machine::new();
    let daemon = machine.daemon();
    machine.pair("tetherctl pair");
    let members = json!([FRIEND, format!("+{PHONE}")]);
    let group = json!({ "subject": "Night watch", "members": members });
    let group = machine.lab.sim.call("group.add", group);
    daemon.events().wait("the connection", |event| session_is(event, "connected"));
    let [list, send] = script("tetherctl groups").try_into().unwrap();
    let told = machine.run(&list);
    assert!(
        told.contains("Night watch") && told.contains(group["jid"].as_str().unwrap()),
        "{told}"
    );
    machine.run(&send);
    daemon.events().wait_until_left(&daemon, &["m1".to_owned()]);
    assert_eq!(machine.lab.sim.texts(FRIEND), ["disk is full"]);
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
    let (mut events, _) = Events::subscribe_with(&machine.lab.socket(), json!({ "after": 0 }));
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
    let [sending, looking] = [script("tetherctl check +15550100"), script("tetherctl why")];
    for line in sending.iter().chain(&looking) {
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
fn what_is_written_without_tetherctl_sends_as_printed() {
    let machine = Machine::new();
    let _daemon = machine.daemon();
    machine.pair("tetherctl pair");
    let clients = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/clients");
    std::os::unix::fs::symlink(
        format!("{clients}/tetherd.sh"),
        machine.lab.path().join("tetherd.sh"),
    )
    .unwrap();
    for program in ["python3", "socat"] {
        match machine.command(program, &["-V"]).output() {
            Ok(_) => {}
            // `.ci/run` brings them along and allows no exception.
            Err(error) if std::env::var_os("CI").is_none() => {
                eprintln!("skipped: the README's programs need {program} ({error})");
                return;
            }
            Err(error) => panic!("{program} is needed: {error}"),
        }
    }
    let says = |program: &str, text: &str| {
        let mut command = machine.command(program, &["-c", text]);
        let output = command.env("PYTHONPATH", clients).output().unwrap();
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{problem}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = |language: &str, part: &str| {
        let mut found = blocks().into_iter().filter(|b| b.language == language);
        found.find(|block| block.text.contains(part)).unwrap().text
    };
    let raw: Value = serde_json::from_str(&says("sh", &text("sh", "socat -t"))).unwrap();
    assert_eq!(raw["result"]["message"]["id"], "m1");
    let is_out = |state: &str| ["sent", "delivered", "read"].contains(&state);
    let told = says("python3", &text("python", "Client"));
    assert!(told.strip_prefix("m1 ").is_some_and(|state| is_out(state.trim())), "{told}");
    let told = says("sh", &text("sh", "./tetherd.sh"));
    assert!(is_out(told.trim()), "{told}");
    // The same key and text three times: one message.
    assert_eq!(machine.lab.sim.texts(FRIEND), ["hello"]);
    assert_eq!(blocks().iter().filter(|block| block.language == "python").count(), 1);
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
