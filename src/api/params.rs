//! Decodes a method's parameters. An error names the parameter and what it takes, and
//! suggests the name that was probably meant. Never quotes a value: it may be a text, a
//! number or a key of somebody.

use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, Expected, IntoDeserializer, Unexpected};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use crate::suggest::{clipped, closest};
use crate::{Error, ErrorKind};

/// Decodes the parameters of a method.
pub(crate) fn decode<P: DeserializeOwned>(params: Map<String, Value>) -> Result<P, Error> {
    serde_path_to_error::deserialize(Input(Value::Object(params))).map_err(|error| {
        let path = error.path().to_string();
        error.into_inner().at(if path == "." { "" } else { &path })
    })
}

/// What is wrong with a parameter.
#[derive(Debug)]
enum Problem {
    WrongType { found: &'static str, expected: String },
    WrongValue { expected: String },
    UnknownParameter { close: Option<&'static str>, known: &'static [&'static str] },
    UnknownName { close: Option<&'static str>, known: &'static [&'static str] },
    Missing(&'static str),
    Other(String),
}

impl Problem {
    /// The error about the parameter at this path; empty: about all of them.
    fn at(self, path: &str) -> Error {
        let invalid = |sentence: String| Error::new(ErrorKind::InvalidParams, sentence);
        let path = clipped(path);
        match self {
            Problem::WrongType { found, expected } => {
                invalid(format!("`{path}` takes {}, not {found}", in_words(&expected)))
            }
            Problem::WrongValue { expected } => {
                invalid(format!("`{path}` takes {}", in_words(&expected)))
            }
            Problem::UnknownParameter { close, known } => {
                let error = invalid(format!("there is no parameter `{path}`"));
                let outer = path.rfind('.').and_then(|dot| path.get(..=dot)).unwrap_or_default();
                match close {
                    Some(close) => error.remedy(format!("did you mean `{outer}{close}`?")),
                    None if known.is_empty() => error.remedy("this method takes no parameters"),
                    None => error.remedy(format!("known are {}", listed(known))),
                }
            }
            Problem::UnknownName { close, known } => {
                let error = invalid(format!("`{path}` takes one of {}", listed(known)));
                match close {
                    Some(close) => error.remedy(format!("did you mean `{close}`?")),
                    None => error,
                }
            }
            Problem::Missing(field) if path.is_empty() => {
                invalid(format!("the parameter `{field}` is missing"))
            }
            Problem::Missing(field) => {
                invalid(format!("the parameter `{path}.{field}` is missing"))
            }
            Problem::Other(sentence) => invalid(format!("`{path}`: {sentence}")),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the parameters do not fit")
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    fn custom<T: fmt::Display>(sentence: T) -> Problem {
        Problem::Other(sentence.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Problem {
        Problem::WrongType { found: kind_of(found), expected: expected.to_string() }
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Problem {
        Problem::WrongValue { expected: expected.to_string() }
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Problem {
        Problem::UnknownName { close: closest(name, known.iter().copied()), known }
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Problem {
        Problem::UnknownParameter { close: closest(name, known.iter().copied()), known }
    }

    fn missing_field(field: &'static str) -> Problem {
        Problem::Missing(field)
    }
}

fn kind_of(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Str(_) | Unexpected::Char(_) => "a string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq | Unexpected::Bytes(_) => "a list",
        Unexpected::Map
        | Unexpected::NewtypeStruct
        | Unexpected::Enum
        | Unexpected::UnitVariant
        | Unexpected::NewtypeVariant
        | Unexpected::TupleVariant
        | Unexpected::StructVariant
        | Unexpected::Other(_) => "an object",
    }
}

/// What serde says that a type expects, in the words of JSON.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u32" | "u64" | "usize" => "a whole number from 0",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A JSON value that is read with [`Problem`] as the error.
struct Input(Value);

impl Input {
    fn unexpected(&self) -> Unexpected<'_> {
        match &self.0 {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(_) => Unexpected::Float(0.0),
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        }
    }
}

impl IntoDeserializer<'_, Problem> for Input {
    type Deserializer = Input;

    fn into_deserializer(self) -> Input {
        self
    }
}

impl<'de> Deserializer<'de> for Input {
    type Error = Problem;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, number) => visitor.visit_f64(number.unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(values) => {
                visitor.visit_seq(SeqDeserializer::new(values.into_iter().map(Input)))
            }
            Value::Object(object) => {
                let entries = object.into_iter().map(|(name, value)| (name, Input(value)));
                visitor.visit_map(MapDeserializer::new(entries))
            }
        }
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => visitor.visit_some(self),
        }
    }

    /// Only by name: a list in place of a filter would otherwise select everything.
    fn deserialize_struct<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match self.0 {
            Value::Object(_) => self.deserialize_any(visitor),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(name.into_deserializer()),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => Err(de::Error::invalid_type(self.unexpected(), &"a name")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{CheckParams, ClearParams, HeartbeatParams, NoParams, SendParams};

    fn said<P: DeserializeOwned + fmt::Debug>(params: Value) -> (String, Option<String>) {
        let Value::Object(params) = params else { panic!("an object") };
        let error = decode::<P>(params).unwrap_err();
        assert_eq!(error.data.kind, ErrorKind::InvalidParams);
        (error.message, error.data.remedy)
    }

    #[test]
    fn an_error_names_the_parameter_and_what_it_takes() {
        let sentence = |params| said::<ClearParams>(params).0;
        assert_eq!(
            sentence(json!({ "filter": { "older_than_s": "7" } })),
            "`filter.older_than_s` takes a whole number from 0, not a string"
        );
        assert_eq!(
            sentence(json!({ "filter": { "older_than_s": -1 } })),
            "`filter.older_than_s` takes a whole number from 0"
        );
        assert_eq!(
            sentence(json!({ "dry_run": 1 })),
            "`dry_run` takes true or false, not a number"
        );
        assert_eq!(
            sentence(json!({ "filter": { "ids": ["x"] } })),
            "`filter.ids[0]`: a message id looks like m42"
        );
        assert_eq!(
            said::<HeartbeatParams>(json!({ "battery_percent": 300 })).0,
            "`battery_percent` takes a whole number from 0 to 255"
        );
        assert_eq!(
            said::<CheckParams>(json!({ "numbers": [true] })).0,
            "`numbers[0]` takes a string, not true or false"
        );
        assert_eq!(said::<SendParams>(json!({})).0, "the parameter `to` is missing");
        let place = json!({ "to": "x", "location": { "latitude": 1.0 } });
        assert_eq!(said::<SendParams>(place).0, "the parameter `location.longitude` is missing");
    }

    #[test]
    fn a_list_is_no_filter() {
        let (sentence, _) = said::<ClearParams>(json!({ "filter": [] }));
        assert_eq!(sentence, "`filter` takes an object, not a list");
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_closest() {
        let remedy = |params| said::<ClearParams>(params).1.unwrap();
        assert_eq!(remedy(json!({ "dryrun": true })), "did you mean `dry_run`?");
        assert_eq!(remedy(json!({ "filter": { "state": [] } })), "did you mean `filter.states`?");
        assert_eq!(remedy(json!({ "filter": { "states": ["parkd"] } })), "did you mean `parked`?");
        assert_eq!(remedy(json!({ "zzz": 1 })), "known are `filter`, `dry_run`");
        let (sentence, remedy) = said::<NoParams>(json!({ "x": 1 }));
        assert_eq!(sentence, "there is no parameter `x`");
        assert_eq!(remedy.unwrap(), "this method takes no parameters");
    }

    #[test]
    fn invariant_9_no_value_is_quoted() {
        let secret = "zanzibar 15550111";
        let wrong = [
            json!({ "to": { secret: 1 } }),
            json!({ "to": "x", "text": [secret] }),
            json!({ "to": "x", "file": secret }),
            json!({ "to": "x", "file": { "fd": secret } }),
            json!({ "to": "x", "file": { "as": secret } }),
            json!({ "to": "x", "priority": secret }),
            json!({ "to": "x", "expires_at": secret }),
            json!({ "to": "x", "not_before": 15_550_111 }),
            json!({ "to": "x", "location": { "latitude": secret } }),
        ];
        for params in wrong {
            let (sentence, remedy) = said::<SendParams>(params);
            let all = format!("{sentence} {remedy:?}");
            assert!(!all.contains("zanzibar") && !all.contains("1555"), "{all}");
        }
    }
}
