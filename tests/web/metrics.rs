//! What is scraped: the status, and what was counted from the feed.

use serde_json::json;
use tetherd_api::Tier;

use super::Front;
use crate::support::{Lab, message_is};

#[test]
fn what_happens_is_in_the_metrics_and_nobody_s_number_is() {
    let lab = Lab::new();
    let mut daemon = lab.paired();
    lab.people(&["+15550111"]);
    let front = Front::start(&lab, &daemon);
    let token = front.token(Tier::Read);
    let headers = [("authorization", format!("Bearer {token}"))];
    let scrape = || {
        let answer = front.ask("GET /metrics", &headers, b"");
        assert_eq!(answer.status, 200);
        let kind = answer.header("content-type").unwrap();
        assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
        answer.text().to_owned()
    };
    // The first scrape is also the sign that the front follows the feed.
    assert!(scrape().contains("tetherd_messages_total{daemon=\"main\",result=\"read\"} 0"));
    let mut followed = front.follow("/v1/events", &headers);
    followed.wait(|sent| sent.name == "snapshot_end");

    let mut events = daemon.events();
    let id = daemon.send("+15550111", "counted");
    let gone = daemon.send("+15550119", "nobody is there");
    let mut missing = vec![(id, "read"), (gone, "parked")];
    events.wait("both to be settled", |event| {
        missing.retain(|(id, state)| !message_is(event, id, state));
        missing.is_empty()
    });
    // The front's own subscription is another one: it may be a moment behind.
    let text = loop {
        let text = scrape();
        let parked = text.contains("tetherd_messages_total{daemon=\"main\",result=\"parked\"} 1");
        if parked && text.contains("tetherd_messages_total{daemon=\"main\",result=\"read\"} 1") {
            break text;
        }
    };
    for line in [
        "tetherd_up{daemon=\"main\"} 1.0",
        "tetherd_session_state{daemon=\"main\",state=\"connected\"} 1.0",
        "tetherd_queue_messages{daemon=\"main\",state=\"parked\"} 1.0",
        "tetherd_condition_active{daemon=\"main\",condition=\"not_on_network\",holds=\"some\"} 1.0",
        "tetherd_message_ack_time_seconds_count{daemon=\"main\"} 1",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("15550"), "{text}");

    let said = daemon.ctl().args(&["metrics", "--daemon", "office"]).ok();
    assert!(said.contains("tetherd_queue_messages{daemon=\"office\",state=\"parked\"} 1.0"));
    assert!(said.ends_with("# EOF\n"), "{said}");
    assert!(daemon.stop().success());
    let said = daemon.ctl().args(&["metrics"]).ok();
    assert!(said.contains("tetherd_up{daemon=\"main\"} 0.0"), "{said}");
    assert!(scrape().contains("tetherd_up{daemon=\"main\"} 0.0"));
    assert_eq!(front.call(&token, "status", &json!({})).status, 503);
}
