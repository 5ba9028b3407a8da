//! The store from outside: what is kept, what is refused, what a crash leaves.

mod compat;
mod crash;
mod feed;
mod inspected;
mod interrupted;
mod interrupted_repair;
mod journal;
mod maintenance;
mod missing;
mod model;
mod opening;
mod queueing;
mod sealing;
mod writing;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use nix::fcntl::{Flock, FlockArg};
use tempfile::TempDir;

use super::backend::{Backend, Sled, Writes};
use super::{Batch, Store};

/// A process that is just being started holds copies of this one's descriptors, and so
/// its locks, until its program is loaded: no store is opened during that moment.
static STARTING_A_PROCESS: RwLock<()> = RwLock::new(());

pub(super) fn no_process_starts() -> RwLockReadGuard<'static, ()> {
    STARTING_A_PROCESS.read().unwrap_or_else(PoisonError::into_inner)
}

fn a_process_starts() -> RwLockWriteGuard<'static, ()> {
    STARTING_A_PROCESS.write().unwrap_or_else(PoisonError::into_inner)
}

/// As the state directory has to be.
fn temp() -> TempDir {
    let owner_only = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(owner_only).tempdir().unwrap()
}

fn fresh() -> (TempDir, Store) {
    let dir = temp();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn put(key: &str, value: impl Into<Vec<u8>>) -> Batch {
    let mut batch = Batch::new();
    batch.put(key, value);
    batch
}

/// A closed store with so many records, every other one of several chunks.
async fn filled(count: usize) -> TempDir {
    let (dir, store) = fresh();
    for n in 0..count {
        store.commit(put(&format!("area/{n:02}"), pattern(n, 6_000 * (n % 2) + 10))).await.unwrap();
    }
    store.close();
    dir
}

/// A state directory from `tests/compat/`.
pub(crate) fn fixture(name: &str) -> TempDir {
    let archive = format!("{}/tests/compat/{name}.tar.gz", env!("CARGO_MANIFEST_DIR"));
    let dir = temp();
    let starting = a_process_starts();
    let mut tar = std::process::Command::new("tar");
    tar.args(["-xzf", &archive, "--strip-components=1", "-C"]).arg(dir.path()).arg("state");
    let mut tar = tar.spawn().unwrap();
    drop(starting);
    assert!(tar.wait().unwrap().success());
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    dir
}

/// The backend's own threads let go of its lock a moment after it was closed.
pub(super) fn wait_until_closed(database: &Path) {
    if let Ok(file) = std::fs::File::open(database) {
        drop(Flock::lock(file, FlockArg::LockExclusive).unwrap());
    }
}

/// The database itself, without our checks.
fn raw<T>(dir: &Path, work: impl FnOnce(&dyn Backend) -> T) -> T {
    let backend = Sled::open(&dir.join("store")).unwrap();
    let out = work(&backend);
    backend.sync().unwrap();
    out
}

fn tree_keys(dir: &Path, prefix: &[u8]) -> Vec<Vec<u8>> {
    raw(dir, |backend| backend.scan(prefix).map(|pair| pair.unwrap().0).collect())
}

/// Overwrites tree entries as damage would.
fn tamper(dir: &Path, entries: &[(&[u8], Option<&[u8]>)]) {
    raw(dir, |backend| {
        let writes: Writes =
            entries.iter().map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))).collect();
        backend.apply(writes).unwrap();
    });
}

fn pattern(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 31 + seed * 7) % 251).unwrap()).collect()
}

/// What lies on disk now, where another store can open it.
pub(crate) fn copy(from: &Path) -> TempDir {
    let to = temp();
    copy_into(&from.join("store"), &to.path().join("store"));
    to
}

fn copy_into(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy_into(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn no_blobs(dir: &Path) {
    assert_eq!(std::fs::read_dir(dir.join("store/blobs")).unwrap().count(), 0);
}
