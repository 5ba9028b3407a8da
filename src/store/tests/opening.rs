//! What is checked, put right, quarantined and refused when a store opens.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::super::record::{Shape, chunk_key, record_key, wrap};
use super::super::{Damage, FORMAT, OpenError, QUARANTINE_MAX, QUARANTINE_TOTAL_MAX, Store};
use super::{filled, fresh, no_blobs, pattern, put, tamper, temp, tree_keys};
use tetherd_api::exit::ExitCode;

fn refusal(dir: &Path) -> OpenError {
    match Store::open(dir) {
        Ok(_) => panic!("it opened"),
        Err(error) => {
            assert!(!error.remedy().is_empty());
            error
        }
    }
}

#[test]
fn a_missing_directory_is_made_for_its_owner_alone() {
    let parent = temp();
    let dir = parent.path().join("state/tetherd");
    let store = Store::open(&dir).unwrap();
    for path in [&dir, &dir.join("store")] {
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o7777, 0o700);
    }
    assert_eq!(fs::metadata(dir.join("lock")).unwrap().mode() & 0o7777, 0o600);
    no_blobs(&dir);
    store.close();
    Store::open(&dir).unwrap();
}

#[test]
fn a_second_daemon_learns_who_holds_the_directory() {
    let (dir, store) = fresh();
    let error = refusal(dir.path());
    let us = i32::try_from(std::process::id()).unwrap();
    assert!(matches!(error, OpenError::Locked { pid: Some(pid), .. } if pid == us), "{error}");
    assert_eq!(error.exit(), ExitCode::TempFail);
    assert!(error.to_string().contains(&us.to_string()));
    drop(store);
    Store::open(dir.path()).unwrap();
}

#[test]
fn a_directory_open_to_others_is_refused_before_anything_is_made_in_it() {
    let dir = temp();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o750)).unwrap();
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::TooOpen { mode: 0o750, .. }), "{error}");
    assert!(error.remedy().starts_with("chmod 700 '/"), "{}", error.remedy());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_file_in_the_directorys_place_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = refusal(file.path());
    assert!(matches!(error, OpenError::NotADirectory { .. }), "{error}");
    assert_eq!(error.exit(), ExitCode::CantCreate);
}

#[tokio::test]
async fn a_half_made_snapshot_does_not_stop_the_start() {
    let dir = filled(3).await;
    let half = dir.path().join("store/snap.00000000000000FF.generating");
    fs::write(&half, b"cut off").unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert!(!half.exists());
    assert_eq!(store.scan(b"area/").count(), 3);
}

#[tokio::test]
async fn invariant_8_one_damaged_record_is_quarantined_and_the_start_goes_on() {
    let dir = filled(4).await;
    tamper(dir.path(), &[(b"rarea/02", Some(b"nonsense"))]);
    let store = Store::open(dir.path()).unwrap();
    let [record] = store.quarantined() else { panic!("{:?}", store.quarantined()) };
    assert_eq!((record.key.as_slice(), record.damage), (&b"area/02"[..], Damage::Short));
    assert_eq!(record.area(), "area/");
    assert_eq!(store.get(b"area/02").unwrap(), None);
    assert_eq!(store.scan(b"area/").count(), 3);
    store.close();
    assert_eq!(tree_keys(dir.path(), b"q"), [b"qrarea/02".to_vec()], "kept as it was found");
    let store = Store::open(dir.path()).unwrap();
    assert!(store.quarantined().is_empty(), "reported once");
}

#[tokio::test]
async fn a_long_value_with_a_missing_or_damaged_part_is_quarantined_whole() {
    let dir = filled(6).await;
    let gone = chunk_key(b"area/01", 0, 1);
    let bad = chunk_key(b"area/03", 0, 0);
    tamper(dir.path(), &[(&gone, None), (&bad, Some(b"nonsense, but long enough"))]);
    let store = Store::open(dir.path()).unwrap();
    let mut keys: Vec<_> = store.quarantined().iter().map(|record| record.key.clone()).collect();
    keys.sort();
    assert_eq!(keys, [b"area/01".to_vec(), b"area/03".to_vec()]);
    assert_eq!(store.get(b"area/05").unwrap(), Some(pattern(5, 6_010)));
    store.close();
    assert_eq!(tree_keys(dir.path(), b"c").len(), 2, "only the chunks of the good one");
    assert_eq!(tree_keys(dir.path(), b"q").len(), 2 + 3);
}

#[tokio::test]
async fn chunks_that_belong_to_nothing_are_cleared() {
    let dir = filled(2).await;
    let stray = chunk_key(b"nobody", 3, 0);
    let raw = wrap(&stray, Shape::Chunk, b"left over");
    tamper(dir.path(), &[(&stray, Some(&raw))]);
    let store = Store::open(dir.path()).unwrap();
    assert!(store.quarantined().is_empty());
    store.close();
    assert_eq!(tree_keys(dir.path(), &stray).len(), 0);
}

#[tokio::test]
async fn invariant_8_many_damaged_records_are_a_damaged_store() {
    let dir = filled(QUARANTINE_MAX + 4).await;
    let keys: Vec<_> =
        (0..=QUARANTINE_MAX).map(|n| record_key(format!("area/{n:02}").as_bytes())).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_slice(), Some(&b"bad"[..]))).collect();
    tamper(dir.path(), &entries);
    let before = tree_keys(dir.path(), b"");
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert_eq!(error.exit(), ExitCode::DataErr);
    assert!(error.remedy().contains("tetherd store repair"), "{}", error.remedy());
    assert_eq!(tree_keys(dir.path(), b""), before, "nothing is moved");
}

#[tokio::test]
async fn invariant_10_the_quarantine_of_all_starts_together_is_bounded() {
    let dir = filled(4).await;
    let quarantined = |n: usize| [&b"qrarea/old/"[..], &n.to_be_bytes()].concat();
    let keys: Vec<_> = (0..QUARANTINE_TOTAL_MAX - 1).map(quarantined).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_slice(), Some(&b"bad"[..]))).collect();
    tamper(dir.path(), &entries);
    tamper(dir.path(), &[(b"rarea/01", Some(b"nonsense"))]);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.quarantined().len(), 1);
    store.close();
    tamper(dir.path(), &[(b"rarea/02", Some(b"nonsense"))]);
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert_eq!(tree_keys(dir.path(), b"rarea/02").len(), 1, "nothing is moved");
}

#[tokio::test]
async fn invariant_8_a_database_that_lost_everything_is_refused_and_not_taken_for_a_new_one() {
    for ruin in [b"".as_slice(), &[0x5a; 600_000]] {
        let dir = filled(3).await;
        // The journal still has what was written since the database took the last round over.
        let store = Store::open(dir.path()).unwrap();
        store.commit(put("late", "x")).await.unwrap();
        store.close();
        let db = dir.path().join("store/db");
        fs::write(&db, ruin).unwrap();
        for entry in fs::read_dir(dir.path().join("store")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with("snap.") {
                fs::remove_file(path).unwrap();
            }
        }
        let error = refusal(dir.path());
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        fs::rename(dir.path().join("store"), dir.path().join("store.damaged")).unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.scan(b"").count(), 0);
    }
}

#[tokio::test]
async fn invariant_8_a_database_that_lost_its_latest_confirmed_changes_is_refused() {
    let dir = filled(3).await;
    let early = super::copy(dir.path());
    let store = Store::open(dir.path()).unwrap();
    store.commit(put("late", "x")).await.unwrap();
    store.commit(put("later", "x")).await.unwrap();
    store.close();
    let confirmed = |dir: &Path| dir.join("store/confirmed");
    fs::copy(confirmed(dir.path()), confirmed(early.path())).unwrap();
    let error = refusal(early.path());
    assert!(matches!(error, OpenError::RolledBack { lost: 2, .. }), "{error}");
    assert!(error.remedy().contains("tetherd store repair"), "{}", error.remedy());
    refusal(early.path());

    // A count that does not read would hide it.
    for unknown in [&b""[..], b"123", &[9; 12]] {
        fs::write(confirmed(early.path()), unknown).unwrap();
        let error = refusal(early.path());
        assert!(matches!(error, OpenError::Uncounted { .. }), "{error}");
    }
    fs::remove_file(confirmed(early.path())).unwrap();
    let error = refusal(early.path());
    assert!(matches!(error, OpenError::Uncounted { .. }), "{error}");
    assert!(!confirmed(early.path()).exists());
    assert_eq!(Store::open(dir.path()).unwrap().scan(b"").count(), 5);
}

#[tokio::test]
async fn a_newer_format_is_refused_untouched() {
    let dir = filled(2).await;
    let (found, known) = (u32::from(FORMAT) + 1, u32::from(FORMAT));
    fs::write(dir.path().join("store/format"), format!("{found}\n")).unwrap();
    let error = refusal(dir.path());
    let OpenError::Newer { found: f, known: k, .. } = &error else { panic!("{error}") };
    assert_eq!((*f, *k), (found, known));
    assert_eq!(error.exit(), ExitCode::Protocol);
    fs::write(dir.path().join("store/format"), format!("{known}\n")).unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().scan(b"area/").count(), 2);
}

#[test]
fn an_older_format_is_read_and_an_older_program_then_refuses_the_store() {
    let dir = super::fixture("v1");
    let marker = |dir: &Path| super::raw(dir, |backend| backend.get(b"!").unwrap().unwrap()[0]);
    assert_eq!(marker(dir.path()), 1);
    for _ in 0..2 {
        let store = Store::open(dir.path()).unwrap();
        assert!(store.quarantined().is_empty());
        assert!(store.scan(b"queue/message/").count() == 38);
        store.close();
        assert_eq!(marker(dir.path()), FORMAT);
        let format = fs::read_to_string(dir.path().join("store/format")).unwrap();
        assert_eq!(format.trim(), FORMAT.to_string());
    }
}

#[tokio::test]
async fn a_newer_format_in_the_database_itself_is_refused_too() {
    let dir = filled(2).await;
    let mut marker = wrap(b"!", Shape::Marker, b"tetherd store");
    marker[0] = 9;
    tamper(dir.path(), &[(b"!", Some(&marker))]);
    assert!(matches!(refusal(dir.path()), OpenError::Newer { found: 9, .. }));
}

#[tokio::test]
async fn a_file_of_the_store_that_is_missing_or_cut_short_is_damage() {
    let whole = filled(2).await;
    for name in ["format", "confirmed", "journal", "conf", "db"] {
        for length in [None, Some(0), Some(3)] {
            let dir = super::copy(whole.path());
            let path = dir.path().join("store").join(name);
            match length {
                None => fs::remove_file(&path).unwrap(),
                Some(length) => {
                    fs::File::options().write(true).open(&path).unwrap().set_len(length).unwrap()
                }
            }
            match Store::open(dir.path()) {
                // sled makes the file of its settings again: nothing is lost by it.
                Ok(store) => assert_eq!((name, store.scan(b"area/").count()), ("conf", 2)),
                Err(error) => {
                    assert_eq!(error.exit(), ExitCode::DataErr, "{name} {length:?}: {error}");
                }
            }
        }
    }
    let dir = super::copy(whole.path());
    fs::write(dir.path().join("store/format"), [0xff, 0xfe]).unwrap();
    assert_eq!(refusal(dir.path()).exit(), ExitCode::DataErr);
}

#[test]
fn what_the_system_refuses_ends_with_the_code_of_its_kind() {
    let io = |what, kind: std::io::ErrorKind| OpenError::Io {
        what,
        path: "/x".into(),
        source: kind.into(),
    };
    use std::io::ErrorKind::{NotFound, PermissionDenied, StorageFull};
    assert_eq!(io("create", PermissionDenied).exit(), ExitCode::NoPerm);
    assert_eq!(io("create", NotFound).exit(), ExitCode::CantCreate);
    assert_eq!(io("open", PermissionDenied).exit(), ExitCode::NoPerm);
    assert_eq!(io("open", NotFound).exit(), ExitCode::IoErr);
    assert_eq!(io("open", StorageFull).exit(), ExitCode::IoErr);
}
