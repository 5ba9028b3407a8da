//! Alerts that are posted, as the recipient sees them in the end.

use serde_json::{Value, json};
use tether_web::receivers::Receiver;
use tetherd_api::Tier;

use super::{Answer, Front};
use crate::support::{DEADLINE, Daemon, Lab};

const ANN: &str = "+15550111";
const FAST: &str = "[pacing]\nmessages = 60\nwindow = \"1s\"\n";
const GROUP: &str = "Operations";

fn lab() -> (Lab, Daemon) {
    let lab = Lab::new();
    lab.people(&[ANN]);
    let daemon = lab.paired_with(FAST);
    group(&lab);
    (lab, daemon)
}

fn group(lab: &Lab) -> String {
    let added = json!({ "subject": GROUP, "members": [ANN, "+15550100"] });
    lab.sim.call("group.add", added)["jid"].as_str().unwrap().to_owned()
}

/// A front with a receiver from each.
struct Poster {
    front: Front,
    token: String,
}

impl Poster {
    fn new(lab: &Lab, daemon: &Daemon) -> Poster {
        let receiver = |from: &str, to: &str, more: &str| -> Receiver {
            let keys = format!("name = {from:?}\nfrom = {from:?}\nto = {to:?}\n{more}");
            toml::from_str(&keys).unwrap()
        };
        let more = "template = \"{{ text }}\"\nkey = \"id\"\nresolved = \"state == 'ok'\"";
        let receivers = vec![
            receiver("alertmanager", GROUP, ""),
            receiver("grafana", ANN, ""),
            receiver("uptime_kuma", ANN, ""),
            receiver("webhook", ANN, more),
        ];
        let front = Front::with(lab, daemon, |config| config.receivers = receivers);
        let token = front.token(Tier::Send);
        Poster { front, token }
    }

    fn try_post(&self, receiver: &str, payload: &Value) -> Answer {
        let headers = [("authorization", format!("Bearer {}", self.token))];
        let request = format!("POST /receivers/{receiver}");
        self.front.ask(&request, &headers, payload.to_string().as_bytes())
    }

    /// The message's id, and whether it was there already.
    #[track_caller]
    fn post(&self, receiver: &str, payload: &Value) -> (String, bool) {
        let answer = self.try_post(receiver, payload);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        (answer["id"].as_str().unwrap().to_owned(), answer["duplicate"].as_bool().unwrap())
    }
}

fn alerts(status: &str, instances: &[&str]) -> Value {
    let alert = |instance: &&str| {
        json!({
            "status": status, "fingerprint": format!("f-{instance}"),
            "labels": { "alertname": "DiskFull", "instance": instance },
            "annotations": { "summary": "the disk is full" },
            "startsAt": "2026-01-31T08:30:00Z",
        })
    };
    let alerts: Vec<Value> = instances.iter().map(alert).collect();
    json!({
        "version": "4", "groupKey": "{}:{alertname=\"DiskFull\"}", "status": status,
        "alerts": alerts, "commonLabels": { "alertname": "DiskFull" }, "truncatedAlerts": 0,
    })
}

/// The same alerts, which have begun to fire at another time.
fn since(payload: &Value, start: &str) -> Value {
    let mut payload = payload.clone();
    for alert in payload["alerts"].as_array_mut().unwrap() {
        alert["startsAt"] = start.into();
    }
    payload
}

/// Waits until it has left, and says what the recipient has of it.
fn arrived(lab: &Lab, daemon: &Daemon, id: &str) -> Value {
    daemon.events().wait_until_left(daemon, &[id.to_owned()]);
    let wa_id = daemon.message(id)["wa_id"].clone();
    let inbox = lab.sim.inbox(ANN);
    inbox.into_iter().find(|message| message["id"] == wa_id).unwrap()
}

#[test]
fn a_group_of_alerts_fires_is_repeated_resolves_and_fires_again() {
    let (lab, daemon) = lab();
    let poster = Poster::new(&lab, &daemon);
    let fires = alerts("firing", &["web-1", "web-2"]);
    assert_eq!(poster.post("alertmanager", &fires), ("m1".into(), false));
    let text = "🔴 DiskFull\n- web-1: the disk is full\n- web-2: the disk is full";
    assert_eq!(arrived(&lab, &daemon, "m1")["text"], text);
    // It did not get the answer.
    assert_eq!(poster.post("alertmanager", &fires), ("m1".into(), true));

    let resolved = alerts("resolved", &["web-1", "web-2"]);
    assert_eq!(poster.post("alertmanager", &resolved), ("m2".into(), false));
    let content = arrived(&lab, &daemon, "m2")["content"].clone();
    let first = daemon.message("m1")["wa_id"].clone();
    assert_eq!((&content["kind"], &content["target"]["id"]), (&json!("edit"), &first));
    assert!(content["text"].as_str().unwrap().starts_with("✅ DiskFull: resolved\n- web-1"));
    assert_eq!(poster.post("alertmanager", &resolved), ("m2".into(), true));

    // Its recipients are notified again.
    assert_eq!(poster.post("alertmanager", &fires), ("m3".into(), false));
    assert_eq!(arrived(&lab, &daemon, "m3")["text"], text);
    assert_eq!(daemon.message("m3")["kind"], "text");
    assert_eq!(lab.sim.inbox(ANN).len(), 3);
}

#[test]
fn a_new_incident_in_the_words_of_the_last_one_is_no_repetition() {
    let (lab, daemon) = lab();
    let poster = Poster::new(&lab, &daemon);
    let fires = alerts("firing", &["web-1"]);
    assert_eq!(poster.post("grafana", &fires), ("m1".into(), false));
    arrived(&lab, &daemon, "m1");
    // Its end was not posted.
    let again = since(&fires, "2026-02-03T08:30:00Z");
    assert_eq!(poster.post("grafana", &again), ("m2".into(), false));
    // A retry, and a reminder.
    assert_eq!(poster.post("grafana", &again), ("m2".into(), true));
    arrived(&lab, &daemon, "m2");
    assert_eq!(poster.post("grafana", &again), ("m2".into(), true));
    let texts = lab.sim.texts(ANN);
    assert_eq!((texts.len(), &texts[0]), (2, &texts[1]));
}

#[test]
fn an_alert_is_not_refused_for_what_no_message_has() {
    let (lab, daemon) = lab();
    let poster = Poster::new(&lab, &daemon);
    assert_eq!(poster.post("webhook", &json!({ "text": "disk\0 full\0" })), ("m1".into(), false));
    assert_eq!(arrived(&lab, &daemon, "m1")["text"], "disk full");
}

#[test]
fn newer_news_overtake_what_waits() {
    let (lab, daemon) = lab();
    let poster = Poster::new(&lab, &daemon);
    daemon.call("queue.pause", json!({})).unwrap();
    for instances in [&["web-1"][..], &["web-1", "web-2"]] {
        poster.post("grafana", &alerts("firing", instances));
    }
    assert_eq!(poster.post("grafana", &alerts("resolved", &["web-2"])), ("m1".into(), false));
    let beat = |status: i64, text: &str| {
        let heartbeat = json!({ "monitorID": 7, "status": status, "time": "08:30" });
        json!({ "msg": text, "monitor": { "id": 7 }, "heartbeat": heartbeat })
    };
    poster.post("uptime_kuma", &beat(0, "[shop] down"));
    assert_eq!(poster.post("uptime_kuma", &beat(1, "[shop] up")), ("m2".into(), false));
    let check = |state: &str| json!({ "id": 5, "state": state, "text": format!("5 is {state}") });
    poster.post("webhook", &check("bad"));
    assert_eq!(poster.post("webhook", &check("ok")), ("m3".into(), false));
    assert_eq!(poster.post("webhook", &json!({ "text": "about nothing" })), ("m4".into(), false));
    let silent = poster.try_post("webhook", &json!({ "id": 6 }));
    assert_eq!((silent.status, &silent.json()["id"]), (200, &Value::Null));

    daemon.call("queue.resume", json!({})).unwrap();
    let ids: Vec<String> = (1..=4).map(|at| format!("m{at}")).collect();
    daemon.events().wait_until_left(&daemon, &ids);
    let resolved = "✅ DiskFull: resolved\n- web-2: the disk is full";
    let texts = [resolved, "[shop] up\n08:30", "5 is ok", "about nothing"];
    assert_eq!(lab.sim.texts(ANN), texts);
}

#[test]
fn without_the_daemon_an_alert_is_tried_again_and_comes_once() {
    let (lab, mut daemon) = lab();
    let poster = Poster::new(&lab, &daemon);
    let fires = alerts("firing", &["web-1"]);
    daemon.stop();
    let away = poster.try_post("grafana", &fires);
    assert_eq!(away.status, 503, "{}", away.text());
    assert!(away.header("retry-after").is_some());

    let daemon = lab.daemon(FAST);
    let begin = std::time::Instant::now();
    let mut sent = poster.try_post("grafana", &fires);
    // As Alertmanager does; each try waits for a connection.
    while sent.status == 503 && begin.elapsed() < DEADLINE {
        sent = poster.try_post("grafana", &fires);
    }
    assert_eq!(sent.json()["duplicate"], false, "{}", sent.text());
    assert_eq!(poster.post("grafana", &fires), ("m1".into(), true));
    arrived(&lab, &daemon, "m1");
    assert_eq!(lab.sim.inbox(ANN).len(), 1);
}

#[test]
fn a_name_that_means_another_group_gets_the_alerts_there() {
    let (lab, daemon) = lab();
    let poster = Poster::new(&lab, &daemon);
    let former = daemon.call("group.list", json!({})).unwrap()["groups"][0]["jid"].clone();
    poster.post("alertmanager", &alerts("firing", &["web-1"]));
    arrived(&lab, &daemon, "m1");
    lab.sim.call("group.set", json!({ "jid": former, "subject": "Old" }));
    let new = group(&lab);
    daemon.call("group.list", json!({ "fresh": true })).unwrap();

    let fires = alerts("firing", &["web-2"]);
    assert_eq!(poster.post("alertmanager", &fires), ("m2".into(), false));
    assert_eq!(poster.post("alertmanager", &fires), ("m2".into(), true));
    arrived(&lab, &daemon, "m2");
    assert_eq!(daemon.message("m2")["to"], new.as_str());
    // What has a key there goes on as anywhere.
    assert_eq!(poster.post("alertmanager", &alerts("resolved", &["web-2"])), ("m3".into(), false));
    arrived(&lab, &daemon, "m3");
    assert_eq!(daemon.message("m3")["reply_to"], "m2");
    assert_eq!(poster.post("alertmanager", &fires), ("m4".into(), false));
    arrived(&lab, &daemon, "m4");
    assert_eq!(daemon.message("m4")["to"], new.as_str());
}

#[test]
fn the_readme_s_receivers_receive() {
    let (lab, daemon) = lab();
    lab.people(&["+15550101"]);
    let receivers = crate::readme::of_receivers().receivers;
    let front = Front::with(&lab, &daemon, |config| config.receivers = receivers);
    let poster = Poster { token: front.token(Tier::Send), front };
    daemon.call("queue.pause", json!({})).unwrap();
    let posts = [(412, "failed", "m1"), (412, "ok", "m1"), (413, "ok", "m2")];
    for (run, result, id) in posts {
        let posted = json!({ "job": "nightly", "run": run, "result": result });
        assert_eq!(poster.post("backup", &posted), (id.into(), false));
        let (message, text) = (daemon.message(id), format!("nightly: {result}"));
        assert_eq!(
            (&message["to"], &message["text"]),
            (&json!("15550101@s.whatsapp.net"), &json!(text))
        );
    }
    let unknown = poster.try_post("alertmanager", &alerts("firing", &["web-1"]));
    assert_eq!(unknown.status, 400, "{}", unknown.text());
    assert!(unknown.text().contains("no group is called so"), "{}", unknown.text());
    let added = json!({ "subject": "Night watch", "members": [ANN, "+15550100"] });
    lab.sim.call("group.add", added);
    daemon.call("group.list", json!({ "fresh": true })).unwrap();
    assert_eq!(poster.post("alertmanager", &alerts("firing", &["web-1"])), ("m3".into(), false));
}

#[test]
fn what_passes_by_itself_is_tried_again() {
    let lab = Lab::new();
    // Nobody has said yet which groups there are.
    let daemon = lab.daemon(FAST);
    let poster = Poster::new(&lab, &daemon);
    let fires = alerts("firing", &["web-1"]);
    let unknown = poster.try_post("alertmanager", &fires);
    assert_eq!(unknown.status, 503, "{}", unknown.text());
    assert!(unknown.header("retry-after").is_some());
    assert_eq!(poster.post("grafana", &fires), ("m1".into(), false));
}
