//! The commands against a daemon that answers from a script.

mod cleaning;

use std::path::Path;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::error::CommandError;
use super::output::Output;
use super::test_server::{
    NOW_MS, Sink, TestServer, about, ctl, ctl_at, event, message, status, with,
};
use super::{finish, qr, render};
use tetherd_api::exit::ExitCode;
use tetherd_api::{Error, ErrorKind, EventFrame, Message};

#[tokio::test]
async fn status_is_told_in_aligned_lines() {
    let ran = ctl(&["status"], &TestServer::new("status", status())).await;
    assert_eq!(
        ran.stdout,
        "session  connected as +15550100, for 1 h 00 min\n\
         phone    unknown\n\
         queue    12 of 400 places taken: 11 queued, 1 sending, 0 unknown\n\
         parked   3, and 20 in history\n\
         pace     5 of 5 in the last 2 min; a slot is free in 40 s (00:00:40)\n\
         next     in 40 s (00:00:40), the last one in 4 min 40 s (00:04:40)\n\
         holds    pacing for 10 s, ends in 40 s (00:00:40): At most 5 messages leave in any \
         120 s.\n\
         store    the session's secrets lie plain\n\
         daemon   up for 3 h 05 min\n"
    );
    assert_eq!(ran.code, ExitCode::Ok);
}

#[tokio::test]
async fn json_is_the_wire_s_own_with_fields_that_this_version_does_not_know() {
    let answer = with(status(), json!({ "later": { "x": 1 } }));
    let ran = ctl(&["--json", "status"], &TestServer::new("status", answer.clone())).await;
    assert_eq!(ran.stdout.lines().count(), 1);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), answer);
}

#[tokio::test]
async fn why_tells_each_condition_with_its_evidence_what_it_touches_and_what_to_type() {
    let cause = |kind: &str, active: bool| {
        json!({ "kind": kind, "active": active, "holds": "all", "ends_by_itself": true, "since": "2025-12-31T23:59:50Z",
            "why": "The phone does not answer.",
            "evidence": [{ "what": "last sign of life: receipt", "at": "2025-12-31T23:00:00Z" },
                { "what": "it was asked" }],
            "affected": { "count": 12, "ids": (1..=12).map(|n| format!("m{n}")).collect::<Vec<_>>() },
            "by_itself": "The daemon keeps asking.", "by_itself_at": "2026-01-01T00:00:40Z",
            "remedy": "tetherctl status" })
    };
    let answer = json!({ "summary": "12 messages wait.", "waiting": 0,
        "conditions": [cause("phone_offline", true), cause("battery_low", false)] });
    let ran = ctl(&["why"], &TestServer::new("explain", answer.clone())).await;
    let held = "12 messages wait.\n\n  phone_offline, for 10 s: The phone does not answer.\n    - \
         last sign of life: receipt (1 h 00 min ago)\n    - it was asked\n    touches 12 messages: m1, m2, \
         m3, m4, m5, m6, m7, m8 and 4 more\n    The daemon keeps asking in 40 s (00:00:40).\n    \
         Run: tetherctl status\n";
    assert_eq!(ran.stdout, held);
    let ran = ctl(&["why", "--all"], &TestServer::new("explain", answer)).await;
    let rest = ran.stdout.strip_prefix(held).unwrap();
    assert!(rest.contains("\nNot the case now:\n  battery_low        The phone"), "{rest}");
    assert!(rest.contains("- it was asked\n"), "{rest}");
}

#[tokio::test]
async fn times_in_the_daemon_s_sentences_are_on_the_reader_s_clock() {
    let answer = json!({
        "summary": "2 messages wait; the next leaves at 2026-01-01T00:00:40Z, the last at \
            2026-01-02T00:00:00.250Z.",
        "waiting": 12, "next_send_at": "2026-01-01T00:00:40Z",
        "conditions": [{ "kind": "phone_silent", "active": true, "holds": "none",
            "since": "2025-12-31T23:59:50Z", "ends_by_itself": true,
            "until": "2026-01-01T01:00:00Z", "why": "At 2026-01-01T00:00:00Z: it was seen.",
            "evidence": [], "affected": { "count": 0, "ids": [] }, "by_itself": "Nothing.",
            "remedy": "tetherctl status" }] });
    let ran = ctl(&["why"], &TestServer::new("explain", answer)).await;
    assert_eq!(
        ran.stdout,
        "2 messages wait; the next leaves at 00:00:40, the last at 2026-01-02 00:00:00.\n\n  \
         phone_silent, for 10 s, ends in 1 h 00 min (01:00:00): At 00:00:00: it was seen.\n    \
         Nothing.\n    Run: tetherctl status\n\nwaiting  12 messages\nnext     in 40 s \
         (00:00:40)\n"
    );
}

#[tokio::test]
async fn a_session_that_stands_still_is_told_with_its_account_and_its_reason() {
    let session = json!({ "state": "waiting", "since": "2025-12-31T23:59:50Z",
        "account": "15550100@s.whatsapp.net", "detail": "The connection was lost.",
        "next_try_at": "2026-01-01T00:00:40Z", "connections": 1, "replaced": 0 });
    let answer = with(status(), json!({ "session": session }));
    let ran = ctl(&["status"], &TestServer::new("status", answer)).await;
    assert_eq!(
        ran.stdout.lines().next().unwrap(),
        "session  waiting for the next try, for 10 s; account +15550100; The connection was lost; \
         next try in 40 s (00:00:40)"
    );
}

#[tokio::test]
async fn send_names_the_message_its_place_and_its_time() {
    let queued =
        with(message(7, "queued"), json!({ "position": 3, "expected_at": "2026-01-01T00:00:40Z" }));
    let daemon = TestServer::new("message.send", json!({ "message": queued, "duplicate": false }));
    let ran = ctl(&["send", "+15550100", "hello", "--key", "k"], &daemon).await;
    assert_eq!(ran.stdout, "m7 queued, place 3, leaves in 40 s (00:00:40)\n");
    let params = json!({ "to": "+15550100", "text": "hello", "key": "k" });
    assert_eq!(daemon.asked(), [("message.send".to_owned(), params)]);
}

#[tokio::test]
async fn send_queue_and_show_say_what_a_message_waits_for() {
    let lock = json!({ "position": 1, "held_by": "reachout_timelock",
        "expected_at": "2026-01-01T01:00:00Z" });
    let unchecked = json!({ "position": 1, "held_by": "number_unchecked" });
    let behind = json!({ "position": 2, "after": "m6" });
    for (more, sent, listed, shown) in [
        (
            lock,
            ", leaves in 1 h 00 min (01:00:00); held by reachout_timelock",
            "01:00:00",
            "01:00:00",
        ),
        (unchecked, "; held by number_unchecked", "number_unchecked", "number_unchecked"),
        (behind, ", leaves after m6 of its chat\n", "after m6", "after       m6"),
    ] {
        let message = with(message(7, "queued"), more);
        let daemon =
            TestServer::new("message.send", json!({ "message": message, "duplicate": false }))
                .and("message.get", message.clone())
                .and("queue.list", json!({ "messages": [message], "total": 1 }));
        for (line, said) in [
            (&["send", "+15550100", "hello"][..], sent),
            (&["queue"][..], listed),
            (&["show", "m7"][..], shown),
        ] {
            let ran = ctl(line, &daemon).await.stdout;
            assert!(ran.contains(said) && !ran.contains("now"), "{line:?}: {ran}");
        }
    }
}

fn waiting_daemon(states: &[&str]) -> TestServer {
    let mut daemon = TestServer::new("events.subscribe", json!({ "seq": 0 }))
        .and("message.send", json!({ "message": message(7, "queued"), "duplicate": false }))
        .event_after("events.subscribe", event(1, json!({ "event": "snapshot_end" })));
    for state in states {
        // Another message's fate is none of ours.
        daemon = daemon.event_after("message.send", about(message(6, "failed")));
        daemon = daemon.event_after("message.send", about(message(7, state)));
    }
    daemon
}

#[tokio::test]
async fn send_wait_subscribes_first_and_ends_when_the_message_is_there() {
    let daemon = waiting_daemon(&["sending", "sent", "delivered"]);
    let ran = ctl(&["send", "+15550100", "hello", "--wait", "delivered"], &daemon).await;
    assert_eq!(
        (ran.stdout.as_str(), ran.code),
        ("m7 queued; something holds it, see `tetherctl why`\nm7 delivered\n", ExitCode::Ok)
    );
    let asked: Vec<String> = daemon.asked().into_iter().map(|(method, _)| method).collect();
    assert_eq!(asked, ["events.subscribe", "message.send"]);
}

#[tokio::test]
async fn send_wait_ends_with_1_when_the_message_is_parked() {
    let daemon = waiting_daemon(&["unknown", "parked"]);
    let ran = ctl(&["--json", "send", "+15550100", "hello", "--wait", "sent"], &daemon).await;
    assert_eq!(ran.code, ExitCode::No);
    assert_eq!(
        ran.stderr,
        "m7 is parked; put it back with `tetherctl retry m7`, or drop it with `tetherctl cancel \
         m7`"
    );
    let last: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["message"]["state"], "parked");
}

#[tokio::test]
async fn send_wait_ends_with_124_when_its_time_is_over() {
    let daemon = waiting_daemon(&["sending"]);
    let line = ["send", "+15550100", "hello", "--wait", "sent", "--timeout", "1ms"];
    let ran = ctl(&line, &daemon).await;
    assert_eq!(ran.code, ExitCode::TimedOut);
    assert!(ran.stderr.starts_with("m7 was not sent within 1ms; "), "{}", ran.stderr);
}

#[tokio::test]
async fn a_repeated_key_that_is_long_delivered_ends_the_wait_at_once() {
    let answer = json!({ "message": message(7, "delivered"), "duplicate": true });
    let daemon =
        TestServer::new("events.subscribe", json!({ "seq": 0 })).and("message.send", answer);
    let ran = ctl(&["send", "+15550100", "hello", "--wait", "sent"], &daemon).await;
    assert_eq!(ran.code, ExitCode::Ok);
    assert!(ran.stdout.contains("already there under this key"), "{}", ran.stdout);
}

#[tokio::test]
async fn show_tells_the_whole_text_without_what_could_steer_a_terminal() {
    let answer = with(
        message(7, "failed"),
        json!({ "text": "one\ntwo\u{7}",
        "reason": { "kind": "refused", "code": 479 }, "key": "k" }),
    );
    let daemon = TestServer::new("message.get", answer);
    let ran = ctl(&["show", "--key", "k"], &daemon).await;
    assert!(ran.stdout.contains("state       failed (refused 479)\n"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("\n\none\ntwo\u{fffd}\n"), "{}", ran.stdout);
    assert_eq!(daemon.asked()[0].1, json!({ "key": "k" }));
}

#[tokio::test]
async fn queue_is_a_table_and_its_filters_reach_the_daemon() {
    let parked = with(message(12, "parked"), json!({ "reason": { "kind": "not_on_network" } }));
    let answer = json!({ "messages": [message(7, "queued"), parked], "total": 2 });
    let daemon = TestServer::new("queue.list", answer);
    let ran = ctl(&["queue", "--state", "parked", "--older-than", "1m"], &daemon).await;
    assert_eq!(
        ran.stdout,
        "ID   STATE                    TO         AGE    LEAVES  TEXT\n\
         m7   queued                   +15550100  1 min  held    hello \u{fffd}[31mred\n\
         m12  parked (not_on_network)  +15550100  1 min  -       hello \u{fffd}[31mred\n"
    );
    let filter = json!({ "states": ["parked"], "older_than_s": 60 });
    assert_eq!(daemon.asked()[0].1, json!({ "filter": filter, "limit": 400 }));
}

#[tokio::test]
async fn the_short_commands_call_their_methods_and_tell_the_status() {
    for (line, method) in [
        (&["pause"][..], "queue.pause"),
        (&["resume"], "queue.resume"),
        (&["reconnect"], "session.reconnect"),
        (&["takeover"], "session.takeover"),
        (&["logout", "--yes"], "session.logout"),
    ] {
        let daemon = TestServer::new(method, status());
        let ran = ctl(line, &daemon).await;
        assert_eq!((daemon.asked()[0].0.as_str(), ran.code), (method, ExitCode::Ok));
        assert!(ran.stdout.contains("\nsession  connected"), "{}", ran.stdout);
    }
}

fn offer(text: &str) -> Value {
    json!({ "method": "qr", "qr": text, "expires_at": "2026-01-01T00:00:20Z" })
}

#[tokio::test]
async fn pair_draws_each_code_once_and_ends_when_paired() {
    let paired = json!({ "event": "pairing", "ended":
        { "result": "paired", "account": "15550100@s.whatsapp.net" } });
    let daemon = TestServer::new("events.subscribe", json!({ "seq": 0 }))
        .and("session.pair", json!({ "offer": offer("first") }))
        .event_after(
            "session.pair",
            event(2, json!({ "event": "pairing", "offer": offer("first") })),
        )
        .event_after(
            "session.pair",
            event(3, json!({ "event": "pairing", "offer": offer("second") })),
        )
        .event_after("session.pair", event(4, paired));
    let ran = ctl(&["pair"], &daemon).await;
    assert_eq!(ran.code, ExitCode::Ok);
    assert!(ran.stdout.ends_with("\npaired with +15550100\n"), "{}", ran.stdout);
    for text in ["first", "second"] {
        assert_eq!(ran.stdout.matches(&qr::draw(text, false).unwrap()).count(), 1);
    }
}

#[tokio::test]
async fn pair_by_code_shows_it_in_two_halves_and_a_failure_ends_with_1() {
    let offer = json!({ "method": "code", "code": "ABCD1234",
        "expires_at": "2026-01-01T00:03:00Z" });
    let ended = json!({ "event": "pairing", "ended": { "result": "timed_out" } });
    let daemon = TestServer::new("events.subscribe", json!({ "seq": 0 }))
        .and("session.pair", json!({ "offer": offer }))
        .event_after("session.pair", event(2, ended));
    let ran = ctl(&["pair", "--code", "+15550100"], &daemon).await;
    assert!(ran.stdout.contains("Type ABCD-1234. "), "{}", ran.stdout);
    assert_eq!(ran.code, ExitCode::No);
    assert_eq!(daemon.asked()[1].1, json!({ "phone": "+15550100" }));
}

#[tokio::test]
async fn events_are_a_line_each_and_go_on_after_the_last_number_when_the_connection_is_lost() {
    let denied = Error::new(ErrorKind::Denied, "no more for you");
    let daemon = TestServer::new("events.subscribe", json!({ "seq": 1 }))
        .event_after("events.subscribe", event(1, json!({ "event": "snapshot_end" })))
        .event_after("events.subscribe", about(message(7, "sent")))
        .closing_after("events.subscribe")
        .and_then(TestServer::refusing("events.subscribe", denied));
    let ran = ctl(&["events"], &daemon).await;
    assert_eq!(
        ran.stdout,
        "1 00:00:00 snapshot complete; from here on, what changes\n\
         2 00:00:00 message  m7 sent +15550100 hello \u{fffd}[31mred\n"
    );
    assert_eq!((ran.stderr.as_str(), ran.code), ("no more for you", ExitCode::NoPerm));
    let after: Vec<Value> = daemon.asked().into_iter().map(|(_, params)| params).collect();
    assert_eq!(after, [json!({}), json!({ "after": 2 })]);

    let ran = ctl(&["--json", "events", "--after", "0"], &daemon).await;
    let frame: EventFrame = serde_json::from_str(ran.stdout.lines().nth(1).unwrap()).unwrap();
    let expected: Message = serde_json::from_value(message(7, "sent")).unwrap();
    assert_eq!(frame.seq, 2);
    assert!(matches!(frame.event, tetherd_api::Event::Message { message } if *message == expected));
}

#[tokio::test]
async fn send_wait_outlives_the_connection_and_never_says_that_an_accepted_message_failed() {
    let daemon = TestServer::new("events.subscribe", json!({ "seq": 1 }))
        .and("message.send", json!({ "message": message(7, "queued"), "duplicate": false }))
        .event_after("message.send", about(message(7, "sending")))
        .closing_after("message.send")
        .and_then(
            TestServer::new("events.subscribe", json!({ "seq": 3 }))
                .event_after("events.subscribe", about(message(7, "sent"))),
        );
    let ran = ctl(&["send", "+15550100", "hello", "--wait", "sent"], &daemon).await;
    assert_eq!((ran.stderr.as_str(), ran.code), ("", ExitCode::Ok));
    assert!(ran.stdout.ends_with("m7 sent\n"), "{}", ran.stdout);
    assert_eq!(daemon.asked().last().unwrap().1, json!({ "after": 2 }));
}

#[tokio::test]
async fn version_tells_its_own_even_without_a_daemon() {
    let answer = json!({ "name": "tetherd", "version": "0.1.0", "protocol": 1, "sim": true });
    let ran = ctl(&["version"], &TestServer::new("version", answer)).await;
    assert!(ran.stdout.contains("tetherd 0.1.0 (protocol 1, with the simulator"));
    let answer = json!({
        "name": "tetherd", "version": "0.1.0", "revision": "0123456789ab", "protocol": 1, "sim": false
    });
    let ran = ctl(&["version"], &TestServer::new("version", answer)).await;
    assert!(ran.stdout.contains("\ntetherd 0.1.0 (revision 0123456789ab, protocol 1)\n"));
    let ran = ctl_at(Path::new("/nonexistent/s"), &["version"]).await;
    assert!(ran.stdout.starts_with("tetherctl 0."), "{}", ran.stdout);
    assert_eq!(ran.code, ExitCode::Unavailable);
}

#[tokio::test]
async fn completions_need_no_daemon() {
    let ran = ctl_at(Path::new("/nonexistent/s"), &["completions", "bash"]).await;
    assert!(ran.stdout.contains("_tetherctl()"));
    assert_eq!(ran.code, ExitCode::Ok);
}

#[tokio::test]
async fn a_missing_daemon_is_said_with_the_remedy() {
    let ran = ctl_at(Path::new("/nonexistent/s"), &["status"]).await;
    assert!(ran.stderr.starts_with("no daemon listens at /nonexistent/s; start "));
    assert_eq!(ran.code, ExitCode::Unavailable);
}

#[tokio::test]
async fn a_denied_call_and_a_full_queue_are_the_daemon_s_sentence_and_a_code_of_their_own() {
    let error = Error::new(ErrorKind::Denied, "queue.pause needs the tier admin")
        .remedy("ask for membership in the group that has it");
    let ran = ctl(&["pause"], &TestServer::refusing("queue.pause", error)).await;
    assert_eq!(ran.code, ExitCode::NoPerm);
    assert_eq!(
        ran.stderr,
        "queue.pause needs the tier admin; ask for membership in the group that has it"
    );
    let error = Error::new(ErrorKind::QueueFull, "all places are taken").retry_after_ms(80_000);
    let ran = ctl(&["send", "+15550100", "x"], &TestServer::refusing("message.send", error)).await;
    assert_eq!(ran.code, ExitCode::TempFail);
    assert_eq!(ran.stderr, "all places are taken (try again in 1 min 20 s)");
}

#[tokio::test]
async fn with_json_an_error_is_one_line_on_stdout() {
    let sink = Sink::default();
    let clock = render::Clock { now_ms: NOW_MS, zone: TimeZone::UTC };
    let mut out = Output::fixed(Box::new(sink.clone()), true, clock);
    let error = Error::new(ErrorKind::NotFound, "no message m9");
    let error = CommandError::Client(tetherd_api::client::ClientError::Rpc(error));
    assert_eq!(finish(Err(error), &mut out), ExitCode::NoInput);
    let stdout = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    let value: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(value["error"]["data"]["kind"], "not_found");
}
