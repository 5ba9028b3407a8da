//! The whole contract as one OpenRPC document.

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Value, json};

use tetherd_api::{Error, EventFrame, PROTOCOL_VERSION, Tier};

use super::schemas::{self, Schemas};
use super::{errors, events, examples, limits, methods, words};

const OPENRPC_VERSION: &str = "1.3.2";

/// The document as it is committed.
pub(super) fn text() -> String {
    let mut text = Vec::new();
    // One space: it is part of the program.
    let formatter = PrettyFormatter::with_indent(b" ");
    document().serialize(&mut Serializer::with_formatter(&mut text, formatter)).unwrap();
    text.push(b'\n');
    String::from_utf8(text).unwrap()
}

fn document() -> Value {
    let mut schemas = Schemas::new();
    let methods = methods::documented(&mut schemas);
    schemas.given::<EventFrame>();
    // The shape is the same everywhere; a method names only its kinds.
    let error = json!({ "schema": schemas.given::<Error>(), "example": examples::error() });
    let mut components = schemas.components();
    let events = events::documented(&mut components);
    json!({
        "openrpc": OPENRPC_VERSION,
        "info": {
            "title": "tetherd",
            "version": env!("CARGO_PKG_VERSION"),
            "description": words::plain(include_str!("../../api/intro.md")),
            "license": { "name": env!("CARGO_PKG_LICENSE") },
            "x-protocol": PROTOCOL_VERSION,
        },
        "servers": [{ "name": "control socket", "url": "unix:///run/tetherd/control.sock" }],
        "methods": methods,
        "components": { "schemas": components, "errors": errors::components() },
        "x-events": events,
        "x-error": error,
        "x-errors": errors::documented(),
        "x-limits": limits::documented(),
        "x-tiers": tiers(),
    })
}

fn tiers() -> Value {
    let documented = schemas::of::<Tier>();
    let tiers = documented["oneOf"].as_array().unwrap().iter();
    tiers.map(|tier| json!({ "name": tier["const"], "description": tier["description"] })).collect()
}
