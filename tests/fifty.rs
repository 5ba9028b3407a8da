//! A batch as callers send it, with numbers that are not there and links that lead
//! nowhere among it: these are set aside, and all others leave in order, at the pace.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Answer, Lab, Web, has_left, message_is, start_with_web};

const LIMIT: usize = 5;
const WINDOW_MS: u64 = 2_000;
/// The way to the server varies by this much at most.
const WAY_MS: u64 = 500;

/// What is to become of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Leaves,
    Absent,
    Broken,
}

/// The message with this number: every fifth to an absent number, every tenth with a
/// broken link, the others to four chats in turn, some of them with a link that is good.
fn message(n: usize, web: &Web) -> (Fate, String, String) {
    let chat = format!("+155501{:02}", 10 + n % 4);
    match n % 10 {
        3 | 8 => (Fate::Absent, format!("+155501{:02}", 50 + n), format!("text {n}")),
        5 => (Fate::Broken, chat, format!("text {n} {}", web.url("/gone"))),
        7 => (Fate::Leaves, chat, format!("text {n} {}", web.url("/good"))),
        _ => (Fate::Leaves, chat, format!("text {n}")),
    }
}

#[test]
fn invariant_7_of_fifty_messages_ten_to_nobody_and_five_with_broken_links_are_parked_and_the_rest_arrives()
 {
    let lab = Lab::new();
    lab.people(&["+15550110", "+15550111", "+15550112", "+15550113"]);
    let web = Web::start();
    web.set("/good", Answer::Status(200));
    web.set("/gone", Answer::Status(410));
    let pace = format!("[pacing]\nmessages = {LIMIT}\nwindow = \"{WINDOW_MS}ms\"\n");
    let daemon = start_with_web(&lab, &pace);
    lab.pair(&daemon);
    let mut events = daemon.events();

    let mut open: BTreeMap<String, Fate> = BTreeMap::new();
    let mut fates = Vec::new();
    let mut chats: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for n in 0..50 {
        let (fate, to, text) = message(n, &web);
        let id = daemon.send(&to, &text);
        if fate == Fate::Leaves {
            chats.entry(to).or_default().push(text);
        }
        open.insert(id.clone(), fate);
        fates.push((id, fate));
    }
    let count = |wanted| fates.iter().filter(|(_, fate)| *fate == wanted).count();
    assert_eq!([Fate::Leaves, Fate::Absent, Fate::Broken].map(count), [35, 10, 5]);

    events.wait("every message to leave or to be parked", |event| {
        open.retain(|id, fate| {
            let (left, parked) = (has_left(event, id), message_is(event, id, "parked"));
            assert!(!(left && *fate != Fate::Leaves), "{event}");
            assert!(!(parked && *fate == Fate::Leaves), "{event}");
            !left && !parked
        });
        open.is_empty()
    });
    for (id, fate) in &fates {
        let message = daemon.message(id);
        let mut given = message["reason"].clone();
        if *fate == Fate::Broken {
            let url = given.as_object_mut().unwrap().remove("url").unwrap();
            assert!(url.as_str().unwrap().ends_with("/gone"), "{url}");
        }
        let reason = match fate {
            Fate::Leaves => Value::Null,
            Fate::Absent => json!({ "kind": "not_on_network" }),
            Fate::Broken => json!({ "kind": "link_broken", "code": 410, "detail": "status" }),
        };
        assert_eq!(given, reason, "{id}");
        assert_eq!(message["attempts"], u64::from(*fate == Fate::Leaves), "{id}");
    }
    for (to, texts) in &chats {
        assert_eq!(&lab.sim.texts(to), texts, "{to}");
    }
    let stats = lab.sim.call("server.stats", json!({}));
    let attempts = stats["attempts"].as_array().unwrap();
    let times: Vec<u64> = attempts.iter().map(|a| a["at_ms"].as_u64().unwrap()).collect();
    assert_eq!(times.len(), 35);
    for window in times.windows(LIMIT + 1) {
        assert!(window[LIMIT] - window[0] + WAY_MS >= WINDOW_MS, "{times:?}");
    }

    let why = daemon.ctl().args(&["why"]).ok();
    assert!(
        why.contains("10 messages are parked: the recipient's number or username is not on"),
        "{why}"
    );
    assert!(why.contains("5 messages are parked: a link leads nowhere"), "{why}");
    eprintln!("{why}");
}
