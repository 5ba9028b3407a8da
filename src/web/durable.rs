//! Small files of the front's own state, replaced as a whole. A reader sees the old content or
//! the new one, over a loss of power too.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Replaces the content of a file, which keeps its owner and its mode. A new one, and a new folder,
/// belong to whoever the folder above belongs to, so that root can write for the service's user.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    make_folder(folder)?;
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&new)?;
    let before = std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file);
    if nix::unistd::geteuid().is_root() {
        let owner = before.clone().map_or_else(|| std::fs::metadata(folder), Ok)?;
        std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    if let Some(before) = before {
        file.set_permissions(before.permissions())?;
    }
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

/// Makes a folder and those above it, where they are missing.
fn make_folder(folder: &Path) -> io::Result<()> {
    let Some(above) = folder.parent().filter(|_| !folder.exists()) else { return Ok(()) };
    make_folder(above)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    if nix::unistd::geteuid().is_root() {
        let owner = std::fs::metadata(above)?;
        // Whoever owns the folder above could have put a link in the new one's place.
        let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_DIRECTORY;
        let made = OpenOptions::new().read(true).custom_flags(flags.bits()).open(folder)?;
        std::os::unix::fs::fchown(made, Some(owner.uid()), Some(owner.gid()))?;
    }
    File::open(above)?.sync_all()
}

/// The content of a file, at most so much of it. None: there is no such file.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Vec::new();
    file.take(bytes_max).read_to_end(&mut content)?;
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder/file");
        assert_eq!(read(&path, 10).unwrap(), None);
        for content in ["one", "two and more"] {
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(read(&path, 100).unwrap().unwrap(), content.as_bytes());
        }
        assert_eq!(read(&path, 3).unwrap().unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path().join("folder")).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_owner_and_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "one").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(12_345), Some(12_346)).unwrap();
        }
        let before = std::fs::metadata(&path).unwrap();
        replace(&path, b"two").unwrap();
        let after = std::fs::metadata(&path).unwrap();
        let of = |file: &std::fs::Metadata| (file.uid(), file.gid(), file.mode());
        assert_eq!((of(&after), after.mode() & 0o777), (of(&before), 0o640));
    }

    /// Root makes a secret; the service's user reads it.
    #[test]
    fn what_is_made_belongs_to_whoever_the_folder_above_belongs_to() {
        let dir = tempfile::tempdir().unwrap();
        let root = nix::unistd::geteuid().is_root();
        let me = std::fs::metadata(dir.path()).unwrap().uid();
        let owner = if root { 12_345 } else { me };
        std::os::unix::fs::chown(dir.path(), Some(owner), None).unwrap();
        let path = dir.path().join("webhooks/shop/secret");
        replace(&path, b"x").unwrap();
        for made in ["webhooks", "webhooks/shop", "webhooks/shop/secret"] {
            let found = std::fs::metadata(dir.path().join(made)).unwrap();
            assert_eq!((found.uid(), found.mode() & 0o077), (owner, 0), "{made}");
        }
    }
}
