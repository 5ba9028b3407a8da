//! Other services' interfaces, without a daemon: who is let in, by which names, and what is said
//! to whom in which form.

use serde_json::{Value, json};
use tether_web::limits::FAILURES_MAX;
use tetherd_api::Tier;

use crate::support::{Answer, Front};

const OLD: [&str; 13] = [
    "status",
    "qr_code",
    "sendMessage",
    "sendFile",
    "sendContact",
    "sendLocation",
    "checkPhone",
    "showMessagesQueue",
    "clearMessagesQueue",
    "messages",
    "messagesHistory",
    "logout",
    "takeover",
];
const GREEN_POST: [&str; 9] = [
    "sendMessage",
    "sendFileByUrl",
    "sendFileByUpload",
    "sendContact",
    "sendLocation",
    "checkWhatsapp",
    "getAuthorizationCode",
    "downloadFile",
    "getChatHistory",
];
const GREEN_GET: [&str; 10] = [
    "showMessagesQueue",
    "clearMessagesQueue",
    "getStateInstance",
    "getSettings",
    "qr",
    "logout",
    "reboot",
    "receiveNotification",
    "lastIncomingMessages",
    "lastOutgoingMessages",
];

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"))
}

#[tokio::test]
async fn without_a_token_nothing_is_answered() {
    let front = Front::start().await;
    for (method, query) in OLD.iter().flat_map(|method| [(method, ""), (method, "?token=")]) {
        let answer = front.ask(&format!("POST /instance1/{method}{query}"), &[], "{}").await;
        assert_eq!(answer.status, 401, "{method}{query}");
        let sends = method.starts_with("send");
        assert_eq!(body(&answer)["sent"], if sends { json!(false) } else { Value::Null });
        assert_eq!(body(&answer)["error"].is_string(), !sends);
    }
    assert_eq!(front.ask("GET /instance1/status?token=x", &[], "").await.status, 401);
    let green = GREEN_POST.map(|method| ("POST", method));
    for (verb, method) in green.into_iter().chain(GREEN_GET.map(|method| ("GET", method))) {
        let front = Front::start().await;
        let answer = front.ask(&format!("{verb} /waInstance1/{method}/x"), &[], "").await;
        assert_eq!((answer.status, &body(&answer)["statusCode"]), (401, &json!(401)), "{method}");
    }
    let delete = front.ask("DELETE /waInstance1/deleteNotification/x/7", &[], "").await;
    assert_eq!(delete.status, 401);
    assert_eq!(
        front.ask("GET /file/main/1/99999999999999/0011223344556677/00", &[], "").await.status,
        404
    );
}

#[tokio::test]
async fn wrong_tokens_are_counted_here_as_everywhere() {
    let front = Front::start().await;
    let right = front.token(Tier::Admin);
    let paths = |token: &str| {
        [format!("/instance1/status?token={token}"), format!("/waInstance1/qr/{token}")]
    };
    for at in 0..FAILURES_MAX {
        let path = if at % 2 == 0 { "/instance1/status?token=x" } else { "/waInstance1/qr/x" };
        assert_eq!(front.ask(&format!("GET {path}"), &[], "").await.status, 401);
    }
    for path in paths("x") {
        let answer = front.ask(&format!("GET {path}"), &[], "").await;
        assert_eq!(answer.status, 429);
        assert!(answer.header("retry-after").is_some());
    }
    for path in paths(&right) {
        let answer = front.ask(&format!("GET {path}"), &[], "").await;
        assert!(![401, 429].contains(&answer.status), "{}", answer.status);
    }
}

#[tokio::test]
async fn a_token_does_what_its_tier_may_and_no_more() {
    let front = Front::start().await;
    let [read, send, admin] = [Tier::Read, Tier::Send, Tier::Admin].map(|tier| front.token(tier));
    let fields = r#"{"chatId":"15550101@c.us","phone":"15550101","phoneNumber":15550101,"body":"x",
        "message":"x","lat":1,"lng":1,"latitude":1,"longitude":1,"contactId":"15550102",
        "contact":{"phoneContact":15550102},"urlFile":"https://files.example/x","idMessage":"x"}"#;
    // Whoever may comes as far as the daemon, which is not there.
    for (method, lowest) in [
        ("sendMessage", Tier::Send),
        ("sendFile", Tier::Send),
        ("sendContact", Tier::Send),
        ("sendLocation", Tier::Send),
        ("checkPhone", Tier::Send),
        ("showMessagesQueue", Tier::Read),
        ("messages", Tier::Read),
        ("messagesHistory", Tier::Read),
        ("clearMessagesQueue", Tier::Admin),
        ("qr_code", Tier::Admin),
        ("logout", Tier::Admin),
        ("takeover", Tier::Admin),
    ] {
        for (tier, token) in [(Tier::Read, &read), (Tier::Send, &send), (Tier::Admin, &admin)] {
            let request = format!("POST /instance1/{method}?token={token}");
            let answer = front.ask(&request, &[], fields).await;
            let expected = if tier >= lowest { 503 } else { 403 };
            assert_eq!(answer.status, expected, "{method} {}: {answer:?}", tier.name());
            assert!(!answer.body.contains(token.as_str()), "{answer:?}");
        }
    }
    for (request, lowest) in [
        ("POST sendMessage", Tier::Send),
        ("POST sendFileByUrl", Tier::Send),
        ("POST sendContact", Tier::Send),
        ("POST sendLocation", Tier::Send),
        ("POST checkWhatsapp", Tier::Send),
        ("GET showMessagesQueue", Tier::Read),
        ("GET receiveNotification", Tier::Read),
        ("GET getStateInstance", Tier::Read),
        ("POST downloadFile", Tier::Read),
        ("GET clearMessagesQueue", Tier::Admin),
        ("POST getAuthorizationCode", Tier::Admin),
        ("GET logout", Tier::Admin),
        ("GET reboot", Tier::Admin),
    ] {
        let (verb, method) = request.split_once(' ').unwrap();
        for (tier, token) in [(Tier::Read, &read), (Tier::Send, &send), (Tier::Admin, &admin)] {
            let request = format!("{verb} /waInstance1/{method}/{token}");
            let answer = front.ask(&request, &[], if verb == "POST" { fields } else { "" }).await;
            let expected = if tier >= lowest { 503 } else { 403 };
            assert_eq!(answer.status, expected, "{method} {}: {answer:?}", tier.name());
        }
    }
    // A file that may not be sent is not received.
    let kind = [("content-type", "multipart/form-data; boundary=b"), ("content-length", "1000000")];
    let request = format!("POST /waInstance1/sendFileByUpload/{read}");
    assert_eq!(front.ask(&request, &kind, "").await.status, 403);
}

#[tokio::test]
async fn only_the_methods_of_http_that_answer_change_anything() {
    let front = Front::start().await;
    let token = front.token(Tier::Admin);
    for verb in ["HEAD", "PUT", "DELETE", "OPTIONS"] {
        let path = format!("/instance1/clearMessagesQueue?token={token}");
        assert_eq!(front.ask(&format!("{verb} {path}"), &[], "").await.status, 405, "{verb}");
        let path = format!("/waInstance1/clearMessagesQueue/{token}");
        assert_eq!(front.ask(&format!("{verb} {path}"), &[], "").await.status, 405, "{verb}");
    }
    for path in ["/waInstance1/sendMessage/", "/waInstance1/deleteNotification/"] {
        let path = format!("GET {path}{token}");
        assert!([404, 405].contains(&front.ask(&path, &[], "").await.status));
    }
    for path in ["/instance1/reboot?token=", "/waInstance1/setSettings/", "/waInstance1/qr/x/"] {
        let answer = front.ask(&format!("GET {path}{token}"), &[], "").await;
        assert!([401, 404].contains(&answer.status), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_number_means_its_daemon() {
    let front = Front::with(|config| {
        config.daemons.insert("second".into(), "/nowhere".into());
        config.instances.insert("7105".into(), "second".into());
    })
    .await;
    let token = front.token(Tier::Read);
    for (path, status) in [
        (format!("/instance7105/status?token={token}"), 200),
        (format!("/status?instanceId=7105&token={token}"), 200),
        (format!("/waInstance7105/getStateInstance/{token}"), 503),
        (format!("/instance7106/status?token={token}"), 404),
        (format!("/instancesecond/status?token={token}"), 404),
        (format!("/status?token={token}"), 404),
        (format!("/reboot?instanceId=7105&token={token}"), 404),
    ] {
        assert_eq!(front.ask(&format!("GET {path}"), &[], "").await.status, status, "{path}");
    }
    // Several, and nothing says which: none is taken for another.
    let front = Front::with(|config| {
        config.daemons.insert("second".into(), "/nowhere".into());
        config.daemons.remove("main");
        config.daemons.insert("third".into(), "/nowhere".into());
    })
    .await;
    let token = front.token(Tier::Read);
    let answer = front.ask(&format!("GET /instance1/status?token={token}"), &[], "").await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn a_daemon_that_is_away_is_offline_and_a_bearer_is_let_in() {
    let front = Front::start().await;
    let bearer = format!("Bearer {}", front.token(Tier::Read));
    let headers = [("authorization", bearer.as_str())];
    let answer = front.ask("GET /instance1/status", &headers, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(body(&answer)["accountStatus"], "loading");
    assert_eq!(body(&answer)["statusData"]["substatus"], "offline");
}

#[tokio::test]
async fn what_does_not_fit_is_named_and_not_quoted() {
    let front = Front::start().await;
    let token = front.token(Tier::Send);
    let old = |method: &str| format!("POST /instance1/{method}?token={token}");
    for (request, body, named) in [
        (old("sendMessage"), r#"{"phone":"zanzibar"}"#, "body"),
        (old("sendMessage"), r#"{"body":"zanzibar"}"#, "chatId"),
        (old("sendLocation"), r#"{"chatId":"1@c.us","lat":"zanzibar","lng":1}"#, "lat"),
        (old("sendContact"), r#"{"chatId":"1@c.us","contactId":["zanzibar","b"]}"#, "contactId"),
        (old("sendFile"), r#"{"chatId":"1@c.us","body":"data:zanzibar"}"#, "data URI"),
        (old("sendMessage"), "zanzibar", "JSON"),
        (format!("POST /waInstance1/sendMessage/{token}"), r#"{"chatId":"zanzibar"}"#, "message"),
        (format!("POST /waInstance1/sendContact/{token}"), r#"{"contact":"zanzibar"}"#, "contact"),
    ] {
        let answer = front.ask(&request, &[], body).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert!(answer.body.contains(named) && !answer.body.contains("zanzibar"), "{answer:?}");
    }
}

#[tokio::test]
async fn places_of_tokens_that_are_gone_are_removed() {
    let front = Front::start().await;
    let (token, _) = (front.token(Tier::Read), front.token(Tier::Read));
    let lines = std::fs::read_to_string(front.tokens.path()).unwrap();
    let known: Vec<&str> = lines.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    let folder = front.tokens.path().with_file_name("green").join("main");
    std::fs::create_dir_all(&folder).unwrap();
    let gone = "0".repeat(64);
    for name in known.iter().copied().chain([gone.as_str()]) {
        std::fs::write(folder.join(name), r#"{"after":1,"state":"authorized"}"#).unwrap();
    }
    let request = format!("GET /waInstance1/receiveNotification/{token}");
    assert_eq!(front.ask(&request, &[], "").await.status, 503);
    assert!(known.iter().all(|name| folder.join(name).exists()) && known.len() == 2);
    assert!(!folder.join(gone).exists());
}
