//! Receivers of alerts, without a daemon: who is let in, and what is said to whom.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::json;
use tether_web::limits::FAILURES_MAX;
use tether_web::receivers::Receiver;
use tetherd_api::{FRAME_BYTES_MAX, Tier};

use crate::support::Front;

const POST: &str = "POST /receivers/ops";

async fn front() -> Front {
    let keys = "name = \"ops\"\nfrom = \"alertmanager\"\nto = \"Operations\"";
    let receiver: Receiver = toml::from_str(keys).unwrap();
    Front::with(|config| config.receivers.push(receiver)).await
}

fn group() -> String {
    let payload = json!({
        "version": "4", "groupKey": "{}:{}", "status": "firing",
        "alerts": [{ "status": "firing", "labels": { "alertname": "DiskFull" } }],
    });
    payload.to_string()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn basic(password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("alertmanager:{password}")))
}

#[tokio::test]
async fn a_token_comes_as_a_bearer_s_or_as_a_password() {
    let front = front().await;
    let [read, send] = [Tier::Read, Tier::Send].map(|tier| front.token(tier));
    for (given, status, kind) in [
        (None, 401, "denied"),
        (Some("Basic !".to_owned()), 401, "denied"),
        (Some(basic("")), 401, "denied"),
        (Some(basic("zanzibar")), 401, "denied"),
        (Some(bearer("zanzibar")), 401, "denied"),
        (Some(basic(&read)), 403, "denied"),
        (Some(bearer(&read)), 403, "denied"),
        // As far as the daemon, which is not there: whoever posts tries again.
        (Some(basic(&send)), 503, "shutting_down"),
        (Some(bearer(&send)), 503, "shutting_down"),
    ] {
        let headers: Vec<(&str, &str)> =
            given.iter().map(|given| ("authorization", given.as_str())).collect();
        let answer = front.ask(POST, &headers, &group()).await;
        assert_eq!((answer.status, answer.kind().as_str()), (status, kind), "{given:?}");
        assert_eq!(answer.header("retry-after").is_some(), status == 503);
        assert!(!answer.body.contains("zanzibar"), "{answer:?}");
    }
    // Elsewhere a password is none.
    let password = basic(&send);
    let answer = front.ask("POST /v1/status", &[("authorization", &password)], "{}").await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn wrong_passwords_are_counted_as_wrong_tokens_are() {
    let front = front().await;
    let (wrong, right) = (basic("x"), basic(&front.token(Tier::Send)));
    for _ in 0..FAILURES_MAX {
        let answer = front.ask(POST, &[("authorization", &wrong)], &group()).await;
        assert_eq!(answer.status, 401);
    }
    assert_eq!(front.ask(POST, &[("authorization", &wrong)], &group()).await.status, 429);
    assert_eq!(front.ask(POST, &[("authorization", &right)], &group()).await.status, 503);
}

#[tokio::test]
async fn what_is_none_of_ours_is_refused_with_a_sentence() {
    let front = front().await;
    let send = bearer(&front.token(Tier::Send));
    let authorized = [("authorization", send.as_str())];
    for (request, body, status, part) in [
        ("POST /receivers/zanzibar", group(), 404, "no receiver"),
        (POST, String::new(), 400, "not JSON"),
        (POST, "zanzibar".into(), 400, "not JSON"),
        (POST, "{\"zanzibar\":1}".into(), 400, "version 4"),
        (POST, group().replace("firing", "zanzibar"), 400, "`status`"),
        (POST, group().replace("groupKey", "zanzibar"), 400, "`groupKey`"),
    ] {
        let answer = front.ask(request, &authorized, &body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(part) && !answer.body.contains("zanzibar"), "{answer:?}");
    }
    assert_eq!(front.ask("GET /receivers/ops", &authorized, "").await.status, 405);
    // Nothing is said to strangers, not even whether there is a receiver.
    assert_eq!(front.ask("POST /receivers/other", &[], &group()).await.status, 401);
    let length = (FRAME_BYTES_MAX + 1).to_string();
    let long = [authorized[0], ("content-length", length.as_str())];
    assert_eq!(front.ask(POST, &long, "").await.status, 413);
    let foreign = [authorized[0], ("origin", "https://evil.example")];
    assert_eq!(front.ask(POST, &foreign, &group()).await.status, 403);
}
