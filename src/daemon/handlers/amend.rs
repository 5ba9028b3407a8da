//! `message.react`, `message.edit`, `message.revoke`, and the message that an answer quotes:
//! found by its name, here or in the inbox. What can be done to it the core decides.

use super::checks::{check_key, check_text, digest, invalid, no_inbox};
use super::message::new_wa_id;
use crate::daemon::engine_handle::{EngineHandle, MessageName, Query};
use crate::daemon::server::Service;
use crate::fetch::find_links;
use tetherd_api::{
    EMOJI_BYTES_MAX, EditParams, Error, ErrorKind, Incoming, Kind, Message, MessageId, MessageRef,
    PREVIEW_CHARS_MAX, ReactParams, Redacted, Reply, RevokeParams,
};
use tetherd_core::draft::{Draft, Target};
use tetherd_core::event::{Body, Request, Submission};
use tetherd_core::ids::{ChatId, Digest, WaMessageId};

/// A quote is cut after so many characters: the apps show a line or two of it.
const QUOTE_CHARS_MAX: usize = 1_024;

const _: () = assert!(QUOTE_CHARS_MAX >= PREVIEW_CHARS_MAX);

pub(super) async fn react(service: &Service, params: ReactParams) -> Result<Reply, Error> {
    let ReactParams { message, emoji, key } = params;
    if emoji.len() > EMOJI_BYTES_MAX || emoji.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(invalid(format!("an `emoji` has at most {EMOJI_BYTES_MAX} bytes, no spaces")));
    }
    let (to, mut target) = target(service, message).await?;
    target.quote = None;
    let digest = digest(&[Kind::Reaction.name(), to.as_str(), &target.wa_id.0, &emoji]);
    submit(service, Kind::Reaction, (to, target), (digest, emoji), key).await
}

pub(super) async fn edit(service: &Service, params: EditParams) -> Result<Reply, Error> {
    let EditParams { id, text, key } = params;
    check_text(&text)?;
    let (to, target) = own(&service.engine, id).await?;
    // As a text that says so from the beginning: to repeat the call changes nothing.
    let digest = digest(&[Kind::Text.name(), to.as_str(), &text]);
    submit(service, Kind::Edit, (to, target), (digest, text), key).await
}

pub(super) async fn revoke(service: &Service, params: RevokeParams) -> Result<Reply, Error> {
    let RevokeParams { id, key } = params;
    let (to, target) = own(&service.engine, id).await?;
    let digest = digest(&[Kind::Revoke.name(), to.as_str(), &target.wa_id.0]);
    submit(service, Kind::Revoke, (to, target), (digest, Redacted::default()), key).await
}

async fn submit(
    service: &Service,
    kind: Kind,
    (to, target): (ChatId, Target),
    (digest, text): (Digest, Redacted<String>),
    key: Option<Redacted<String>>,
) -> Result<Reply, Error> {
    if let Some(key) = &key {
        check_key(key)?;
    }
    let has_links = kind == Kind::Edit && !find_links(&text).is_empty();
    let draft = Draft {
        kind,
        has_links,
        target: Some(target),
        key,
        ..Draft::text(to, digest, new_wa_id()?)
    };
    let body = Body(text.0.into());
    let submission = Submission { draft, body, replace: None, username_key: None };
    service.engine.change(Request::Submit(Box::new(submission))).await
}

/// The message that is named, and its chat.
pub(super) async fn target(
    service: &Service,
    message: MessageRef,
) -> Result<(ChatId, Target), Error> {
    match message {
        MessageRef::Own(id) => {
            let (to, mut target) = own(&service.engine, id).await?;
            let message = get(&service.engine, id).await?;
            target.quote = message.text.map(|text| cut(&text));
            Ok((to, target))
        }
        MessageRef::Incoming(cursor) => {
            let inbox = service.inbox.as_ref().ok_or_else(no_inbox)?;
            incoming(inbox.message(cursor)?)
        }
    }
}

async fn own(engine: &EngineHandle, id: MessageId) -> Result<(ChatId, Target), Error> {
    let message = get(engine, id).await?;
    let to = message.to.parse().map_err(|_| malformed())?;
    let wa_id = WaMessageId(message.wa_id);
    Ok((to, Target { wa_id, id: Some(id), sender: None, quote: None }))
}

async fn get(engine: &EngineHandle, id: MessageId) -> Result<Message, Error> {
    let Reply::MessageGet(message) = engine.query(Query::Get(MessageName::Id(id))).await? else {
        tracing::error!("another reply than the one to `message.get`");
        return Err(Error::new(ErrorKind::InternalError, "a bug in tetherd: a foreign reply"));
    };
    Ok(*message)
}

fn incoming(message: Incoming) -> Result<(ChatId, Target), Error> {
    let Incoming { chat, sender, from_me, wa_id, text, .. } = message;
    let sender = match from_me {
        true => None,
        false => Some(sender.parse().map_err(|_| malformed())?),
    };
    let quote = text.map(|text| cut(&text));
    let target = Target { wa_id: WaMessageId(wa_id), id: None, sender, quote };
    Ok((chat.parse().map_err(|_| malformed())?, target))
}

fn cut(text: &str) -> Redacted<String> {
    text.chars().take(QUOTE_CHARS_MAX).collect::<String>().into()
}

fn malformed() -> Error {
    let sentence = "messages of this chat cannot be answered: its name is none that is sent to";
    Error::new(ErrorKind::WrongState, sentence)
        .remedy("write to the person or group by number or JID")
}
