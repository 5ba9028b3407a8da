//! `GET /openapi.json`: the contract's own document, which is made from its types, put into
//! the form of OpenAPI. Lists nothing itself: the paths are the method table's and those of
//! webhooks.

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use tetherd_api::{ErrorKind, Method, OPENRPC};

use super::{json_response, status};

/// Answers the document. It says nothing about any daemon, so nobody is asked for a token.
pub(crate) async fn openapi() -> Response {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
    json_response(StatusCode::OK, &DOCUMENT)
}

fn document() -> Value {
    let contract: Value = serde_json::from_str(OPENRPC).unwrap_or_default();
    let methods = contract["methods"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut paths = Map::new();
    for method in Method::ALL.iter().filter(|method| **method != Method::EventsSubscribe) {
        let described = methods.iter().find(|known| known["name"] == method.name());
        let operation = operation(*method, described.unwrap_or(&Value::Null));
        paths.insert(format!("/v1/{}", method.name()), json!({ "post": operation }));
    }
    paths.insert("/v1/events".into(), events());
    paths.extend(crate::webhooks::described());
    let mut schemas = contract["components"]["schemas"].clone();
    if let Value::Object(schemas) = &mut schemas {
        schemas.extend(crate::webhooks::schemas());
    }
    schemas["ErrorAnswer"] = json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": contract["x-error"] },
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "tether-web",
            "version": contract["info"]["version"],
            "license": contract["info"]["license"],
            "description": "The methods of tetherd over HTTP. With several daemons, \
                `/v1/NAME/METHOD` names one; without a name the only one is meant, or the one \
                that is called `main`.",
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(method: Method, described: &Value) -> Value {
    let body = params(described);
    let mut content = json!({ "application/json": { "schema": body } });
    if method == Method::MessageSend {
        content["multipart/form-data"] = json!({ "schema": {
            "type": "object",
            "properties": {
                "params": body,
                "file": {
                    "type": "string",
                    "format": "binary",
                    "description": "The file; `file.fd`, `file.base64` and `file.url` are left out.",
                },
            },
        }});
    }
    let mut answers = json!({ "application/json": { "schema": described["result"]["schema"] } });
    if method == Method::InboxFile {
        answers["application/octet-stream"] =
            json!({ "schema": { "type": "string", "format": "binary" } });
    }
    json!({
        "operationId": method.name(),
        "summary": described["summary"],
        "description": format!("{}\n\nNeeds the tier `{}`.", described["description"].as_str().unwrap_or_default(), method.tier().name()).trim(),
        "requestBody": { "content": content },
        "responses": responses(method, &answers),
    })
}

fn params(described: &Value) -> Value {
    let list = described["params"].as_array().map(Vec::as_slice).unwrap_or_default();
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for param in list {
        let name = param["name"].as_str().unwrap_or_default();
        let mut schema = param["schema"].clone();
        if let (Value::Object(schema), Value::String(about)) = (&mut schema, &param["description"])
        {
            schema.entry("description").or_insert(json!(about));
        }
        properties.insert(name.into(), schema);
        if param["required"] == true {
            required.push(name);
        }
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The result, and each status with the kinds of errors behind it.
fn responses(method: Method, answers: &Value) -> Value {
    let mut responses = json!({ "200": { "description": "Done.", "content": answers } });
    let any = ErrorKind::ALL.iter().filter(|kind| kind.place() == tetherd_api::ErrorPlace::Any);
    for kind in method.errors().iter().chain(any) {
        let status = status::of(*kind).as_u16().to_string();
        let name = serde_json::to_value(kind).unwrap_or_default();
        let name = name.as_str().unwrap_or_default();
        let about = match responses[&status]["description"].as_str() {
            Some(before) => format!("{before}, `{name}`"),
            None => format!("`{name}`"),
        };
        let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/ErrorAnswer" } } });
        responses[&status] = json!({ "description": about, "content": content });
    }
    responses["401"] = json!({ "description": "No token, or one that is not known." });
    responses
}

fn events() -> Value {
    let place = json!({ "type": "string", "pattern": "^([0-9a-f]{16}:)?[0-9]+$" });
    json!({ "get": {
        "operationId": "events",
        "summary": "What happens, as server-sent events.",
        "description": "As `events.subscribe`. The `id` of an event is its place, `FEED:SEQ`; a \
            client that connects again gives the last one as `Last-Event-ID`, and misses nothing. \
            If the feed cannot be continued there, an event `feed_renewed` comes first, and then \
            everything that is kept.",
        "parameters": [
            { "name": "Last-Event-ID", "in": "header", "schema": place },
            { "name": "after", "in": "query", "schema": place,
              "description": "The same, where a header cannot be set. Refused with `feed_renewed` \
                if the feed cannot be continued there." },
        ],
        "responses": {
            "200": { "description": "The events.", "content": { "text/event-stream": {} } },
            "401": { "description": "No token, or one that is not known." },
            "409": { "description": "`feed_renewed`" },
            "503": { "description": "Too many streams at a time, or no daemon." },
        },
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_in_it_and_every_reference_leads_somewhere() {
        let document = document();
        let paths = Method::ALL.len() + crate::webhooks::described().len();
        assert_eq!(document["paths"].as_object().unwrap().len(), paths);
        let webhooks = &document["paths"]["/v1/webhooks"]["get"];
        let answer = &webhooks["responses"]["200"]["content"]["application/json"]["schema"];
        let one = answer["properties"]["webhooks"]["items"]["$ref"].as_str().unwrap();
        assert!(document.pointer(&one[1..]).unwrap()["properties"]["lag_s"].is_object());
        let send = &document["paths"]["/v1/message.send"]["post"];
        let json = &send["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(json["required"], json!(["to"]));
        assert!(send["responses"]["503"]["description"].as_str().unwrap().contains("queue_full"));
        let mut references = 0;
        follow(&document, &mut |to: &str| {
            references += 1;
            let pointer = to.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{to}");
        });
        assert!(references > 50, "{references}");
    }

    fn follow(value: &Value, found: &mut impl FnMut(&str)) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(to)) = object.get("$ref") {
                    found(to);
                }
                object.values().for_each(|value| follow(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| follow(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}
