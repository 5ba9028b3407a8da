//! What people type, paste and pipe: numbers, times, encodings, and what is said of it.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{Daemon, Lab, has_left};

const TO: &str = "+15550111";

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn not_before(daemon: &Daemon, id: &str) -> Value {
    daemon.message(id)["not_before"].clone()
}

/// Sends with these options, as JSON; the message.
#[track_caller]
fn sent(daemon: &Daemon, zone: &str, options: &[&str]) -> Value {
    let ctl = daemon.ctl().env("TZ", zone).args(&["--json", "send", TO, "text"]).args(options);
    serde_json::from_str::<Value>(&ctl.ok()).unwrap()["message"].clone()
}

#[test]
fn a_local_time_is_the_callers_and_an_unknown_zone_is_refused() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    for (zone, utc) in [
        ("Europe/Berlin", "2099-01-15T21:30:00.000Z"),
        ("America/New_York", "2099-01-16T03:30:00.000Z"),
        ("Asia/Kolkata", "2099-01-15T17:00:00.000Z"),
        (":Asia/Tokyo", "2099-01-15T13:30:00.000Z"),
        ("EST5EDT", "2099-01-16T03:30:00.000Z"),
        ("EST5EDT,M3.2.0,M11.1.0", "2099-01-16T03:30:00.000Z"),
        ("UTC", "2099-01-15T22:30:00.000Z"),
        ("", "2099-01-15T22:30:00.000Z"),
    ] {
        let message = sent(&daemon, zone, &["--at", "2099-01-15 22:30"]);
        let id = message["id"].as_str().unwrap();
        assert_eq!(not_before(&daemon, id), json!(utc), "{zone}");
    }
    for zone in ["Nonsense/Zone", "Europe/Belin", "CET-1CEST-oops"] {
        for option in ["--at", "--expires"] {
            let ctl = daemon.ctl().env("TZ", zone).args(&["send", TO, "text", option, "22:30"]);
            let (code, said) = ctl.fails();
            assert_eq!(code, 65, "{said}");
            assert!(said.contains(option) && said.contains("TZ names a time zone"), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
        // What needs no zone is taken; times are shown in UTC, and that is said once.
        let ctl = daemon.ctl().env("TZ", zone).args(&["send", TO, "text", "--in", "3h"]).run();
        assert!(ctl.status.success());
        assert_eq!(err(&ctl).matches("times are in UTC").count(), 1, "{}", err(&ctl));
        let json = daemon.ctl().env("TZ", zone).args(&["--json", "status"]).run();
        assert_eq!(err(&json), "");
    }
}

#[test]
fn a_time_that_has_passed_is_refused() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    for at in ["2020-01-01 10:00", "2020-01-01T10:00:00Z"] {
        let (code, said) = daemon.ctl().args(&["send", TO, "text", "--at", at]).fails();
        assert_eq!(code, 65, "{said}");
        assert!(said.contains("already") && said.contains("leave it out"), "{said}");
    }
    assert_eq!(daemon.status()["queue"]["queued"], 0);
}

#[test]
fn numbers_that_cannot_be_are_refused_everywhere_with_the_reason() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    for (number, reason) in [
        ("+44 (0)20 7031 3000", "`(0)` is dialled within the country only"),
        ("+0015550101", "no country code begins with 0"),
        ("0015550101@s.whatsapp.net", "no country code begins with 0"),
        ("+1555\u{663}0101", "U+0663"),
    ] {
        let (code, said) = daemon.ctl().args(&["send", number, "text"]).fails();
        assert_eq!(code, 65, "{said}");
        assert!(said.contains(reason), "{said}");
        if number.starts_with('+') {
            for command in [&["check", number][..], &["pair", "--code", number]] {
                let (code, said) = daemon.ctl().args(command).fails();
                assert_eq!(code, 65, "{command:?}: {said}");
                assert!(said.contains(reason), "{said}");
            }
        }
    }
    // Pasted from a contact list or a web page.
    for number in ["\u{202a}+1 555\u{2011}0101\u{202c}", "+1\u{202f}555\u{a0}0101"] {
        let id = daemon.send(number, "text");
        assert_eq!(daemon.message(&id)["to"], "15550101@s.whatsapp.net");
    }
}

#[test]
fn a_byte_order_mark_is_dropped_and_utf_16_is_refused() {
    let lab = Lab::new();
    lab.people(&["+15550111", "+15550112"]);
    let daemon = lab.paired();
    let mut events = daemon.events();
    let said = daemon.ctl().args(&["--json", "send", TO, "-"]).input("\u{feff}hello\n").ok();
    let id = serde_json::from_str::<Value>(&said).unwrap()["message"]["id"].clone();
    events.wait("the text to leave", |event| has_left(event, id.as_str().unwrap()));
    assert_eq!(lab.sim.texts(TO), ["hello"]);
    let (code, said) = daemon.ctl().args(&["send", TO, "-"]).input("h\0i\0").fails();
    assert_eq!(code, 65);
    assert!(said.contains("UTF-16") && said.contains("iconv"), "{said}");
    let error = daemon.call("message.send", json!({ "to": TO, "text": "h\0i" })).unwrap_err();
    assert_eq!(error["data"]["kind"], "bad_text", "{error}");
    let checked = daemon.ctl().args(&["check"]).input("\u{feff}+15550111\n+15550112\n").ok();
    assert_eq!(checked.lines().count(), 2, "{checked}");
}

#[test]
fn a_wait_that_ends_says_where_the_message_is() {
    let lab = Lab::new();
    lab.people(&[TO]);
    let daemon = lab.paired();
    lab.sim.call("server.set", json!({ "receipts": "none" }));
    let wait = |until: &'static str| {
        daemon.ctl().args(&["send", TO, "text", "--wait", until, "--timeout", "2s"]).fails()
    };
    let (code, said) = wait("delivered");
    assert_eq!(code, 124, "{said}");
    assert!(said.contains("no device of the recipient has confirmed it yet"), "{said}");
    assert!(!said.contains("queue"), "{said}");
    daemon.call("queue.pause", json!({})).unwrap();
    let (code, said) = wait("read");
    assert_eq!(code, 124, "{said}");
    assert!(said.contains("was not read within 2s; it stays in the queue"), "{said}");
}

#[test]
fn a_known_key_whose_message_is_not_sent_ends_with_1() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let send = || daemon.ctl().args(&["send", TO, "text", "--key", "k"]);
    send().ok();
    assert!(send().ok().contains("already there under this key"));
    daemon.call("queue.cancel", json!({ "ids": ["m1"] })).unwrap();
    let (code, said) = send().fails();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("m1 is cancelled, already there under this key"), "{said}");
    assert!(said.contains("tetherctl restore m1"), "{said}");
}

#[test]
fn a_socket_path_that_no_socket_can_have_is_refused_in_plain_words() {
    let lab = Lab::new();
    let path = lab.path().join("x".repeat(120));
    let (code, said) = crate::support::Ctl::new(&path).args(&["status"]).fails();
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("bytes, and at most 107 fit"), "{said}");
}

/// A text that is an option's name goes behind `--`, as the help says.
#[test]
fn a_text_that_looks_like_an_option_is_sent() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    daemon.ctl().args(&["send", TO, "--", "--help"]).ok();
    assert_eq!(daemon.message("m1")["text"], "--help");
    let help = daemon.ctl().args(&["send", "--help"]).ok();
    assert!(help.contains("-- --help"), "{help}");
}
