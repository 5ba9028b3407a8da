//! The examples: one place for the document, the page and the test that runs them against
//! a daemon. Here they are read with the contract's types.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use tetherd_api::{Call, Error, EventFrame, Method, Signature, SignatureVisitor};

static EXAMPLES: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("examples.json")).unwrap());

/// The examples of a method, as OpenRPC pairs them.
pub(super) fn of_method(method: Method) -> Vec<Value> {
    let pair = |example: &Value| {
        let params = example["params"].as_object().unwrap().iter();
        let params = params.map(|(name, value)| json!({ "name": name, "value": value }));
        let mut pair = json!({
            "name": example["name"],
            "params": params.collect::<Vec<_>>(),
            "result": { "name": "result", "value": example["result"] },
        });
        if let Some(description) = example.get("description") {
            pair["description"] = description.clone();
        }
        pair
    };
    of(method).iter().map(pair).collect()
}

fn of(method: Method) -> &'static [Value] {
    let examples = EXAMPLES["methods"][method.name()].as_array();
    examples.unwrap_or_else(|| panic!("{} has no example", method.name()))
}

/// The example of an event.
pub(super) fn event(name: &str) -> &'static Value {
    EXAMPLES["events"].get(name).unwrap_or_else(|| panic!("the event {name} has no example"))
}

/// The example of an error.
pub(super) fn error() -> &'static Value {
    &EXAMPLES["error"]
}

/// Reads an example as the method's types do, and writes it again.
struct Reread<'a>(&'a Value);

impl SignatureVisitor for Reread<'_> {
    type Out = ();

    fn visit<S: Signature>(&mut self)
    where
        S::Params: JsonSchema,
        S::Result: JsonSchema,
    {
        let name = S::METHOD.name();
        let params: Map<String, Value> = self.0["params"].as_object().unwrap().clone();
        Call::decode(S::METHOD, params).unwrap_or_else(|error| panic!("{name}: {error}"));
        let result: S::Result = serde_json::from_value(self.0["result"].clone())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(json!(result), self.0["result"], "{name}: an answer is written otherwise");
    }
}

#[test]
fn examples_are_what_the_types_read_and_write() {
    for &method in Method::ALL {
        assert!(!of(method).is_empty());
        for example in of(method) {
            method.visit(&mut Reread(example));
        }
    }
    let known = EXAMPLES["methods"].as_object().unwrap().keys();
    known.for_each(|name| assert!(Method::ALL.iter().any(|m| m.name() == name), "{name}"));
    for event in EXAMPLES["events"].as_object().unwrap().values() {
        let read: EventFrame = serde_json::from_value(event.clone()).unwrap();
        assert_eq!(json!(read), *event, "an event is written otherwise");
    }
    let error: Error = serde_json::from_value(EXAMPLES["error"].clone()).unwrap();
    assert_eq!(json!(error), EXAMPLES["error"]);
    assert_eq!(error.code, error.data.kind.code());
}
