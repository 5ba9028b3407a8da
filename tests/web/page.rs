//! The page, as a browser without script uses it: forms, cookies, redirects.

use serde_json::{Value, json};
use tetherd_api::Tier;

use super::{Answer, Front};
use crate::support::{Lab, has_left, message_is};

/// A browser without script: it keeps cookies and follows redirects.
pub(super) struct Browser<'a> {
    front: &'a Front,
    cookies: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    fn new(front: &'a Front) -> Browser<'a> {
        Browser { front, cookies: Vec::new() }
    }

    /// One that has logged in with a fresh token.
    pub(super) fn logged_in(front: &'a Front, tier: Tier) -> Browser<'a> {
        let mut browser = Browser::new(front);
        let form = browser.get("/login");
        let token = front.token(tier);
        let page = browser.post("/login", &[("csrf", &csrf(&form)), ("token", &token)]);
        assert_eq!(page.status, 200, "{}", page.text());
        browser
    }

    fn ask(&mut self, request: &str, kind: Option<&str>, body: &[u8]) -> Answer {
        let mut headers = Vec::new();
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            headers.push(("cookie", pairs.join("; ")));
        }
        if let Some(kind) = kind {
            headers.push(("content-type", kind.to_owned()));
            headers.push(("origin", format!("http://{}", self.front.address)));
        }
        let answer = self.front.ask(request, &headers, body);
        let set = answer.head.lines().filter_map(|line| line.split_once(": "));
        for (_, cookie) in set.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        match answer.header("location") {
            Some(to) => {
                let to = to.to_owned();
                self.get(&to)
            }
            None => answer,
        }
    }

    pub(super) fn get(&mut self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), None, b"")
    }

    pub(super) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let encode = |text: &str| text.bytes().map(|b| format!("%{b:02x}")).collect::<String>();
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let kind = "application/x-www-form-urlencoded";
        self.ask(&format!("POST {path}"), Some(kind), body.join("&").as_bytes())
    }

    /// Sends a form of the page at `path`, with its secret.
    pub(super) fn submit(&mut self, at: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.get(at);
        assert!(page.text().contains(&format!("action=\"{path}\"")), "{path}: {}", page.text());
        let csrf = csrf(&page);
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post(path, &all)
    }
}

pub(super) fn csrf(page: &Answer) -> String {
    let text = page.text();
    let (_, rest) = text.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("{text}"));
    rest.split_once('"').unwrap().0.to_owned()
}

#[track_caller]
fn shows(page: &Answer, part: &str) {
    assert!(page.status == 200 && page.text().contains(part), "{part} is not in\n{}", page.text());
}

/// A daemon whose queue is paused, with a few messages in it.
fn paused(lab: &Lab) -> crate::support::Daemon {
    let daemon = lab.paired();
    daemon.call("queue.pause", json!({})).unwrap();
    daemon
}

#[test]
fn the_queue_is_cleared_and_brought_back_without_script() {
    let lab = Lab::new();
    let daemon = paused(&lab);
    let ids = [daemon.send("+15550111", "first of all"), daemon.send("+15550112", "second")];
    let front = Front::start(&lab, &daemon);
    let mut browser = Browser::logged_in(&front, Tier::Admin);

    let overview = browser.get("/d/main/");
    shows(&overview, "paused");
    shows(&overview, "Go on sending");
    let queue = browser.get("/d/main/queue");
    shows(&queue, "first of all");
    shows(&queue, "+15550111");
    let preview = browser.get("/d/main/clear?to=%2B15550111");
    shows(&preview, "first of all");
    shows(&preview, "Withdraw 1 message");
    assert!(!preview.text().contains(">second<"));
    // Looking changes nothing.
    assert_eq!(daemon.message(&ids[0])["state"], "queued");

    let cleared = browser.submit("/d/main/clear", "/d/main/clear", &[("to", "+15550111")]);
    shows(&cleared, "1 message withdrawn.");
    shows(&cleared, "can be brought back");
    assert_eq!(daemon.message(&ids[0])["state"], "cancelled");
    assert_eq!(daemon.message(&ids[1])["state"], "queued");
    let back = browser.submit("/d/main/queue", "/d/main/act/restore", &[]);
    shows(&back, "1 message brought back.");
    assert_eq!(daemon.message(&ids[0])["state"], "queued");

    let message = browser.get(&format!("/d/main/message/{}", ids[1]));
    shows(&message, "second");
    let at = format!("/d/main/message/{}", ids[1]);
    let fields = [("id", ids[1].as_str()), ("back", at.as_str())];
    let withdrawn = browser.submit(&at, "/d/main/act/cancel", &fields);
    shows(&withdrawn, "Bring back");
    shows(&browser.get("/d/main/queue?show=ended"), "second");
    shows(&browser.get("/d/main/queue?show=waiting&q=FIRST"), "first of all");
    assert!(!browser.get("/d/main/queue?show=waiting&q=zzz").text().contains("first of all"));

    let mut events = daemon.events();
    let on = browser.submit("/d/main/", "/d/main/act/resume", &[]);
    shows(&on, "Sending goes on.");
    lab.people(&["+15550111"]);
    events.wait("it to be settled", |event| {
        has_left(event, &ids[0]) || message_is(event, &ids[0], "parked")
    });
}

#[test]
fn a_form_without_its_secret_does_nothing() {
    let lab = Lab::new();
    let daemon = paused(&lab);
    let id = daemon.send("+15550111", "stays");
    let front = Front::start(&lab, &daemon);
    let mut browser = Browser::logged_in(&front, Tier::Admin);
    let other = csrf(&Browser::logged_in(&front, Tier::Admin).get("/d/main/"));
    for secret in ["", "x", other.as_str()] {
        for path in ["clear", "act/resume", "act/logout", "link", "link/passkey", "link/confirm"] {
            let answer = browser.post(&format!("/d/main/{path}"), &[("csrf", secret)]);
            assert_eq!(answer.status, 403, "{path}");
        }
        assert_eq!(browser.post("/logout", &[("csrf", secret)]).status, 403);
        let body = format!(
            "--b\r\ncontent-disposition: form-data; name=\"csrf\"\r\n\r\n{secret}\r\n\
             --b\r\ncontent-disposition: form-data; name=\"to\"\r\n\r\n+15550111\r\n--b--\r\n"
        );
        let kind = Some("multipart/form-data; boundary=b");
        assert_eq!(browser.ask("POST /d/main/send", kind, body.as_bytes()).status, 403);
    }
    assert_eq!(daemon.message(&id)["state"], "queued");
    assert_eq!(daemon.status()["queue"]["paused"], true);
    // The log-in, too, belongs to the browser that asked for its form.
    let token = front.token(Tier::Admin);
    let mut stranger = Browser::new(&front);
    let answer = stranger.post("/login", &[("csrf", &"0".repeat(64)), ("token", &token)]);
    assert_eq!(answer.status, 403);
}

#[test]
fn a_person_does_what_the_token_may_and_no_more() {
    let lab = Lab::new();
    let daemon = paused(&lab);
    let front = Front::start(&lab, &daemon);
    let mut browser = Browser::new(&front);
    for path in ["/", "/d/main/", "/d/main/queue", "/d/main/link", "/d/main/inbox/1/file"] {
        shows(&browser.get(path), "<h1>Log in</h1>");
    }
    let wrong = csrf(&browser.get("/login"));
    assert_eq!(browser.post("/login", &[("csrf", &wrong), ("token", "tether_0")]).status, 401);

    let mut reader = Browser::logged_in(&front, Tier::Read);
    let overview = reader.get("/d/main/");
    shows(&overview, "paused");
    assert!(!overview.text().contains("Go on sending"), "{}", overview.text());
    for path in ["/d/main/link", "/d/main/clear", "/d/main/send"] {
        assert_eq!(reader.get(path).status, 403, "{path}");
    }
    let secret = csrf(&overview);
    for path in ["clear", "act/resume", "act/cancel", "link", "link/confirm"] {
        let answer = reader.post(&format!("/d/main/{path}"), &[("csrf", &secret), ("id", "m1")]);
        assert_eq!(answer.status, 403, "{path}");
    }
    assert_eq!(daemon.status()["queue"]["paused"], true);
    assert_eq!(reader.post("/logout", &[("csrf", &secret)]).status, 200);
    shows(&reader.get("/d/main/"), "<h1>Log in</h1>");
}

#[test]
fn a_phone_is_linked_by_the_page() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let front = Front::start(&lab, &daemon);
    let mut browser = Browser::logged_in(&front, Tier::Admin);
    shows(&browser.get("/d/main/"), "Link the phone");
    let page = browser.submit("/d/main/link", "/d/main/link", &[]);
    shows(&page, "<svg class=\"qr\"");
    // The code itself is a secret, and only drawn.
    let offer = daemon.call("session.pair", json!({})).unwrap();
    let qr = offer["offer"]["qr"].as_str().unwrap();
    assert!(!page.text().contains(qr));
    let mut events = daemon.events();
    lab.sim.call("phone.scan", json!({ "qr": qr, "account": crate::support::ACCOUNT }));
    events.wait("the session to connect", |event| crate::support::session_is(event, "connected"));
    let linked = browser.get("/d/main/link");
    shows(&linked, "Connected");
    assert!(!linked.text().contains("class=\"qr\""), "{}", linked.text());
}

#[test]
fn the_inbox_begins_with_what_came_last_however_long_the_texts_are() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550111"]);
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550111");
    // More than one list of the daemon's, and more than one page, may have.
    for at in 2..=6 {
        let text = format!("{at}{}", "\u{1f422}".repeat(65_000));
        lab.sim.call("recipient.reply", json!({ "number": "+15550111", "text": text }));
        events.wait("the message", |event| event["message"]["cursor"] == at);
    }
    let front = Front::start(&lab, &daemon);
    let mut browser = Browser::logged_in(&front, Tier::Read);
    let first = browser.get("/d/main/inbox");
    shows(&first, "id=\"i6\"");
    let mut seen = Vec::new();
    let mut next = Some("/d/main/inbox".to_owned());
    while let Some(path) = next {
        let page = browser.get(&path);
        let ids = page.text().split("id=\"i").skip(1);
        seen.extend(ids.filter_map(|rest| rest.split_once('"')?.0.parse::<u64>().ok()));
        let older = page.text().split_once("inbox?before=");
        next = older
            .map(|(_, rest)| format!("/d/main/inbox?before={}", rest.split_once('"').unwrap().0));
    }
    assert_eq!(seen, [6, 5, 4, 3, 2, 1]);
}

/// What would act, if it were not escaped.
const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}";

#[test]
fn what_others_write_is_shown_and_does_nothing() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.sim.call("recipient.add", json!({ "number": "+15550111", "name": EVIL }));
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550111");
    lab.sim.call("recipient.reply", json!({ "number": "+15550111", "text": EVIL }));
    events.wait("the message", |event| {
        event["message"]["text"] == EVIL && event["message"]["name"].as_str() == Some(EVIL)
    });
    daemon.call("queue.pause", json!({})).unwrap();
    let send = json!({ "to": "+15550111", "text": EVIL, "key": EVIL });
    let sent: Value = daemon.call("message.send", send).unwrap();
    let id = sent["message"]["id"].as_str().unwrap().to_owned();
    let file = json!({ "base64": "aGVsbG8=", "name": "<img src=x onerror=alert(2)>.txt", "as": "document", "caption": EVIL });
    daemon.call("message.send", json!({ "to": "+15550111", "file": file })).unwrap();

    let front = Front::start(&lab, &daemon);
    let mut browser = Browser::logged_in(&front, Tier::Admin);
    for path in [
        "/d/main/queue".to_owned(),
        format!("/d/main/message/{id}"),
        "/d/main/inbox".to_owned(),
        "/d/main/clear".to_owned(),
        "/d/main/queue?q=%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
        "/d/main/clear?to=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
    ] {
        let page = browser.get(&path);
        let text = page.text();
        assert!(text.contains("alert(1)"), "{path} does not show it: {text}");
        assert!(!text.contains("<script>") && !text.contains("<img"), "{path}: {text}");
        assert!(!text.contains("\"'>"), "{path}: {text}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    }
    // What is shown of others does not set the direction of what is around it.
    let inbox = browser.get("/d/main/inbox");
    shows(&inbox, "dir=\"auto\"");
    // One text, and twice the name of who wrote.
    assert_eq!(inbox.text().matches("<bdi>&lt;script&gt;").count(), 2, "{}", inbox.text());
}
