//! The documentation of each event. OpenRPC has none: they are a member of their own.

use serde_json::{Map, Value, json};

use tetherd_api::frame::EVENT_METHOD;

use super::examples;

/// `x-events` of the document. Takes the frame's schema out of `components`: each event has
/// one of its own.
pub(super) fn documented(components: &mut Map<String, Value>) -> Value {
    let mut frame = components.remove("EventFrame").unwrap();
    let frame = frame.as_object_mut().unwrap();
    let Some(Value::Array(variants)) = frame.remove("oneOf") else {
        panic!("an event is one of several: {frame:?}")
    };
    let description = frame.remove("description");
    let list: Vec<Value> = variants.iter().map(|variant| event(frame, variant)).collect();
    json!({ "method": EVENT_METHOD, "description": description, "list": list })
}

fn event(frame: &Map<String, Value>, variant: &Value) -> Value {
    let name = variant["properties"]["event"]["const"].as_str().unwrap();
    let mut schema = frame.clone();
    let properties = schema["properties"].as_object_mut().unwrap();
    properties.extend(variant["properties"].as_object().unwrap().clone());
    let required = schema["required"].as_array_mut().unwrap();
    required.extend(variant["required"].as_array().unwrap().clone());
    json!({
        "name": name,
        "description": variant["description"],
        "schema": schema,
        "example": examples::event(name),
    })
}
