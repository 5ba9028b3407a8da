//! What must hold for any answer of an HTTP server. Entrances for contrib/fuzz; part of no
//! program.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Request;
use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http::{HttpError, Limits, body, exchange_on};

/// A body's bound that a few bytes reach.
const BODY_BYTES_MAX: u64 = 1_024;
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(1),
    stall: Duration::from_secs(60),
    allowance: Duration::from_secs(60),
    bytes_per_s_min: 1,
    body_bytes_max: BODY_BYTES_MAX,
};

/// The first byte says in pieces of what length the rest comes; then the connection ends.
pub fn answers(data: &[u8]) {
    let Some((piece, answer)) = data.split_first() else { return };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else {
        return;
    };
    let server = Server { answer: answer.to_vec(), at: 0, piece: usize::from(*piece).max(1) };
    runtime.block_on(read(server));
}

/// The body is within its bound, and is whole where its length was announced.
async fn read(server: Server) {
    let request = Request::new(body(""));
    let mut answer = match exchange_on(Box::new(server), request, LIMITS).await {
        Ok(answer) => answer,
        Err(error) => return assert_eq!(error, ends(error.clone())),
    };
    let status = answer.status();
    assert!((100..1_000).contains(&status));
    let headers = &answer.head.headers;
    let chunked = headers.contains_key(TRANSFER_ENCODING);
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse::<u64>().ok());
    let mut bytes = 0;
    loop {
        match answer.next().await {
            Ok(Some(piece)) => bytes += piece.len() as u64,
            Ok(None) => break,
            Err(error) => return assert_eq!(error, ends(error.clone())),
        }
        assert!(bytes <= BODY_BYTES_MAX);
    }
    let has_body = !matches!(status, 100..200 | 204 | 304) && !chunked;
    assert!(!has_body || length.is_none_or(|length| length == bytes), "{length:?}, {bytes}");
}

/// The errors that a server can cause in no time; another one stands for none of these.
fn ends(error: HttpError) -> HttpError {
    match error {
        HttpError::Broken | HttpError::NotHttp | HttpError::TooLarge(BODY_BYTES_MAX) => error,
        HttpError::Connect(_)
        | HttpError::Request
        | HttpError::TooLarge(_)
        | HttpError::Stalled(_)
        | HttpError::TooSlow => unreachable!("{error}"),
    }
}

/// Says its answer in pieces, whatever it is asked.
struct Server {
    answer: Vec<u8>,
    at: usize,
    piece: usize,
}

impl AsyncRead for Server {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = self.answer.get(self.at..).unwrap_or_default();
        let count = rest.len().min(self.piece).min(buf.remaining());
        buf.put_slice(rest.get(..count).unwrap_or_default());
        self.at += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
#[path = "../../contrib/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    #[test]
    fn kept_inputs_hold() {
        super::replay::replay("answers", super::answers);
    }
}
