//! Alerts from other programs: what Alertmanager, Grafana, Uptime Kuma or any webhook posts
//! becomes a message. One message a post, as the one who posts has grouped it. Never answers that
//! it is done before the daemon has it on disk, and never logs what was posted.
//!
//! The thing that a post is about (a group of alerts, a monitor) is the message's key at the
//! daemon. So the same post again changes nothing, newer news overtakes what still waits, and the
//! end of the thing edits the message that has left.

mod config;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod payload;
mod template;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::post;
use minijinja::value::Value;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tetherd_api::{
    Error, ErrorKind, FRAME_BYTES_MAX, Method, Redacted, Replace, SendParams, SendResult, call,
};

use crate::auth::{self, Program, Refused};
use crate::daemon::{CallError, Daemon};
use crate::front::Shared;
use crate::limits::{CHATS_OF_A_NAME_MAX, PARSED_FACTOR};
use crate::rest::{
    body, error_response, json_held, json_response, named, refuse, status_of, usual,
};

pub use config::{Receiver, ReceiversError};
pub use template::{Expression, Template, TemplateError};

pub(crate) use config::check;
use payload::{About, failed};

/// Where they are.
pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/receivers/{name}", post(receive))
}

/// `POST /receivers/NAME`.
async fn receive(
    State(front): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let program = match identify(&front, &parts) {
        Ok(program) => program,
        Err(refused) => return refused.answer(),
    };
    let known = front.config.receivers.iter().find(|receiver| receiver.name == name);
    let Some(receiver) = known else {
        let error = Error::new(ErrorKind::NotFound, "there is no receiver of this name");
        return refuse(&error.remedy("name it below [[receiver]] in the configuration"));
    };
    if let Err(error) = program.may(Method::MessageSend.tier()) {
        return refuse(&error);
    }
    let request = Request::from_parts(parts, body);
    carry_out(&front, receiver, request).await.unwrap_or_else(|error| {
        // Those who post try again after a 5xx, and after nothing else.
        let later = error.data.retry_after_ms.map(|_| StatusCode::SERVICE_UNAVAILABLE);
        error_response(later.unwrap_or_else(|| status_of(error.data.kind)), &error)
    })
}

/// By a bearer token, or a token as the password of basic authentication.
fn identify(front: &Shared, parts: &Parts) -> Result<Program, Refused> {
    let password = auth::password(&parts.headers);
    let secret = auth::bearer(&parts.headers).or(password.as_deref()).unwrap_or_default();
    Program::with_secret(front, auth::peer(parts, front), secret)
}

async fn carry_out(
    front: &Shared,
    receiver: &Receiver,
    request: Request,
) -> Result<Response, Error> {
    let daemon = match &receiver.daemon {
        Some(name) => named(front, name)?,
        None => usual(front)?,
    };
    let (bytes, share) = body(front, request, FRAME_BYTES_MAX).await?;
    let busy = || Error::new(ErrorKind::TooManyConnections, "too many large requests at a time");
    let parsed = front.budget.take(bytes.len() * PARSED_FACTOR).await;
    let parsed = parsed.ok_or_else(|| busy().retry_after_ms(1_000))?;
    let params = message(receiver, &bytes)?;
    drop((parsed, bytes));
    let Some(params) = params else {
        return Ok(json_response(StatusCode::OK, &json!({ "id": null })));
    };
    let SendResult { message, duplicate, replaces } = send(daemon, params).await?;
    let answer = json!({ "id": message.id, "duplicate": duplicate, "replaces": replaces });
    Ok(json_held(&answer, share))
}

/// The message that a post becomes. None: the template says nothing.
fn message(receiver: &Receiver, body: &[u8]) -> Result<Option<SendParams>, Error> {
    let no_json = |_| Error::new(ErrorKind::ParseError, "the body is not JSON");
    let payload: Value = serde_json::from_slice(body).map_err(no_json)?;
    let About { key, resolved, occurrence } = About::read(&receiver.source, &payload)?;
    let text = text(receiver, &payload)?;
    if text.is_empty() {
        return Ok(None);
    }
    let mut params = SendParams::text(receiver.to.0.clone(), text);
    if let Some(key) = key {
        params.replace = Some(if resolved { Replace::Edit } else { Replace::New });
        params.occurrence = occurrence.map(|which| Redacted(digest(&which)));
        // The same thing in another chat is another message.
        let parts = [receiver.to.0.as_str(), &key].join("\0");
        params.key = Some(Redacted(format!("receiver:{}:{}", receiver.name, digest(&parts))));
    }
    Ok(Some(params))
}

fn text(receiver: &Receiver, payload: &Value) -> Result<String, Error> {
    let words = &receiver.words;
    let error = match words.template.render(payload) {
        Ok(text) => return Ok(text),
        Err(error) => failed("template", &error),
    };
    let Some(fallback) = &words.fallback else { return Err(error) };
    let text = fallback.render(payload).map_err(|error| failed("template", &error))?;
    Ok(format!("{text}\n\n({})", error.message))
}

async fn send(daemon: &Daemon, mut params: SendParams) -> Result<SendResult, Error> {
    let key = params.key.clone();
    let mut chat = 1;
    loop {
        let sent = daemon.call(call::MessageSend, &params).await.map_err(CallError::into_contract);
        chat += 1;
        match (&sent, &key) {
            // The name of the chat has come to mean another one: the alert goes there, and has
            // a key there.
            (Err(error), Some(Redacted(key)))
                if error.data.kind == ErrorKind::KeyConflict && chat <= CHATS_OF_A_NAME_MAX =>
            {
                params.key = Some(Redacted(format!("{key}:{chat}")));
            }
            _ => return sent,
        }
    }
}

/// Enough of a digest for what is nobody's secret.
fn digest(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..16])
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;
    use tetherd_api::KEY_BYTES_MAX;

    use super::*;

    fn receiver(keys: &str) -> Receiver {
        let text = format!("name = {:?}\nto = \"Operations\"\n{keys}", "n".repeat(32));
        toml::from_str(&text).unwrap()
    }

    fn of(receiver: &Receiver, payload: &Json) -> Option<SendParams> {
        message(receiver, payload.to_string().as_bytes()).unwrap()
    }

    fn group(status: &str, alerts: &[(&str, &str)]) -> Json {
        let alert = |(status, instance): &(&str, &str)| {
            json!({
                "status": status,
                "labels": { "alertname": "DiskFull", "instance": instance },
                "annotations": { "summary": "90 % of the disk is used" },
            })
        };
        let alerts: Vec<Json> = alerts.iter().map(alert).collect();
        json!({
            "version": "4", "groupKey": "{}:{alertname=\"DiskFull\"}", "status": status,
            "alerts": alerts, "commonLabels": { "alertname": "DiskFull", "severity": "page" },
            "groupLabels": { "alertname": "DiskFull" }, "truncatedAlerts": 0,
        })
    }

    #[test]
    fn a_group_is_one_message_whose_end_edits_it() {
        let receiver = receiver("from = \"alertmanager\"");
        let fires = group("firing", &[("firing", "web-1"), ("resolved", "web-2")]);
        let first = of(&receiver, &fires).unwrap();
        let text = first.text.clone().unwrap().0;
        assert_eq!(
            text,
            "🔴 DiskFull (page)\n- web-1: 90 % of the disk is used\n\
             ✅ DiskFull (page): resolved\n- web-2: 90 % of the disk is used"
        );
        assert_eq!((first.to.0.as_str(), first.replace), ("Operations", Some(Replace::New)));
        let over = of(&receiver, &group("resolved", &[("resolved", "web-1")])).unwrap();
        assert_eq!((over.key, over.replace), (first.key.clone(), Some(Replace::Edit)));
        let key = first.key.unwrap().0;
        assert!(key.len() + 2 <= KEY_BYTES_MAX, "{key}");

        let elsewhere = Receiver { to: Redacted("+15550101".into()), ..receiver };
        assert_ne!(of(&elsewhere, &fires).unwrap().key.unwrap().0, key);
    }

    #[test]
    fn a_large_group_is_counted_and_not_listed() {
        let receiver = receiver("from = \"grafana\"");
        let names: Vec<String> = (0..25).map(|at| format!("web-{at}")).collect();
        let alerts: Vec<(&str, &str)> =
            names.iter().map(|name| ("firing", name.as_str())).collect();
        let mut payload = group("firing", &alerts);
        payload["truncatedAlerts"] = json!(3);
        let text = of(&receiver, &payload).unwrap().text.unwrap().0;
        assert!(text.contains("- web-19: ") && !text.contains("- web-20: "), "{text}");
        assert!(text.ends_with("\nand 5 more\n3 more are not listed"), "{text}");
    }

    #[test]
    fn alerts_without_a_common_name_or_an_instance_say_their_own() {
        let receiver = receiver("from = \"grafana\"");
        let mut payload = group("firing", &[("firing", "web-1"), ("firing", "")]);
        payload["commonLabels"] = json!({});
        let text = of(&receiver, &payload).unwrap().text.unwrap().0;
        let lines =
            "- DiskFull web-1: 90 % of the disk is used\n- DiskFull: 90 % of the disk is used";
        assert!(text.ends_with(lines), "{text}");
    }

    #[test]
    fn an_alert_is_not_lost_for_its_words() {
        let receiver = receiver("from = \"alertmanager\"\ntemplate = \"{{ status | none_such }}\"");
        let text = of(&receiver, &group("firing", &[("firing", "web-1")])).unwrap().text.unwrap().0;
        assert!(text.starts_with("🔴 DiskFull (page)\n- web-1: "), "{text}");
        assert!(text.ends_with("(the receiver's `template` fails: unknown filter in line 1)"));
    }

    #[test]
    fn a_template_that_says_nothing_sends_nothing() {
        let own = "from = \"webhook\"\ntemplate = \"{% if level == 'bad' %}{{ text }}{% endif %}\"";
        let receiver = receiver(own);
        assert_eq!(of(&receiver, &json!({ "level": "good", "text": "x" })), None);
        let sent = of(&receiver, &json!({ "level": "bad", "text": "x" })).unwrap();
        assert_eq!((sent.text.unwrap().0.as_str(), sent.key, sent.replace), ("x", None, None));
    }

    #[test]
    fn uptime_kuma_says_what_and_when() {
        let receiver = receiver("from = \"uptime_kuma\"");
        let payload = json!({
            "msg": "[shop] [🔴 Down] timeout", "monitor": { "id": 7 },
            "heartbeat": { "status": 0, "localDateTime": "2026-01-31 08:30:00" },
        });
        let sent = of(&receiver, &payload).unwrap();
        assert_eq!(sent.text.unwrap().0, "[shop] [🔴 Down] timeout\n2026-01-31 08:30:00");
    }
}
