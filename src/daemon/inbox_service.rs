//! The inbox as callers see it: pages, files on request, and the part of a subscription
//! that reports incoming messages. Owns how many files are fetched at a time; where they lie
//! is `inbox_files`' business. Decides nothing about the queue.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::daemon::inbox_files::{InboxFiles, NoRoom};
use crate::inbox::{Bounds, CursorRange, Inbox, Kept, Page};
use crate::shares::Shares;
use crate::store::ReadError;
use crate::whatsapp::{CurrentConnection, DownloadError, NotMarked};
use tetherd_api::{
    Error, ErrorKind, Gap, INBOX_LIST_MAX, INLINE_FILE_BYTES_MAX, InboxFileParams, InboxFileResult,
    InboxListParams, InboxListResult, Incoming, ReadParams, ReadResult,
};

/// Files that are fetched at a time; further callers wait.
const FETCHES_MAX: u32 = 4;
/// Of these, one user's.
const FETCHES_PER_USER_MAX: u32 = 2;
/// When to ask again for what needs a connection while there is none.
const RETRY_MS: u64 = 5_000;

/// The inbox and the way to its files. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct InboxService {
    inbox: Inbox,
    connection: CurrentConnection,
    files: InboxFiles,
    file_bytes_max: Arc<AtomicU64>,
    fetches: Shares,
}

/// A file for a caller, with a descriptor of it unless its content is inline.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The reply.
    pub(crate) result: InboxFileResult,
    /// Open for reading, at its beginning.
    pub(crate) file: Option<File>,
}

impl InboxService {
    /// Serves this inbox, with files of at most so many bytes kept in this folder.
    pub fn new(
        inbox: Inbox,
        connection: CurrentConnection,
        dir: PathBuf,
        file_bytes_max: u64,
    ) -> InboxService {
        InboxService {
            inbox,
            connection,
            files: InboxFiles::new(dir),
            file_bytes_max: Arc::new(AtomicU64::new(file_bytes_max)),
            fetches: Shares::new(FETCHES_MAX, FETCHES_PER_USER_MAX),
        }
    }

    /// Takes other limits.
    pub fn set_limits(&self, bounds: Bounds, file_bytes_max: u64) {
        self.inbox.set_bounds(bounds);
        self.file_bytes_max.store(file_bytes_max, Ordering::Relaxed);
    }

    /// `inbox.list`.
    pub(crate) fn list(&self, params: InboxListParams) -> Result<InboxListResult, Error> {
        let limit = params.limit.unwrap_or(INBOX_LIST_MAX);
        if limit == 0 || limit > INBOX_LIST_MAX {
            return Err(invalid(format!("`limit` is 1 to {INBOX_LIST_MAX}; page with `after`")));
        }
        // Without a cursor nothing is missing: it begins where there is something.
        let oldest = self.inbox.now().oldest;
        let after = match params.after {
            Some(after) => self.known(after)?,
            None => oldest.saturating_sub(1),
        };
        let Page { gap, messages, newest, .. } =
            self.inbox.page(after, limit).map_err(|error| unreadable(&error))?;
        Ok(InboxListResult { messages, gap, newest })
    }

    /// The incoming messages of a subscription, after this number of the changes feed.
    pub(crate) fn follow(&self, after: u64) -> Result<Follow, Error> {
        let inbox = self.inbox.clone();
        // 0 includes those that came before there were numbers.
        let cursor = if after == 0 { Ok(0) } else { inbox.cursor_at(after) };
        let cursor = cursor.map_err(|error| unreadable(&error))?;
        Ok(Follow { inbox: Some(inbox), cursor, seq: after, is_after_hole: false })
    }

    /// A cursor that was given away, or 0.
    fn known(&self, after: u64) -> Result<u64, Error> {
        let newest = self.inbox.newest();
        if after <= newest {
            return Ok(after);
        }
        let sentence = format!("`after` is {after}, but the newest cursor is {newest}");
        Err(invalid(sentence).remedy(
            "it is another daemon's cursor, or the state directory was renewed: begin with 0",
        ))
    }

    /// One message.
    pub(crate) fn message(&self, cursor: u64) -> Result<Incoming, Error> {
        let kept = self.inbox.get(cursor).map_err(|error| unreadable(&error))?;
        kept.map(|kept| kept.incoming).ok_or_else(|| not_kept(cursor))
    }

    /// `message.read`: all of them, or none where one is unknown.
    pub(crate) async fn mark_read(&self, params: ReadParams) -> Result<ReadResult, Error> {
        let ReadParams { mut cursors } = params;
        if cursors.is_empty() || cursors.len() > INBOX_LIST_MAX {
            return Err(invalid(format!("`cursors` are 1 to {INBOX_LIST_MAX} numbers")));
        }
        cursors.sort_unstable();
        cursors.dedup();
        let messages: Result<Vec<Incoming>, Error> =
            cursors.into_iter().map(|cursor| self.message(cursor)).collect();
        let mut messages = messages?;
        messages.retain(|message| !message.from_me);
        let read = messages.len();
        self.connection.mark_read(&messages).await.map_err(|NotMarked| not_marked())?;
        Ok(ReadResult { read })
    }

    /// `inbox.file`.
    pub(crate) async fn file(&self, params: InboxFileParams, uid: u32) -> Result<Fetched, Error> {
        let InboxFileParams { cursor, inline } = params;
        let kept = self.inbox.get(cursor).map_err(|error| unreadable(&error))?;
        let Kept { incoming, remote, .. } = kept.ok_or_else(|| not_kept(cursor))?;
        let Incoming { file: Some(info), wa_id, from_me, .. } = incoming else {
            let sentence = format!("message {cursor} has no file");
            return Err(Error::new(ErrorKind::NotFound, sentence));
        };
        let remote = remote.ok_or_else(|| {
            let sentence = "the message does not say where its file is; only the phone has it";
            Error::new(ErrorKind::FileGone, sentence)
        })?;
        let limit = self.limit(inline);
        if info.bytes > limit {
            return Err(too_large(limit, inline));
        }
        let share = self.fetches.take(uid, 1).await;
        let file = match self.files.open(cursor).map_err(|error| disk(&error))? {
            Some(file) => file,
            None => {
                let largest = self.file_bytes_max.load(Ordering::Relaxed).max(limit);
                let reserved = self.files.reserve(cursor, uid, info.bytes, largest);
                let (reserved, file) = reserved.map_err(|error| no_room(&error))?;
                let file = self.connection.download(&remote, &wa_id, from_me, limit, file).await;
                let file = file.map_err(|error| not_downloaded(&error, limit, inline))?;
                reserved.keep(file).map_err(|error| disk(&error))?
            }
        };
        drop(share);
        let (base64, file) = if inline {
            let read = tokio::task::spawn_blocking(move || read_all(file)).await;
            let content = read.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
            (Some(STANDARD.encode(content.map_err(|error| disk(&error))?)), None)
        } else {
            (None, Some(file))
        };
        Ok(Fetched { result: InboxFileResult { file: info, base64: base64.map(Into::into) }, file })
    }

    fn limit(&self, inline: bool) -> u64 {
        let limit = self.file_bytes_max.load(Ordering::Relaxed);
        let inline_max = u64::try_from(INLINE_FILE_BYTES_MAX).unwrap_or(u64::MAX);
        if inline { limit.min(inline_max) } else { limit }
    }
}

fn read_all(mut file: File) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(content)
}

/// The incoming messages of one subscription: what is in the store, at the reader's pace.
/// Holds two numbers and no message, so no reader is too slow.
#[derive(Debug)]
pub(crate) struct Follow {
    /// None: there is no inbox.
    inbox: Option<Inbox>,
    /// The last that was passed, by its cursor,
    cursor: u64,
    /// and by its number in the changes feed.
    seq: u64,
    /// Whether unreadable ones were passed since.
    is_after_hole: bool,
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// Before this number of the changes feed, which is on disk.
    Below(u64),
    /// To this cursor.
    Through(u64),
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// Messages with these numbers are kept no more.
    Gap(Gap),
    /// A message, with its number.
    Message(u64, Box<Incoming>),
}

impl Follow {
    /// Of a daemon without an inbox.
    pub(crate) fn nothing() -> Follow {
        Follow { inbox: None, cursor: 0, seq: 0, is_after_hole: false }
    }

    /// What comes next, within this limit.
    pub(crate) fn next(&mut self, until: Until) -> Result<Option<Arrival>, ReadError> {
        let Some(inbox) = &self.inbox else { return Ok(None) };
        loop {
            let CursorRange { newest, oldest, dropped_seq, .. } = inbox.now();
            self.cursor = self.cursor.max(oldest.saturating_sub(1));
            if dropped_seq > self.seq {
                let gap = Gap { from: self.seq + 1, to: dropped_seq };
                self.seq = dropped_seq;
                return Ok(Some(Arrival::Gap(gap)));
            }
            let cursor = self.cursor + 1;
            if matches!(until, Until::Through(last) if cursor > last) {
                return Ok(None);
            }
            let Some((seq, message)) = inbox.numbered(cursor)? else {
                if cursor >= newest {
                    return Ok(None);
                }
                self.cursor = cursor;
                self.is_after_hole = true;
                continue;
            };
            if matches!(until, Until::Below(limit) if seq >= limit) {
                return Ok(None);
            }
            if std::mem::take(&mut self.is_after_hole) && seq > self.seq + 1 {
                let gap = Gap { from: self.seq + 1, to: seq - 1 };
                self.seq = gap.to;
                return Ok(Some(Arrival::Gap(gap)));
            }
            self.cursor = cursor;
            // Came before the subscription: it was not on disk when that began.
            if seq > 0 && seq <= self.seq {
                continue;
            }
            self.seq = self.seq.max(seq);
            return Ok(Some(Arrival::Message(seq, Box::new(message))));
        }
    }
}

fn invalid(sentence: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidParams, sentence)
}

fn not_kept(cursor: u64) -> Error {
    let sentence = format!("there is no incoming message {cursor}, or it is kept no more");
    Error::new(ErrorKind::NotFound, sentence).remedy("`tetherctl inbox` lists what is kept")
}

fn not_marked() -> Error {
    let sentence = "there is no connection on which messages can be marked as read";
    Error::new(ErrorKind::WrongState, sentence)
        .remedy("`tetherctl why` says why; then call again")
        .retry_after_ms(RETRY_MS)
}

fn unreadable(error: &ReadError) -> Error {
    tracing::error!(%error, "the inbox cannot be read");
    Error::new(ErrorKind::InternalError, "the inbox cannot be read")
}

fn no_room(why: &NoRoom) -> Error {
    let error = Error::new(ErrorKind::SpoolFull, why.to_string());
    match why {
        NoRoom::User => error.remedy("close the descriptors of files that you have read"),
        NoRoom::All => error.remedy("ask again when other programs have read theirs"),
        NoRoom::Disk => error.remedy("make room on the disk of the state directory"),
        NoRoom::Io(error) => disk(error),
    }
}

fn disk(error: &io::Error) -> Error {
    tracing::warn!(%error, "a file could not be kept for a caller");
    Error::new(ErrorKind::SpoolFull, format!("the file could not be kept: {error}"))
        .remedy("look at the disk of the state directory")
}

fn too_large(limit: u64, inline: bool) -> Error {
    let error =
        Error::new(ErrorKind::FileTooLarge, format!("the file is larger than {limit} bytes"));
    if inline {
        return error.remedy("ask without `inline`: a descriptor comes with the reply");
    }
    error.remedy("raise `inbox.file_max` in the configuration")
}

fn not_downloaded(error: &DownloadError, limit: u64, inline: bool) -> Error {
    let gone = |sentence: &str| Error::new(ErrorKind::FileGone, sentence);
    match error {
        DownloadError::NotConnected => {
            gone("the session is not connected: the file cannot be had now")
                .retry_after_ms(RETRY_MS)
        }
        DownloadError::Broken => {
            gone("the file could not be fetched from the network").retry_after_ms(RETRY_MS)
        }
        DownloadError::Gone => gone(
            "the network has the file no more, and the phone did not upload it again: open it on \
             the phone",
        ),
        DownloadError::Altered => gone("what the network has is not the file that was sent"),
        DownloadError::TooLarge => too_large(limit, inline),
        DownloadError::Disk(error) => disk(error),
    }
}
