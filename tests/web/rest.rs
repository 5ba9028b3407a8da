//! The contract over HTTP: calls, files in both directions, events.

use serde_json::{Value, json};
use tetherd_api::Tier;

use super::Front;
use crate::support::{Lab, has_left, schema};

fn bearer(token: &str) -> [(&'static str, String); 1] {
    [("authorization", format!("Bearer {token}"))]
}

#[test]
fn a_message_is_sent_and_followed_over_http() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550111"]);
    let front = Front::start(&lab, &daemon);
    let (send, read) = (front.token(Tier::Send), front.token(Tier::Read));

    let mut events = front.follow("/v1/events", &bearer(&read));
    let begin = events.wait(|sent| sent.name == "snapshot_end");
    let first = begin.id.unwrap();
    let params = json!({ "to": "+15550111", "text": "hello", "key": "k1" });
    let sent = front.call(&send, "message.send", &params);
    assert_eq!(sent.status, 200, "{}", sent.text());
    schema::check_reply("message.send", Ok(&sent.json()));
    let id = sent.json()["message"]["id"].as_str().unwrap().to_owned();
    let left = events.wait(|sent| has_left(&sent.data, &id));
    let left_at = left.id.unwrap();
    assert!(left_at.feed.is_some() && left_at.feed == first.feed && left_at.seq > first.seq);
    drop(events);

    // What happened since is sent to whoever comes back, and nothing before it.
    let mut headers = bearer(&read).to_vec();
    headers.push(("last-event-id", first.to_string()));
    let mut again = front.follow("/v1/main/events", &headers);
    again.wait(|sent| sent.name == "message" && sent.data["message"]["id"] == id.as_str());
    headers[1].1 = left_at.to_string();
    let mut later = front.follow("/v1/events?after=0", &headers);
    let end = later.wait(|sent| {
        assert!(sent.name != "message" || sent.id.unwrap().seq > left_at.seq, "{sent:?}");
        sent.name == "snapshot_end"
    });
    assert!(end.id.unwrap().seq >= left_at.seq);

    let alias = front.call(&read, "main/showMessagesQueue", &json!({}));
    assert_eq!(alias.json()["total"], 0);
    let unknown = front.call(&read, "message.get", &json!({ "id": "m99" }));
    assert_eq!(
        (unknown.status, &unknown.json()["error"]["data"]["kind"]),
        (404, &json!("not_found"))
    );
    let misspelt = front.call(&read, "queue.list", &json!({ "limitt": 1 }));
    assert_eq!(misspelt.status, 400);
    assert!(misspelt.text().contains("did you mean `limit`"), "{}", misspelt.text());
    let conflict = json!({ "to": "+15550111", "text": "other", "key": "k1" });
    assert_eq!(front.call(&send, "message.send", &conflict).status, 409);
    assert_eq!(front.call(&send, "nothing.here", &json!({})).status, 404);
    let nobody = front.call(&send, "other/status", &json!({}));
    assert_eq!(nobody.status, 404);
    assert_eq!(nobody.header("content-type"), Some("application/json"));
}

#[test]
fn a_file_goes_out_and_another_comes_in_over_http() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550111"]);
    let front = Front::start(&lab, &daemon);
    let token = front.token(Tier::Send);

    let content = "%PDF-1.4\n".to_owned() + &"x".repeat(300_000);
    let part = |name: &str, rest: &str, text: &str| {
        format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"{rest}\r\n\r\n{text}\r\n")
    };
    let params = json!({ "to": "+15550111", "file": { "caption": "the report" } }).to_string();
    let body = part("params", "", &params)
        + &part("file", "; filename=\"report.pdf\"", &content)
        + "--b--\r\n";
    let mut headers = bearer(&token).to_vec();
    headers.push(("content-type", "multipart/form-data; boundary=b".into()));
    let mut events = daemon.events();
    let sent = front.ask("POST /v1/message.send", &headers, body.as_bytes());
    assert_eq!(sent.status, 200, "{}", sent.text());
    let message = &sent.json()["message"];
    assert_eq!(message["file"]["name"], "report.pdf");
    assert_eq!(message["file"]["bytes"], content.len());
    assert_eq!(message["file"]["mime"], "application/pdf");
    let id = message["id"].as_str().unwrap().to_owned();
    events.wait("the file to leave", |event| has_left(event, &id));

    let both = json!({ "to": "+15550111", "file": { "url": "https://files.example/x" } });
    let body = part("params", "", &both.to_string())
        + &part("file", "; filename=\"a\"", "x")
        + "--b--\r\n";
    assert_eq!(front.ask("POST /v1/message.send", &headers, body.as_bytes()).status, 400);
    // Nothing of it stays behind: the file has no name from its first byte on.
    crate::files::wait_for_files(&lab, 0);
}

#[test]
fn a_renewed_state_directory_is_followed_from_its_beginning() {
    let lab = Lab::new();
    let mut daemon = lab.paired();
    let front = Front::start(&lab, &daemon);
    let token = front.token(Tier::Read);
    daemon.call("queue.pause", json!({})).unwrap();
    for text in ["one", "two", "three", "four", "five"] {
        daemon.send("+15550111", text);
    }
    // Two follow the feed: the front itself, and who asks for notifications.
    let green = format!("GET /waInstance1/receiveNotification/{token}");
    assert_eq!(front.ask(&green, &[], b"").json(), Value::Null);
    assert_eq!(front.call(&token, "status", &json!({})).status, 200);

    daemon.stop();
    std::fs::remove_dir_all(lab.path().join("state")).unwrap();
    let daemon = lab.daemon("");
    let id = daemon.send("+15550111", "six");
    let mut answer = front.call(&token, "status", &json!({}));
    let begin = std::time::Instant::now();
    while answer.status != 200 && begin.elapsed() < crate::support::DEADLINE {
        answer = front.call(&token, "status", &json!({}));
    }
    assert_eq!(answer.status, 200, "{}", answer.text());
    daemon.call("queue.cancel", json!({ "ids": [id] })).unwrap();
    let next = front.ask(&green, &[], b"");
    assert_eq!(next.status, 200, "{}", next.text());
    assert_eq!(next.json()["body"]["typeWebhook"], "outgoingMessageStatus");
    assert_eq!(front.ask(&green, &[], b"").json(), next.json());
}
