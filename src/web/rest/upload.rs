//! A message with a file, as multipart. The file goes to disk as it comes, under no name, and
//! on to the daemon as a descriptor: it is never in memory as a whole, and gone when nobody
//! holds it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use axum::RequestExt as _;
use axum::extract::multipart::Field;
use axum::extract::{DefaultBodyLimit, Multipart, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use tetherd_api::{Call, Error, ErrorKind, FRAME_BYTES_MAX, Method};
use tokio::time::timeout;

use super::announced;
use crate::daemon::Daemon;
use crate::front::Shared;
use crate::limits::{CHUNK_TIME_MAX, Share, UPLOAD_TIME_MAX};

/// A message that came in parts.
#[derive(Debug)]
pub(crate) struct Upload {
    /// Its parameters, and fields of a form.
    pub params: Map<String, Value>,
    /// Fields of a form that are none of the contract's.
    pub fields: Vec<(String, String)>,
    file: Option<File>,
    _share: Share,
}

/// Whether a body comes in parts.
pub(super) fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.get(..19).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data"))
}

fn too_large(max: u64) -> Error {
    Error::new(ErrorKind::FileTooLarge, format!("the file is larger than {max} bytes"))
}

fn broken() -> Error {
    Error::new(ErrorKind::InvalidRequest, "the parts of the body cannot be read")
}

fn too_slow() -> Error {
    Error::new(ErrorKind::TooSlow, "the file did not come in time")
}

/// Takes the parts in: `params` (JSON), `file`, and further fields of a form.
pub(crate) async fn receive(front: &Shared, request: Request) -> Result<Upload, Error> {
    let max = front.config.uploads.max_bytes;
    // What is announced too large is refused before any of it is read.
    if announced(request.headers()).is_some_and(|bytes| bytes > max + FRAME_BYTES_MAX as u64) {
        return Err(too_large(max));
    }
    let busy = || {
        let error = Error::new(ErrorKind::TooManyConnections, "too many files at a time");
        error.retry_after_ms(5_000)
    };
    let _place = front.uploads.try_acquire().map_err(|_| busy())?;
    let share = front.budget.take(2 * FRAME_BYTES_MAX).await.ok_or_else(busy)?;
    let mut request = request;
    // The parts have limits of their own.
    DefaultBodyLimit::disable().apply(&mut request);
    let parts: Multipart = request.extract().await.map_err(|_| broken())?;
    timeout(UPLOAD_TIME_MAX, take(front, parts, share)).await.map_err(|_| too_slow())?
}

async fn take(front: &Shared, mut parts: Multipart, share: Share) -> Result<Upload, Error> {
    let (params, fields) = (Map::new(), Vec::new());
    let mut upload = Upload { params, fields, file: None, _share: share };
    let mut name = None;
    let mut room = FRAME_BYTES_MAX;
    loop {
        let next = timeout(CHUNK_TIME_MAX, parts.next_field()).await.map_err(|_| too_slow())?;
        let Some(field) = next.map_err(|_| broken())? else { break };
        match field.name() {
            Some("file") if upload.file.is_none() => {
                name = field.file_name().filter(|name| !name.is_empty()).map(str::to_owned);
                let file = to_disk(front, field).await?;
                upload.file = file;
            }
            Some("params") => {
                let text = text(field, &mut room).await?;
                let not_json = |_| Error::new(ErrorKind::ParseError, "`params` is not JSON");
                upload.params = serde_json::from_str(&text).map_err(not_json)?;
            }
            Some(other) => {
                let other = other.to_owned();
                upload.fields.push((other, text(field, &mut room).await?));
            }
            None => return Err(broken()),
        }
    }
    if upload.file.is_some() {
        upload.name_file(name)?;
    }
    Ok(upload)
}

/// A part that fits into memory.
async fn text(mut field: Field<'_>, room: &mut usize) -> Result<String, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = chunk(&mut field).await? {
        let too_long =
            || Error::new(ErrorKind::FrameTooLong, "the parts besides the file are too long");
        *room = room.checked_sub(chunk.len()).ok_or_else(too_long)?;
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

async fn chunk(field: &mut Field<'_>) -> Result<Option<axum::body::Bytes>, Error> {
    let next = timeout(CHUNK_TIME_MAX, field.chunk()).await.map_err(|_| too_slow())?;
    next.map_err(|_| broken())
}

/// To disk as it comes. None: no file was chosen.
async fn to_disk(front: &Shared, mut field: Field<'_>) -> Result<Option<File>, Error> {
    let max = front.config.uploads.max_bytes;
    let full = |error: io::Error| {
        let sentence = format!("the file cannot be kept: {error}");
        Error::new(ErrorKind::SpoolFull, sentence)
    };
    let folder = front.config.uploads.dir.clone().unwrap_or_else(std::env::temp_dir);
    let mut file = unnamed(&folder).map_err(full)?;
    let mut bytes = 0;
    while let Some(chunk) = chunk(&mut field).await? {
        bytes += chunk.len() as u64;
        if bytes > max {
            return Err(too_large(max));
        }
        // To the page cache: as fast as copying it elsewhere would be.
        file.write_all(&chunk).map_err(full)?;
    }
    Ok((bytes > 0 || field.file_name().is_some_and(|name| !name.is_empty())).then_some(file))
}

/// A file without a name: it goes with its last descriptor.
fn unnamed(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(nix::libc::O_TMPFILE);
    options.open(folder)
}

impl Upload {
    /// The file is the first descriptor, and is called as its part was, if the parameters
    /// call it nothing.
    fn name_file(&mut self, name: Option<String>) -> Result<(), Error> {
        let file = self.params.entry("file").or_insert_with(|| json!({}));
        let Value::Object(file) = file else {
            return Err(Error::new(ErrorKind::InvalidParams, "`file` takes an object"));
        };
        if ["fd", "base64", "url"].iter().any(|key| file.contains_key(*key)) {
            let sentence = "the part `file` is the file; leave out `fd`, `base64` and `url`";
            return Err(Error::new(ErrorKind::InvalidParams, sentence));
        }
        file.insert("fd".into(), json!(0));
        if let Some(name) = name {
            file.entry("name").or_insert(json!(name));
        }
        Ok(())
    }

    /// Hands it to the daemon.
    pub(crate) async fn send(self, daemon: &Daemon) -> Result<Value, Error> {
        Call::decode(Method::MessageSend, self.params.clone())?;
        let fds: Vec<_> = self.file.iter().map(|file| file.as_fd()).collect();
        let params = Value::Object(self.params.clone());
        let sent = daemon.exchange(Method::MessageSend.name(), &params, &fds).await;
        sent.map(|(value, _)| value).map_err(|error| error.into_contract())
    }
}
