//! What `send` sends: a text, a file, a place or a contact. Opens the file as the caller,
//! so that the daemon reads nothing that the caller may not.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use super::send::read_text;
use crate::cli::SendArgs;
use crate::error::CommandError;
use crate::time::{Clock, TimeSpec, TimeSpecError};
use tetherd_api::{ContactCard, FileParams, SendParams};

/// The parameters, and the file that goes with them.
pub(super) fn content(
    args: SendArgs,
    clock: &Clock,
) -> Result<(SendParams, Option<OwnedFd>), CommandError> {
    let SendArgs { to, text, file, url, location, contact, key, .. } = args;
    let on = |option: &str, time_spec: Option<TimeSpec>| {
        let refuse = |error: TimeSpecError| CommandError::BadInput(format!("{option}: {error}"));
        time_spec.map(|time_spec| time_spec.on(clock).map_err(refuse)).transpose()
    };
    let mut params = SendParams {
        to: to.into(),
        key: key.map(Into::into),
        expires_at: on("--expires", args.expires)?,
        not_before: on("--at", args.at)?.or(on("--in", args.after.map(TimeSpec::In))?),
        priority: args.priority,
        reply_to: args.reply_to,
        replace: args.replace,
        mentions: args.mention.into_iter().map(Into::into).collect(),
        ..SendParams::default()
    };
    let mut fd = None;
    if let Some(path) = file {
        let opened = if path.as_os_str() == "-" {
            std::io::stdin().as_fd().try_clone_to_owned()
        } else {
            File::open(&path).map(OwnedFd::from)
        };
        fd = Some(opened.map_err(|error| {
            CommandError::BadInput(format!("cannot open {}: {error}", path.display()))
        })?);
        let own = path.file_name().filter(|name| *name != "-");
        let own = own.map(|name| name.to_string_lossy().into_owned());
        params.file = Some(FileParams {
            fd: Some(0),
            kind: args.kind,
            name: args.name.or(own).map(Into::into),
            mime: args.mime,
            caption: args.caption.map(Into::into),
            ..FileParams::default()
        });
    } else if let Some(url) = url {
        params.file = Some(FileParams {
            url: Some(url.into()),
            kind: args.kind,
            name: args.name.map(Into::into),
            mime: args.mime,
            caption: args.caption.map(Into::into),
            ..FileParams::default()
        });
    } else if let Some(mut place) = location {
        place.name = args.place.map(Into::into);
        params.location = Some(place);
    } else if let Some(name) = contact {
        params.contact = Some(ContactCard {
            name: name.into(),
            phones: args.phone.into_iter().map(Into::into).collect(),
            vcard: None,
        });
    } else {
        let text = text.unwrap_or_default();
        params.text = Some(if text == "-" {
            read_text(std::io::stdin().lock())?.into()
        } else {
            text.into()
        });
    }
    Ok((params, fd))
}
