//! A connection whose client must take what it is sent: one that reads nothing for too long, or
//! never catches up, is cut off, so that it holds no memory and no place.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::limits::{TAKE_BYTES_MIN, TAKE_TIME_MAX, WRITE_TIME_MAX};

/// The connection, and until when its client may read nothing, or too little.
pub(super) struct Timed<S> {
    stream: S,
    stuck: Option<Pin<Box<Sleep>>>,
    behind: Option<Pin<Box<Sleep>>>,
    /// Bytes that were read since `behind` began.
    taken: usize,
}

impl<S> Timed<S> {
    pub(super) fn new(stream: S) -> Timed<S> {
        Timed { stream, stuck: None, behind: None, taken: 0 }
    }

    fn caught_up(&mut self) {
        (self.behind, self.taken) = (None, 0);
    }

    /// Files have no end in sight: of them, enough has to be read.
    fn written(
        &mut self,
        polled: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &polled {
            self.taken += bytes;
            if self.taken >= TAKE_BYTES_MIN {
                self.caught_up();
            }
        }
        self.timed(polled, cx)
    }

    fn timed<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stuck = None;
            return polled;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(WRITE_TIME_MAX)));
        let behind = self.behind.get_or_insert_with(|| Box::pin(sleep(TAKE_TIME_MAX)));
        // Both are asked, so that both wake this.
        let (stuck, behind) = (stuck.as_mut().poll(cx), behind.as_mut().poll(cx));
        if stuck.is_pending() && behind.is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(polled, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.written(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        if polled.is_ready() {
            // Nothing of what is in memory is left.
            self.caught_up();
        }
        self.timed(polled, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_cut_off() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let mut timed = Timed::new(ours);
        let error = timed.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_little_by_little_is_cut_off() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut timed = Timed::new(ours);
        let reading = tokio::spawn(async move {
            let mut byte = [0];
            while theirs.read_exact(&mut byte).await.is_ok() {
                sleep(WRITE_TIME_MAX / 2).await;
            }
        });
        let begin = tokio::time::Instant::now();
        // What has left our memory counts no more.
        for _ in 0..10 {
            timed.write_all(&[0; 3]).await.unwrap();
            timed.flush().await.unwrap();
        }
        assert!(begin.elapsed() > 2 * TAKE_TIME_MAX);
        let begin = tokio::time::Instant::now();
        let error = timed.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begin.elapsed() >= TAKE_TIME_MAX);
        drop(timed);
        reading.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_a_file_slowly_and_steadily_is_not_cut_off() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut timed = Timed::new(ours);
        let bytes = vec![0; TAKE_BYTES_MIN * 3];
        let reading = tokio::spawn(async move {
            let mut half = vec![0; TAKE_BYTES_MIN / 2];
            for _ in 0..6 {
                theirs.read_exact(&mut half).await.unwrap();
                sleep(WRITE_TIME_MAX * 9 / 10).await;
            }
        });
        // Never flushed: there is always more.
        timed.write_all(&bytes).await.unwrap();
        reading.await.unwrap();
    }
}
