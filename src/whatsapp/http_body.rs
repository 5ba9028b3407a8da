//! Bodies that stream, and how long that may take: as long as bytes move, and on the
//! whole not absurdly slowly. Reads from its source only as the line takes it.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::client::TlsStream;

use crate::whatsapp::http::HttpFault;

/// Read from a file at a time, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;
/// The largest download, in bytes: the network's files end at 2 GB.
const DOWNLOAD_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024 + 1024 * 1024;

/// How long an exchange may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Without any byte in either direction.
    pub(crate) stall: Duration,
    /// All in all, and beside what its bytes are worth.
    pub(crate) allowance: Duration,
    /// The least that a body has to move on the whole, in bytes a second.
    pub(crate) bytes_per_s_min: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            stall: Duration::from_secs(60),
            allowance: Duration::from_secs(120),
            bytes_per_s_min: 4 * 1024,
        }
    }
}

impl Pace {
    fn is_too_slow(&self, elapsed: Duration, bytes: u64) -> bool {
        elapsed > self.allowance + Duration::from_secs(bytes / self.bytes_per_s_min.max(1))
    }

    /// Ends when the exchange stalls, or is too slow on the whole.
    pub(crate) async fn watch(&self, meter: &Meter) -> HttpFault {
        let started = Instant::now();
        let mut seen = meter.bytes();
        loop {
            sleep(self.stall).await;
            let bytes = meter.bytes();
            if bytes == seen {
                return HttpFault::Stalled(self.stall);
            }
            if self.is_too_slow(started.elapsed(), bytes) {
                return HttpFault::TooSlow;
            }
            seen = bytes;
        }
    }
}

/// Counts the bytes of a line in both directions.
#[derive(Debug, Default)]
pub(crate) struct Meter(AtomicU64);

impl Meter {
    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// A line with a meter on it.
pub(crate) struct Metered {
    line: TlsStream<TcpStream>,
    meter: Arc<Meter>,
}

impl Metered {
    pub(crate) fn new(line: TlsStream<TcpStream>) -> (Metered, Arc<Meter>) {
        let meter = Arc::new(Meter::default());
        (Metered { line, meter: Arc::clone(&meter) }, meter)
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.line).poll_read(cx, buf);
        self.meter.add(buf.filled().len() - before);
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.line).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = &polled {
            self.meter.add(*bytes);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(cx)
    }
}

/// A body of known length that a reader gives. Polled on a thread that may block.
pub(crate) struct ReaderBody {
    reader: Box<dyn Read + Send>,
    left: u64,
}

impl ReaderBody {
    pub(crate) fn new(reader: Box<dyn Read + Send>, length: u64) -> ReaderBody {
        ReaderBody { reader, left: length }
    }
}

impl Body for ReaderBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let wanted = usize::try_from(self.left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let mut chunk = vec![0; wanted];
        Poll::Ready(Some(match self.reader.read(&mut chunk) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => {
                chunk.truncate(bytes);
                self.left -= bytes as u64;
                Ok(Frame::data(chunk.into()))
            }
            Err(error) => Err(error),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// The body of an answer, read on a thread that may block.
pub(crate) struct Download {
    body: Incoming,
    chunk: Bytes,
    line: AbortHandle,
    pace: Pace,
    started: Instant,
    bytes: u64,
    halted: watch::Receiver<bool>,
}

impl Download {
    pub(crate) fn new(
        body: Incoming,
        line: AbortHandle,
        pace: Pace,
        halted: watch::Receiver<bool>,
    ) -> Download {
        let started = Instant::now();
        Download { body, chunk: Bytes::new(), line, pace, started, bytes: 0, halted }
    }

    /// The next piece; an empty one at the end.
    async fn next(&mut self) -> Result<Bytes, HttpFault> {
        loop {
            match self.piece().await? {
                Some(piece) if piece.is_empty() => {}
                piece => return Ok(piece.unwrap_or_default()),
            }
        }
    }

    /// The next piece, which may be empty.
    async fn piece(&mut self) -> Result<Option<Bytes>, HttpFault> {
        let next = tokio::select! {
            next = timeout(self.pace.stall, self.body.frame()) => next,
            _ = self.halted.wait_for(|halted| *halted) => return Err(HttpFault::Halted),
        };
        let frame = match next {
            Ok(Some(frame)) => frame.map_err(|_| HttpFault::Broken)?,
            Ok(None) => return Ok(None),
            Err(_) => return Err(HttpFault::Stalled(self.pace.stall)),
        };
        let data = frame.into_data().unwrap_or_default();
        self.bytes += data.len() as u64;
        if self.bytes > DOWNLOAD_BYTES_MAX {
            return Err(HttpFault::TooLarge(usize::try_from(DOWNLOAD_BYTES_MAX).unwrap_or(0)));
        }
        if self.pace.is_too_slow(self.started.elapsed(), self.bytes) {
            return Err(HttpFault::TooSlow);
        }
        Ok(Some(data))
    }
}

impl Read for Download {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            let here = Handle::try_current().map_err(io::Error::other)?;
            self.chunk = here.block_on(self.next()).map_err(io::Error::other)?;
        }
        let bytes = self.chunk.len().min(buf.len());
        buf[..bytes].copy_from_slice(&self.chunk.split_to(bytes));
        Ok(bytes)
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.line.abort();
    }
}
