//! Each method against the library's own in-memory backend, across restarts, and what
//! only ours has to do.

mod history;
mod kept;
mod lids;
mod own;
mod sending;
mod steps;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;
use whatsapp_rust::wacore::store::in_memory::InMemoryBackend;

use super::SessionBackend;
use crate::store::Store;

fn temp() -> TempDir {
    let owner_only = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(owner_only).tempdir().unwrap()
}

fn open(dir: &Path) -> (Store, SessionBackend) {
    let store = Store::open(dir).unwrap();
    assert!(store.quarantined().is_empty());
    (store.clone(), SessionBackend::new(store))
}

async fn expected() -> Vec<String> {
    let reference = InMemoryBackend::new();
    let mut answers = Vec::new();
    for step in steps::all() {
        answers.push(step(&reference).await);
    }
    answers
}

#[tokio::test]
async fn every_method_answers_as_the_librarys_own_backend_does() {
    let dir = temp();
    let (_store, ours) = open(dir.path());
    for (number, (step, wanted)) in steps::all().iter().zip(expected().await).enumerate() {
        assert_eq!(step(&ours).await, wanted, "step {number}");
    }
}

#[tokio::test]
async fn every_method_answers_the_same_when_each_step_follows_a_restart() {
    let dir = temp();
    for (number, (step, wanted)) in steps::all().iter().zip(expected().await).enumerate() {
        let (store, ours) = open(dir.path());
        assert_eq!(step(&ours).await, wanted, "step {number}");
        store.close();
    }
}

#[tokio::test]
async fn repeating_every_write_that_changes_nothing_costs_no_sync() {
    let dir = temp();
    let (store, ours) = open(dir.path());
    for step in steps::idempotent() {
        step(&ours).await;
    }
    let before = store.stats();
    for step in steps::idempotent() {
        step(&ours).await;
    }
    assert_eq!(store.stats().syncs, before.syncs);
    assert!(store.stats().commits > before.commits);
}
