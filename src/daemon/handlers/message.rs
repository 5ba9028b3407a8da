//! `message.send`: its parameters to a submission. A file is copied into the spool here,
//! before the engine is asked; from then on the core says when it goes. And `message.get`.

use std::io::{Cursor, Read};

use super::amend;
use super::checks::{check_key, digest, invalid, unwritten};
use super::content::{self, Content};
use super::recipients::recipient;
use super::send_url;
use crate::daemon::auth::Caller;
use crate::daemon::descriptors::Descriptors;
use crate::daemon::engine_handle::{MessageName, Query};
use crate::daemon::server::Service;
use crate::fetch::find_links;
use crate::spool::source::{Changed, Source};
use crate::spool::{Asked, TakeError};
use tetherd_api::{
    Error, ErrorKind, FileInfo, FileParams, GetParams, KEY_BYTES_MAX, Kind, MENTIONS_MAX, Redacted,
    Replace, Reply, SendParams,
};
use tetherd_core::contacts::UsernameKey;
use tetherd_core::draft::{Draft, Target};
use tetherd_core::event::{Body, Request, Submission};
use tetherd_core::files::Room;
use tetherd_core::ids::{ChatId, Digest, WaMessageId};

/// What an empty part of a digest stands for.
const NONE: &str = "";
/// Random bytes of a network id, after its prefix.
const WA_ID_RANDOM_BYTES: usize = 9;
/// Longest network id that is looked for, in bytes.
const WA_ID_BYTES_MAX: usize = 64;

/// What `message.get` asks.
pub(super) fn get(params: GetParams) -> Result<Query, Error> {
    let name = match params {
        GetParams { id: Some(id), wa_id: None, key: None } => MessageName::Id(id),
        GetParams { id: None, wa_id: Some(wa_id), key: None } => {
            if wa_id.is_empty() || wa_id.len() > WA_ID_BYTES_MAX {
                return Err(invalid(format!("a `wa_id` has 1 to {WA_ID_BYTES_MAX} bytes")));
            }
            MessageName::WaId(WaMessageId(wa_id))
        }
        GetParams { id: None, wa_id: None, key: Some(key) } => {
            check_key(&key)?;
            MessageName::Key(key)
        }
        GetParams { .. } => return Err(invalid("give exactly one of `id`, `wa_id` and `key`")),
    };
    Ok(Query::Get(name))
}

/// Carries out `message.send`.
pub(super) async fn send(
    service: &Service,
    caller: Caller,
    mut params: SendParams,
    descriptors: Descriptors,
) -> Result<Reply, Error> {
    let content = content::of(&mut params)?;
    let replace = params.replace;
    if replace.is_some() && params.key.is_none() {
        return Err(invalid("`replace` goes with a `key`"));
    }
    let occurrence = params.occurrence.take();
    if let Some(occurrence) = &occurrence {
        if replace.is_none() || !matches!(content, Content::Plain(Kind::Text, _)) {
            return Err(invalid("`occurrence` goes with a text and `replace`"));
        }
        if occurrence.is_empty() || occurrence.len() > KEY_BYTES_MAX {
            return Err(invalid(format!("an `occurrence` has 1 to {KEY_BYTES_MAX} bytes")));
        }
    }
    let to = recipient(&service.engine, &params.to).await?;
    let username_key = UsernameKey::parse(&params.to);
    let context = context(service, &to, &mut params, &content).await?;
    let mut draft = Draft { target: context.0, mentions: context.1, ..draft(to, params)? };
    let submission = match content {
        Content::Plain(kind, body) => {
            draft.kind = kind;
            draft.digest = match &draft.link {
                None => digest(&[kind.name(), draft.to.as_str(), &body]),
                Some(preview) => {
                    let preview = content::json(preview)?;
                    digest(&[kind.name(), draft.to.as_str(), &body, &preview])
                }
            };
            draft.digest = in_context(&draft);
            if let Some(occurrence) = &occurrence {
                draft.digest = digest(&[&hex(&draft.digest), occurrence]);
            }
            draft.has_links = kind == Kind::Text && !find_links(&body).is_empty();
            Submission { draft, body: Body(body.into()), replace, username_key }
        }
        Content::File(file, caption) if file.url.is_some() => {
            let mut submission =
                send_url::submission(draft, file, caption, service.engine.schemes())?;
            submission.draft.digest = in_context(&submission.draft);
            submission.replace = replace;
            submission.username_key = username_key;
            submission
        }
        Content::File(file, caption) => {
            let (file, more) = ((file, caption), (replace, username_key));
            let sending = send_file(service, caller, draft, file, more, descriptors);
            return Box::pin(sending).await;
        }
    };
    service.engine.change(Request::Submit(Box::new(submission))).await
}

async fn send_file(
    service: &Service,
    caller: Caller,
    mut draft: Draft,
    (file, caption): (FileParams, Option<Redacted<String>>),
    (replace, username_key): (Option<Replace>, Option<UsernameKey>),
    descriptors: Descriptors,
) -> Result<Reply, Error> {
    let engine = &service.engine;
    // Before anything large is copied for a queue that has no place.
    let room = engine.room(draft.key.clone()).await?;
    let spool = service.spool.as_ref().ok_or_else(|| {
        let sentence = "this daemon takes no files";
        Error::new(ErrorKind::WrongState, sentence)
    })?;
    let (source, asked) = source(file, descriptors).await?;
    let mime = asked.mime.clone();
    let digest_of = |draft: &Draft, kind: Kind, info: &FileInfo| {
        file_digest(draft, kind, info, caption.as_deref(), mime.as_deref())
    };
    if let (Room::KeyKnown, Some(key), None) = (room, &draft.key, replace) {
        let key = key.clone();
        let examined = spool.examine(source, asked, caller.uid).await;
        let (kind, info) = examined.map_err(not_taken)?;
        let digest = digest_of(&draft, kind, &info);
        return engine.query(Query::Repeated { key, digest }).await;
    }
    let accepted = spool.accept(source, asked, caller.uid).await.map_err(not_taken)?;
    draft.kind = accepted.kind;
    draft.digest = digest_of(&draft, accepted.kind, &accepted.info);
    if caption.is_some() && matches!(accepted.kind, Kind::Audio | Kind::Voice) {
        return Err(invalid("an audio file or voice message has no caption"));
    }
    draft.has_links = caption.as_deref().is_some_and(|text| !find_links(text).is_empty());
    let body = Body(caption.unwrap_or_default().0.into());
    let request = move || {
        draft.file = Some(accepted.keep());
        Request::Submit(Box::new(Submission { draft, body, replace, username_key }))
    };
    engine.change_with(request).await
}

/// A type that the caller gave is part of it; one that the content decided follows from it.
fn file_digest(
    draft: &Draft,
    kind: Kind,
    info: &FileInfo,
    caption: Option<&str>,
    mime: Option<&str>,
) -> Digest {
    let name = info.name.as_deref().unwrap_or(NONE);
    let mut parts =
        vec![kind.name(), draft.to.as_str(), &info.sha256, caption.unwrap_or(NONE), name];
    parts.extend(mime);
    digest(&parts)
}

/// The digest with what is quoted and who is mentioned, where there is any.
fn in_context(draft: &Draft) -> Digest {
    let Draft { target, mentions, digest: content, .. } = draft;
    if target.is_none() && mentions.is_empty() {
        return *content;
    }
    let mut parts =
        vec![hex(content), target.as_ref().map(|t| t.wa_id.0.clone()).unwrap_or_default()];
    parts.extend(mentions.iter().map(|chat| chat.as_str().to_owned()));
    digest(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

fn hex(Digest(bytes): &Digest) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the message answers, and whom it mentions.
async fn context(
    service: &Service,
    to: &ChatId,
    params: &mut SendParams,
    content: &Content,
) -> Result<(Option<Target>, Vec<ChatId>), Error> {
    let mentions = mentioned(std::mem::take(&mut params.mentions), content)?;
    let Some(name) = params.reply_to else { return Ok((None, mentions)) };
    let (chat, target) = amend::target(service, name).await?;
    // A person has a number and a hidden identity: only names of one kind can be compared.
    if chat != *to && chat.is_by_number() == to.is_by_number() {
        return Err(invalid(format!("{name} is a message of another chat than `to`")));
    }
    Ok((Some(target), mentions))
}

/// Each mention is a person, and the text names it.
fn mentioned(mentions: Vec<Redacted<String>>, content: &Content) -> Result<Vec<ChatId>, Error> {
    if mentions.len() > MENTIONS_MAX {
        return Err(invalid(format!("a message mentions at most {MENTIONS_MAX} persons")));
    }
    let text = match content {
        Content::Plain(Kind::Text, text) => text.as_str(),
        Content::File(_, Some(caption)) => caption.0.as_str(),
        Content::Plain(..) | Content::File(_, None) => NONE,
    };
    let mut chats = Vec::with_capacity(mentions.len());
    for mention in mentions {
        let chat: ChatId = mention.parse().map_err(unwritten)?;
        let user = chat.as_str().split('@').next().unwrap_or_default();
        if chat.is_group() || !text.contains(&format!("@{user}")) {
            let sentence = "each of `mentions` is a person whom the text names";
            return Err(invalid(sentence).remedy("write @ and the digits, like @15550100"));
        }
        if !chats.contains(&chat) {
            chats.push(chat);
        }
    }
    Ok(chats)
}

/// Everything but the content.
fn draft(to: ChatId, params: SendParams) -> Result<Draft, Error> {
    let SendParams { preview, expires_at, not_before, priority, key, .. } = params;
    if let Some(key) = &key {
        check_key(key)?;
    }
    Ok(Draft {
        link: preview,
        priority,
        not_before: not_before.map(|time| time.0),
        expires_at: expires_at.map(|time| time.0),
        key,
        ..Draft::text(to, digest(&[]), new_wa_id()?)
    })
}

pub(super) fn new_wa_id() -> Result<WaMessageId, Error> {
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

/// What the file is read from, and what is asked of it. A file inside the request is
/// decoded here, and its base64 is let go of.
async fn source(
    file: FileParams,
    mut descriptors: Descriptors,
) -> Result<(Box<dyn Read + Send>, Asked), Error> {
    let FileParams { fd, base64, url: _, kind, name, mime, caption: _ } = file;
    let mut asked = Asked { kind, mime, name, ..Asked::default() };
    match (fd, base64) {
        (Some(index), _) => {
            let source = Source::new(descriptors.take(index)?)
                .map_err(|error| bad_file(error.to_string()))?;
            asked.bytes = source.length();
            if asked.bytes == Some(0) {
                return Err(bad_file(TakeError::Empty.to_string()));
            }
            source.ready().await.map_err(not_taken)?;
            Ok((Box::new(source), asked))
        }
        (None, Some(base64)) => Ok((Box::new(Cursor::new(content::decoded(&base64)?)), asked)),
        (None, None) => Err(invalid("give `file.fd` or `file.base64`")),
    }
}

/// The error for a file that was not taken in.
pub(super) fn not_taken(error: TakeError) -> Error {
    let sentence = error.to_string();
    match error {
        TakeError::Empty | TakeError::TooSlow => bad_file(sentence),
        TakeError::Kind(kind) => bad_file(sentence).remedy(kind.remedy()),
        TakeError::TooLarge { kind, .. } => {
            let error = Error::new(ErrorKind::FileTooLarge, sentence);
            match kind {
                Some(Kind::Document) | None => error.remedy("see [files] in the configuration"),
                Some(_) => error.remedy("make it smaller, or send it as a document"),
            }
        }
        TakeError::QuotaSpent { .. } => Error::new(ErrorKind::SpoolFull, sentence)
            .remedy("wait until some have left (tetherctl why), clear some, or raise files.quota"),
        TakeError::DiskFull => Error::new(ErrorKind::SpoolFull, sentence)
            .remedy("make room on the disk of the state directory"),
        TakeError::Read(error) if error.get_ref().is_some_and(|error| error.is::<Changed>()) => {
            bad_file(Changed.to_string()).remedy("send it once nothing writes to it any more")
        }
        TakeError::Read(_) => bad_file(sentence),
        TakeError::Write(error) => {
            tracing::warn!(%error, "a file cannot be written to the spool");
            Error::new(ErrorKind::SpoolFull, "the file cannot be written to the spool")
                .remedy("look at the disk of the state directory; the daemon's log says more")
        }
        TakeError::NoRandom | TakeError::Stopped | TakeError::Broken => {
            tracing::error!(%error, "a file was not taken");
            Error::new(ErrorKind::InternalError, sentence)
        }
    }
}

fn bad_file(sentence: impl Into<String>) -> Error {
    Error::new(ErrorKind::BadFile, sentence)
}
