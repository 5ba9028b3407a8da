//! Files that were copied in. Owns when one of them goes again: with its last owner, unless a
//! message is made of it.

use super::kind::Found;
use super::{Spool, TakeError};
use tetherd_api::{FileInfo, Kind, Redacted};
use tetherd_core::files::SpooledFile;
use tetherd_core::ids::SpoolId;

/// A file that was copied in, synced, under its name. Removed again when dropped, unless
/// [`Taken::keep`] says that somebody refers to it.
#[derive(Debug)]
pub struct Taken {
    /// Its name in the spool.
    pub id: SpoolId,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: [u8; 32],
    pub(super) spool: Spool,
    pub(super) kept: bool,
}

impl Taken {
    /// Leaves the file in the spool: from now on it is the caller's to have removed.
    #[must_use]
    pub fn keep(mut self) -> SpoolId {
        self.kept = true;
        self.id.clone()
    }

    /// The content's SHA-256 in lower-case hex.
    pub fn sha256_hex(&self) -> String {
        hex::encode(self.sha256)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.kept {
            self.spool.remove(&self.id);
        }
    }
}

/// A file that was copied in and may be sent as `kind`.
#[derive(Debug)]
pub struct Accepted {
    /// The file.
    pub taken: Taken,
    /// What it is sent as.
    pub kind: Kind,
    /// Its description, for people and programs.
    pub info: FileInfo,
}

impl Accepted {
    pub(super) fn new(
        (taken, found): (Taken, Option<Found>),
        name: Option<Redacted<String>>,
    ) -> Result<Accepted, TakeError> {
        let Found { kind, mime } = found.ok_or(TakeError::Broken)?;
        let info = FileInfo { bytes: taken.bytes, mime, sha256: taken.sha256_hex().into(), name };
        Ok(Accepted { taken, kind, info })
    }

    /// Leaves the file in the spool, for the message that is made of it.
    #[must_use]
    pub fn keep(self) -> SpooledFile {
        SpooledFile { spool: self.taken.keep(), info: self.info }
    }
}
