//! Downloads the file of an incoming message from the network's hosts, opens it and
//! checks it. A file that the hosts have no more is asked of the phone once. Keeps
//! nothing: the content goes into the file it is given.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest as _, Sha256};
use whatsapp_rust::download::{
    DownloadParams, DownloadWriter, MediaDownloadError, MediaDownloader, MediaRoute, MediaType,
};
use whatsapp_rust::wacore::net::HttpClient;
use whatsapp_rust::wacore_binary::JidExt as _;
use whatsapp_rust::{Client, Jid, MediaRetryResult, MediaReuploadRequest, TokioRuntime, anyhow};

use crate::inbox::{RemoteFile, RemoteKind};
use crate::whatsapp::incoming::CurrentConnection;

/// Bytes read at a time when a file is checked.
const CHECK_BYTES: usize = 64 * 1024;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// There is no connection.
    #[error("the session is not connected")]
    NotConnected,
    /// The hosts have it no more, and the phone did not give it again.
    #[error("the network has the file no more, and the phone did not upload it again")]
    Gone,
    /// It is larger than it may be.
    #[error("the file is larger than allowed")]
    TooLarge,
    /// What came is not what was sent.
    #[error("what the network has is not the file that was sent")]
    Altered,
    /// The hosts could not be reached, or broke off.
    #[error("the file could not be fetched")]
    Broken,
    /// The disk refused.
    #[error("the file could not be kept: {0}")]
    Disk(#[source] io::Error),
}

impl CurrentConnection {
    /// Downloads a file of at most `bytes_max` into `file`, which is at its beginning
    /// afterwards. `wa_id` and `from_me` name the message to the phone.
    pub async fn download(
        &self,
        remote: &RemoteFile,
        wa_id: &str,
        from_me: bool,
        bytes_max: u64,
        file: File,
    ) -> Result<File, DownloadError> {
        let (client, https) = self.get().ok_or(DownloadError::NotConnected)?;
        match download(&client, &https, remote, &remote.path, bytes_max, &file).await {
            Err(DownloadError::Gone) => {}
            other => {
                other?;
                return check(file, remote).await;
            }
        }
        let path = request_reupload(&client, remote, wa_id, from_me).await?;
        download(&client, &https, remote, &path, bytes_max, &file).await?;
        check(file, remote).await
    }
}

/// The hosts that the server names, at most twice: what it named before may have aged.
async fn download(
    client: &Client,
    https: &Arc<dyn HttpClient>,
    remote: &RemoteFile,
    path: &str,
    bytes_max: u64,
    file: &File,
) -> Result<(), DownloadError> {
    let kind = match remote.kind {
        RemoteKind::Image => MediaType::Image,
        RemoteKind::Video => MediaType::Video,
        RemoteKind::Audio => MediaType::Audio,
        RemoteKind::Document => MediaType::Document,
        RemoteKind::Sticker => MediaType::Sticker,
    };
    let params = DownloadParams::encrypted(
        path,
        &remote.key,
        &remote.sha256,
        &remote.sealed_sha256,
        remote.bytes,
        kind,
    );
    let overrun = Arc::new(AtomicBool::new(false));
    for fresh in [false, true] {
        let hosts = client.refresh_media_conn(fresh).await.map_err(|_| DownloadError::Broken)?;
        let route = MediaRoute::from(&hosts);
        let downloader = MediaDownloader::new(Arc::clone(https), Arc::new(TokioRuntime), route);
        let writer = Bounded {
            file: file.try_clone().map_err(DownloadError::Disk)?,
            at: 0,
            bytes_max,
            overrun: Arc::clone(&overrun),
        };
        match downloader.download_to_writer(&params, writer).await {
            Ok(_) => return Ok(()),
            Err(_) if overrun.load(Ordering::Acquire) => return Err(DownloadError::TooLarge),
            Err(MediaDownloadError::ReferenceRejected(error)) => {
                let status = status(&error);
                // Numbers only: the library's messages name hosts and paths.
                tracing::debug!(status, fresh, "a media host refuses a file");
                if fresh {
                    return Err(DownloadError::Gone);
                }
            }
            Err(_) if fresh => return Err(DownloadError::Broken),
            Err(_) => {}
        }
    }
    Err(DownloadError::Broken)
}

fn status(error: &anyhow::Error) -> Option<u16> {
    use whatsapp_rust::ErrorChainExt as _;
    let cause: &(dyn std::error::Error + 'static) = error.as_ref();
    cause.http_status()
}

/// The path under which the phone has uploaded the file again.
async fn request_reupload(
    client: &Client,
    remote: &RemoteFile,
    wa_id: &str,
    from_me: bool,
) -> Result<String, DownloadError> {
    let chat: Jid = remote.chat.parse().map_err(|_| DownloadError::Gone)?;
    let sender: Jid = remote.sender.parse().map_err(|_| DownloadError::Gone)?;
    let request = MediaReuploadRequest {
        msg_id: wa_id,
        chat_jid: &chat,
        media_key: &remote.key,
        is_from_me: from_me,
        participant: chat.is_group().then_some(&sender),
    };
    match client.media_reupload().request(&request).await {
        Ok(MediaRetryResult::Success { direct_path }) => Ok(direct_path),
        Ok(
            MediaRetryResult::GeneralError
            | MediaRetryResult::NotFound
            | MediaRetryResult::DecryptionError,
        )
        | Err(_) => Err(DownloadError::Gone),
    }
}

/// The library has checked what lay on the hosts; this is what the sender meant.
async fn check(mut file: File, remote: &RemoteFile) -> Result<File, DownloadError> {
    let expected = remote.sha256.clone();
    let checking = tokio::task::spawn_blocking(move || {
        file.seek(SeekFrom::Start(0))?;
        let mut hasher = Sha256::new();
        let mut piece = vec![0; CHECK_BYTES];
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            hasher.update(piece.get(..read).unwrap_or_default());
        }
        file.seek(SeekFrom::Start(0))?;
        let is_it = hasher.finalize().as_slice() == expected;
        Ok(is_it.then_some(file))
    });
    match checking.await {
        Ok(Ok(Some(file))) => Ok(file),
        Ok(Ok(None)) => Err(DownloadError::Altered),
        Ok(Err(error)) => Err(DownloadError::Disk(error)),
        Err(_) => Err(DownloadError::Broken),
    }
}

/// A file that takes no more than it may: a sender can name any length.
struct Bounded {
    file: File,
    at: u64,
    bytes_max: u64,
    overrun: Arc<AtomicBool>,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = self.at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if end > self.bytes_max {
            self.overrun.store(true, Ordering::Release);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let written = self.file.write(bytes)?;
        self.at += u64::try_from(written).unwrap_or(0);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl io::Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

impl DownloadWriter for Bounded {
    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_written_than_allowed_however_often_it_starts_over() {
        let overrun = Arc::new(AtomicBool::new(false));
        let file = tempfile::tempfile().unwrap();
        let mut writer = Bounded { file, at: 0, bytes_max: 5, overrun: Arc::clone(&overrun) };
        for _ in 0..3 {
            writer.truncate(0).unwrap();
            writer.rewind().unwrap();
            writer.write_all(b"12345").unwrap();
        }
        assert!(!overrun.load(Ordering::Acquire));
        assert!(writer.write_all(b"6").is_err());
        assert!(overrun.load(Ordering::Acquire));
    }
}
