//! The control socket: JSON-RPC 2.0, one object a line, over a Unix socket that only
//! its owner can open. Translates; the methods are [`Sim`]'s.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::error::SimError;
use super::groups::GroupChange;
use super::settings::{LoginFailure, ReachoutTimelock, SettingsChange};
use super::{Sim, linking_api, media_api, phone_state, presence, streams, token_api};

use params::*;

mod params;

/// Longest line, in bytes.
const LINE_BYTES_MAX: u64 = 1024 * 1024;
/// Most connections at a time.
const CONNECTIONS_MAX: usize = 64;

/// Why a call got no result.
pub(super) enum Failure {
    /// The line is not JSON.
    NotJson,
    /// The JSON is not a request.
    NotARequest,
    /// No such method.
    NoMethod,
    /// The parameters do not fit.
    BadParams(String),
    /// The simulator refused.
    Refused(SimError),
}

impl Failure {
    fn to_json(&self) -> Value {
        let (code, message) = match self {
            Failure::NotJson => (-32_700, "not JSON".to_owned()),
            Failure::NotARequest => (-32_600, "not a JSON-RPC 2.0 request".to_owned()),
            Failure::NoMethod => (-32_601, "no such method".to_owned()),
            Failure::BadParams(why) => (-32_602, why.clone()),
            Failure::Refused(error) => (1, error.to_string()),
        };
        json!({"code": code, "message": message})
    }
}

impl From<SimError> for Failure {
    fn from(error: SimError) -> Self {
        Failure::Refused(error)
    }
}

/// Binds the socket; a dead one in its place is removed.
pub(super) fn bind(path: &Path) -> Result<UnixListener, SimError> {
    let used = |source| SimError::Io { what: "cannot open the control socket", source };
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(used(std::io::ErrorKind::AddrInUse.into()));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(used(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(used)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(used)?;
    Ok(listener)
}

/// Serves callers until dropped.
pub(super) async fn run(listener: UnixListener, sim: Arc<Sim>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut callers = tokio::task::JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("a caller could not be accepted: {error}");
                    continue;
                }
            },
            Some(_) = callers.join_next() => continue,
        };
        let sim = Arc::clone(&sim);
        callers.spawn(async move {
            let _place = place;
            if let Err(error) = serve(stream, &sim).await {
                tracing::debug!("a caller went away: {error}");
            }
        });
    }
}

async fn serve(stream: UnixStream, sim: &Sim) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
        if read == 0 || (line.last() != Some(&b'\n') && line.len() as u64 >= LINE_BYTES_MAX) {
            return Ok(());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        if let Some(mut reply) = answer(sim, &line).await {
            reply.push('\n');
            writer.write_all(reply.as_bytes()).await?;
        }
    }
}

/// A request's reply; none for a notification.
async fn answer(sim: &Sim, line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Request {
        jsonrpc: String,
        id: Option<Value>,
        method: String,
        #[serde(default)]
        params: Value,
    }
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return Some(reply(Value::Null, Err(Failure::NotJson)));
    };
    let given = value.get("id").cloned().unwrap_or(Value::Null);
    let Ok(request) = serde_json::from_value::<Request>(value) else {
        return Some(reply(given, Err(Failure::NotARequest)));
    };
    if request.jsonrpc != "2.0" {
        return Some(reply(given, Err(Failure::NotARequest)));
    }
    let result = call(sim, &request.method, request.params).await;
    request.id.map(|id| reply(id, result))
}

fn reply(id: Value, result: Result<Value, Failure>) -> String {
    match result {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(failure) => json!({"jsonrpc": "2.0", "id": id, "error": failure.to_json()}),
    }
    .to_string()
}

pub(super) fn params<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    let value = if value.is_null() { json!({}) } else { value };
    serde_json::from_value(value).map_err(|error| Failure::BadParams(error.to_string()))
}

async fn call(sim: &Sim, method: &str, given: Value) -> Result<Value, Failure> {
    let (room, _) = method.split_once('.').unwrap_or_default();
    match room {
        "phone" => call_phone(sim, method, given).await,
        "media" => media_api::call(sim, method, given).await,
        "token" => token_api::call(sim, method, given).await,
        "stream" => streams::call(sim, method, given).await,
        "presence" => presence::call(sim, method, given).await,
        "server" => call_server(sim, method, given).await,
        _ => call_people(sim, method, given).await,
    }
}

async fn call_phone(sim: &Sim, method: &str, given: Value) -> Result<Value, Failure> {
    match method {
        "phone.scan" => {
            let Scan { qr, account } = params(given)?;
            linking_api::device(sim.phone_scan(account.as_deref(), &qr).await)
        }
        "phone.enter_code" => {
            let EnterCode { code, account } = params(given)?;
            linking_api::device(sim.phone_enter_code(account.as_deref(), &code).await)
        }
        "phone.set" => {
            let PhoneSet { online, account } = params(given)?;
            sim.phone_set(account.as_deref(), online).await?;
            Ok(json!({"online": online}))
        }
        "phone.send" => {
            let PhoneSend { to, text, account } = params(given)?;
            Ok(json!(sim.phone_send(account.as_deref(), &to, &text).await?))
        }
        "phone.unlink" => {
            let Unlink { account, device } = params(given)?;
            Ok(json!({"unlinked": sim.phone_unlink(account.as_deref(), device).await?}))
        }
        "phone.name" | "phone.archive" => phone_state::call(sim, method, given).await,
        _ => linking_api::call(sim, method, given).await,
    }
}

async fn call_people(sim: &Sim, method: &str, given: Value) -> Result<Value, Failure> {
    match method {
        "recipient.add" => {
            let given: RecipientAdd = params(given)?;
            let RecipientAdd { number, on_network, companions, spellings, .. } = &given;
            sim.recipient_add(number, *on_network, *companions).await?;
            if let Some(name) = &given.name {
                sim.recipient_name(number, name).await?;
            }
            let username = (given.username.as_deref(), given.key.as_deref());
            sim.recipient_username(number, username, given.hidden).await?;
            if let Some(required) = given.token_required {
                sim.token_require(number, required).await?;
            }
            for spelling in spellings {
                sim.recipient_spelling(number, spelling).await?;
            }
            Ok(json!({"number": number}))
        }
        "recipient.inbox" => {
            let Inbox { number } = params(given)?;
            Ok(json!({"messages": sim.recipient_inbox(&number).await}))
        }
        "recipient.reply" => {
            let Reply { number, to, text } = params(given)?;
            Ok(json!(sim.recipient_reply(&number, to.as_deref(), &text).await?))
        }
        "group.add" => {
            let GroupAdd { subject, members } = params(given)?;
            Ok(json!({"jid": sim.group_add(&subject, &members).await?}))
        }
        "group.set" => {
            let GroupSet { jid, change } = params(given)?;
            sim.group_set(&jid, params::<GroupChange>(change)?).await?;
            Ok(json!({}))
        }
        _ => Err(Failure::NoMethod),
    }
}

async fn call_server(sim: &Sim, method: &str, given: Value) -> Result<Value, Failure> {
    match method {
        "server.wait" => {
            let wait: Wait = params(given)?;
            let within = std::time::Duration::from_secs(wait.within_s);
            Ok(json!(sim.wait_for(|stats| wait.is_over(stats), within).await?))
        }
        "server.replace_session" => {
            let Account { account } = params(given)?;
            Ok(json!({"replaced": sim.server_replace_session(account.as_deref()).await?}))
        }
        "server.stream_error" => {
            let StreamError { account, code } = params(given)?;
            let closed = sim.server_stream_error(account.as_deref(), code).await?;
            Ok(json!({ "closed": closed }))
        }
        "server.flood" => {
            let Flood { count } = params(given)?;
            Ok(json!({"clients": sim.server_flood(count).await?}))
        }
        "server.timelock" => {
            sim.server_timelock(params::<ReachoutTimelock>(given)?).await;
            Ok(json!({}))
        }
        "server.disconnect" => {
            let Account { account } = params(given)?;
            Ok(json!({"closed": sim.server_disconnect(account.as_deref()).await?}))
        }
        "server.fail_login" => {
            sim.server_fail_login(params::<LoginFailure>(given)?).await;
            Ok(json!({}))
        }
        "server.set" => Ok(json!(sim.server_set(params::<SettingsChange>(given)?).await)),
        "server.rotate_key" => {
            let Nothing {} = params(given)?;
            sim.server_rotate_key().await;
            Ok(json!({}))
        }
        "server.stats" => {
            let Nothing {} = params(given)?;
            Ok(json!(sim.server_stats().await))
        }
        _ => linking_api::call(sim, method, given).await,
    }
}
