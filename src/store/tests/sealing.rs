//! The session's secrets under a key, as they lie in the database's files.

use std::fs;
use std::path::Path;

use super::super::{KeyFileError, OpenError, SealKey, Store};
use super::{put, raw, temp};
use tetherd_api::exit::ExitCode;

const SECRET: &[u8] = b"a secret of the session that must not be found";
const OPEN: &[u8] = b"a text of the queue that may be found";

fn key(n: u8) -> Option<SealKey> {
    SealKey::from_secret(&[n; 32])
}

/// A secret that fits into one entry, one that does not, and what is no secret.
async fn fill(store: &Store) {
    store.commit(put("session/device/1", SECRET)).await.unwrap();
    store.commit(put("session/long/1", SECRET.repeat(300))).await.unwrap();
    store.commit(put("queue/body/1", OPEN)).await.unwrap();
}

fn check(store: &Store) {
    assert_eq!(store.get(b"session/device/1").unwrap().unwrap(), SECRET);
    assert_eq!(store.get(b"session/long/1").unwrap().unwrap(), SECRET.repeat(300));
    assert_eq!(store.get(b"queue/body/1").unwrap().unwrap(), OPEN);
    let found: Vec<_> = store.scan(b"session/").map(|record| record.unwrap().1).collect();
    assert_eq!(found, [SECRET.to_vec(), SECRET.repeat(300)]);
    assert!(store.quarantined().is_empty());
}

fn holds(dir: &Path, needle: &[u8]) -> bool {
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read(&path).unwrap().windows(needle.len()).any(|w| w == needle) {
                return true;
            }
        }
    }
    false
}

/// What the tree holds now, whatever else is in the files.
fn entries_hold(dir: &Path, needle: &[u8]) -> bool {
    raw(dir, |backend| {
        backend.scan(&[]).any(|pair| pair.unwrap().1.windows(needle.len()).any(|w| w == needle))
    })
}

#[tokio::test]
async fn with_a_key_no_file_of_the_state_directory_shows_a_secret() {
    let dir = temp();
    let store = Store::open_with(dir.path(), key(1)).unwrap();
    assert!(store.is_sealed());
    fill(&store).await;
    check(&store);
    store.close();
    assert!(!holds(dir.path(), SECRET));
    assert!(holds(dir.path(), OPEN));
    let store = Store::open_with(dir.path(), key(1)).unwrap();
    check(&store);
    store.close();
}

#[tokio::test]
async fn a_key_that_is_given_later_encrypts_what_lies_there() {
    let dir = temp();
    let store = Store::open(dir.path()).unwrap();
    assert!(!store.is_sealed());
    fill(&store).await;
    store.close();
    assert!(entries_hold(dir.path(), SECRET));
    let store = Store::open_with(dir.path(), key(1)).unwrap();
    check(&store);
    store.close();
    assert!(!entries_hold(dir.path(), SECRET));
    let store = Store::open_with(dir.path(), key(1)).unwrap();
    check(&store);
    store.close();
}

#[tokio::test]
async fn without_the_key_or_with_another_the_start_is_refused_and_nothing_changes() {
    let dir = temp();
    let store = Store::open_with(dir.path(), key(1)).unwrap();
    fill(&store).await;
    store.close();
    for _ in 0..2 {
        let missing = Store::open(dir.path()).unwrap_err();
        assert!(matches!(missing, OpenError::KeyMissing { .. }), "{missing}");
        let wrong = Store::open_with(dir.path(), key(2)).unwrap_err();
        assert!(matches!(wrong, OpenError::KeyWrong { .. }), "{wrong}");
        for error in [missing, wrong] {
            assert_eq!(error.exit(), ExitCode::Config);
            assert!(error.remedy().contains("key"));
        }
    }
    let store = Store::open_with(dir.path(), key(1)).unwrap();
    check(&store);
    store.close();
}

#[tokio::test]
async fn a_sealed_record_that_was_altered_or_moved_is_quarantined_and_the_rest_goes_on() {
    let dir = temp();
    let store = Store::open_with(dir.path(), key(1)).unwrap();
    fill(&store).await;
    store.commit(put("session/device/2", SECRET)).await.unwrap();
    store.close();
    raw(dir.path(), |backend| {
        let moved = backend.get(b"rsession/device/1").unwrap();
        let mut writes = super::Writes::new();
        writes.insert(b"rsession/device/2".to_vec(), moved);
        backend.apply(writes).unwrap();
    });
    let store = Store::open_with(dir.path(), key(1)).unwrap();
    assert_eq!(store.quarantined().len(), 1);
    assert_eq!(store.get(b"session/device/2").unwrap(), None);
    assert_eq!(store.get(b"session/device/1").unwrap().unwrap(), SECRET);
    store.close();
    assert!(!holds(dir.path(), SECRET));
}

#[test]
fn a_key_file_that_is_too_short_or_missing_is_refused_with_its_name() {
    let dir = temp();
    let file = dir.path().join("tetherd.key");
    let missing = SealKey::read(&file).unwrap_err();
    assert!(matches!(missing, KeyFileError::Io { .. }), "{missing}");
    fs::write(&file, [7; 31]).unwrap();
    let short = SealKey::read(&file).unwrap_err();
    assert!(short.to_string().contains("has 31 bytes"), "{short}");
    fs::write(&file, [7; 32]).unwrap();
    assert_eq!(format!("{:?}", SealKey::read(&file).unwrap()), "SealKey(..)");
}
