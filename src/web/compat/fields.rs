//! What a call says: the address's query and the body, JSON or a form, as one set of fields.
//! Never quotes a value.

use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};
use tetherd_api::{Error, ErrorKind, FRAME_BYTES_MAX};
use url::form_urlencoded;

use crate::front::Shared;
use crate::limits::Share;
use crate::rest::body;

/// The fields, by name. Numbers come as numbers and as text.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Of a query, or of a form.
    pub(super) fn of_form(text: &str) -> Fields {
        let pairs = form_urlencoded::parse(text.as_bytes());
        Fields(pairs.map(|(name, value)| (name.into_owned(), value.into())).collect())
    }

    /// Of a body.
    pub(super) fn of_json(bytes: &[u8]) -> serde_json::Result<Fields> {
        serde_json::from_slice(bytes).map(Fields)
    }

    /// Of parts of a form.
    pub(super) fn of_parts(parts: Vec<(String, String)>) -> Fields {
        Fields(parts.into_iter().map(|(name, value)| (name, value.into())).collect())
    }

    /// The query's and the body's; the body's come first.
    pub(super) async fn read(front: &Shared, request: Request) -> Result<(Fields, Share), Error> {
        let mut fields = Fields::of_form(request.uri().query().unwrap_or_default());
        if request.body().is_end_stream() {
            let busy = || {
                let error =
                    Error::new(ErrorKind::TooManyConnections, "too many requests at a time");
                error.retry_after_ms(1_000)
            };
            // The answer takes memory.
            return Ok((fields, front.budget.take(FRAME_BYTES_MAX).await.ok_or_else(busy)?));
        }
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_form =
            kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let (bytes, share) = body(front, request, FRAME_BYTES_MAX).await?;
        let not_json =
            || Error::new(ErrorKind::ParseError, "the body is neither a JSON object nor a form");
        let more = if bytes.is_empty() {
            Fields::default()
        } else if is_form {
            Fields::of_form(std::str::from_utf8(&bytes).map_err(|_| not_json())?)
        } else {
            Fields::of_json(&bytes).map_err(|_| not_json())?
        };
        fields.0.extend(more.0);
        Ok((fields, share))
    }

    /// A field, if it is there and says anything.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let says = |value: &&Value| !value.is_null() && value.as_str() != Some("");
        self.0.get(name).filter(says)
    }

    /// A field as text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text_of)
    }

    /// A field as text, without which nothing can be done.
    pub(super) fn needed(&self, name: &str) -> Result<String, Error> {
        self.text(name).ok_or_else(|| missing(name))
    }

    /// A field as a whole number.
    pub(super) fn whole(&self, name: &str) -> Result<Option<u64>, Error> {
        let parse = |text: String| {
            let bad = format!("`{name}` takes a whole number from 0");
            text.trim().parse().map_err(|_| Error::new(ErrorKind::InvalidParams, bad))
        };
        self.text(name).map(parse).transpose()
    }

    /// A field as a number, without which nothing can be done.
    pub(super) fn number(&self, name: &str) -> Result<f64, Error> {
        let bad = || Error::new(ErrorKind::InvalidParams, format!("`{name}` takes a number"));
        let number: f64 = self.needed(name)?.trim().parse().map_err(|_| bad())?;
        if number.is_finite() { Ok(number) } else { Err(bad()) }
    }

    /// Whether a field says yes.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text == "1" || text.eq_ignore_ascii_case("true"))
    }

    /// A list, or a text with commas.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::Array(values)) => values.iter().filter_map(text_of).collect(),
            Some(value) => {
                let text = text_of(value).unwrap_or_default();
                text.split(',').map(|part| part.trim().to_owned()).collect()
            }
            None => Vec::new(),
        }
    }

    /// The fields of an object.
    pub(super) fn object(&self, name: &str) -> Result<Fields, Error> {
        match self.get(name) {
            Some(Value::Object(fields)) => Ok(Fields(fields.clone())),
            Some(_) => {
                let sentence = format!("`{name}` takes an object");
                Err(Error::new(ErrorKind::InvalidParams, sentence))
            }
            None => Err(missing(name)),
        }
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn missing(name: &str) -> Error {
    Error::new(ErrorKind::InvalidParams, format!("`{name}` is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_as_numbers_and_as_text() {
        let json = r#"{"phone": 15550101, "limit": "7", "last": true, "lat": -1.5, "none": null,
            "ids": ["a", 1], "contact": {"phoneContact": 15550102}}"#;
        let fields = Fields(serde_json::from_str(json).unwrap());
        assert_eq!(fields.text("phone").unwrap(), "15550101");
        assert_eq!(fields.whole("limit").unwrap(), Some(7));
        assert!(fields.flag("last") && !fields.flag("limit"));
        assert!((fields.number("lat").unwrap() + 1.5).abs() < f64::EPSILON);
        assert_eq!(fields.list("ids"), ["a", "1"]);
        assert_eq!(fields.object("contact").unwrap().text("phoneContact").unwrap(), "15550102");
        assert!(fields.get("none").is_none());
        let query = Fields::of_form("phone=%2B1555+01+01&last=1&ids=a,b&x=");
        assert_eq!(query.text("phone").unwrap(), "+1555 01 01");
        assert_eq!(query.list("ids"), ["a", "b"]);
        assert!(query.flag("last") && query.get("x").is_none());
    }

    #[test]
    fn invariant_9_no_value_is_quoted() {
        let fields = Fields::of_form("limit=zanzibar&lat=NaN&contact=zanzibar");
        let errors = [
            fields.whole("limit").unwrap_err(),
            fields.number("lat").unwrap_err(),
            fields.object("contact").unwrap_err(),
            fields.needed("body").unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.data.kind, ErrorKind::InvalidParams);
            assert!(!error.message.contains("zanzibar"), "{error}");
        }
    }
}
