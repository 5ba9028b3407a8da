//! Which method takes which parameters and answers what. Owns the decoding of
//! parameters; decides nothing about their values.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    CancelParams, CancelResult, CheckParams, CheckResult, ClearParams, ClearResult, Error,
    ErrorKind, Explanation, FileParams, Filter, GetParams, HeartbeatParams, InboxFileParams,
    InboxFileResult, InboxListParams, InboxListResult, ListParams, ListResult, Message, Method,
    NoParams, PairParams, PairResult, PhoneStatus, RestoreParams, RestoreResult, RetryParams,
    RetryResult, SendParams, SendResult, Status as StatusResult, SubscribeParams, SubscribeResult,
    Version as VersionResult,
};

/// Longest sentence of an error that quotes the caller, in characters.
const QUOTING_CHARS_MAX: usize = 300;
/// Names less alike than this are not suggested.
const LIKENESS_MIN: f64 = 0.7;

/// Parameters of some method.
pub trait Params: Serialize + DeserializeOwned {
    /// The names of the fields. Checked by hand, so that the error can suggest one.
    const FIELDS: &'static [&'static str];
}

/// Ties a method to its parameters and its answer.
pub trait Call {
    /// The method.
    const METHOD: Method;
    /// What it takes.
    type Params: Params;
    /// What it answers.
    type Result: Serialize + DeserializeOwned;
}

macro_rules! params {
    ($($type:ty: [$($field:literal),*];)*) => {
        $(impl Params for $type { const FIELDS: &'static [&'static str] = &[$($field),*]; })*
    };
}

params! {
    NoParams: [];
    SendParams: ["to", "text", "file", "location", "contact", "preview", "expires_at", "not_before", "priority", "key"];
    FileParams: ["fd", "base64", "url", "as", "name", "mime", "caption"];
    GetParams: ["id", "wa_id", "key"];
    ListParams: ["filter", "after", "limit"];
    ClearParams: ["filter", "dry_run"];
    CancelParams: ["ids", "filter", "dry_run"];
    RetryParams: ["filter", "dry_run"];
    RestoreParams: ["filter", "dry_run"];
    CheckParams: ["numbers", "fresh"];
    HeartbeatParams: ["battery_percent", "charging", "network", "at", "source"];
    SubscribeParams: ["after"];
    InboxListParams: ["after", "limit"];
    InboxFileParams: ["cursor", "inline"];
    PairParams: ["phone"];
    Filter: ["states", "to", "reason", "older_than_s", "key_prefix", "ids"];
}

macro_rules! calls {
    ($($name:ident: $params:ty => $result:ty;)*) => {
        $(
            #[doc = concat!("[`Method::", stringify!($name), "`].")]
            #[derive(Clone, Copy, Debug)]
            pub struct $name;
            impl Call for $name {
                const METHOD: Method = Method::$name;
                type Params = $params;
                type Result = $result;
            }
        )*
    };
}

calls! {
    Version: NoParams => VersionResult;
    Status: NoParams => StatusResult;
    Explain: NoParams => Explanation;
    MessageSend: SendParams => SendResult;
    MessageGet: GetParams => Message;
    QueueList: ListParams => ListResult;
    QueueClear: ClearParams => ClearResult;
    QueueCancel: CancelParams => CancelResult;
    QueuePause: NoParams => StatusResult;
    QueueResume: NoParams => StatusResult;
    QueueRetry: RetryParams => RetryResult;
    SessionPair: PairParams => PairResult;
    SessionReconnect: NoParams => StatusResult;
    SessionTakeover: NoParams => StatusResult;
    SessionLogout: NoParams => StatusResult;
    PhoneCheck: CheckParams => CheckResult;
    PhoneHeartbeat: HeartbeatParams => PhoneStatus;
    QueueRestore: RestoreParams => RestoreResult;
    QueueRelease: NoParams => StatusResult;
    InboxList: InboxListParams => InboxListResult;
    InboxFile: InboxFileParams => InboxFileResult;
    EventsSubscribe: SubscribeParams => SubscribeResult;
    RpcDiscover: NoParams => Value;
}

/// Finds a method by its name or alias.
pub fn find_method(name: &str) -> Result<Method, Error> {
    Method::find(name).ok_or_else(|| {
        let names = Method::ALL.into_iter().flat_map(|m| [Some(m.name()), m.alias()]);
        let sentence = format!("there is no method `{}`", clipped(name));
        let error = Error::new(ErrorKind::MethodNotFound, sentence);
        match closest(name, names.flatten()) {
            Some(close) => error.remedy(format!("did you mean `{close}`?")),
            None => error,
        }
    })
}

/// Decodes the parameters of a method.
pub fn decode_params<P: Params>(params: Map<String, Value>) -> Result<P, Error> {
    check_fields(&params, P::FIELDS, "")?;
    if P::FIELDS.contains(&"filter")
        && let Some(Value::Object(filter)) = params.get("filter")
    {
        check_fields(filter, Filter::FIELDS, "filter.")?;
    }
    if P::FIELDS.contains(&"file")
        && let Some(Value::Object(file)) = params.get("file")
    {
        check_fields(file, FileParams::FIELDS, "file.")?;
    }
    serde_json::from_value(Value::Object(params)).map_err(|error| {
        let sentence = without_value(&error.to_string());
        Error::new(ErrorKind::InvalidParams, clipped(&sentence).into_owned())
    })
}

/// serde quotes what it did not expect, which may be a text or a number of somebody: an
/// error names the kind of value and what was expected.
fn without_value(sentence: &str) -> String {
    let kinds = ["invalid type: ", "invalid value: ", "unknown variant "];
    if let Some(kind) = kinds.iter().find(|kind| sentence.starts_with(*kind))
        && let Some((found, expected)) = sentence.rsplit_once(", expected ")
    {
        let rest = found.get(kind.len()..).unwrap_or_default();
        let word = rest.split(['`', '"']).next().unwrap_or_default();
        return format!("{}, expected {expected}", format!("{kind}{word}").trim_end());
    }
    sentence.to_owned()
}

fn check_fields(given: &Map<String, Value>, known: &[&str], prefix: &str) -> Result<(), Error> {
    let Some(name) = given.keys().find(|name| !known.contains(&name.as_str())) else {
        return Ok(());
    };
    let sentence = format!("there is no parameter `{prefix}{}`", clipped(name));
    let error = Error::new(ErrorKind::InvalidParams, sentence);
    Err(match closest(name, known.iter().copied()) {
        Some(close) => error.remedy(format!("did you mean `{prefix}{close}`?")),
        None if known.is_empty() => error.remedy("this method takes no parameters"),
        None => error.remedy(format!("known are {}", listed(known))),
    })
}

/// The name that somebody may have meant.
pub fn closest<'a>(name: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // The comparison's cost grows with the square of the lengths.
    let name: String = name.chars().take(64).collect();
    among
        .map(|known| (strsim::jaro_winkler(&name, known), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What the caller wrote, short enough to be quoted to them.
fn clipped(text: &str) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(QUOTING_CHARS_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}
