//! Templates over what was posted, in a sandbox: they see the payload and nothing else, load
//! nothing, and have a bound on time, memory and output. Never quotes a value in an error.

use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior};
use serde::de::Error as _;

use crate::limits::{RECEIVED_TEXT_CHARS_MAX, TEMPLATE_BYTES_MAX, TEMPLATE_FUEL};

/// A text with `{{ ... }}` and `{% ... %}`, which has been read once without an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);

/// What stands between `{{` and `}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(String);

/// What is wrong with one.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It is long.
    #[error("it has more than {TEMPLATE_BYTES_MAX} bytes")]
    TooLong,
    /// It cannot be read.
    #[error("{0}")]
    Syntax(minijinja::Error),
    /// It cannot be carried out.
    #[error("{kind} in line {line}")]
    Failed {
        /// In what way.
        kind: minijinja::ErrorKind,
        /// Where, from 1.
        line: usize,
    },
}

impl TemplateError {
    fn failed(error: &minijinja::Error) -> TemplateError {
        TemplateError::Failed { kind: error.kind(), line: error.line().unwrap_or(1) }
    }
}

/// What a template may do. What is not in the payload is empty, and a line with nothing but a
/// tag leaves no line behind.
fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(TEMPLATE_FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
    environment.set_syntax(syntax);
    Ok(environment)
}

fn short(source: &str) -> Result<(), TemplateError> {
    if source.len() > TEMPLATE_BYTES_MAX { Err(TemplateError::TooLong) } else { Ok(()) }
}

impl Template {
    /// Reads one.
    pub fn new(source: &str) -> Result<Template, TemplateError> {
        short(source)?;
        let environment = environment().map_err(TemplateError::Syntax)?;
        environment.template_from_str(source).map_err(TemplateError::Syntax)?;
        Ok(Template(source.into()))
    }

    /// The text, without space around it. What is too long is cut off.
    pub(super) fn render(&self, payload: &Value) -> Result<String, TemplateError> {
        let failed = |error| TemplateError::failed(&error);
        let environment = environment().map_err(failed)?;
        let template = environment.template_from_str(&self.0).map_err(failed)?;
        let mut text = Text::default();
        match template.render_captured_to(payload.clone(), &mut text) {
            Err(error) if !text.is_full => Err(failed(error)),
            Ok(_) | Err(_) => Ok(text.cut()),
        }
    }
}

impl Expression {
    /// Reads one.
    pub fn new(source: &str) -> Result<Expression, TemplateError> {
        short(source)?;
        let environment = environment().map_err(TemplateError::Syntax)?;
        environment.compile_expression(source).map_err(TemplateError::Syntax)?;
        Ok(Expression(source.into()))
    }

    pub(super) fn value(&self, payload: &Value) -> Result<Value, TemplateError> {
        let failed = |error| TemplateError::failed(&error);
        let environment = environment().map_err(failed)?;
        let expression = environment.compile_expression(&self.0).map_err(failed)?;
        expression.eval(payload.clone()).map_err(failed)
    }
}

/// What is written, as far as it has room.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Text {
    fn cut(self) -> String {
        let text = match String::from_utf8(self.bytes) {
            Ok(text) => text,
            // The end of its room is inside a character.
            Err(error) => {
                let whole = error.utf8_error().valid_up_to();
                String::from_utf8_lossy(&error.as_bytes()[..whole]).into_owned()
            }
        };
        // No message has it, and no alert is refused for it.
        let text = text.replace('\0', "");
        let text = text.trim();
        if !self.is_full && text.chars().count() <= RECEIVED_TEXT_CHARS_MAX {
            return text.to_owned();
        }
        text.chars().take(RECEIVED_TEXT_CHARS_MAX - 1).chain(['…']).collect()
    }
}

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A character has at most four bytes.
        let room = RECEIVED_TEXT_CHARS_MAX * 4 - self.bytes.len();
        let taken = bytes.len().min(room);
        self.bytes.extend_from_slice(&bytes[..taken]);
        self.is_full |= taken < bytes.len();
        if self.is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'de> serde::Deserialize<'de> for Template {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Template, D::Error> {
        Template::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> serde::Deserialize<'de> for Expression {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Expression, D::Error> {
        Expression::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(source: &str, payload: serde_json::Value) -> Result<String, TemplateError> {
        Template::new(source).unwrap().render(&serde_json::from_value(payload).unwrap())
    }

    #[test]
    fn a_template_sees_the_payload_and_what_is_not_there_is_empty() {
        let payload = json!({ "a": { "b": "<x>" }, "n": [1, 2] });
        let source = "\n{% for n in n %}\n- {{ n }}: {{ a.b }}{{ none.of.it }}\n{% endfor %}\n";
        assert_eq!(render(source, payload.clone()).unwrap(), "- 1: <x>\n- 2: <x>");
        assert_eq!(render("{{ a }}\n\0", json!({ "a": "\0x\0y" })).unwrap(), "xy");
        let value = |source| {
            let payload = serde_json::from_value(payload.clone()).unwrap();
            Expression::new(source).unwrap().value(&payload).unwrap()
        };
        assert!(value("a.b == '<x>'").is_true() && !value("a.c == 'x'").is_true());
    }

    #[test]
    fn time_memory_and_output_are_bounded() {
        let failed = |source: &str| match render(source, json!({ "long": "x".repeat(100_000) })) {
            Err(TemplateError::Failed { kind, .. }) => kind,
            other => panic!("{other:?}"),
        };
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
        assert_eq!(failed(endless), minijinja::ErrorKind::OutOfFuel);
        assert_eq!(failed("{{ 'x' * 100000000 }}"), minijinja::ErrorKind::OutOfFuel);
        for source in ["{{ long }}", "{% for n in range(5000) %}ä{% endfor %}"] {
            let text = render(source, json!({ "long": "ä".repeat(100_000) })).unwrap();
            assert_eq!(text.chars().count(), RECEIVED_TEXT_CHARS_MAX, "{source}");
            assert!(text.ends_with("ä…"));
        }
        let long = "x".repeat(TEMPLATE_BYTES_MAX + 1);
        assert!(matches!(Template::new(&long), Err(TemplateError::TooLong)));
    }

    #[test]
    fn invariant_9_what_fails_is_named_without_a_value() {
        for source in ["\n{{ text | none_such }}", "\n{{ text + 1 }}", "\n{{ text() }}"] {
            let error = render(source, json!({ "text": "zanzibar" })).unwrap_err().to_string();
            assert!(error.ends_with("in line 2") && !error.contains("zanzibar"), "{error}");
        }
        assert!(Template::new("{{ unclosed").is_err() && Expression::new("a ==").is_err());
    }
}
