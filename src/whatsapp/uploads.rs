//! The files on their way to the media host on one connection: a bounded number of
//! tasks, each of which ends in exactly one report. Decides nothing about when or how
//! often.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, timeout_at};
use whatsapp_rust::anyhow;
use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust::{Client, ErrorChainExt};

use crate::whatsapp::media_http::MediaHttpError;
use crate::whatsapp::sealed::{SealFault, Sealed};
use tetherd_api::MessageId;
use tetherd_core::event::SessionEvent;
use tetherd_core::files::{MediaRef, Ticket, Upload, UploadFault};

/// Uploads at a time; the core asks for no more.
const UPLOADS_MAX: usize = 4;

const _: () = assert!(UPLOADS_MAX >= tetherd_core::UPLOADS_AT_ONCE);
/// Uploads notice by themselves that the connection is gone.
const LANDING_GRACE: Duration = Duration::from_secs(2);
/// The host's word for a file that is too large.
const HTTP_TOO_LARGE: u16 = 413;

/// The uploads under way.
pub(crate) struct Uploads {
    manager: Arc<PersistenceManager>,
    spool: PathBuf,
    /// Told to everything that moves bytes: it runs on threads that cannot be aborted.
    halt: watch::Sender<bool>,
    tasks: JoinSet<Result<MediaRef, UploadFault>>,
    open: HashMap<Id, (MessageId, Ticket)>,
}

impl Uploads {
    pub(crate) fn new(
        manager: Arc<PersistenceManager>,
        spool: PathBuf,
        halt: watch::Sender<bool>,
    ) -> Uploads {
        Uploads { manager, spool, halt, tasks: JoinSet::new(), open: HashMap::new() }
    }

    /// Starts one, or says why not.
    pub(crate) fn start(&mut self, client: &Arc<Client>, upload: Upload) -> Option<SessionEvent> {
        if self.open.len() >= UPLOADS_MAX {
            return Some(failed(&upload, UploadFault::Passing { code: None }));
        }
        let named = (upload.id, upload.ticket);
        let secret = *self.manager.get_device_snapshot().noise_key.private_key.serialize();
        let path = self.spool.join(&upload.file.spool.0);
        let halted = self.halt.subscribe();
        let client = Arc::clone(client);
        let work = async move { bring(&client, upload, &path, secret, halted).await };
        self.open.insert(self.tasks.spawn(work).id(), named);
        None
    }

    /// The next report; none: nothing is under way. Cancelling the wait loses nothing.
    pub(crate) async fn landed(&mut self) -> Option<SessionEvent> {
        loop {
            let (id, result) = match self.tasks.join_next_with_id().await? {
                Ok(landed) => landed,
                // Cancelled with the connection; a panic has been reported by its hook.
                Err(error) => (error.id(), Err(UploadFault::NotConnected)),
            };
            if let Some((id, ticket)) = self.open.remove(&id) {
                return Some(match result {
                    Ok(media) => SessionEvent::Uploaded { id, ticket, media: Box::new(media) },
                    Err(why) => SessionEvent::UploadFailed { id, ticket, why },
                });
            }
        }
    }

    /// The connection ends: everything that is under way breaks off.
    pub(crate) fn halt(&self) {
        self.halt.send_replace(true);
    }

    /// The report of each that is still open, after the connection's end.
    pub(crate) async fn land_all(&mut self) -> Vec<SessionEvent> {
        self.halt();
        let deadline = Instant::now() + LANDING_GRACE;
        let mut reports = Vec::with_capacity(self.open.len());
        while let Ok(Some(report)) = timeout_at(deadline, self.landed()).await {
            reports.push(report);
        }
        self.tasks.abort_all();
        while let Some(report) = self.landed().await {
            reports.push(report);
        }
        reports
    }
}

/// What is said of an upload that was not begun, or not brought to its end.
pub(crate) fn failed(upload: &Upload, why: UploadFault) -> SessionEvent {
    SessionEvent::UploadFailed { id: upload.id, ticket: upload.ticket, why }
}

/// Reads the file, asks for a host, and sends it there.
async fn bring(
    client: &Client,
    upload: Upload,
    path: &Path,
    secret: [u8; 32],
    halted: watch::Receiver<bool>,
) -> Result<MediaRef, UploadFault> {
    let (id, path) = (upload.id, path.to_owned());
    let sealing = tokio::task::spawn_blocking(move || {
        Sealed::new(&path, &upload.file, upload.kind, &secret, || *halted.borrow())
    });
    let (source, info, seen) = match sealing.await {
        Ok(Ok(sealed)) => sealed,
        Ok(Err(fault)) => return Err(unsealed(id, &fault)),
        Err(_) => return Err(UploadFault::Passing { code: None }),
    };
    let media = source.media_type();
    let sent = client.upload_stream(source, info, media).await;
    let sent = sent.map_err(|error| classify(&error))?;
    Ok(MediaRef {
        url: sent.url,
        direct_path: sent.direct_path,
        media_key: sent.media_key,
        key_made_s: sent.media_key_timestamp,
        sha256: sent.file_sha256,
        enc_sha256: sent.file_enc_sha256,
        bytes: sent.file_length,
        seen,
        uploaded_at: 0,
    })
}

fn unsealed(id: MessageId, fault: &SealFault) -> UploadFault {
    match fault {
        SealFault::Halted => UploadFault::NotConnected,
        SealFault::Busy => UploadFault::Passing { code: None },
        SealFault::Unreadable(_) | SealFault::Changed | SealFault::Crypto => {
            tracing::warn!(%id, %fault, "a file cannot be uploaded");
            UploadFault::Unreadable
        }
    }
}

/// What a failure says about the next try.
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
