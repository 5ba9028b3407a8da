//! Typed dispatch: a method and its parameters to an engine command, and its answer
//! to a result. Owns the checking of parameters. Decides nothing about the queue.

mod by_url;
mod content;
mod inbox;
mod send;

use std::os::fd::OwnedFd;

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::daemon::descriptors::Descriptors;
use crate::daemon::engine_handle::{EngineHandle, MessageName, Query, QueryAnswer, Subscription};
use crate::daemon::inbox_service::Follow;
use crate::daemon::server::Service;
use crate::version;
use tetherd_api::call::decode_params;
use tetherd_api::{
    CancelResult, CheckResult, ClearParams, ClearResult, Error, ErrorKind, Explanation, Filter,
    GetParams, IDS_MAX, InboxFileResult, InboxListResult, KEY_BYTES_MAX, LIST_ENTRIES_MAX,
    ListParams, ListResult, Message, Method, NoParams, OPENRPC, PROTOCOL_VERSION, PairParams,
    PairResult, PhoneStatus, RestoreResult, RetryResult, SendResult, State, Status, TEXT_CHARS_MAX,
    Version,
};
use tetherd_core::action::Answer;
use tetherd_core::event::{Request, Selection};
use tetherd_core::ids::{ChatId, Digest, WaMessageId, number_digits};

mod check;
mod cleaning;
mod heartbeat;

/// Random bytes of a network id, after its prefix.
const WA_ID_RANDOM_BYTES: usize = 9;
/// Longest network id that is looked for, in bytes.
const WA_ID_BYTES_MAX: usize = 64;

/// What a request came to.
#[derive(Debug)]
pub(crate) enum Handled {
    /// Something to answer.
    Reply(Reply),
    /// Something to answer, and an open file that goes with it.
    WithFile(Reply, OwnedFd),
    /// Something to forward.
    Subscription(Subscription, Follow),
}

/// A method's result.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Reply {
    Version(Version),
    Contract(Box<Value>),
    Status(Box<Status>),
    Explanation(Box<Explanation>),
    Sent(Box<SendResult>),
    Message(Box<Message>),
    List(ListResult),
    Cleared(ClearResult),
    Cancelled(CancelResult),
    Retried(RetryResult),
    Restored(RestoreResult),
    Pairing(PairResult),
    Checked(CheckResult),
    Phone(Box<PhoneStatus>),
    Inbox(InboxListResult),
    File(InboxFileResult),
}

/// Carries out one request.
pub(crate) async fn handle(
    service: &Service,
    method: Method,
    params: Map<String, Value>,
    descriptors: Descriptors,
) -> Result<Handled, Error> {
    let engine = &service.engine;
    let reply = match method {
        Method::EventsSubscribe => return inbox::subscribe(service, decode_params(params)?).await,
        Method::InboxList => inbox::list(service, decode_params(params)?)?,
        Method::InboxFile => return inbox::file(service, decode_params(params)?).await,
        Method::Version => {
            let NoParams {} = decode_params(params)?;
            Reply::Version(version())
        }
        Method::RpcDiscover => {
            let NoParams {} = decode_params(params)?;
            Reply::Contract(contract()?)
        }
        Method::Status | Method::Explain | Method::MessageGet | Method::QueueList => {
            ask(engine, query(method, params)?).await?
        }
        Method::PhoneCheck => change(engine, check::request(params)?).await?,
        Method::MessageSend => send::send(service, params, descriptors).await?,
        Method::QueueClear
        | Method::QueueCancel
        | Method::QueueRetry
        | Method::QueueRestore
        | Method::QueuePause
        | Method::QueueResume
        | Method::SessionPair
        | Method::SessionReconnect
        | Method::SessionTakeover
        | Method::SessionLogout
        | Method::PhoneHeartbeat
        | Method::QueueRelease => change(engine, command(method, params)?).await?,
    };
    Ok(Handled::Reply(reply))
}

fn version() -> Version {
    Version {
        name: "tetherd".to_string(),
        version: version::NUMBER.to_string(),
        revision: version::revision(),
        protocol: PROTOCOL_VERSION,
        sim: cfg!(feature = "sim"),
    }
}

fn contract() -> Result<Box<Value>, Error> {
    serde_json::from_str(OPENRPC).map_err(|error| {
        tracing::error!(%error, "the committed OpenRPC document is not JSON");
        Error::new(ErrorKind::InternalError, "a bug in tetherd: its contract cannot be read")
    })
}

async fn ask(engine: &EngineHandle, query: Query) -> Result<Reply, Error> {
    Ok(match engine.query(query).await? {
        QueryAnswer::Status(status) => Reply::Status(status),
        QueryAnswer::Explanation(explanation) => Reply::Explanation(explanation),
        QueryAnswer::Message(message) => Reply::Message(message),
        QueryAnswer::List(list) => Reply::List(list),
        QueryAnswer::Room => return Err(not_ours(Method::QueueList)),
    })
}

async fn change(engine: &EngineHandle, request: Request) -> Result<Reply, Error> {
    reply(engine.change(request).await?)
}

fn reply(answer: Answer) -> Result<Reply, Error> {
    Ok(match answer {
        Answer::Sent(sent) => Reply::Sent(sent),
        Answer::Cancelled(cancelled) => Reply::Cancelled(cancelled),
        Answer::Cleared(cleared) => Reply::Cleared(cleared),
        Answer::Retried(retried) => Reply::Retried(retried),
        Answer::Checked(checked) => Reply::Checked(checked),
        Answer::Restored(restored) => Reply::Restored(restored),
        Answer::Pairing(pairing) => Reply::Pairing(pairing),
        Answer::Status(status) => Reply::Status(status),
        Answer::Phone(phone) => Reply::Phone(phone),
        Answer::Draining => {
            tracing::error!("the engine answered a caller as if it was told to drain");
            return Err(not_ours(Method::Status));
        }
    })
}

/// What a looking method asks the engine.
fn query(method: Method, params: Map<String, Value>) -> Result<Query, Error> {
    match method {
        Method::Status => no_params(params).map(|()| Query::Status),
        Method::Explain => no_params(params).map(|()| Query::Explain),
        Method::MessageGet => message_name(decode_params(params)?).map(Query::Get),
        Method::QueueList => list(decode_params(params)?),
        Method::Version
        | Method::MessageSend
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
        | Method::InboxFile
        | Method::EventsSubscribe
        | Method::RpcDiscover => Err(not_ours(method)),
    }
}

/// What a changing method asks of the engine.
fn command(method: Method, params: Map<String, Value>) -> Result<Request, Error> {
    match method {
        Method::QueueClear => {
            let ClearParams { filter, dry_run } = decode_params(params)?;
            Ok(Request::Clear { filter: selection(filter)?, dry_run })
        }
        Method::QueueCancel => cleaning::cancel(decode_params(params)?),
        Method::QueueRetry => cleaning::retry(decode_params(params)?),
        Method::QueueRestore => cleaning::restore(decode_params(params)?),
        Method::QueuePause => no_params(params).map(|()| Request::Pause),
        Method::QueueResume => no_params(params).map(|()| Request::Resume),
        Method::SessionPair => pair(decode_params(params)?),
        Method::SessionReconnect => no_params(params).map(|()| Request::Reconnect),
        Method::SessionTakeover => no_params(params).map(|()| Request::Takeover),
        Method::SessionLogout => no_params(params).map(|()| Request::Logout),
        Method::PhoneHeartbeat => heartbeat::heartbeat(decode_params(params)?),
        Method::QueueRelease => no_params(params).map(|()| Request::Release),
        Method::Version
        | Method::Status
        | Method::Explain
        | Method::MessageSend
        | Method::MessageGet
        | Method::QueueList
        | Method::PhoneCheck
        | Method::InboxList
        | Method::InboxFile
        | Method::EventsSubscribe
        | Method::RpcDiscover => Err(not_ours(method)),
    }
}

fn no_params(params: Map<String, Value>) -> Result<(), Error> {
    decode_params(params).map(|NoParams {}| ())
}

fn recipient(text: &str) -> Result<ChatId, Error> {
    text.parse().map_err(|error: tetherd_core::ids::BadRecipient| {
        Error::new(ErrorKind::BadRecipient, error.to_string())
    })
}

fn check_text(text: &str) -> Result<(), Error> {
    if text.trim().is_empty() {
        return Err(Error::new(ErrorKind::BadText, "the text is empty"));
    }
    let chars = text.chars().count();
    if chars > TEXT_CHARS_MAX {
        let sentence = format!("the text has {chars} characters; {TEXT_CHARS_MAX} are allowed");
        return Err(Error::new(ErrorKind::BadText, sentence).remedy("split it"));
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(invalid(format!("a key has 1 to {KEY_BYTES_MAX} bytes")));
    }
    if key.chars().any(char::is_control) {
        return Err(invalid("a key has no control characters"));
    }
    Ok(())
}

/// Each part is preceded by its length, so that no two contents read the same.
fn digest(parts: &[&str]) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        let bytes = u64::try_from(part.len()).unwrap_or(u64::MAX);
        hasher.update(bytes.to_be_bytes());
        hasher.update(part.as_bytes());
    }
    Digest(hasher.finalize().into())
}

fn new_wa_id() -> Result<WaMessageId, Error> {
    let mut random = [0_u8; WA_ID_RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| {
        tracing::error!(%error, "the kernel gives no random bytes");
        Error::new(ErrorKind::InternalError, "the kernel gives no random bytes")
    })?;
    let mut id = "3EB0".to_string();
    for byte in random {
        id.push_str(&format!("{byte:02X}"));
    }
    Ok(WaMessageId(id))
}

fn message_name(params: GetParams) -> Result<MessageName, Error> {
    match params {
        GetParams { id: Some(id), wa_id: None, key: None } => Ok(MessageName::Id(id)),
        GetParams { id: None, wa_id: Some(wa_id), key: None } => {
            if wa_id.is_empty() || wa_id.len() > WA_ID_BYTES_MAX {
                return Err(invalid(format!("a `wa_id` has 1 to {WA_ID_BYTES_MAX} bytes")));
            }
            Ok(MessageName::WaId(WaMessageId(wa_id)))
        }
        GetParams { id: None, wa_id: None, key: Some(key) } => {
            check_key(&key).map(|()| MessageName::Key(key))
        }
        GetParams { .. } => Err(invalid("give exactly one of `id`, `wa_id` and `key`")),
    }
}

fn list(params: ListParams) -> Result<Query, Error> {
    let ListParams { filter, after, limit } = params;
    let limit = limit.unwrap_or(LIST_ENTRIES_MAX);
    if limit == 0 || limit > LIST_ENTRIES_MAX {
        return Err(invalid(format!("`limit` is 1 to {LIST_ENTRIES_MAX}; page with `after`")));
    }
    let mut selection = selection(filter)?;
    if selection.states.is_empty() {
        selection.states = State::ALL.into_iter().filter(|state| state.is_live()).collect();
    }
    Ok(Query::List { selection, after, limit })
}

/// The recipient normalised, nothing twice.
fn selection(filter: Filter) -> Result<Selection, Error> {
    let Filter { mut states, to, reason, older_than_s, key_prefix, mut ids } = filter;
    if ids.len() > IDS_MAX {
        return Err(invalid(format!("one request takes at most {IDS_MAX} ids")));
    }
    states.sort_unstable();
    states.dedup();
    ids.sort_unstable();
    ids.dedup();
    let to = to.as_deref().map(recipient).transpose()?;
    Ok(Selection { states, to, reason, older_than_s, key_prefix, ids })
}

fn pair(params: PairParams) -> Result<Request, Error> {
    let Some(phone) = params.phone else {
        return Ok(Request::Pair { phone: None });
    };
    let number = phone
        .trim()
        .strip_prefix('+')
        .ok_or_else(|| invalid("`phone` is + and digits with the country code, like +15550100"))?;
    let digits = number_digits(number).map_err(|error| invalid(error.to_string()))?;
    Ok(Request::Pair { phone: Some(digits) })
}

fn invalid(sentence: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidParams, sentence)
}

/// Our bug: the dispatch sent a method to the wrong place.
fn not_ours(method: Method) -> Error {
    tracing::error!(method = method.name(), "a method was sent to the wrong place");
    Error::new(ErrorKind::InternalError, "a bug in tetherd: the method was sent to the wrong place")
}
