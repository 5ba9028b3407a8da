//! The methods as the document has them, made from the method table.

use schemars::JsonSchema;
use serde::de::value::Error as AnyError;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value, json};

use tetherd_api::{Method, Signature, SignatureVisitor};

use super::schemas::Schemas;
use super::{errors, examples, words};

/// `methods` of the document, and the schemas that they speak of.
pub(super) fn documented(schemas: &mut Schemas) -> Vec<Value> {
    let all = Method::ALL.iter().map(|&method| {
        let mut documented = method.visit(&mut Signatures { schemas });
        describe(method, documented.as_object_mut().unwrap());
        documented
    });
    all.collect()
}

fn describe(method: Method, documented: &mut Map<String, Value>) {
    let about = words::plain(method.about());
    let (summary, description) = words::summary(&about);
    documented.insert("name".into(), method.name().into());
    documented.insert("summary".into(), summary.into());
    if !description.is_empty() {
        documented.insert("description".into(), description.into());
    }
    documented.insert("x-tier".into(), json!(method.tier()));
    if let Some(alias) = method.alias() {
        documented.insert("x-alias".into(), alias.into());
    }
    if let Some(descriptors) = method.descriptors() {
        documented.insert("x-descriptors".into(), descriptors.into());
    }
    let errors = errors::of(method).map(errors::reference);
    documented.insert("errors".into(), errors.collect());
    documented.insert("paramStructure".into(), "by-name".into());
}

struct Signatures<'a> {
    schemas: &'a mut Schemas,
}

impl SignatureVisitor for Signatures<'_> {
    type Out = Value;

    fn visit<S: Signature>(&mut self) -> Value
    where
        S::Params: JsonSchema,
        S::Result: JsonSchema,
    {
        let whole = self.schemas.taken::<S::Params>();
        let name = |reference: &Value| {
            let path = reference["$ref"].as_str()?;
            path.rsplit('/').next().map(str::to_owned)
        };
        let params = params(&self.schemas.definition::<S::Params>(), field_names::<S::Params>());
        let result = self.schemas.given::<S::Result>();
        let result = match name(&result) {
            Some(name) => json!({ "name": name, "schema": result }),
            None => json!({ "name": "OpenRPC Schema", "schema": openrpc() }),
        };
        let examples = examples::of_method(S::METHOD);
        json!({ "params": params, "result": result, "examples": examples, "x-params": whole })
    }
}

/// What `rpc.discover` answers is described elsewhere.
fn openrpc() -> Value {
    json!({
        "type": "object",
        "description": "An OpenRPC document: https://spec.open-rpc.org",
        "required": ["openrpc", "info", "methods"],
        "additionalProperties": true,
    })
}

/// The parameters one by one, those first that must be given.
fn params(whole: &Value, fields: &[&str]) -> Vec<Value> {
    let required: Vec<&str> = whole["required"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let mut fields = fields.to_vec();
    fields.sort_by_key(|name| !required.contains(name));
    let one = |name: &str| {
        let mut schema = whole["properties"][name].clone();
        let documented = schema.as_object_mut().unwrap_or_else(|| panic!("no schema of {name}"));
        let description = documented.remove("description").unwrap_or_else(|| panic!("{name}: ?"));
        // Without its words, a wrapper around one reference is that reference.
        if let (Some(Value::Array(all)), 1) = (documented.get("allOf").cloned(), documented.len())
            && let [only] = all.as_slice()
        {
            schema = only.clone();
        }
        json!({
            "name": name,
            "description": description,
            "required": required.contains(&name),
            "schema": schema,
        })
    };
    fields.into_iter().map(one).collect()
}

/// The fields of a type in the order of its declaration, as serde derives them.
fn field_names<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Names<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Names<'_> {
        type Error = AnyError;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, AnyError> {
            Err(AnyError::custom("parameters are an object"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, AnyError> {
            *self.0 = fields;
            Err(AnyError::custom("only the names are wanted"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
            option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
            ignored_any
        }
    }

    let mut names: &'static [&'static str] = &[];
    assert!(T::deserialize(Names(&mut names)).is_err());
    names
}
