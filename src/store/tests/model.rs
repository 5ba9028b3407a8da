//! Any changes, in any order, with restarts: the store answers as a map would.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{Batch, Store};
use super::{pattern, temp};

#[derive(Clone, Debug)]
enum Step {
    Put(u8, usize, usize),
    Remove(u8),
    RemoveAll(u8),
    Commit,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..12u8, 0..20usize, prop_oneof![0..200usize, 4_000..14_000usize])
            .prop_map(|(key, seed, length)| Step::Put(key, seed, length)),
        3 => (0..12u8).prop_map(Step::Remove),
        1 => (0..3u8).prop_map(Step::RemoveAll),
        4 => Just(Step::Commit),
        1 => Just(Step::Reopen),
    ]
}

fn key(n: u8) -> Vec<u8> {
    vec![b'a' + n % 3, b'/', n]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_answers_as_a_map_would(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let dir = temp();
        let mut store = Store::open(dir.path()).unwrap();
        let mut model = BTreeMap::new();
        let mut batch = Batch::new();
        for step in steps.into_iter().chain([Step::Commit, Step::Reopen]) {
            match step {
                Step::Put(n, seed, length) => {
                    batch.put(key(n), pattern(seed, length));
                    model.insert(key(n), pattern(seed, length));
                }
                Step::Remove(n) => {
                    batch.remove(key(n));
                    model.remove(&key(n));
                }
                Step::RemoveAll(n) => {
                    let prefix = key(n)[..2].to_vec();
                    model.retain(|key, _| !key.starts_with(&prefix));
                    batch.remove_all(prefix);
                }
                Step::Commit => runtime.block_on(store.commit(std::mem::take(&mut batch))).unwrap(),
                Step::Reopen => {
                    runtime.block_on(store.commit(std::mem::take(&mut batch))).unwrap();
                    store.close();
                    store = Store::open(dir.path()).unwrap();
                    prop_assert!(store.quarantined().is_empty());
                    let all: BTreeMap<_, _> = store.scan(b"").map(|r| r.unwrap()).collect();
                    prop_assert!(all == model);
                }
            }
        }
    }
}
