//! The spool in the daemon: opened and swept at the start, files removed when no message
//! needs them. Decides nothing about either: the core does.

use std::path::PathBuf;

use tokio::task::spawn_blocking;

use crate::daemon::StartError;
use crate::spool::{Limits, OpenError, Spool};
use tetherd_config::settings::FilesSection;
use tetherd_core::ids::SpoolId;
use tetherd_core::queue::Message;

/// Opens the spool, and removes what an earlier run left behind: copies that were cut
/// off, and files whose message was not accepted, or is done with them.
pub(super) async fn open(
    state_dir: PathBuf,
    config: &FilesSection,
    messages: &[Message],
) -> Result<Spool, StartError> {
    let FilesSection { quota, image_max, video_max, audio_max, document_max } = *config;
    let limits = Limits { quota, image_max, video_max, audio_max, document_max };
    let needed = messages.iter().filter(|message| message.needs_file());
    let keep: Vec<SpoolId> = needed
        .filter_map(|message| message.draft.file.as_ref())
        .map(|file| file.spool.clone())
        .collect();
    let opened = spawn_blocking(move || {
        let spool = Spool::open(&state_dir, limits)?;
        match spool.sweep(keep) {
            Ok(swept) if swept.missing > 0 => {
                tracing::warn!(missing = swept.missing, "files of messages are not in the spool");
            }
            Ok(swept) => tracing::debug!(removed = swept.removed, "the spool was swept"),
            // What stays counts against the quota, and is tried again at the next start.
            Err(error) => tracing::warn!(%error, "the spool cannot be swept"),
        }
        Ok::<Spool, OpenError>(spool)
    });
    Ok(opened.await.map_err(StartError::Broken)??)
}

/// Removes a file, later and elsewhere: nobody waits for it, and a crash before it is
/// done is made good by the next start.
pub(super) fn remove(spool: &Spool, id: SpoolId) {
    let spool = spool.clone();
    spawn_blocking(move || spool.remove(&id));
}
