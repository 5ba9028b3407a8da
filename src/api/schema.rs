//! JSON Schema of the types whose text is written by hand.

use std::borrow::Cow;

use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema, json_schema};

use crate::{FeedId, MessageId, MessageRef, Redacted, Time};

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "description":
                "A point in time (RFC 3339). Answered in UTC with milliseconds, such as \
                 `2026-01-31T08:30:00.000Z`; taken with any offset.",
        })
    }
}

impl JsonSchema for FeedId {
    fn schema_name() -> Cow<'static, str> {
        "FeedId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9a-f]{16}$",
            "description":
                "The name of a changes feed. Each start of the daemon continues the feed under a \
                 new one.",
        })
    }
}

impl JsonSchema for MessageId {
    fn schema_name() -> Cow<'static, str> {
        "MessageId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^m?[0-9]+$",
            "description":
                "The daemon's own name of a message: `m1`, `m2`, ... in the order of acceptance \
                 (taken without the `m`, too). Never reused within a state directory.",
        })
    }
}

impl JsonSchema for MessageRef {
    fn schema_name() -> Cow<'static, str> {
        "MessageRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[mi][0-9]+$",
            "description":
                "A message that another one is about: `m42` is one of the daemon's, `i17` the \
                 incoming message with cursor 17.",
        })
    }
}

/// Nothing but its value, as on the wire.
impl<T: JsonSchema> JsonSchema for Redacted<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}
