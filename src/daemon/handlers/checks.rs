//! Checks that several handlers share: recipients, texts, keys, filters. Refuses, never
//! repairs.

use super::recipients::recipient;
use crate::daemon::engine_handle::EngineHandle;
use sha2::{Digest as _, Sha256};

use tetherd_api::{Error, ErrorKind, Filter, IDS_MAX, KEY_BYTES_MAX, TEXT_CHARS_MAX};
use tetherd_core::event::Selection;
use tetherd_core::ids::{BadRecipient, Digest};

pub(super) fn unwritten(error: BadRecipient) -> Error {
    Error::new(ErrorKind::BadRecipient, error.to_string())
}

pub(super) fn check_text(text: &str) -> Result<(), Error> {
    if text.trim().is_empty() {
        return Err(Error::new(ErrorKind::BadText, "the text is empty"));
    }
    if text.contains('\0') {
        let sentence = "the text holds NUL characters, as UTF-16 that is taken for UTF-8 does";
        return Err(Error::new(ErrorKind::BadText, sentence).remedy("give it as UTF-8"));
    }
    let chars = text.chars().count();
    if chars > TEXT_CHARS_MAX {
        let sentence = format!("the text has {chars} characters; {TEXT_CHARS_MAX} are allowed");
        return Err(Error::new(ErrorKind::BadText, sentence).remedy("split it"));
    }
    Ok(())
}

pub(super) fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(invalid(format!("a key has 1 to {KEY_BYTES_MAX} bytes")));
    }
    if key.chars().any(char::is_control) {
        return Err(invalid("a key has no control characters"));
    }
    Ok(())
}

/// The recipient normalised, nothing twice.
pub(super) async fn selection(engine: &EngineHandle, filter: Filter) -> Result<Selection, Error> {
    let Filter { mut states, to, reason, older_than_s, key_prefix, mut ids } = filter;
    if ids.len() > IDS_MAX {
        return Err(invalid(format!("one request takes at most {IDS_MAX} ids")));
    }
    states.sort_unstable();
    states.dedup();
    ids.sort_unstable();
    ids.dedup();
    let to = match to {
        Some(to) => Some(recipient(engine, &to).await?),
        None => None,
    };
    Ok(Selection { states, to, reason, older_than_s, key_prefix, ids })
}

/// Each part is preceded by its length, so that no two contents read the same.
pub(super) fn digest(parts: &[&str]) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        let bytes = u64::try_from(part.len()).unwrap_or(u64::MAX);
        hasher.update(bytes.to_be_bytes());
        hasher.update(part.as_bytes());
    }
    Digest(hasher.finalize().into())
}

pub(super) fn no_inbox() -> Error {
    Error::new(ErrorKind::WrongState, "this daemon keeps no inbox")
        .remedy("switch it on: [inbox] in the configuration")
}

pub(super) fn invalid(sentence: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidParams, sentence)
}
