//! The old service's interface before a real daemon: every method, in its shapes.

use serde_json::{Value, json};
use tetherd_api::Tier;

use super::{Answer, Front};
use crate::support::{ACCOUNT, Daemon, Lab, has_left, session_is};

const ANN: &str = "15550111";
const ANN_CHAT: &str = "15550111@c.us";

/// A client with its token in the address, as those of the old service have it.
struct Old<'a> {
    front: &'a Front,
    token: String,
}

impl<'a> Old<'a> {
    fn new(front: &'a Front, tier: Tier) -> Old<'a> {
        Old { front, token: front.token(tier) }
    }

    fn get(&self, method: &str, query: &str) -> Answer {
        let path = format!("/instance4711/{method}?token={}{query}", self.token);
        self.front.ask(&format!("GET {path}"), &[], b"")
    }

    #[track_caller]
    fn got(&self, method: &str, query: &str) -> Value {
        let answer = self.get(method, query);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    fn post(&self, method: &str, body: &Value) -> Answer {
        let path = format!("/instance4711/{method}?token={}", self.token);
        self.front.ask(&format!("POST {path}"), &[], body.to_string().as_bytes())
    }

    #[track_caller]
    fn posted(&self, method: &str, body: &Value) -> Value {
        let answer = self.post(method, body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

fn with_ann() -> (Lab, Daemon) {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550111"]);
    (lab, daemon)
}

#[test]
fn messages_of_every_kind_are_sent_by_number_and_by_chat() {
    let (lab, daemon) = with_ann();
    let front = Front::start(&lab, &daemon);
    let old = Old::new(&front, Tier::Send);
    let mut events = daemon.events();

    let text = old.posted("sendMessage", &json!({ "phone": 15_550_111, "body": "by number" }));
    assert_eq!(text["sent"], true);
    assert_eq!(text["message"], format!("Sent to {ANN_CHAT}"));
    let id = text["id"].as_str().unwrap();
    let wa_id = id.strip_prefix(&format!("true_{ANN_CHAT}_")).unwrap();
    let by_chat = json!({ "chatId": ANN_CHAT, "body": "an answer", "quotedMsgId": id });
    old.posted("sendMessage", &by_chat);
    let file = json!({
        "chatId": ANN_CHAT, "body": "data:application/pdf;base64,JVBERi0xLjQK",
        "filename": "report.pdf", "caption": "the report",
    });
    old.posted("sendFile", &file);
    let place = json!({ "chatId": ANN_CHAT, "lat": "48.5", "lng": 9.25, "address": "Main Street" });
    old.posted("sendLocation", &place);
    let contact = json!({ "phone": ANN, "contactId": "15550112@c.us" });
    let last = old.posted("sendContact", &contact);
    let number = last["queueNumber"].as_u64().unwrap();
    events.wait("the last one to leave", |event| has_left(event, &format!("m{number}")));

    let inbox = lab.sim.inbox("+15550111");
    assert_eq!(inbox.len(), 5, "{inbox:?}");
    assert_eq!(
        (inbox[0]["text"].as_str(), inbox[0]["id"].as_str()),
        (Some("by number"), Some(wa_id))
    );
    let kinds: Vec<&str> =
        inbox[2..].iter().map(|got| got["content"]["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["document", "location", "contact"]);
    let answered = daemon.message(&format!("m{}", number - 3));
    assert_eq!(answered["reply_to"], format!("m{}", text["queueNumber"]));

    let refused = old.post("sendMessage", &json!({ "phone": "12", "body": "x" }));
    assert_eq!((refused.status, &refused.json()["sent"]), (400, &json!(false)));
    let plain = json!({ "phone": ANN, "body": "http://files.example/x", "filename": "x" });
    assert_eq!(old.post("sendFile", &plain).json()["sent"], false);
    // A form, as those without a library for JSON send it.
    let path = format!("POST /sendMessage?instanceId=4711&token={}", old.token);
    let form = [("content-type", "application/x-www-form-urlencoded".to_owned())];
    let sent = front.ask(&path, &form, b"phone=%2B1+555+0111&body=by+a+form");
    assert_eq!(sent.json()["sent"], true, "{}", sent.text());
}

#[test]
fn the_queue_is_shown_and_cleared() {
    let (lab, daemon) = with_ann();
    let front = Front::start(&lab, &daemon);
    let old = Old::new(&front, Tier::Admin);
    daemon.call("queue.pause", json!({})).unwrap();
    let long = "long ".repeat(100);
    for text in ["first", &long] {
        old.posted("sendMessage", &json!({ "phone": ANN, "body": text }));
    }
    let shown = old.got("showMessagesQueue", "");
    assert_eq!(shown["totalMessages"], 2);
    let first = &shown["first100"][0];
    assert_eq!((&first["body"], &first["type"]), (&json!("first"), &json!("chat")));
    assert!(first["id"].is_u64() && first["last_try"].is_null());
    let metadata: Value = serde_json::from_str(first["metadata"].as_str().unwrap()).unwrap();
    assert_eq!(metadata["chatId"], ANN_CHAT);
    assert_eq!(shown["first100"][1]["body"], long);
    let cleared = old.got("clearMessagesQueue", "");
    assert_eq!(cleared["message"], "Cleared 2 messages");
    assert_eq!(cleared["messageTextsExample"][0], "first");
    assert_eq!(old.got("showMessagesQueue", ""), json!({ "totalMessages": 0, "first100": [] }));
}

#[test]
fn numbers_are_checked() {
    let (lab, daemon) = with_ann();
    let absent = json!({ "number": "+15550112", "on_network": false });
    lab.sim.call("recipient.add", absent);
    let front = Front::start(&lab, &daemon);
    let old = Old::new(&front, Tier::Send);
    assert_eq!(old.got("checkPhone", "&phone=15550111"), json!({ "result": "exists" }));
    assert_eq!(old.got("checkPhone", "&phone=15550112"), json!({ "result": "not exists" }));
}

#[test]
fn what_came_in_is_listed_by_number_and_its_file_is_had_without_a_token() {
    let (lab, daemon) = with_ann();
    let front = Front::start(&lab, &daemon);
    let old = Old::new(&front, Tier::Read);
    let mut events = daemon.events();
    lab.writes(&mut events, "+15550111");
    let file =
        json!({ "kind": "document", "mime": "application/pdf", "name": "a.pdf", "bytes": 900 });
    lab.sim.call("media.send", json!({ "number": "+15550111", "to": ACCOUNT, "file": file }));
    events.wait("the file", |event| event["message"]["kind"] == "document");

    let all = old.got("messages", "&lastMessageNumber=0");
    let (text, document) = (&all["messages"][0], &all["messages"][1]);
    assert_eq!((&text["body"], &text["type"]), (&json!("hello"), &json!("chat")));
    assert_eq!((&text["chatId"], &text["author"]), (&json!(ANN_CHAT), &json!(ANN_CHAT)));
    assert_eq!((&text["fromMe"], &text["messageNumber"]), (&json!(false), &json!(1)));
    assert!(text["id"].as_str().unwrap().starts_with("false_15550111@c.us_"));
    assert_eq!((&document["type"], &all["lastMessageNumber"]), (&json!("document"), &json!(2)));
    let later = old.got("messages", "&lastMessageNumber=1");
    assert_eq!(later["messages"], json!([document_without_link(&later, document)]));
    assert_eq!(old.got("messages", "&lastMessageNumber=2")["lastMessageNumber"], 2);
    assert_eq!(old.got("messages", "&last=1&limit=1")["messages"][0]["type"], "document");
    assert_eq!(old.got("messages", "&chatId=15550112@c.us")["messages"], json!([]));
    assert_eq!(old.got("messages", "&min_time=99999999999")["messages"], json!([]));
    let page = old.got("messagesHistory", "&count=1&page=1");
    assert_eq!((&page["messages"][0]["body"], &page["page"]), (&json!("hello"), &json!(1)));

    let link = document["body"].as_str().unwrap();
    let path = link.strip_prefix(&format!("http://{}", front.address)).unwrap();
    let got = front.ask(&format!("GET {path}"), &[], b"");
    assert_eq!((got.status, got.body.len()), (200, 900));
    assert!(!link.contains(&old.token));
    let other = path.replace("/file/main/2/", "/file/main/1/");
    assert_eq!(front.ask(&format!("GET {other}"), &[], b"").status, 404);
}

/// The same entry: only the link is made anew for each answer.
fn document_without_link(list: &Value, document: &Value) -> Value {
    let mut expected = document.clone();
    expected["body"] = list["messages"][0]["body"].clone();
    expected
}

#[test]
fn a_phone_is_linked_and_the_session_is_taken_back() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let front = Front::start(&lab, &daemon);
    let (admin, read) = (Old::new(&front, Tier::Admin), Old::new(&front, Tier::Read));
    assert_eq!(admin.got("status", "")["accountStatus"], "init");
    assert_eq!(read.get("qr_code", "").status, 403);
    let mut events = daemon.events();
    let picture = admin.get("qr_code", "");
    assert_eq!(picture.header("content-type"), Some("image/png"));
    assert!(picture.body.starts_with(b"\x89PNG\r\n"));
    let pairing = daemon.call("session.pair", json!({})).unwrap();
    let with_code = admin.got("status", "");
    assert_eq!(with_code["accountStatus"], "got qr code");
    assert!(with_code["qrCode"].as_str().unwrap().starts_with("data:image/png;base64,iVBOR"));
    assert!(read.got("status", "").get("qrCode").is_none());
    let scan = json!({ "qr": pairing["offer"]["qr"], "account": ACCOUNT });
    lab.sim.call("phone.scan", scan);
    events.wait("the session", |event| session_is(event, "connected"));
    let linked = admin.got("status", "");
    assert_eq!(linked["accountStatus"], "authenticated");
    assert_eq!(linked["statusData"]["substatus"], "normal");
    assert_eq!(admin.get("takeover", "").status, 409);

    lab.sim.call("server.replace_session", json!({ "account": ACCOUNT }));
    events.wait("the other session", |event| session_is(event, "replaced"));
    let replaced = read.got("status", "");
    assert_eq!(replaced["statusData"]["substatus"], "pairing");
    assert_eq!(replaced["statusData"]["reason"], "conflict");
    assert_eq!(replaced["statusData"]["actions"]["takeover"]["act"], "takeover");
    assert_eq!(admin.got("takeover", "")["result"], "Takeover request sent to WhatsApp");
    events.wait("the session", |event| session_is(event, "connected"));
    assert_eq!(admin.got("logout", "")["result"], "Logout request sent to WhatsApp");
    events.wait("the end", |event| {
        session_is(event, "logged_out") || session_is(event, "not_paired")
    });
}

#[test]
fn the_webhook_of_the_configuration_is_shown_and_none_is_set() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    let text = "name = \"shop\"\nurl = \"https://shop.example/s3cret\"\n";
    let configured = toml::from_str(text).unwrap();
    let front = Front::with(&lab, &daemon, |config| config.webhooks = vec![configured]);
    let (send, admin) = (Old::new(&front, Tier::Send), Old::new(&front, Tier::Admin));
    let url = "https://shop.example/s3cret";
    assert_eq!(admin.got("webhook", "")["webhookUrl"], url);
    assert_eq!(admin.got("webhook", &format!("&webhookUrl={url}"))["set"], true);
    let other = admin.get("webhook", "&webhookUrl=https://other.example/");
    assert_eq!(other.status, 409);
    assert!(other.text().contains("[[webhook]]"), "{}", other.text());
    let denied = send.get("webhook", "");
    assert_eq!(denied.status, 403);
    assert!(!denied.text().contains("s3cret"), "{}", denied.text());
}
