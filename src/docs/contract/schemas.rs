//! The contract's types as JSON Schema (draft 7, as OpenRPC has it): what is taken as
//! `Deserialize` reads it, what is answered as `Serialize` writes it.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::words;

/// Collects the types that methods and events speak of.
pub(super) struct Schemas {
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Schemas {
        let settings = || {
            SchemaSettings::draft07().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        let taken = settings().for_deserialize().with_transform(RecursiveTransform(readable));
        let given = settings()
            .for_serialize()
            .with_transform(RecursiveTransform(readable))
            .with_transform(RecursiveTransform(as_written));
        Schemas { taken: taken.into_generator(), given: given.into_generator() }
    }

    /// A reference to the schema of parameters.
    pub(super) fn taken<T: JsonSchema>(&mut self) -> Value {
        self.taken.subschema_for::<T>().to_value()
    }

    /// A reference to the schema of a result.
    pub(super) fn given<T: JsonSchema>(&mut self) -> Value {
        self.given.subschema_for::<T>().to_value()
    }

    /// The schema of parameters, with their words made readable.
    pub(super) fn definition<T: JsonSchema>(&mut self) -> Value {
        let mut taken = self.taken.clone();
        taken.subschema_for::<T>();
        let definitions = taken.take_definitions(true);
        definitions.get(T::schema_name().as_ref()).unwrap().clone()
    }

    /// Everything that was spoken of, by name.
    pub(super) fn components(mut self) -> Map<String, Value> {
        let mut all = self.given.take_definitions(true);
        for (name, schema) in self.taken.take_definitions(true) {
            if let Some(other) = all.get(&name) {
                assert_eq!(*other, schema, "{name} is taken in another way than it is given");
            }
            all.insert(name, schema);
        }
        all
    }
}

/// What one type says of itself, unreferenced: an enum that goes over no wire.
pub(super) fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.meta_schema = None);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schemars::transform::transform_subschemas(&mut RecursiveTransform(readable), &mut schema);
    schema.to_value()
}

/// Plain words, and only the formats that JSON Schema has.
fn readable(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = words::plain(text);
    }
    if schema.get("format").is_some_and(|format| format != "date-time") {
        schema.remove("format");
    }
}

/// What is absent is left out, never null; and what a reader of an older daemon takes for
/// absent is left out.
fn as_written(schema: &mut Schema) {
    schema.remove("default");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(mut any)) = schema.remove("anyOf") else { return };
    any.retain(|option| *option != json!({ "type": "null" }));
    match (any.as_slice(), schema.as_object().is_none_or(Map::is_empty)) {
        ([only], true) => *schema = Schema::try_from(only.clone()).unwrap(),
        ([_], false) => _ = schema.insert("allOf".to_owned(), Value::Array(any)),
        (_, _) => _ = schema.insert("anyOf".to_owned(), Value::Array(any)),
    }
}
