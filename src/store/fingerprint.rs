//! What the database's files were when they were last on disk: with these, opening the
//! database adds to them and takes nothing away, and no copy of them is needed. Owns one small
//! file in their folder; never looks inside the database.
//!
//! The file is never synced. Without it, or with another, the database was cut off while it was
//! written, or is damaged: see [`super::safety_copy`].

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// The file's name in the database's folder.
const FINGERPRINT: &str = "fingerprint";
/// Bytes read at once.
const READ_BYTES: usize = 256 * 1024;

/// Takes the database's files for good, as they are now.
pub(super) fn note(folder: &Path) {
    let noted = of(folder).and_then(|text| {
        let mut file = File::create(folder.join(FINGERPRINT))?;
        file.write_all(text.as_bytes())
    });
    if let Err(error) = noted {
        tracing::warn!(%error, "the next start copies the store's files before it opens them");
    }
}

/// Whether the files are those that were noted last.
pub(super) fn fits(folder: &Path) -> bool {
    let noted = fs::read_to_string(folder.join(FINGERPRINT));
    noted.is_ok_and(|noted| !noted.is_empty() && of(folder).is_ok_and(|now| now == noted))
}

/// One line for each file that belongs to the database: its name, its length, its CRC32C.
fn of(folder: &Path) -> io::Result<String> {
    let mut lines = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if matches!(name.as_str(), "conf" | "db") || name.starts_with("snap.") {
            let (length, sum) = sum(&entry.path())?;
            lines.insert(name.clone(), format!("{name} {length} {sum:08x}\n"));
        }
    }
    Ok(lines.into_values().collect())
}

fn sum(path: &Path) -> io::Result<(u64, u32)> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; READ_BYTES];
    let (mut length, mut sum) = (0_u64, 0);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((length, sum)),
            Ok(count) => {
                let read = buffer.get(..count).unwrap_or_default();
                sum = crc32c::crc32c_append(sum, read);
                length = length.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
