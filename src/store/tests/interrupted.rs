//! Starts that are cut off at each of their steps, and what the next one makes of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::super::fault_injection::KILL_AT;
use super::super::fingerprint;
use super::super::record::record_key;
use super::super::{OpenError, QUARANTINE_MAX, Store};
use super::{a_process_starts, filled, fresh, pattern, put, tamper, temp};

pub(super) const DIR: &str = "TETHERD_TEST_INTERRUPTED_CHILD";
pub(super) const START: &str = "interrupted::child_that_is_cut_off_while_it_starts";
/// More steps than a start has.
pub(super) const STEPS_MAX: usize = 100;

/// Not a test of its own: a start in a process that ends in the middle of it.
#[test]
fn child_that_is_cut_off_while_it_starts() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    if let Ok(store) = Store::open(dir.as_ref()) {
        store.close();
    }
}

/// Runs a child that is killed at this step. False if it has fewer.
pub(super) fn cut_off(child: &str, dir: &Path, step: usize) -> bool {
    let starting = a_process_starts();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("store::tests::{child}")])
        .env(DIR, dir)
        .env(KILL_AT, step.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(starting);
    !child.wait().unwrap().success()
}

/// The same files elsewhere.
pub(super) fn twin(dir: &Path) -> tempfile::TempDir {
    let twin = temp();
    super::copy_into(&dir.join("store"), &twin.path().join("store"));
    twin
}

/// The files of one of its folders, byte for byte.
pub(super) fn files(dir: &Path, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir.join(folder)).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect()
}

/// What lies in the state directory.
pub(super) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    // It may be there or not: that is the disk's affair.
    names.retain(|name| name != tetherd_state::RESERVE);
    names.sort();
    names
}

/// Cuts a start off at each step, once and twice, and looks at what the next one does.
fn at_each_step(original: &Path, steps_min: usize, then: impl Fn(&Path)) {
    let mut steps = 0;
    loop {
        let dir = twin(original);
        if !cut_off(START, dir.path(), steps) {
            break;
        }
        cut_off(START, dir.path(), steps);
        then(dir.path());
        assert_eq!(names(dir.path()), ["lock", "store"], "cut off at step {steps}");
        steps += 1;
        assert!(steps < STEPS_MAX);
    }
    assert!(steps >= steps_min, "only {steps} steps were cut off");
}

#[tokio::test]
async fn invariant_8_a_start_cut_off_at_any_step_loses_nothing() {
    let whole = filled(4).await;
    let store = Store::open(whole.path()).unwrap();
    store.commit(put("area/00", pattern(0, 10))).await.unwrap();
    // A kill leaves the database as it was noted, and the rest in the journal.
    let killed = twin(whole.path());
    store.close();
    // A kill in the middle of a round leaves it otherwise.
    let unknown = twin(killed.path());
    fs::remove_file(unknown.path().join("store/fingerprint")).unwrap();
    for (original, steps_min) in [(whole, 2), (killed, 2), (unknown, 8)] {
        at_each_step(original.path(), steps_min, |dir| {
            let store = Store::open(dir).unwrap();
            assert!(store.quarantined().is_empty());
            for n in 0..4 {
                let value = store.get(format!("area/{n:02}").as_bytes()).unwrap();
                assert_eq!(value, Some(pattern(n, 6_000 * (n % 2) + 10)));
            }
            store.close();
        });
    }
}

#[test]
fn a_first_start_cut_off_at_any_step_is_begun_anew() {
    let mut steps = 0;
    loop {
        let dir = temp();
        if !cut_off(START, dir.path(), steps) {
            break;
        }
        cut_off(START, dir.path(), steps);
        // sled was cut off while it wrote its own settings.
        let conf = dir.path().join("store.new/conf");
        if conf.exists() {
            fs::write(conf, b"half").unwrap();
        }
        Store::open(dir.path()).unwrap().close();
        assert_eq!(names(dir.path()), ["lock", "store"], "cut off at step {steps}");
        steps += 1;
        assert!(steps < STEPS_MAX);
    }
    assert!(steps >= 6, "only {steps} steps were cut off");
}

#[tokio::test]
async fn a_database_that_is_as_it_was_noted_is_not_copied() {
    let dir = filled(4).await;
    let is_copied = |dir: &Path| fingerprint::keep(&dir.join("store")).is_none();
    assert!(!is_copied(dir.path()));
    let store = Store::open(dir.path()).unwrap();
    store.commit(put("a", "x")).await.unwrap();
    assert!(!is_copied(dir.path()));
    store.close();
    assert!(!is_copied(dir.path()));
    let db = dir.path().join("store/db");
    let mut content = fs::read(&db).unwrap();
    content[100] ^= 1;
    fs::write(&db, content).unwrap();
    assert!(is_copied(dir.path()));
}

#[tokio::test]
async fn invariant_8_a_refused_store_stays_as_it_was_though_the_refusal_is_cut_off_at_any_step() {
    let original = filled(QUARANTINE_MAX + 4).await;
    let keys: Vec<_> =
        (0..=QUARANTINE_MAX).map(|n| record_key(format!("area/{n:02}").as_bytes())).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_slice(), Some(&b"bad"[..]))).collect();
    tamper(original.path(), &entries);
    let before = files(original.path(), "store");
    at_each_step(original.path(), 8, |dir| {
        let Err(error) = Store::open(dir) else { panic!("it opened") };
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        assert!(files(dir, "store") == before, "a file of the store has changed");
    });
}

#[tokio::test]
async fn invariant_1_once_a_store_is_open_no_copy_can_come_back_over_it() {
    let (dir, store) = fresh();
    store.close();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(names(dir.path()), ["lock", "store"]);
    store.commit(put("a", "x")).await.unwrap();
    store.close();
    // An unfinished copy is worth nothing, whatever is in it.
    fs::create_dir(dir.path().join("store.copy.new")).unwrap();
    fs::write(dir.path().join("store.copy.new/db"), b"half").unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.get(b"a").unwrap().as_deref(), Some(&b"x"[..]));
    assert_eq!(names(dir.path()), ["lock", "store"]);
}
