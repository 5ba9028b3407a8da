//! Webhooks for programs: how each stands (`GET /v1/webhooks`), and what can be done with one
//! (`POST /v1/webhooks/NAME/ACT`, for administrators). Never answers an address.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tetherd_api::{Error, ErrorKind, FRAME_BYTES_MAX, Tier};

use super::{Act, Standing};
use crate::auth::Program;
use crate::front::Shared;
use crate::rest::{body, json_response, refuse};

/// Where they are.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/webhooks", get(list))
        .route("/v1/webhooks/{webhook}/{act}", post(carry_out))
}

async fn list(State(front): State<Shared>, program: Program) -> Response {
    if let Err(error) = program.may(Tier::Read) {
        return refuse(&error);
    }
    let all: Vec<Standing> = front.webhooks.iter().map(|webhook| webhook.standing()).collect();
    json_response(StatusCode::OK, &json!({ "webhooks": all }))
}

async fn carry_out(
    State(front): State<Shared>,
    Path((name, act)): Path<(String, String)>,
    program: Program,
    request: Request,
) -> Response {
    match done(&front, &name, &act, &program, request).await {
        Ok(standing) => json_response(StatusCode::OK, &json!({ "webhook": standing })),
        Err(error) => refuse(&error),
    }
}

/// What an act takes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    after: Option<u64>,
}

async fn done(
    front: &Shared,
    name: &str,
    act: &str,
    program: &Program,
    request: Request,
) -> Result<Standing, Error> {
    program.may(Tier::Admin)?;
    let (bytes, _share) = body(front, request, FRAME_BYTES_MAX).await?;
    let bad = |error: serde_json::Error| Error::new(ErrorKind::InvalidParams, error.to_string());
    let params = match &*bytes {
        [] => Params::default(),
        bytes => serde_json::from_slice(bytes).map_err(bad)?,
    };
    let act = Act::named(act, params.after)?;
    let unknown = || Error::new(ErrorKind::NotFound, "there is no webhook of this name");
    let webhook = front.webhooks.get(name).ok_or_else(unknown)?;
    webhook.act(act).await?;
    Ok(webhook.standing())
}

/// The schemas of what is answered.
const SCHEMAS: &str = include_str!("schemas.json");

/// They by their names, for the document of OpenAPI.
pub(crate) fn schemas() -> Map<String, Value> {
    serde_json::from_str(SCHEMAS).unwrap_or_default()
}

/// The same in the form of OpenAPI: paths, and what is there.
pub(crate) fn described() -> Vec<(String, Value)> {
    let webhook = json!({ "$ref": "#/components/schemas/Webhook" });
    let answers = |error: &str, name: &str, schema: Value| {
        let answer =
            json!({ "type": "object", "required": [name], "properties": { name: schema } });
        json!({
            "200": {
                "description": "Done.",
                "content": { "application/json": { "schema": answer } },
            },
            "401": { "description": "No token, or one that is not known." },
            error: {
                "description": "Not done.",
                "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/ErrorAnswer" },
                } },
            },
        })
    };
    let list = json!({ "get": {
        "operationId": "webhooks",
        "summary": "How each webhook stands.",
        "description": "Needs the tier `read`.",
        "responses": answers("403", "webhooks", json!({ "type": "array", "items": webhook })),
    }});
    let after = json!({ "type": "object", "properties": { "after": {
        "type": "integer",
        "description": "With `replay`: the number of the feed after which everything is sent again.",
    } } });
    let act = json!({ "post": {
        "operationId": "webhooks.act",
        "summary": "Does something with a webhook.",
        "description": "Needs the tier `admin`.",
        "parameters": [
            { "name": "webhook", "in": "path", "required": true, "schema": { "type": "string" } },
            { "name": "act", "in": "path", "required": true, "schema": { "enum": Act::NAMES } },
        ],
        "requestBody": { "content": { "application/json": { "schema": after } } },
        "responses": answers("4XX", "webhook", webhook),
    }});
    vec![("/v1/webhooks".into(), list), ("/v1/webhooks/{webhook}/{act}".into(), act)]
}
