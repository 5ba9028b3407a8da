//! Files of incoming messages, on their way to whoever asked: read piece by piece, and never
//! shown by a browser as anything that could act.

use std::io::Read as _;
use std::os::fd::OwnedFd;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
};
use axum::response::{IntoResponse as _, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tetherd_api::{Error, ErrorKind};

/// Bytes that are read at a time.
const PIECE_BYTES: usize = 64 * 1024;
/// Kinds that a browser draws, and that carry no script.
const DRAWN: [&str; 4] = ["image/jpeg", "image/png", "image/webp", "image/gif"];

/// A file as a download, or (`save` unset) to be drawn, if it is a picture.
pub(crate) fn download(fd: OwnedFd, info: &Value, save: bool) -> Result<Response, Error> {
    let mime = info["mime"].as_str().unwrap_or_default();
    let drawn = DRAWN.iter().find(|known| **known == mime).copied();
    let name = info["name"].as_str().unwrap_or("file");
    let how = if save || drawn.is_none() { "attachment" } else { "inline" };
    let encoded = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let disposition = HeaderValue::from_str(&format!("{how}; filename*=UTF-8''{encoded}"));
    let disposition =
        disposition.map_err(|error| Error::new(ErrorKind::InternalError, error.to_string()))?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(drawn.unwrap_or("application/octet-stream"))),
        (CONTENT_LENGTH, info["bytes"].as_u64().unwrap_or_default().into()),
        (CONTENT_DISPOSITION, disposition),
        // Whatever it is, it runs nothing and loads nothing.
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    ];
    Ok((headers, pieces(fd)).into_response())
}

/// Read as the client takes it.
fn pieces(fd: OwnedFd) -> Body {
    let file = std::fs::File::from(fd);
    Body::from_stream(futures_util::stream::try_unfold(file, |mut file| async {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; PIECE_BYTES];
            let count = file.read(&mut piece)?;
            piece.truncate(count);
            Ok::<_, std::io::Error>((piece, file))
        });
        let (piece, file) = read.await.map_err(std::io::Error::other)??;
        let next = (!piece.is_empty()).then_some((Bytes::from(piece), file));
        Ok::<_, std::io::Error>(next)
    }))
}
