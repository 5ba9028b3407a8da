//! `tetherctl top` on a real terminal, against a real daemon.

use std::os::unix::process::ExitStatusExt as _;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{ACCOUNT, Daemon, Lab, Terminal};

const TO: &str = "+15550111";

/// Not paired: what is sent waits.
fn waiting(lab: &Lab, count: usize) -> Daemon {
    lab.people(&[TO]);
    let daemon = lab.daemon("");
    for n in 0..count {
        daemon.send(TO, &format!("waiting {n}"));
    }
    daemon
}

#[test]
fn a_key_pauses_the_daemon_and_sigterm_leaves_the_terminal_as_it_was() {
    let lab = Lab::new();
    let daemon = waiting(&lab, 2);
    let mut events = daemon.events();
    let mut terminal = Terminal::top(&lab.socket(), 80, 24);
    terminal.wait("no phone is paired");
    terminal.wait("HELD");
    terminal.wait("waiting 1");
    terminal.press("\u{c}");
    assert!(terminal.contents().contains("queue    [#.........] 2 of 400 waiting"));
    terminal.press("p");
    terminal.wait("$ tetherctl pause: paused");
    events.wait("the pause", |event| event["status"]["queue"]["paused"] == true);
    terminal.wait("somebody paused it");
    terminal.press("p");
    terminal.wait("$ tetherctl resume: ");
    events.wait("its end", |event| event["status"]["queue"]["paused"] == false);
    terminal.signal(Signal::SIGTERM);
    let status = terminal.ends_and_gives_the_terminal_back();
    assert_eq!(status.signal(), Some(Signal::SIGTERM as i32), "{status}");
}

#[test]
fn the_terminal_is_given_back_after_a_key_and_after_other_signals() {
    let lab = Lab::new();
    let _daemon = waiting(&lab, 0);
    for (key, signal) in
        [("q", None), ("\u{3}", None), ("", Some(Signal::SIGHUP)), ("", Some(Signal::SIGINT))]
    {
        let mut terminal = Terminal::top(&lab.socket(), 80, 24);
        terminal.wait("no phone is paired");
        terminal.press(key);
        if let Some(signal) = signal {
            terminal.signal(signal);
        }
        let status = terminal.ends_and_gives_the_terminal_back();
        assert_eq!(status.signal(), signal.map(|signal| signal as i32), "{status}");
        assert_eq!(status.code(), signal.is_none().then_some(0), "{status}");
    }
}

#[test]
fn clearing_shows_what_would_go_and_is_undone() {
    let lab = Lab::new();
    let daemon = waiting(&lab, 3);
    let queued = || daemon.status()["queue"]["queued"].as_u64().unwrap();
    let mut terminal = Terminal::with(&lab.socket(), 80, 24, &[("NO_COLOR", "1")]);
    terminal.wait("waiting 2");
    terminal.press("c");
    terminal.wait("Clear: 3 messages would be withdrawn");
    terminal.wait("waiting 2");
    terminal.press("n");
    terminal.wait("-- Queue");
    assert_eq!(queued(), 3);
    terminal.press("c");
    terminal.wait("Withdraw them?");
    terminal.press("y");
    terminal.wait("$ tetherctl clear --yes: 3 messages withdrawn; u brings them back until");
    assert_eq!(queued(), 0);
    terminal.press("u");
    terminal.wait("$ tetherctl restore: 3 messages brought back");
    assert_eq!(queued(), 3);
}

#[test]
fn a_phone_is_linked_with_the_code_on_the_screen() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let mut terminal = Terminal::top(&lab.socket(), 100, 50);
    terminal.wait("no phone is paired");
    terminal.press("l");
    terminal.wait("Linked devices, Link a device");
    assert!(terminal.contents().contains("\u{2588}\u{2580}"), "{}", terminal.contents());
    // A pairing that runs answers its code again.
    let offer = daemon.call("session.pair", json!({})).unwrap();
    lab.sim.call("phone.scan", json!({ "qr": offer["offer"]["qr"], "account": ACCOUNT }));
    terminal.wait("paired with +15550100");
    terminal.press("\u{1b}");
    terminal.wait("connected as +15550100");
    terminal.wait("WELL");
}

#[test]
fn a_daemon_that_goes_and_comes_back_is_shown_so() {
    let lab = Lab::new();
    let mut daemon = waiting(&lab, 1);
    let mut terminal = Terminal::top(&lab.socket(), 80, 24);
    terminal.wait("waiting 0");
    daemon.stop();
    terminal.wait("NO DAEMON");
    terminal.press("p");
    terminal.wait("not done: there is no connection to the daemon");
    let daemon = Daemon::start(&lab.config(""), &lab.socket());
    terminal.wait_for("the daemon", |screen| !screen.contains("NO DAEMON"));
    daemon.send(TO, "after the restart");
    terminal.wait("after the restart");
}

#[test]
fn a_window_of_60_by_15_is_enough_for_what_is_the_case() {
    let lab = Lab::new();
    let _daemon = waiting(&lab, 3);
    let mut terminal = Terminal::top(&lab.socket(), 60, 15);
    terminal.wait("no phone is paired");
    terminal.wait("no room for: queue, events");
    terminal.wait("? help");
}

#[test]
fn without_a_terminal_that_can_show_it_there_is_a_sentence_and_a_code() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let (code, said) = daemon.ctl().args(&["top"]).fails();
    assert_eq!(code, 64);
    assert!(said.contains("this is no terminal; take `tetherctl why`"), "{said}");
    let (code, said) = daemon.ctl().args(&["--json", "top"]).fails();
    assert_eq!(code, 64);
    assert!(said.contains("which has no JSON"), "{said}");

    let mut dumb = Terminal::with(&lab.socket(), 80, 24, &[("TERM", "dumb")]);
    dumb.wait("(TERM=dumb)");
    assert_eq!(dumb.ends_and_gives_the_terminal_back().code(), Some(64));
    let mut nobody = Terminal::top(&lab.path().join("nobody.sock"), 80, 24);
    nobody.wait("no daemon listens at");
    assert_eq!(nobody.ends_and_gives_the_terminal_back().code(), Some(69));
}
