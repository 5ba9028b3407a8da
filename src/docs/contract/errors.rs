//! What is told of each error: its code, what it means, what helps, and which methods
//! answer it.

use serde_json::{Map, Value, json};

use tetherd_api::{ErrorKind, Method};

use super::schemas;

/// Every kind, as declared.
pub(super) const ALL: [ErrorKind; 25] = [
    ErrorKind::ParseError,
    ErrorKind::InvalidRequest,
    ErrorKind::MethodNotFound,
    ErrorKind::InvalidParams,
    ErrorKind::InternalError,
    ErrorKind::QueueFull,
    ErrorKind::KeyConflict,
    ErrorKind::NotFound,
    ErrorKind::BadRecipient,
    ErrorKind::BadText,
    ErrorKind::Denied,
    ErrorKind::AlreadyPaired,
    ErrorKind::NotPaired,
    ErrorKind::PairingFailed,
    ErrorKind::WrongState,
    ErrorKind::OutcomeUnknown,
    ErrorKind::ShuttingDown,
    ErrorKind::TooManyConnections,
    ErrorKind::FrameTooLong,
    ErrorKind::TooSlow,
    ErrorKind::BadFile,
    ErrorKind::FileTooLarge,
    ErrorKind::SpoolFull,
    ErrorKind::BadUrl,
    ErrorKind::FileGone,
];

/// What any method may answer.
const COMMON: [ErrorKind; 4] = [
    ErrorKind::InvalidParams,
    ErrorKind::InternalError,
    ErrorKind::Denied,
    ErrorKind::ShuttingDown,
];

/// What is answered before a method is known, or to no request at all.
pub(super) fn is_of_the_connection(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ParseError
            | ErrorKind::InvalidRequest
            | ErrorKind::MethodNotFound
            | ErrorKind::TooManyConnections
            | ErrorKind::FrameTooLong
            | ErrorKind::TooSlow
    )
}

/// The errors of one method: its own, then those of all.
pub(super) fn of(method: Method) -> Vec<ErrorKind> {
    let mut kinds = own(method);
    kinds.extend(COMMON);
    kinds
}

fn own(method: Method) -> Vec<ErrorKind> {
    use ErrorKind::{
        AlreadyPaired, BadFile, BadRecipient, BadText, BadUrl, FileGone, FileTooLarge, KeyConflict,
        NotFound, NotPaired, OutcomeUnknown, PairingFailed, QueueFull, SpoolFull, WrongState,
    };
    match method {
        Method::Version | Method::Status | Method::Explain | Method::RpcDiscover => vec![],
        Method::MessageSend => vec![
            QueueFull,
            KeyConflict,
            BadRecipient,
            BadText,
            BadFile,
            FileTooLarge,
            SpoolFull,
            BadUrl,
            WrongState,
            OutcomeUnknown,
        ],
        Method::MessageGet => vec![NotFound],
        Method::QueueList => vec![BadRecipient],
        Method::QueueClear | Method::QueueCancel | Method::QueueRetry | Method::QueueRestore => {
            vec![BadRecipient, OutcomeUnknown]
        }
        Method::QueuePause
        | Method::QueueResume
        | Method::QueueRelease
        | Method::PhoneHeartbeat => vec![OutcomeUnknown],
        Method::SessionPair => vec![AlreadyPaired, PairingFailed, WrongState, OutcomeUnknown],
        Method::SessionReconnect => vec![NotPaired, WrongState, OutcomeUnknown],
        Method::SessionTakeover => vec![WrongState, OutcomeUnknown],
        Method::SessionLogout => vec![NotPaired, OutcomeUnknown],
        Method::PhoneCheck => vec![BadRecipient, OutcomeUnknown],
        Method::InboxList => vec![WrongState],
        Method::InboxFile => vec![NotFound, FileGone, FileTooLarge, SpoolFull, WrongState],
        Method::EventsSubscribe => vec![WrongState],
    }
}

/// What usually helps, and whether `retry_after_ms` may come with it. The error's own
/// `remedy` is made for the case.
fn help(kind: ErrorKind) -> (Option<&'static str>, bool) {
    match kind {
        ErrorKind::ParseError | ErrorKind::InvalidRequest => (None, false),
        ErrorKind::MethodNotFound | ErrorKind::InvalidParams => {
            (Some("Where a name was probably misspelt, the error says which was meant."), false)
        }
        ErrorKind::InternalError => (Some("Look at the daemon's log, and report it."), false),
        ErrorKind::QueueFull => {
            (Some("Wait until a place is free, or make room with `queue.clear`."), true)
        }
        ErrorKind::KeyConflict => {
            (Some("Look at the message that has the key, or take another key."), false)
        }
        ErrorKind::NotFound => {
            (Some("List what there is; what is finished stays readable for a while."), false)
        }
        ErrorKind::BadRecipient => {
            (Some("Write + and 7 to 15 digits with the country code, like +15550100."), false)
        }
        ErrorKind::BadText => (Some("Split a text that is too long."), false),
        ErrorKind::Denied => (Some("Add the user to the group that the error names."), false),
        ErrorKind::AlreadyPaired => {
            (Some("To pair another phone, log out first: `session.logout`."), false)
        }
        ErrorKind::NotPaired => (Some("Pair a phone: `session.pair`."), false),
        ErrorKind::PairingFailed => (Some("Begin again: `session.pair`."), false),
        ErrorKind::WrongState => (Some("The error says what fits the state instead."), true),
        ErrorKind::OutcomeUnknown => {
            (Some("Look once the daemon is back; with a key, send again with the same."), false)
        }
        ErrorKind::ShuttingDown => (Some("Try again once the daemon is back."), true),
        ErrorKind::TooManyConnections => (Some("Close one that is not needed."), false),
        ErrorKind::FrameTooLong => (Some("Pass a large file as a descriptor."), false),
        ErrorKind::TooSlow => (None, false),
        ErrorKind::BadFile => {
            (Some("Send one that can be read, is not empty, and is what `as` says."), false)
        }
        ErrorKind::FileTooLarge => {
            (Some("Make it smaller, send it as a document, or pass a descriptor."), false)
        }
        ErrorKind::SpoolFull => (
            Some("Wait until some messages with files have left, or make room on the disk."),
            false,
        ),
        ErrorKind::BadUrl => (
            Some("Give a public `https` address; the error says what is wrong with this one."),
            false,
        ),
        ErrorKind::FileGone => (Some("Ask again later, if the error says when."), true),
    }
}

fn name(kind: ErrorKind) -> String {
    json!(kind).as_str().unwrap().to_owned()
}

pub(super) fn reference(kind: ErrorKind) -> Value {
    json!({ "$ref": format!("#/components/errors/{}", name(kind)) })
}

/// `components.errors` of the document.
pub(super) fn components() -> Map<String, Value> {
    let told = ALL.into_iter().map(|kind| {
        let data = json!({ "kind": kind });
        let told = json!({ "code": kind.code(), "message": meaning(kind), "data": data });
        (name(kind), told)
    });
    told.collect()
}

/// `x-errors` of the document: what an error object of OpenRPC has no place for.
pub(super) fn told() -> Vec<Value> {
    let told = ALL.into_iter().map(|kind| {
        let (remedy, retry) = help(kind);
        let place = if is_of_the_connection(kind) {
            "connection"
        } else if COMMON.contains(&kind) {
            "any"
        } else {
            "method"
        };
        let mut told = json!({
            "kind": kind, "code": kind.code(), "description": meaning(kind), "place": place,
            "retry_after_ms": retry,
        });
        if let Some(remedy) = remedy {
            told["remedy"] = remedy.into();
        }
        told
    });
    told.collect()
}

/// What the kind's doc comment says.
fn meaning(kind: ErrorKind) -> String {
    let documented = schemas::of::<ErrorKind>();
    let kinds = documented["oneOf"].as_array().unwrap();
    assert_eq!(kinds.len(), ALL.len());
    let told = kinds.iter().find(|told| told["const"] == json!(kind)).unwrap();
    told["description"].as_str().unwrap().to_owned()
}
