//! Bytes to lines. Owns the bound on a line's length and the time that a started
//! line may take. Never looks at what a line says.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};

/// Bytes asked of the kernel at once.
const READ_BYTES: usize = 16 * 1024;
/// An empty buffer that grew beyond this gives its memory back.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// A line is longer than the buffer's bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the line is longer than {bytes_max} bytes")]
pub struct LineTooLong {
    /// The bound, the newline included.
    pub bytes_max: usize,
}

/// Gathers bytes and gives lines back. Holds at most one line's bound and one push.
#[derive(Debug)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    /// Up to here the bytes belong to lines already given back.
    start: usize,
    /// Up to here there is no newline.
    searched: usize,
    bytes_max: usize,
}

impl LineBuffer {
    /// A buffer for lines of at most this many bytes, their newline included.
    pub fn new(bytes_max: usize) -> Self {
        LineBuffer { bytes: Vec::new(), start: 0, searched: 0, bytes_max }
    }

    /// Adds what was read. Take all lines out before the next push: that is what
    /// bounds the buffer.
    pub fn push(&mut self, bytes: &[u8]) {
        self.compact();
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete line that is not blank, without its end (`\n` or `\r\n`).
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, LineTooLong> {
        loop {
            let unsearched = self.bytes.get(self.searched..).unwrap_or_default();
            let Some(offset) = unsearched.iter().position(|b| *b == b'\n') else {
                self.searched = self.bytes.len();
                // Without its newline a line must leave room for one.
                if self.pending().len() >= self.bytes_max {
                    return Err(LineTooLong { bytes_max: self.bytes_max });
                }
                return Ok(None);
            };
            let end = self.searched + offset;
            let line = trimmed(self.bytes.get(self.start..end).unwrap_or_default());
            let too_long = end + 1 - self.start > self.bytes_max;
            let line = (!is_blank(line)).then(|| line.to_vec());
            self.start = end + 1;
            self.searched = self.start;
            if too_long {
                return Err(LineTooLong { bytes_max: self.bytes_max });
            }
            if line.is_some() {
                return Ok(line);
            }
        }
    }

    /// What remains when the other side has ended: a last line without its newline.
    pub fn take_rest(&mut self) -> Option<Vec<u8>> {
        let line = trimmed(self.pending());
        let line = (!is_blank(line)).then(|| line.to_vec());
        self.start = self.bytes.len();
        self.compact();
        line
    }

    /// Whether a line has been started and not finished.
    pub fn has_started_line(&self) -> bool {
        !self.pending().is_empty()
    }

    /// Bytes of memory held.
    pub fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    fn pending(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    fn compact(&mut self) {
        self.bytes.drain(..self.start);
        self.searched = self.searched.saturating_sub(self.start);
        self.start = 0;
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        }
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

/// Why no line came.
#[derive(Debug, thiserror::Error)]
pub enum ReadLineError {
    /// A line is longer than the bound.
    #[error(transparent)]
    TooLong(#[from] LineTooLong),
    /// A started line was not finished in time.
    #[error("a started line was not finished within {} s", .0.as_secs())]
    TooSlow(Duration),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads lines from a socket.
#[derive(Debug)]
pub struct LineReader<R> {
    from: R,
    chunk: Vec<u8>,
    buffer: LineBuffer,
    line_time_max: Option<Duration>,
    deadline: Option<Instant>,
    ended: bool,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// Lines of at most this many bytes, each to be finished in this time, if given.
    pub fn new(from: R, bytes_max: usize, line_time_max: Option<Duration>) -> Self {
        LineReader {
            from,
            chunk: Vec::new(),
            buffer: LineBuffer::new(bytes_max),
            line_time_max,
            deadline: None,
            ended: false,
        }
    }

    /// The next line; none once the other side has ended. Can be cancelled without loss.
    /// After an error the reader is of no more use.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ReadLineError> {
        loop {
            if let Some(line) = self.buffer.next_line()? {
                self.deadline = None;
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(self.buffer.take_rest());
            }
            self.read().await?;
        }
    }

    /// Whether more is here already than the lines that were given back.
    pub fn has_started_line(&self) -> bool {
        self.buffer.has_started_line()
    }

    /// What is read from.
    pub fn source_mut(&mut self) -> &mut R {
        &mut self.from
    }

    /// Gives the line that is being read its whole time again.
    pub fn restart_clock(&mut self) {
        self.deadline = None;
    }

    async fn read(&mut self) -> Result<(), ReadLineError> {
        // Zeroed at the first read, and read over from then on.
        self.chunk.resize(READ_BYTES, 0);
        let read = self.from.read(&mut self.chunk);
        let count = match (self.line_time_max, self.buffer.has_started_line()) {
            (Some(time_max), true) => {
                let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + time_max);
                let in_time = timeout_at(deadline, read).await;
                in_time.map_err(|_| ReadLineError::TooSlow(time_max))??
            }
            (None, true) | (_, false) => read.await?,
        };
        self.ended = count == 0;
        self.buffer.push(self.chunk.get(..count).unwrap_or_default());
        Ok(())
    }
}
