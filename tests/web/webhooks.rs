//! Webhooks of a real daemon, and a receiver that does what receivers do: it is killed, slow,
//! answers 500, 301 and 410. What arrives is verified by the specification's own library.

mod admin;
mod place;
mod receiver;
mod renewed;

use serde_json::json;
use tether_web::webhooks::{Settings, new_secret, secret_file};
use tetherd_api::Tier;

use self::admin::Admin;
use self::receiver::{Got, Receiver};
use super::Front;
use super::page::Browser;
use crate::support::{Daemon, Events, Lab};

/// A front with one webhook for each of these receivers, called `w0` and so on.
fn front(lab: &Lab, daemon: &Daemon, receivers: &[&Receiver]) -> Front {
    let webhooks: Vec<Settings> = receivers
        .iter()
        .enumerate()
        .map(|(at, receiver)| {
            let text = format!(
                "name = \"w{at}\"\nurl = {:?}\nallow_addresses = [\"127.0.0.1\"]\n",
                receiver.url()
            );
            toml::from_str(&text).unwrap()
        })
        .collect();
    for settings in &webhooks {
        let file = secret_file(settings, lab.path());
        if !file.exists() {
            new_secret(&file).unwrap();
        }
    }
    Front::with(lab, daemon, |config| config.webhooks = webhooks)
}

/// A receiver, and a front whose only webhook has begun.
fn begun(lab: &Lab, daemon: &Daemon) -> (Receiver, Front) {
    let receiver = Receiver::start();
    let front = front(lab, daemon, &[&receiver]);
    Admin::of(&front).begun("w0");
    (receiver, front)
}

fn secret(lab: &Lab, name: &str) -> String {
    std::fs::read_to_string(lab.path().join("webhooks").join(name).join("secret")).unwrap()
}

fn comes_in(lab: &Lab, events: &mut Events, number: &str, text: &str) {
    lab.sim.call("recipient.reply", json!({ "number": number, "text": text }));
    events.wait("it", |event| event["event"] == "incoming" && event["message"]["text"] == text);
}

/// The next event about an incoming message; those before it are taken.
fn next_incoming(receiver: &Receiver) -> Got {
    loop {
        let got = receiver.next();
        if got.body()["type"] == "message.incoming" {
            return got;
        }
        got.answer("200 OK");
    }
}

fn text_of(got: &Got) -> String {
    got.body()["data"]["message"]["text"].as_str().unwrap().to_owned()
}

#[test]
fn what_happens_is_posted_in_order_and_signed() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550111"]);
    let (receiver, _front) = begun(&lab, &daemon);
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550111");
    comes_in(&lab, &mut events, "+15550111", "one");
    daemon.call("queue.pause", json!({})).unwrap();
    let id = daemon.send("+15550111", "out");

    let (mut texts, mut states, mut conditions, mut last) = (vec![], vec![], vec![], 0);
    while states.last().is_none_or(|state| state != "read") || conditions.len() < 2 {
        let got = receiver.next();
        got.verify(&secret(&lab, "w0"));
        assert!(got.header("user-agent").starts_with("tether-web/"));
        let body = got.body();
        body["timestamp"].as_str().unwrap().parse::<tetherd_api::Time>().unwrap();
        let data = &body["data"];
        assert_eq!(data["daemon"], "main");
        if let Some(seq) = data["seq"].as_u64() {
            assert!(seq > last, "{seq} after {last}");
            last = seq;
        }
        match body["type"].as_str().unwrap() {
            "message.incoming" => texts.push(text_of(&got)),
            "message.changed" if data["message"]["id"] == id.as_str() => {
                states.push(data["message"]["state"].as_str().unwrap().to_owned());
            }
            kind @ ("condition.began" | "condition.ended")
                if data["condition"]["kind"] == "paused" =>
            {
                conditions.push(kind.to_owned());
                // The feed says how things stand: a pause that is over at once is not sent.
                daemon.call("queue.resume", json!({})).unwrap();
            }
            "message.changed" | "condition.began" | "condition.ended" => {}
            other => panic!("{other}"),
        }
        got.answer("200 OK");
    }
    assert_eq!(texts, ["hello", "one"]);
    assert_eq!(conditions, ["condition.began", "condition.ended"]);
}

#[test]
fn nothing_is_lost_and_nothing_doubled_by_a_bad_receiver_and_restarts() {
    let lab = Lab::new();
    let mut daemon = lab.paired();
    lab.people(&["+15550111"]);
    let (receiver, first) = begun(&lab, &daemon);
    let admin = Admin::of(&first);
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550111");
    for text in ["one", "two", "three"] {
        comes_in(&lab, &mut events, "+15550111", text);
    }
    // Every attempt of the first event, whatever goes wrong.
    let hello = next_incoming(&receiver);
    let (id, content) = (hello.id(), hello.content.clone());
    hello.answer("500 Internal Server Error");
    admin.retry_after("w0", 1);
    let same = |got: &Got| assert_eq!((got.id(), &got.content), (id.clone(), &content));
    let killed = receiver.next();
    same(&killed);
    drop(killed);
    let standing = admin.retry_after("w0", 2);
    assert_eq!(
        (&standing["state"], &standing["last_error"]["code"]),
        (&json!("retrying"), &json!("broken"))
    );
    let moved = receiver.next();
    same(&moved);
    moved.answer("301 Moved Permanently\r\nlocation: http://127.0.0.1:1/");
    let standing = admin.retry_after("w0", 3);
    assert_eq!(standing["last_error"]["status"], 301);
    let busy = receiver.next();
    same(&busy);
    busy.answer("503 Service Unavailable\r\nretry-after: 7200");
    let standing = admin.until("w0", |standing| standing["failures"] == 4);
    assert!(standing["behind"].as_u64().unwrap() >= 3, "{standing}");

    // Front and daemon end in the middle; more comes in while the front is away.
    drop(first);
    assert!(daemon.stop().success());
    let daemon = lab.daemon("[pacing]\nwindow = \"3s\"\n");
    let mut events = daemon.events();
    events.wait_connected(&daemon);
    comes_in(&lab, &mut events, "+15550111", "four");
    let second = front(&lab, &daemon, &[&receiver]);
    let again = receiver.next();
    same(&again);
    // The receiver has it, and its answer does not arrive.
    drop(again);
    drop(second);
    let third = front(&lab, &daemon, &[&receiver]);
    let again = receiver.next();
    same(&again);
    again.verify(&secret(&lab, "w0"));
    again.answer("200 OK");
    let texts: Vec<String> = (0..4)
        .map(|_| {
            let got = next_incoming(&receiver);
            let text = text_of(&got);
            got.answer("204 No Content");
            text
        })
        .collect();
    assert_eq!(texts, ["one", "two", "three", "four"]);
    let admin = Admin::of(&third);
    comes_in(&lab, &mut events, "+15550111", "five");
    let got = next_incoming(&receiver);
    assert_eq!(text_of(&got), "five");
    got.answer("410 Gone");
    let standing = admin.until("w0", |standing| standing["state"] == "disabled");
    assert_eq!(standing["last_error"]["status"], 410);
    comes_in(&lab, &mut events, "+15550111", "six");
    drop(third);
    let fourth = front(&lab, &daemon, &[&receiver]);
    let admin = Admin::of(&fourth);
    assert_eq!(admin.standing("w0")["state"], "disabled");
    assert_eq!(admin.act("w0", "enable", "").json()["webhook"]["state"], "active");
    for text in ["five", "six"] {
        let got = next_incoming(&receiver);
        assert_eq!(text_of(&got), text);
        got.answer("200 OK");
    }
    receiver.assert_one_content_under_each_id();
}

#[test]
fn a_slow_receiver_holds_up_no_other() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550111"]);
    let (slow, quick) = (Receiver::start(), Receiver::start());
    let front = front(&lab, &daemon, &[&slow, &quick]);
    let admin = Admin::of(&front);
    admin.begun("w0");
    admin.begun("w1");
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550111");
    let held = next_incoming(&slow);
    for text in ["one", "two"] {
        comes_in(&lab, &mut events, "+15550111", text);
    }
    for text in ["hello", "one", "two"] {
        let got = next_incoming(&quick);
        assert_eq!(text_of(&got), text);
        got.answer("200 OK");
    }
    assert_eq!(text_of(&held), "hello");
    held.answer("200 OK");
    for text in ["one", "two"] {
        let got = next_incoming(&slow);
        assert_eq!(text_of(&got), text);
        got.answer("200 OK");
    }
}

#[test]
fn a_replay_sends_the_same_again_and_a_renewed_feed_is_said() {
    let lab = Lab::new();
    let mut daemon = lab.paired();
    lab.people(&["+15550111"]);
    let receiver = Receiver::start();
    let first = front(&lab, &daemon, &[&receiver]);
    let admin = Admin::of(&first);
    let begun = admin.begun("w0");
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550111");
    comes_in(&lab, &mut events, "+15550111", "one");
    let take = |text: &str| {
        let got = next_incoming(&receiver);
        assert_eq!(text_of(&got), text);
        let id = got.id();
        got.answer("200 OK");
        id
    };
    let ids = [take("hello"), take("one")];
    admin.until("w0", |standing| standing["behind"] == 0);
    let replay = admin.act("w0", "replay", &json!({ "after": begun }).to_string());
    assert_eq!(replay.status, 200, "{}", replay.text());
    assert_eq!([take("hello"), take("one")], ids);
    for (act, body, status) in [
        ("replay", "", 400),
        ("replay", "{\"after\": 18446744073709551615}", 400),
        ("pause", "{\"after\": 1}", 400),
        ("pause", "{\"since\": 1}", 400),
        ("remove", "", 404),
    ] {
        assert_eq!(admin.act("w0", act, body).status, status, "{act} {body}");
    }
    assert_eq!(admin.act("w9", "pause", "").status, 404);
    let read = [("authorization", format!("Bearer {}", first.token(Tier::Read)))];
    assert_eq!(first.ask("POST /v1/webhooks/w0/pause", &read, b"").status, 403);
    let listed = first.ask("GET /v1/webhooks", &read, b"");
    assert_eq!(listed.status, 200);
    assert!(!listed.text().contains("127.0.0.1"), "{}", listed.text());
    assert_eq!(first.ask("GET /v1/webhooks", &[], b"").status, 401);

    admin.until("w0", |standing| standing["behind"] == 0);
    drop(first);
    assert!(daemon.stop().success());
    std::fs::remove_dir_all(lab.path().join("state")).unwrap();
    let daemon = lab.daemon("");
    let _second = front(&lab, &daemon, &[&receiver]);
    loop {
        let got = receiver.next();
        let body = got.body();
        got.answer("200 OK");
        if body["type"] == "feed.renewed" {
            break;
        }
    }
}

#[test]
fn the_page_and_the_metrics_show_webhooks() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550111"]);
    let (receiver, front) = begun(&lab, &daemon);
    let admin = Admin::of(&front);
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550111");
    next_incoming(&receiver).answer("500 Internal Server Error");
    admin.until("w0", |standing| standing["failures"] == 1);

    let metrics = admin.ask("GET /metrics", "");
    for line in [
        "tetherd_webhook_deliveries_total{webhook=\"w0\",result=\"failed\"} 1",
        "tetherd_webhook_state{webhook=\"w0\",state=\"retrying\"} 1.0",
        "tetherd_webhook_state{webhook=\"w0\",state=\"active\"} 0.0",
    ] {
        assert!(metrics.text().lines().any(|known| known == line), "{}", metrics.text());
    }
    assert!(metrics.text().contains("tetherd_webhook_lag_seconds{webhook=\"w0\"}"));
    assert!(!metrics.text().contains("127.0.0.1"));

    let mut browser = Browser::logged_in(&front, Tier::Admin);
    let page = browser.get("/d/main/webhooks");
    for part in ["w0: retrying", "The receiver answered 500", &receiver.url()] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
    let paused = browser.submit("/d/main/webhooks", "/d/main/webhooks/w0/pause", &[]);
    assert!(paused.text().contains("w0 is paused.") && paused.text().contains("w0: paused"));
    assert_eq!(admin.standing("w0")["state"], "paused");
    let stale = browser.post("/d/main/webhooks/w0/enable", &[("csrf", "x")]);
    assert_eq!(stale.status, 403);
    assert_eq!(admin.standing("w0")["state"], "paused");
    let mut reader = Browser::logged_in(&front, Tier::Read);
    let page = reader.get("/d/main/webhooks");
    assert!(!page.text().contains(&receiver.url()) && !page.text().contains("webhooks/w0/"));
    let page = reader.get("/d/main/");
    let csrf = super::page::csrf(&page);
    assert_eq!(reader.post("/d/main/webhooks/w0/enable", &[("csrf", &csrf)]).status, 403);
    let page = browser.submit("/d/main/webhooks", "/d/main/webhooks/w0/enable", &[]);
    assert!(page.text().contains("w0 sends."), "{}", page.text());
    let got = next_incoming(&receiver);
    assert_eq!(text_of(&got), "hello");
    got.answer("200 OK");
    admin.until("w0", |standing| standing["state"] == "active");
    let page = browser.submit("/d/main/webhooks", "/d/main/webhooks/w0/replay", &[("after", "0")]);
    assert!(page.text().contains("w0 sends again what came after 0."), "{}", page.text());
    assert_eq!(text_of(&next_incoming(&receiver)), "hello");
}

#[test]
fn what_is_kept_no_more_is_said_and_not_passed_over() {
    let lab = Lab::new();
    let daemon = lab.paired_with("[inbox]\nmax = 3\n");
    lab.people(&["+15550111"]);
    let (receiver, front) = begun(&lab, &daemon);
    let admin = Admin::of(&front);
    assert_eq!(admin.act("w0", "pause", "").status, 200);
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550111");
    for text in ["one", "two", "three", "four", "five"] {
        comes_in(&lab, &mut events, "+15550111", text);
    }
    assert_eq!(admin.act("w0", "enable", "").status, 200);
    let (mut gap, mut came) = (None, Vec::new());
    while came.last().is_none_or(|(text, _)| text != "five") {
        let got = receiver.next();
        let body = got.body();
        let data = &body["data"];
        match body["type"].as_str().unwrap() {
            "feed.gap" => {
                assert_eq!(data["of"], "incoming");
                gap = Some((data["from"].as_u64().unwrap(), data["to"].as_u64().unwrap()));
            }
            "message.incoming" => came.push((text_of(&got), data["seq"].as_u64().unwrap())),
            _ => {}
        }
        got.answer("200 OK");
    }
    let texts: Vec<&str> = came.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["three", "four", "five"]);
    let (from, to) = gap.unwrap();
    assert!(from <= to && to < came[0].1, "{from} to {to}, then {came:?}");
}
