use serde_json::{Value, json};

use crate::test_server::{TestServer, ctl, message};
use tetherd_api::exit::ExitCode;

fn cleared(dry_run: bool) -> Value {
    json!({ "cleared": 12, "in_flight": ["m3"], "dry_run": dry_run,
        "examples": [{ "id": "m7", "to": "15550100@s.whatsapp.net", "preview": "hello" }] })
}

#[tokio::test]
async fn clear_shows_what_a_dry_run_says_and_needs_yes_without_a_terminal() {
    let daemon = TestServer::new("queue.clear", cleared(true));
    let ran = ctl(&["clear", "--to", "+15550100", "--dry-run"], &daemon).await;
    assert_eq!(
        ran.stdout,
        "12 messages would be withdrawn:\n  m7 +15550100 hello\n  and 11 more\nalready on their \
         way, and left alone: m3\n"
    );
    let ran = ctl(&["--json", "clear"], &daemon).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (ExitCode::Usage, ""));
    let ran = ctl(&["clear", "--yes"], &TestServer::new("queue.clear", cleared(false))).await;
    assert!(ran.stdout.starts_with("12 messages withdrawn:\n"), "{}", ran.stdout);
    let dry_runs: Vec<Value> =
        daemon.asked().into_iter().map(|(_, params)| params["dry_run"].clone()).collect();
    assert_eq!(dry_runs, [json!(true)]);
}

#[tokio::test]
async fn cancel_tells_what_could_not_be_withdrawn() {
    let answer = json!({ "cancelled": ["m1"], "not_found": [],
        "not_cancelled": [{ "id": "m2", "state": "sending" }] });
    let ran = ctl(&["cancel", "m1", "m2"], &TestServer::new("queue.cancel", answer)).await;
    assert_eq!(ran.stdout, "withdrawn: m1\n");
    assert_eq!((ran.stderr.as_str(), ran.code), ("not withdrawn: m2 is sending", ExitCode::No));
    let answer = json!({ "cancelled": [], "not_found": ["m9"], "not_cancelled": [] });
    let ran = ctl(&["cancel", "m9"], &TestServer::new("queue.cancel", answer)).await;
    assert_eq!(ran.code, ExitCode::NoInput);
}

#[tokio::test]
async fn cancel_by_conditions_names_what_is_on_its_way_and_the_way_back() {
    let answer = json!({ "cancelled": ["m1"], "not_found": [], "undo_until": "2026-01-01T00:10:00Z",
        "not_cancelled": [{ "id": "m2", "state": "sending" }] });
    let daemon = TestServer::new("queue.cancel", answer);
    let ran = ctl(&["cancel", "--key-prefix", "bulk-", "--state", "queued"], &daemon).await;
    assert_eq!(
        ran.stdout,
        "withdrawn: m1\nalready on their way, and left alone: m2\n`tetherctl restore` brings back \
         what was withdrawn, until 00:10:00\n"
    );
    assert_eq!(ran.code, ExitCode::Ok);
    let filter = json!({ "key_prefix": "bulk-", "states": ["queued"] });
    assert_eq!(daemon.asked()[0].1, json!({ "filter": filter }));
}

#[tokio::test]
async fn restore_tells_what_is_back_and_what_found_no_place() {
    let answer = json!({ "restored": ["m1"], "no_place": ["m2"] });
    let daemon = TestServer::new("queue.restore", answer);
    let ran = ctl(&["restore", "m1", "m2", "--to", "+15550100"], &daemon).await;
    assert_eq!(ran.stdout, "back where they were: m1\n");
    assert!(ran.stderr.ends_with(": m2"), "{}", ran.stderr);
    assert_eq!(ran.code, ExitCode::TempFail);
    let filter = json!({ "to": "+15550100", "ids": ["m1", "m2"] });
    assert_eq!(daemon.asked()[0].1, json!({ "filter": filter }));
    let daemon = TestServer::new("queue.restore", json!({ "restored": [], "no_place": [] }));
    let ran = ctl(&["restore", "--dry-run"], &daemon).await;
    assert_eq!(ran.stdout, "nothing that matches can be brought back\n");
    assert_eq!(daemon.asked()[0].1, json!({ "filter": {}, "dry_run": true }));
}

#[tokio::test]
async fn send_says_when_and_how_urgent() {
    let answer = json!({ "message": message(7, "queued"), "duplicate": false });
    let daemon = TestServer::new("message.send", answer);
    let line = ["send", "+15550100", "x", "--expires", "2h", "--in", "10m", "--priority", "high"];
    ctl(&line, &daemon).await;
    let params = json!({ "to": "+15550100", "text": "x", "priority": "high",
        "not_before": "2026-01-01T00:10:00.000Z", "expires_at": "2026-01-01T02:00:00.000Z" });
    assert_eq!(daemon.asked()[0].1, params);
}

#[tokio::test]
async fn retry_tells_what_found_no_place() {
    let daemon = TestServer::new("queue.retry", json!({ "requeued": ["m1"], "no_place": ["m2"] }));
    let ran = ctl(&["retry", "--reason", "refused"], &daemon).await;
    assert_eq!(ran.stdout, "back in the queue: m1\n");
    assert_eq!(ran.code, ExitCode::TempFail);
    assert_eq!(daemon.asked()[0].1, json!({ "filter": { "reason": "refused" } }));
}
