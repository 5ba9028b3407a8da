//! What is told of each method. The compiler keeps it complete: [`visit`] names them all.

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use tetherd_api::call::{self, Call, Params};
use tetherd_api::{ErrorKind, Method};

use super::schemas::{self, Schemas};
use super::{errors, examples, words};

/// Something that is done with a method's types.
pub(super) trait Visitor {
    type Out;
    fn visit<C: Call>(&mut self) -> Self::Out
    where
        C::Params: JsonSchema,
        C::Result: JsonSchema;
}

pub(super) fn visit<V: Visitor>(method: Method, visitor: &mut V) -> V::Out {
    match method {
        Method::Version => visitor.visit::<call::Version>(),
        Method::Status => visitor.visit::<call::Status>(),
        Method::Explain => visitor.visit::<call::Explain>(),
        Method::MessageSend => visitor.visit::<call::MessageSend>(),
        Method::MessageGet => visitor.visit::<call::MessageGet>(),
        Method::QueueList => visitor.visit::<call::QueueList>(),
        Method::QueueClear => visitor.visit::<call::QueueClear>(),
        Method::QueueCancel => visitor.visit::<call::QueueCancel>(),
        Method::QueuePause => visitor.visit::<call::QueuePause>(),
        Method::QueueResume => visitor.visit::<call::QueueResume>(),
        Method::QueueRetry => visitor.visit::<call::QueueRetry>(),
        Method::SessionPair => visitor.visit::<call::SessionPair>(),
        Method::SessionReconnect => visitor.visit::<call::SessionReconnect>(),
        Method::SessionTakeover => visitor.visit::<call::SessionTakeover>(),
        Method::SessionLogout => visitor.visit::<call::SessionLogout>(),
        Method::PhoneCheck => visitor.visit::<call::PhoneCheck>(),
        Method::PhoneHeartbeat => visitor.visit::<call::PhoneHeartbeat>(),
        Method::QueueRestore => visitor.visit::<call::QueueRestore>(),
        Method::QueueRelease => visitor.visit::<call::QueueRelease>(),
        Method::InboxList => visitor.visit::<call::InboxList>(),
        Method::InboxFile => visitor.visit::<call::InboxFile>(),
        Method::EventsSubscribe => visitor.visit::<call::EventsSubscribe>(),
        Method::RpcDiscover => visitor.visit::<call::RpcDiscover>(),
    }
}

/// `methods` of the document, and the schemas that they speak of.
pub(super) fn told(schemas: &mut Schemas) -> Vec<Value> {
    let documented = schemas::of::<Method>();
    let documented = documented["oneOf"].as_array().unwrap();
    assert_eq!(documented.len(), Method::ALL.len());
    let told = Method::ALL.into_iter().zip(documented).map(|(method, documented)| {
        assert_eq!(documented["const"], format!("{method:?}"), "ALL goes by the declaration");
        let mut told = visit(method, &mut Signature { schemas });
        let words = documented["description"].as_str().unwrap();
        about(method, words, told.as_object_mut().unwrap());
        told
    });
    told.collect()
}

fn about(method: Method, documented: &str, told: &mut Map<String, Value>) {
    let (summary, description) = words::summary(documented);
    told.insert("name".into(), method.name().into());
    told.insert("summary".into(), summary.into());
    if !description.is_empty() {
        told.insert("description".into(), description.into());
    }
    told.insert("x-tier".into(), json!(method.tier()));
    if let Some(alias) = method.alias() {
        told.insert("x-alias".into(), alias.into());
    }
    if let Some(way) = descriptors(method) {
        told.insert("x-descriptors".into(), way.into());
    }
    let errors = errors::of(method).into_iter().map(errors::reference);
    told.insert("errors".into(), errors.collect());
    told.insert("paramStructure".into(), "by-name".into());
}

/// How descriptors go with the method.
fn descriptors(method: Method) -> Option<&'static str> {
    match method {
        Method::MessageSend => {
            Some("With `file.fd`, the file's descriptor comes with the request's line.")
        }
        Method::InboxFile => {
            Some("Without `inline`, a descriptor of the file goes with the reply's line.")
        }
        Method::Version
        | Method::Status
        | Method::Explain
        | Method::MessageGet
        | Method::QueueList
        | Method::QueueClear
        | Method::QueueCancel
        | Method::QueuePause
        | Method::QueueResume
        | Method::QueueRetry
        | Method::SessionPair
        | Method::SessionReconnect
        | Method::SessionTakeover
        | Method::SessionLogout
        | Method::PhoneCheck
        | Method::PhoneHeartbeat
        | Method::QueueRestore
        | Method::QueueRelease
        | Method::InboxList
        | Method::EventsSubscribe
        | Method::RpcDiscover => None,
    }
}

struct Signature<'a> {
    schemas: &'a mut Schemas,
}

impl Visitor for Signature<'_> {
    type Out = Value;

    fn visit<C: Call>(&mut self) -> Value
    where
        C::Params: JsonSchema,
        C::Result: JsonSchema,
    {
        let whole = self.schemas.taken::<C::Params>();
        let name = |reference: &Value| {
            let path = reference["$ref"].as_str()?;
            path.rsplit('/').next().map(str::to_owned)
        };
        let params = params(&self.schemas.definition::<C::Params>(), C::Params::FIELDS);
        let result = self.schemas.given::<C::Result>();
        let result = match name(&result) {
            Some(name) => json!({ "name": name, "schema": result }),
            None => json!({ "name": "OpenRPC Schema", "schema": openrpc() }),
        };
        let examples = examples::told(C::METHOD);
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
        let told = schema.as_object_mut().unwrap_or_else(|| panic!("no schema of {name}"));
        let description = told.remove("description").unwrap_or_else(|| panic!("{name}: ?"));
        // Without its words, a wrapper around one reference is that reference.
        if let (Some(Value::Array(all)), 1) = (told.get("allOf").cloned(), told.len())
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

#[test]
fn every_errors_place_is_known() {
    for kind in errors::ALL {
        let named = Method::ALL.into_iter().any(|method| errors::of(method).contains(&kind));
        assert!(named || errors::is_of_the_connection(kind), "{kind:?} is no method's");
    }
    assert!(errors::of(Method::MessageSend).contains(&ErrorKind::QueueFull));
}
