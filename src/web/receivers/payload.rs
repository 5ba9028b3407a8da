//! What was posted: which thing it is about, and whether that is over. Knows the forms of those
//! who post. Never quotes a value.

use minijinja::value::{Value, ValueKind};
use tetherd_api::{Error, ErrorKind, Time};

use super::config::AlertSource;
use super::template::{Expression, TemplateError};

/// What a payload says for itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct About {
    /// The thing. None: whatever comes next is about another one.
    pub(super) key: Option<String>,
    /// Whether it is over.
    pub(super) resolved: bool,
    /// What tells it from the last time that it came up, where the payload says so.
    pub(super) occurrence: Option<String>,
}

impl About {
    pub(super) fn read(source: &AlertSource, payload: &Value) -> Result<About, Error> {
        match source {
            AlertSource::Alertmanager if text(payload, &["version"]) != Some("4".into()) => {
                Err(unfit("the payload is not version 4 of Alertmanager's webhook"))
            }
            AlertSource::Alertmanager | AlertSource::Grafana => of_alerts(payload),
            AlertSource::UptimeKuma => of_uptime_kuma(payload),
            AlertSource::Webhook { key, resolved } => {
                let value = |expression: &Option<_>| match expression {
                    Some(expression) => Expression::value(expression, payload),
                    None => Ok(Value::UNDEFINED),
                };
                let key = value(key).map_err(|error| failed("key", &error))?;
                let resolved = value(resolved).map_err(|error| failed("resolved", &error))?;
                Ok(About { key: as_key(&key)?, resolved: resolved.is_true(), occurrence: None })
            }
        }
    }
}

/// What cannot be read as it should be.
pub(super) fn unfit(sentence: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidParams, sentence)
}

/// Words of the receiver's own that fail.
pub(super) fn failed(what: &str, error: &TemplateError) -> Error {
    unfit(format!("the receiver's `{what}` fails: {error}"))
}

/// A group of alerts.
fn of_alerts(payload: &Value) -> Result<About, Error> {
    let Some(key) = text(payload, &["groupKey"]) else {
        return Err(unfit("`groupKey` is missing: this is no group of alerts"));
    };
    let alerts = field(payload, &["alerts"]);
    if alerts.kind() != ValueKind::Seq || alerts.len() == Some(0) {
        return Err(unfit("`alerts` takes a list of at least one alert"));
    }
    let resolved = match text(payload, &["status"]).as_deref() {
        Some("firing") => false,
        Some("resolved") => true,
        Some(_) | None => return Err(unfit("`status` takes `firing` or `resolved`")),
    };
    Ok(About { key: Some(key), resolved, occurrence: newest_start(&alerts) })
}

/// When the last of these alerts began to fire. A reminder has the same, a new incident a later
/// one.
fn newest_start(alerts: &Value) -> Option<String> {
    let starts = alerts.try_iter().ok()?.filter_map(|alert| text(&alert, &["startsAt"]));
    let newest = starts.filter_map(|start| start.parse::<Time>().ok()).max();
    newest.map(|time| time.to_string())
}

/// Of a heartbeat's status: it is up.
const UP: i64 = 1;

/// A change of a monitor, or (without one) a test, or a certificate that expires.
fn of_uptime_kuma(payload: &Value) -> Result<About, Error> {
    if text(payload, &["msg"]).is_none() {
        return Err(unfit("`msg` is missing: this is no notification of Uptime Kuma"));
    }
    let status = field(payload, &["heartbeat", "status"]);
    let (monitor, beat) = (&["monitor", "id"], &["heartbeat", "monitorID"]);
    let key = text(payload, monitor).or_else(|| text(payload, beat));
    let is_about_state = status.as_i64().is_some();
    Ok(About {
        key: key.filter(|_| is_about_state),
        resolved: status.as_i64() == Some(UP),
        occurrence: text(payload, &["heartbeat", "time"]),
    })
}

fn field(value: &Value, path: &[&str]) -> Value {
    let step = |value: Value, name: &&str| value.get_attr(name).unwrap_or_default();
    path.iter().fold(value.clone(), step)
}

fn text(value: &Value, path: &[&str]) -> Option<String> {
    as_text(&field(value, path))
}

/// A text or a number that says anything.
fn as_text(value: &Value) -> Option<String> {
    let is_plain = matches!(value.kind(), ValueKind::String | ValueKind::Number);
    is_plain.then(|| value.to_string()).filter(|text| !text.is_empty())
}

/// What a `key` says. Nothing: each post is about another thing.
fn as_key(value: &Value) -> Result<Option<String>, Error> {
    let is_plain = matches!(value.kind(), ValueKind::String | ValueKind::Number);
    if is_plain || value.is_undefined() || value.is_none() {
        return Ok(as_text(value));
    }
    let kind = value.kind();
    Err(unfit(format!("the receiver's `key` takes a text or a number, and gives a {kind}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(source: &AlertSource, payload: serde_json::Value) -> Result<About, Error> {
        About::read(source, &serde_json::from_value(payload).unwrap())
    }

    fn about(key: Option<&str>, resolved: bool) -> About {
        About { key: key.map(str::to_owned), resolved, occurrence: None }
    }

    #[test]
    fn a_group_of_alerts_is_one_thing() {
        let group = |version: &str, status: &str| json!({ "version": version, "groupKey": "{}:{}", "status": status, "alerts": [{}] });
        let (prometheus, grafana) = (AlertSource::Alertmanager, AlertSource::Grafana);
        assert_eq!(read(&prometheus, group("4", "firing")).unwrap(), about(Some("{}:{}"), false));
        assert_eq!(read(&prometheus, group("4", "resolved")).unwrap(), about(Some("{}:{}"), true));
        assert_eq!(read(&grafana, group("1", "firing")).unwrap(), about(Some("{}:{}"), false));
        for (source, wrong) in [
            (&prometheus, group("3", "firing")),
            (&grafana, group("1", "zanzibar")),
            (&grafana, json!({ "status": "firing", "alerts": [{}] })),
            (&grafana, json!({ "groupKey": "a", "status": "firing", "alerts": [] })),
            (&grafana, json!({ "groupKey": "a", "status": "firing", "alerts": "zanzibar" })),
            (&grafana, json!([1, "zanzibar"])),
        ] {
            let error = read(source, wrong).unwrap_err();
            assert_eq!(error.data.kind, ErrorKind::InvalidParams);
            assert!(!error.message.contains("zanzibar"), "{error}");
        }
    }

    #[test]
    fn a_monitor_is_one_thing_and_what_names_none_is_not() {
        let kuma = |payload| read(&AlertSource::UptimeKuma, payload);
        let beat = |status: i64| json!({ "monitorID": 7, "status": status });
        let change =
            |status| json!({ "msg": "x", "heartbeat": beat(status), "monitor": { "id": 7 }});
        assert_eq!(kuma(change(0)).unwrap(), about(Some("7"), false));
        assert_eq!(kuma(change(1)).unwrap(), about(Some("7"), true));
        assert_eq!(kuma(change(2)).unwrap(), about(Some("7"), false));
        let test = json!({ "msg": "Test", "heartbeat": null, "monitor": null });
        assert_eq!(kuma(test).unwrap(), about(None, false));
        kuma(json!({ "heartbeat": beat(0) })).unwrap_err();
    }

    #[test]
    fn what_came_up_again_is_another_occurrence() {
        let occurrence = |source: &AlertSource, payload| read(source, payload).unwrap().occurrence;
        let group = |starts: &[&str]| {
            let alerts: Vec<_> = starts.iter().map(|at| json!({ "startsAt": at })).collect();
            json!({ "groupKey": "a", "status": "firing", "alerts": alerts })
        };
        let grafana = |starts: &[&str]| occurrence(&AlertSource::Grafana, group(starts));
        let (first, later) = ("2026-01-31T08:30:00.5Z", "2026-01-31T09:31:00+01:00");
        assert_eq!(grafana(&[first, later]), grafana(&[later, first]));
        assert_eq!(grafana(&[first, later]).as_deref(), Some("2026-01-31T08:31:00.000Z"));
        assert_ne!(grafana(&[first]), grafana(&[first, later]));
        assert_eq!(grafana(&["zanzibar"]), None);
        let kuma = |time: &str| {
            let beat = json!({ "monitorID": 7, "status": 0, "time": time });
            occurrence(&AlertSource::UptimeKuma, json!({ "msg": "x", "heartbeat": beat }))
        };
        assert_eq!(kuma("08:30").as_deref(), Some("08:30"));
        assert_eq!(kuma(""), None);
    }

    #[test]
    fn a_key_is_a_text_or_a_number_or_nothing() {
        let keyed = |key, payload| {
            let key = Some(Expression::new(key).unwrap());
            read(&AlertSource::Webhook { key, resolved: None }, payload)
        };
        for nothing in [json!({}), json!({ "id": null }), json!({ "id": "" })] {
            assert_eq!(keyed("id", nothing).unwrap().key, None);
        }
        for wrong in [json!(true), json!(["zanzibar"]), json!({ "zanzibar": 1 })] {
            let error = keyed("id", json!({ "id": wrong })).unwrap_err();
            assert_eq!(error.data.kind, ErrorKind::InvalidParams);
            assert!(error.message.contains("`key` takes a text or a number"), "{error}");
            assert!(!error.message.contains("zanzibar"), "{error}");
        }
    }

    #[test]
    fn anything_else_is_about_what_the_configuration_says() {
        let expression = |source| Some(Expression::new(source).unwrap());
        let source = AlertSource::Webhook { key: expression("check.id"), resolved: None };
        let payload = json!({ "check": { "id": 5 }, "state": "ok" });
        assert_eq!(read(&source, payload.clone()).unwrap(), about(Some("5"), false));
        assert_eq!(read(&source, json!({})).unwrap(), about(None, false));
        let source =
            AlertSource::Webhook { key: None, resolved: expression("state in ['ok', 'gone']") };
        assert_eq!(read(&source, payload).unwrap(), about(None, true));
        let source = AlertSource::Webhook { key: expression("state | none_such"), resolved: None };
        let error = read(&source, json!({ "state": "zanzibar" })).unwrap_err();
        assert!(error.message.contains("`key`") && !error.message.contains("zanzibar"), "{error}");
    }
}
