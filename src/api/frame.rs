//! Lines to JSON-RPC 2.0 messages, and back. Owns the envelope and the bound on
//! nesting; knows nothing of what a method does.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Error, ErrorKind, EventFrame, FRAME_BYTES_MAX, ID_BYTES_MAX, JSON_DEPTH_MAX, Redacted,
};

/// The method of the daemon's notifications; their parameters are an [`EventFrame`].
pub const EVENT_METHOD: &str = "event";

const VERSION: &str = "2.0";

/// What ties a reply to its request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// A number.
    Number(serde_json::Number),
    /// A string.
    String(String),
    /// `null`: also in replies to lines whose id could not be made out.
    Null,
}

/// A request as it came, its parameters not yet looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// None: a notification, which is carried out and never answered.
    pub id: Option<Id>,
    /// The method's name, as given.
    pub method: String,
    /// The parameters; empty if there were none.
    pub params: Redacted<Map<String, Value>>,
}

/// A line that is no request that could be carried out.
#[derive(Debug, PartialEq)]
pub struct Rejected {
    /// The id to answer under.
    pub id: Id,
    /// What is wrong.
    pub error: Error,
}

/// Reads a line as a request.
pub fn parse_request(line: &[u8]) -> Result<Request, Rejected> {
    let rejected = |id: &Id, kind, sentence: String| Rejected {
        id: id.clone(),
        error: Error::new(kind, sentence),
    };
    if let Err(too_deep) = check_depth(line) {
        return Err(rejected(&Id::Null, ErrorKind::InvalidRequest, too_deep.to_string()));
    }
    let invalid = |id: &Id, sentence: &str| {
        Err(rejected(id, ErrorKind::InvalidRequest, sentence.to_string()))
    };
    let mut object = match serde_json::from_slice(line) {
        Ok(Value::Object(object)) => object,
        Ok(Value::Array(_)) => {
            return invalid(&Id::Null, "batches are not taken: write one request a line");
        }
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            return invalid(&Id::Null, "a request is a JSON object");
        }
        // The position helps, and quotes nothing of the line.
        Err(error) => {
            let sentence = format!("the line is not JSON: {}", position_of(&error));
            return Err(rejected(&Id::Null, ErrorKind::ParseError, sentence));
        }
    };
    let id = match object.remove("id") {
        None => None,
        Some(Value::Null) => Some(Id::Null),
        Some(Value::Number(number)) => Some(Id::Number(number)),
        Some(Value::String(text)) if text.len() <= ID_BYTES_MAX => Some(Id::String(text)),
        Some(Value::String(_)) => return invalid(&Id::Null, "the id is longer than 256 bytes"),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            return invalid(&Id::Null, "an id is a string, a number or null");
        }
    };
    let answer_to = id.clone().unwrap_or(Id::Null);
    if object.remove("jsonrpc").as_ref().and_then(Value::as_str) != Some(VERSION) {
        return invalid(&answer_to, "a request says \"jsonrpc\":\"2.0\"");
    }
    let Some(Value::String(method)) = object.remove("method") else {
        return invalid(&answer_to, "a request names its method in a string");
    };
    let params = match object.remove("params") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(params)) => params,
        Some(Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            let sentence = "parameters go by name: params is an object".to_string();
            return Err(rejected(&answer_to, ErrorKind::InvalidParams, sentence));
        }
    };
    Ok(Request { id, method, params: Redacted(params) })
}

fn position_of(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "it ends too early".to_string(),
        Category::Io | Category::Syntax | Category::Data => {
            format!("look at byte {}", error.column())
        }
    }
}

/// A line whose JSON is nested too deeply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the JSON is nested deeper than {JSON_DEPTH_MAX} levels")]
pub struct TooDeep;

/// Counts brackets outside strings, before anything is parsed.
pub fn check_depth(line: &[u8]) -> Result<(), TooDeep> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > JSON_DEPTH_MAX {
                    return Err(TooDeep);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// What could not be written as a line.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// Not to be expressed as JSON: our bug.
    #[error("cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Longer than a frame may be.
    #[error("{bytes} bytes are more than a line may have ({FRAME_BYTES_MAX})")]
    TooLong {
        /// How long it would be, the newline included.
        bytes: usize,
    },
}

#[derive(Serialize)]
struct RequestOut<'a, P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    params: &'a P,
}

#[derive(Serialize)]
struct ReplyOut<'a, R> {
    jsonrpc: &'static str,
    id: &'a Id,
    #[serde(flatten)]
    outcome: OutcomeOut<'a, R>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeOut<'a, R> {
    Result(&'a R),
    Error(&'a Error),
}

#[derive(Serialize)]
struct EventOut<'a> {
    jsonrpc: &'static str,
    method: &'static str,
    params: &'a EventFrame,
}

/// A request as a line.
pub fn encode_request<P: Serialize>(
    id: u64,
    method: &str,
    params: &P,
) -> Result<Vec<u8>, EncodeError> {
    encode(&RequestOut { jsonrpc: VERSION, id, method, params })
}

/// A reply as a line.
pub fn encode_reply<R: Serialize>(
    id: &Id,
    outcome: Result<&R, &Error>,
) -> Result<Vec<u8>, EncodeError> {
    let outcome = match outcome {
        Ok(result) => OutcomeOut::Result(result),
        Err(error) => OutcomeOut::Error(error),
    };
    encode(&ReplyOut { jsonrpc: VERSION, id, outcome })
}

/// An error reply as a line. It always fits.
pub fn encode_error(id: &Id, error: &Error) -> Vec<u8> {
    encode_reply::<()>(id, Err(error)).unwrap_or_default()
}

/// An event as a line.
pub fn encode_event(frame: &EventFrame) -> Result<Vec<u8>, EncodeError> {
    encode(&EventOut { jsonrpc: VERSION, method: EVENT_METHOD, params: frame })
}

fn encode(message: &impl Serialize) -> Result<Vec<u8>, EncodeError> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    if line.len() > FRAME_BYTES_MAX {
        return Err(EncodeError::TooLong { bytes: line.len() });
    }
    Ok(line)
}

/// What the daemon says.
#[derive(Debug)]
pub enum FromDaemon {
    /// A reply.
    Reply {
        /// Of which request.
        id: Id,
        /// The result, not yet decoded, or the error.
        outcome: Result<Value, Error>,
    },
    /// An event.
    Event(Box<EventFrame>),
    /// A notification or an event of a newer contract: ignored.
    Unknown,
}

/// A line that no daemon should have written.
#[derive(Debug, thiserror::Error)]
pub enum BadFrame {
    /// Nested too deeply.
    #[error(transparent)]
    TooDeep(#[from] TooDeep),
    /// Not JSON, or not a JSON-RPC 2.0 message.
    #[error("not a JSON-RPC 2.0 message")]
    NotJsonRpc,
}

#[derive(Deserialize)]
struct Incoming {
    #[serde(default)]
    id: Option<Id>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
}

/// Tells `"result": null` from no result.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads a line of the daemon's.
pub fn parse_from_daemon(line: &[u8]) -> Result<FromDaemon, BadFrame> {
    check_depth(line)?;
    let incoming: Incoming = serde_json::from_slice(line).map_err(|_| BadFrame::NotJsonRpc)?;
    let Incoming { id, method, params, result, error } = incoming;
    let id = id.unwrap_or(Id::Null);
    match (method, result, error) {
        (Some(method), _, _) if method == EVENT_METHOD => {
            Ok(serde_json::from_value(params).map_or(FromDaemon::Unknown, FromDaemon::Event))
        }
        (Some(_), _, _) => Ok(FromDaemon::Unknown),
        (None, _, Some(error)) => Ok(FromDaemon::Reply { id, outcome: Err(read_error(error)) }),
        (None, Some(result), None) => Ok(FromDaemon::Reply { id, outcome: Ok(result) }),
        (None, None, None) => Err(BadFrame::NotJsonRpc),
    }
}

/// An error of a newer contract keeps its code and its sentence.
fn read_error(error: Value) -> Error {
    let code = error.get("code").and_then(Value::as_i64).and_then(|code| i32::try_from(code).ok());
    let sentence = error.get("message").and_then(Value::as_str).unwrap_or("an error").to_string();
    serde_json::from_value(error).unwrap_or_else(|_| {
        let mut unknown = Error::new(ErrorKind::InternalError, sentence);
        unknown.code = code.unwrap_or(unknown.code);
        unknown
    })
}
