//! GREEN-API's interface before a real daemon: its published client, unchanged, and what that
//! client does not show.
//!
//! The client is left out, and the test says so, where there is no node, or no folder with the
//! client in its `node_modules`, which `TETHERD_GREEN` names (see CONTRIBUTING.md).

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tetherd_api::Tier;

use super::{Answer, Front};
use crate::support::{
    ACCOUNT, Answer as Served, Lab, Web, has_left, lacks_client, message_is, start_with_web,
};

#[test]
fn the_published_client_sends_checks_clears_and_receives() {
    if let Some(why) = lacks_client("TETHERD_GREEN") {
        return eprintln!("skipped: {why}");
    }
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550111"]);
    lab.sim.call("recipient.add", json!({ "number": "+15550112", "on_network": false }));
    lab.sim.call("server.wait", json!({ "key_uploads": 1 }));
    let front = Front::start(&lab, &daemon);
    let output = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/green.mjs"))
        .arg(std::env::var_os("TETHERD_GREEN").unwrap())
        .args([&format!("http://{}", front.address), &front.token(Tier::Admin)])
        .args([&lab.sim.control, daemon.socket()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert_eq!(out.lines().last(), Some("done"), "{out}\n{err}");
}

/// A client with its token in the path.
pub(super) struct Green<'a> {
    pub(super) front: &'a Front,
    pub(super) token: String,
}

impl Green<'_> {
    fn ask(&self, verb: &str, method: &str, rest: &str, body: &Value) -> Answer {
        let path = format!("{verb} /waInstance7105000001/{method}/{}{rest}", self.token);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.front.ask(&path, &[], body.as_bytes())
    }

    #[track_caller]
    pub(super) fn got(&self, method: &str, rest: &str) -> Value {
        let answer = self.ask("GET", method, rest, &Value::Null);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    #[track_caller]
    fn posted(&self, method: &str, body: &Value) -> Value {
        let answer = self.ask("POST", method, "", body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    pub(super) fn delete(&self, receipt: &Value) -> Value {
        self.ask("DELETE", "deleteNotification", &format!("/{receipt}"), &Value::Null).json()
    }

    /// The next notification of this kind; those before it are deleted.
    pub(super) fn next(&self, kind: &str) -> Value {
        loop {
            let next = self.got("receiveNotification", "?receiveTimeout=60");
            assert!(!next.is_null(), "no {kind}");
            if next["body"]["typeWebhook"] == kind {
                return next;
            }
            assert_eq!(self.delete(&next["receiptId"])["result"], true);
        }
    }
}

#[test]
fn a_notification_comes_again_until_it_is_deleted() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550111"]);
    lab.sim.call("server.wait", json!({ "key_uploads": 1 }));
    let front = Front::start(&lab, &daemon);
    let green = Green { front: &front, token: front.token(Tier::Read) };
    let other = front.token(Tier::Read);
    // From the first call on; what came before is not sent.
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550111");
    assert_eq!(green.got("receiveNotification", ""), Value::Null);
    for text in ["one", "two"] {
        let reply = json!({ "number": "+15550111", "text": text });
        lab.sim.call("recipient.reply", reply);
        events.wait("it", |event| event["message"]["text"] == text);
    }
    let one = green.next("incomingMessageReceived");
    let body = &one["body"];
    assert_eq!(body["messageData"]["textMessageData"]["textMessage"], "one");
    assert_eq!(body["senderData"]["chatId"], "15550111@c.us");
    assert_eq!(body["instanceData"]["idInstance"], 7_105_000_001_u64);
    assert_eq!(body["instanceData"]["wid"], format!("{ACCOUNT}@c.us"));
    assert_eq!(green.got("receiveNotification", "")["receiptId"], one["receiptId"]);
    assert_eq!(green.delete(&json!(1))["result"], false);

    // The place is on disk: a front that is started anew goes on there.
    let token = green.token.clone();
    drop(front);
    let front = Front::start(&lab, &daemon);
    let green = Green { front: &front, token };
    let again = green.next("incomingMessageReceived");
    assert_eq!((&again["receiptId"], &again["body"]), (&one["receiptId"], body));
    assert_eq!(green.delete(&again["receiptId"])["result"], true);
    assert_eq!(green.delete(&again["receiptId"])["result"], false);
    let two = green.next("incomingMessageReceived");
    assert_eq!(two["body"]["messageData"]["textMessageData"]["textMessage"], "two");
    // Another token's place is its own.
    let other = Green { front: &front, token: other };
    assert_eq!(other.got("receiveNotification", ""), Value::Null);
}

#[test]
fn a_file_by_its_address_is_fetched_by_the_daemon_from_public_addresses_only() {
    let lab = Lab::new();
    let web = Web::start();
    web.set("/report.pdf", Served::Bytes(b"%PDF-1.4\n"));
    web.set("/inside", Served::Redirect("http://10.0.0.1/".to_owned()));
    let daemon = start_with_web(&lab, "");
    lab.pair(&daemon);
    lab.people(&["+15550111"]);
    let front = Front::start(&lab, &daemon);
    let green = Green { front: &front, token: front.token(Tier::Send) };
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550111");
    let post = |path: &str| {
        let file = json!({
            "chatId": "15550111@c.us", "urlFile": web.url(path), "fileName": "july.pdf",
            "caption": "the report",
        });
        green.posted("sendFileByUrl", &file)["idMessage"].as_str().unwrap().to_owned()
    };
    let sent = post("/report.pdf");
    let arrived = events.wait("it to arrive", |event| {
        event["message"]["wa_id"] == sent.as_str() && event["message"]["delivered_at"].is_string()
    });
    assert_eq!(arrived["message"]["file"]["name"], "july.pdf");
    let got = lab.sim.inbox("+15550111").pop().unwrap();
    assert_eq!((&got["content"]["kind"], &got["text"]), (&json!("document"), &json!("the report")));

    let refused = post("/inside");
    let parked = events.wait("it to be parked", |event| {
        event["message"]["wa_id"] == refused.as_str() && event["message"]["state"] == "parked"
    });
    assert_eq!(parked["message"]["reason"]["detail"], "refused_address");
    let file = json!({
        "chatId": "15550111@c.us", "urlFile": "file:///etc/passwd", "fileName": "x",
    });
    assert_eq!(green.ask("POST", "sendFileByUrl", "", &file).status, 400);
    // Asked for once: the front itself fetches nothing.
    let asked = web.asked();
    assert_eq!(asked.iter().filter(|line| line.starts_with("GET /report.pdf")).count(), 1);
}

#[test]
fn what_became_of_a_message_and_of_the_instance_is_notified() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550111"]);
    let front = Front::start(&lab, &daemon);
    let green = Green { front: &front, token: front.token(Tier::Admin) };
    assert_eq!(green.got("receiveNotification", ""), Value::Null);
    let message = json!({ "chatId": "15550111@c.us", "message": "hello" });
    let id = green.posted("sendMessage", &message)["idMessage"].clone();
    let status = green.next("outgoingMessageStatus");
    assert_eq!((&status["body"]["idMessage"], &status["body"]["sendByApi"]), (&id, &json!(true)));
    assert!(["sent", "delivered", "read"].contains(&status["body"]["status"].as_str().unwrap()));
    lab.sim.call("server.replace_session", json!({ "account": ACCOUNT }));
    let state = green.next("stateInstanceChanged");
    assert_eq!(state["body"]["stateInstance"], "starting");
    assert_eq!(green.delete(&state["receiptId"])["result"], true);
    assert_eq!(green.got("getStateInstance", "")["stateInstance"], "starting");
}

#[test]
fn journals_files_and_the_account_are_shown() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550111"]);
    let front = Front::start(&lab, &daemon);
    let green = Green { front: &front, token: front.token(Tier::Admin) };
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550111");
    let file = json!({ "kind": "image", "mime": "image/png", "bytes": 700 });
    lab.sim.call("media.send", json!({ "number": "+15550111", "to": ACCOUNT, "file": file }));
    let got = events.wait("the picture", |event| event["message"]["kind"] == "image");
    let answer = json!({
        "chatId": "15550111@c.us", "message": "back", "quotedMessageId": got["message"]["wa_id"],
    });
    let sent = green.posted("sendMessage", &answer);
    events.wait("it to leave", |event| {
        event["message"]["wa_id"] == sent["idMessage"] && has_left(event, "m1")
            || message_is(event, "m1", "read")
    });

    let chat = green.posted("getChatHistory", &json!({ "chatId": "15550111@c.us", "count": 3 }));
    let chat = chat.as_array().unwrap();
    assert_eq!(chat.len(), 3, "{chat:?}");
    let back = chat.iter().find(|entry| entry["type"] == "outgoing").unwrap();
    assert_eq!((&back["textMessage"], &back["idMessage"]), (&json!("back"), &sent["idMessage"]));
    let incoming = green.got("lastIncomingMessages", "?minutes=60");
    assert_eq!(incoming[0]["typeMessage"], "imageMessage");
    assert_eq!(incoming[1]["textMessage"], "hello");
    assert_eq!(green.got("lastOutgoingMessages", "")[0]["idMessage"], sent["idMessage"]);

    let ask = json!({ "chatId": "15550111@c.us", "idMessage": got["message"]["wa_id"] });
    let link = green.posted("downloadFile", &ask)["downloadUrl"].as_str().unwrap().to_owned();
    let path = link.strip_prefix(&format!("http://{}", front.address)).unwrap();
    assert_eq!(front.ask(&format!("GET {path}"), &[], b"").body.len(), 700);
    assert_eq!(green.got("getSettings", "")["wid"], format!("{ACCOUNT}@c.us"));
    assert_eq!(green.got("qr", "")["type"], "alreadyLogged");
    assert_eq!(green.got("reboot", "")["isReboot"], true);
    assert_eq!(green.got("logout", "")["isLogout"], true);
    assert_eq!(green.got("getStateInstance", "")["stateInstance"], "notAuthorized");
    assert_eq!(green.got("qr", "")["type"], "qrCode");
    let code = green.ask("POST", "getAuthorizationCode", "", &json!({ "phoneNumber": 15_550_100 }));
    assert_eq!(code.json()["status"], true, "{}", code.text());
    assert_eq!(code.json()["code"].as_str().unwrap().len(), 8);
}
