//! The files on their way to the media host on one connection: a bounded number of
//! tasks, each of which ends in exactly one report. Decides nothing about when or how
//! often.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use whatsapp_rust::anyhow;
use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust::{Client, ErrorChainExt};

use crate::whatsapp::media::encrypted_upload::{EncryptError, EncryptedUpload};
use crate::whatsapp::media::http::MediaHttpError;
use crate::whatsapp::tasks::Tasks;
use tetherd_api::MessageId;
use tetherd_core::event::SessionEvent;
use tetherd_core::files::{MediaRef, Ticket, Upload, UploadFault};

/// Uploads at a time; the core asks for no more.
const UPLOADS_MAX: usize = 4;

const _: () = assert!(UPLOADS_MAX >= tetherd_core::UPLOADS_AT_ONCE);
/// Uploads notice by themselves that the connection is gone.
const DRAIN_GRACE: Duration = Duration::from_secs(2);
/// The host's status for a file that is too large.
const HTTP_TOO_LARGE: u16 = 413;

/// The uploads under way.
pub(crate) struct Uploads {
    manager: Arc<PersistenceManager>,
    spool: PathBuf,
    /// Ends everything that moves bytes: it runs on threads that cannot be aborted.
    halt: watch::Sender<bool>,
    tasks: Tasks<(MessageId, Ticket), Result<MediaRef, UploadFault>>,
}

impl Uploads {
    pub(crate) fn new(
        manager: Arc<PersistenceManager>,
        spool: PathBuf,
        halt: watch::Sender<bool>,
    ) -> Uploads {
        Uploads { manager, spool, halt, tasks: Tasks::new() }
    }

    /// Starts one, or answers why not.
    pub(crate) fn start(&mut self, client: &Arc<Client>, upload: Upload) -> Option<SessionEvent> {
        if self.tasks.len() >= UPLOADS_MAX {
            return Some(failed(&upload, UploadFault::Passing { code: None }));
        }
        let about = (upload.id, upload.ticket);
        let secret = *self.manager.get_device_snapshot().noise_key.private_key.serialize();
        let path = self.spool.join(&upload.file.spool.0);
        let halted = self.halt.subscribe();
        let client = Arc::clone(client);
        let work = async move { run(&client, upload, &path, secret, halted).await };
        self.tasks.spawn(about, work);
        None
    }

    /// The next report; none: nothing is under way. Cancelling the wait loses nothing.
    pub(crate) async fn next(&mut self) -> Option<SessionEvent> {
        self.tasks.next().await.map(report)
    }

    /// The connection ends: everything that is under way breaks off.
    pub(crate) fn halt(&self) {
        self.halt.send_replace(true);
    }

    /// The report of each that is still open, after the connection's end.
    pub(crate) async fn drain(&mut self) -> Vec<SessionEvent> {
        self.halt();
        self.tasks.drain(DRAIN_GRACE).await.into_iter().map(report).collect()
    }
}

type Ended = ((MessageId, Ticket), Option<Result<MediaRef, UploadFault>>);

fn report(((id, ticket), result): Ended) -> SessionEvent {
    match result.unwrap_or(Err(UploadFault::NotConnected)) {
        Ok(media) => SessionEvent::Uploaded { id, ticket, media: Box::new(media) },
        Err(why) => SessionEvent::UploadFailed { id, ticket, why },
    }
}

/// The report of an upload that was not begun.
pub(crate) fn failed(upload: &Upload, why: UploadFault) -> SessionEvent {
    SessionEvent::UploadFailed { id: upload.id, ticket: upload.ticket, why }
}

/// Reads the file, asks for a host, and sends it there.
async fn run(
    client: &Client,
    upload: Upload,
    path: &Path,
    secret: [u8; 32],
    halted: watch::Receiver<bool>,
) -> Result<MediaRef, UploadFault> {
    let (id, path) = (upload.id, path.to_owned());
    let encrypting = tokio::task::spawn_blocking(move || {
        EncryptedUpload::new(&path, &upload.file, upload.kind, &secret, || *halted.borrow())
    });
    let (source, info, seen) = match encrypting.await {
        Ok(Ok(encrypted)) => encrypted,
        Ok(Err(fault)) => return Err(not_encrypted(id, &fault)),
        Err(_) => return Err(UploadFault::Passing { code: None }),
    };
    let media = source.media_type();
    let sent = client.upload_stream(source, info, media).await;
    let sent = sent.map_err(|error| classify(&error))?;
    Ok(MediaRef {
        url: sent.url.into(),
        direct_path: sent.direct_path.into(),
        media_key: sent.media_key.into(),
        key_made_s: sent.media_key_timestamp,
        sha256: sent.file_sha256.into(),
        enc_sha256: sent.file_enc_sha256.into(),
        bytes: sent.file_length,
        seen,
        uploaded_at: 0,
    })
}

fn not_encrypted(id: MessageId, fault: &EncryptError) -> UploadFault {
    match fault {
        EncryptError::Halted => UploadFault::NotConnected,
        EncryptError::Busy => UploadFault::Passing { code: None },
        EncryptError::Unreadable(_) | EncryptError::Changed | EncryptError::Crypto => {
            tracing::warn!(%id, %fault, "a file cannot be uploaded");
            UploadFault::Unreadable
        }
    }
}

/// What a failure means for the next try.
fn classify(error: &anyhow::Error) -> UploadFault {
    let cause: &(dyn std::error::Error + 'static) = error.as_ref();
    if let Some(status) = cause.http_status() {
        return match status {
            HTTP_TOO_LARGE => UploadFault::TooLarge,
            status => UploadFault::Passing { code: Some(u32::from(status)) },
        };
    }
    let fault = ErrorChainExt::sources(cause).find_map(|cause| cause.downcast_ref());
    if cause.is_transport_unavailable() || matches!(fault, Some(MediaHttpError::Halted)) {
        return UploadFault::NotConnected;
    }
    // Asked for a host, the server may refuse too.
    let code = cause.server_rejection().map(|rejection| u32::from(rejection.code));
    UploadFault::Passing { code }
}
