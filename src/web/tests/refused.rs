//! Who is not let in, and what is not taken from them.

use tether_web::limits::{FAILURES_MAX, SESSION_IDLE_MAX};
use tetherd_api::{Method, Tier};

use crate::support::Front;

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn without_a_token_nothing_is_answered() {
    let front = Front::start().await;
    for method in Method::ALL {
        let answer = front.ask(&format!("POST /v1/{}", method.name()), &[], "{}").await;
        assert_eq!(answer.status, 401, "{}", method.name());
        assert_eq!(answer.header("www-authenticate"), Some("bearer"));
    }
    for path in ["/v1/events", "/v1/main/events", "/metrics"] {
        assert_eq!(front.ask(&format!("GET {path}"), &[], "").await.status, 401, "{path}");
    }
    for wrong in ["Bearer", "Bearer x", "Basic x", "Bearer tether_00"] {
        let answer = front.ask("POST /v1/status", &[("authorization", wrong)], "{}").await;
        assert_eq!(answer.status, 401, "{wrong}");
    }
    // A cookie is for pages: no page can make a browser call the contract.
    let token = front.token(Tier::Admin);
    let cookie = format!("tether={token}");
    assert_eq!(front.ask("POST /v1/status", &[("cookie", &cookie)], "{}").await.status, 401);
}

#[tokio::test]
async fn a_token_does_what_its_tier_may_and_no_more() {
    let front = Front::start().await;
    let tokens = [Tier::Read, Tier::Send, Tier::Admin].map(|tier| (tier, front.token(tier)));
    for (tier, token) in &tokens {
        for method in Method::ALL.iter().filter(|method| **method != Method::EventsSubscribe) {
            let request = format!("POST /v1/main/{}", method.name());
            let answer = front.ask(&request, &[("authorization", &bearer(token))], "[]").await;
            // What is allowed gets as far as its body, which is none.
            let expected = if *tier >= method.tier() { "parse_error" } else { "denied" };
            assert_eq!(answer.kind(), expected, "{} {}", tier.name(), method.name());
        }
    }
    let (_, admin) = &tokens[2];
    let known = front.ask("POST /v1/status", &[("authorization", &bearer(admin))], "").await;
    assert_eq!((known.status, known.kind().as_str()), (503, "shutting_down"));
    front.tokens.remove("admin-2").unwrap();
    let gone = front.ask("POST /v1/status", &[("authorization", &bearer(admin))], "").await;
    assert_eq!(gone.status, 401);
}

#[tokio::test]
async fn who_gave_too_many_wrong_tokens_has_to_wait_and_others_at_its_address_do_not() {
    let front = Front::start().await;
    let right = bearer(&front.token(Tier::Admin));
    for _ in 0..FAILURES_MAX {
        assert_eq!(
            front.ask("POST /v1/status", &[("authorization", "Bearer x")], "").await.status,
            401
        );
    }
    let answer = front.ask("POST /v1/status", &[("authorization", "Bearer x")], "").await;
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").is_some());
    let answer = front.ask("POST /v1/status", &[("authorization", &right)], "").await;
    assert!(![401, 429].contains(&answer.status), "{}", answer.status);
}

#[tokio::test]
async fn a_foreign_name_is_refused_whatever_it_asks_for() {
    let front = Front::start().await;
    let token = bearer(&front.token(Tier::Admin));
    let port = front.address.port();
    for host in ["rebound.example", &format!("rebound.example:{port}"), "127.0.0.1", ""] {
        for request in
            ["GET /", "GET /login", "GET /style.css", "POST /v1/status", "GET /openapi.json"]
        {
            let headers = [("host", host), ("authorization", token.as_str())];
            let answer = front.ask(request, &headers, "").await;
            assert_eq!(answer.status, 421, "{host} {request}");
        }
    }
    let own = format!("localhost:{port}");
    assert_eq!(front.ask("GET /openapi.json", &[("host", &own)], "").await.status, 200);
}

#[tokio::test]
async fn what_a_page_of_another_origin_makes_is_refused() {
    let front = Front::start().await;
    let token = bearer(&front.token(Tier::Admin));
    for origin in ["null", "https://evil.example", "http://127.0.0.1", "http://127.0.0.1:1"] {
        for path in ["/v1/status", "/login", "/d/main/clear"] {
            let headers = [("origin", origin), ("authorization", token.as_str())];
            let answer = front.ask(&format!("POST {path}"), &headers, "").await;
            assert_eq!(answer.status, 403, "{origin} {path}");
        }
    }
}

#[tokio::test]
async fn every_answer_says_what_may_be_loaded_with_it() {
    let front = Front::start().await;
    for request in
        ["GET /login", "GET /nothing", "POST /v1/status", "GET /openapi.json", "GET /style.css"]
    {
        let answer = front.ask(request, &[], "").await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{request}: {policy}");
        assert!(
            !policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{request}");
        assert_eq!(answer.header("strict-transport-security"), None, "{request}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_may_not_be_sent_is_not_received_from_a_page() {
    let front = Front::start().await;
    let cookie = front.log_in(Tier::Read).await;
    // None of it is sent.
    let headers = [
        ("cookie", cookie.as_str()),
        ("content-type", "multipart/form-data; boundary=b"),
        ("content-length", "1000000"),
    ];
    assert_eq!(front.ask("POST /d/main/send", &headers, "").await.status, 403);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_left_open_does_not_keep_its_session() {
    let front = Front::start().await;
    let cookie = front.log_in(Tier::Read).await;
    let cookie = ("cookie", cookie.as_str());
    tokio::time::advance(SESSION_IDLE_MAX / 2).await;
    let refresh = [cookie, ("x-live", "1")];
    assert_ne!(front.ask("GET /d/main/", &refresh, "").await.header("location"), Some("/login"));
    let stream = [cookie, ("accept", "text/event-stream")];
    assert_ne!(front.ask("GET /d/none/live", &stream, "").await.header("location"), Some("/login"));
    tokio::time::advance(SESSION_IDLE_MAX / 2).await;
    let later = front.ask("GET /d/main/", &[cookie], "").await;
    assert_eq!((later.status, later.header("location")), (303, Some("/login")));
}
