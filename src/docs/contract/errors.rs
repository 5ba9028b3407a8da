//! The contract's errors as the document has them: code, meaning, what helps, and where each
//! is answered. Everything is from the table of kinds.

use serde_json::{Map, Value, json};

use tetherd_api::{ErrorKind, ErrorPlace, Method};

use super::schemas;

/// The errors of one method: its own, then those of all.
pub(super) fn of(method: Method) -> impl Iterator<Item = ErrorKind> {
    let any = ErrorKind::ALL.iter().filter(|kind| kind.place() == ErrorPlace::Any);
    method.errors().iter().chain(any).copied()
}

fn name(kind: ErrorKind) -> String {
    json!(kind).as_str().unwrap().to_owned()
}

pub(super) fn reference(kind: ErrorKind) -> Value {
    json!({ "$ref": format!("#/components/errors/{}", name(kind)) })
}

/// `components.errors` of the document.
pub(super) fn components() -> Map<String, Value> {
    let all = ErrorKind::ALL.iter().map(|&kind| {
        let data = json!({ "kind": kind });
        let error = json!({ "code": kind.code(), "message": meaning(kind), "data": data });
        (name(kind), error)
    });
    all.collect()
}

/// `x-errors` of the document: what an error object of OpenRPC has no place for.
pub(super) fn documented() -> Vec<Value> {
    let all = ErrorKind::ALL.iter().map(|&kind| {
        let mut error = json!({
            "kind": kind, "code": kind.code(), "description": meaning(kind),
            "place": kind.place().name(), "retry_after_ms": kind.may_retry(),
        });
        if let Some(help) = kind.help() {
            error["remedy"] = help.into();
        }
        error
    });
    all.collect()
}

/// What the kind's doc comment says.
fn meaning(kind: ErrorKind) -> String {
    let documented = schemas::of::<ErrorKind>();
    let kinds = documented["oneOf"].as_array().unwrap();
    let documented = kinds.iter().find(|documented| documented["const"] == json!(kind)).unwrap();
    documented["description"].as_str().unwrap().to_owned()
}

#[test]
fn every_error_is_of_a_method_or_answered_everywhere() {
    for kind in ErrorKind::ALL {
        let of_a_method = Method::ALL.iter().any(|method| method.errors().contains(kind));
        assert_eq!(of_a_method, kind.place() == ErrorPlace::Method, "{kind:?}");
    }
}
