//! A message with a file, as multipart. The file goes to disk as it comes, under no name, and
//! on to the daemon as a descriptor: it is never in memory as a whole, and gone when nobody
//! holds it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use axum::RequestExt as _;
use axum::body::Bytes;
use axum::extract::multipart::Field;
use axum::extract::{DefaultBodyLimit, Multipart, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use tetherd_api::{Call, Error, ErrorKind, FRAME_BYTES_MAX, Method};
use tokio::time::timeout;

use super::announced;
use super::bounded::{Bounded, TooMuch};
use crate::daemon::Daemon;
use crate::front::Shared;
use crate::limits::{CHUNK_TIME_MAX, PARTS_MAX, Share, UPLOAD_TIME_MAX};

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
    let whole_max = max + FRAME_BYTES_MAX as u64;
    // What is announced too large is refused before any of it is read.
    if announced(request.headers()).is_some_and(|bytes| bytes > whole_max) {
        return Err(too_large(max));
    }
    let busy = || {
        let error = Error::new(ErrorKind::TooManyConnections, "too many files at a time");
        error.retry_after_ms(5_000)
    };
    let _place = front.uploads.try_acquire().map_err(|_| busy())?;
    let share = front.budget.take(2 * FRAME_BYTES_MAX).await.ok_or_else(busy)?;
    let bounded = Bounded::new(whole_max);
    let mut request = request.map(|body| bounded.body(body));
    // The parts have limits of their own.
    DefaultBodyLimit::disable().apply(&mut request);
    let parts: Multipart = request.extract().await.map_err(|_| broken())?;
    let taking = take(front, parts, &bounded, share);
    let taken = timeout(UPLOAD_TIME_MAX, taking).await.map_err(|_| too_slow())?;
    // Whatever it was taken for: the parser has only seen the body fail.
    taken.map_err(|error| match bounded.check() {
        Ok(()) => error,
        Err(TooMuch::Whole) => too_large(max),
        Err(TooMuch::Head) => too_long(),
    })
}

async fn take(
    front: &Shared,
    mut parts: Multipart,
    bounded: &Bounded,
    share: Share,
) -> Result<Upload, Error> {
    let (params, fields) = (Map::new(), Vec::new());
    let mut upload = Upload { params, fields, file: None, _share: share };
    let mut name = None;
    let mut room = FRAME_BYTES_MAX;
    for count in 0.. {
        let next = timeout(CHUNK_TIME_MAX, parts.next_field()).await.map_err(|_| too_slow())?;
        let Some(field) = next.map_err(|_| broken())? else { break };
        bounded.given();
        if count == PARTS_MAX {
            return Err(too_long());
        }
        // Names are kept as well.
        charge(&mut room, field.name().unwrap_or_default().len())?;
        charge(&mut room, field.file_name().unwrap_or_default().len())?;
        let field = Part { field, bounded };
        match field.field.name() {
            Some("file") if upload.file.is_none() => {
                name = field.field.file_name().filter(|name| !name.is_empty()).map(str::to_owned);
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

fn too_long() -> Error {
    Error::new(ErrorKind::FrameTooLong, "the parts besides the file are too long, or too many")
}

fn charge(room: &mut usize, bytes: usize) -> Result<(), Error> {
    *room = room.checked_sub(bytes).ok_or_else(too_long)?;
    Ok(())
}

/// A part that is read.
struct Part<'a> {
    field: Field<'a>,
    bounded: &'a Bounded,
}

impl Part<'_> {
    async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let next = timeout(CHUNK_TIME_MAX, self.field.chunk()).await.map_err(|_| too_slow())?;
        let chunk = next.map_err(|_| broken())?;
        self.bounded.given();
        Ok(chunk)
    }
}

/// A part that fits into memory.
async fn text(mut part: Part<'_>, room: &mut usize) -> Result<String, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.chunk().await? {
        charge(room, chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

/// To disk as it comes. None: no file was chosen.
async fn to_disk(front: &Shared, mut part: Part<'_>) -> Result<Option<File>, Error> {
    let max = front.config.uploads.max_bytes;
    let full = |error: io::Error| {
        let sentence = format!("the file cannot be kept: {error}");
        Error::new(ErrorKind::SpoolFull, sentence)
    };
    let folder = front.config.uploads.dir.clone().unwrap_or_else(std::env::temp_dir);
    let mut file = unnamed(&folder).map_err(full)?;
    let mut bytes = 0;
    while let Some(chunk) = part.chunk().await? {
        bytes += chunk.len() as u64;
        if bytes > max {
            return Err(too_large(max));
        }
        file = written(file, chunk).await.map_err(full)?;
    }
    let named = part.field.file_name().is_some_and(|name| !name.is_empty());
    Ok((bytes > 0 || named).then_some(file))
}

/// The file with a piece more. A thread for files writes it: a slow disk holds up nobody else.
async fn written(mut file: File, piece: Bytes) -> io::Result<File> {
    let write = move || file.write_all(&piece).map(|()| file);
    tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
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

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_disk_that_is_slow_holds_up_nobody_else() {
        // A pipe is full until somebody reads it.
        let (mut reader, writer) = io::pipe().unwrap();
        let piece = Bytes::from(vec![7; 1 << 20]);
        let length = piece.len();
        let writing = tokio::spawn(written(File::from(std::os::fd::OwnedFd::from(writer)), piece));
        let (go, going) = mpsc::sync_channel(1);
        let reading = std::thread::spawn(move || {
            let went_on = going.recv_timeout(Duration::from_secs(10)).is_ok();
            let mut bytes = vec![0; length];
            reader.read_exact(&mut bytes).unwrap();
            went_on
        });
        tokio::task::yield_now().await;
        let _ = go.send(());
        writing.await.unwrap().unwrap();
        assert!(reading.join().unwrap(), "the runtime's only thread waited for the disk");
    }
}
