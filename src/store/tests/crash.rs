//! kill -9 while writing: a child writes in a loop and says what was acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::super::{Batch, Store};
use super::{a_process_starts, no_blobs, pattern, temp};

const DIR: &str = "TETHERD_TEST_STORE_CHILD";
const ROUNDS: usize = 8;
/// As long as the longest text of a message.
const BODY_BYTES: usize = 65_536 * 4;

fn message(n: usize) -> Batch {
    let mut batch = Batch::new();
    batch.put(format!("m/{n:06}"), pattern(n, 300));
    batch.put(format!("b/{n:06}"), pattern(n, BODY_BYTES));
    batch.put("last", n.to_string());
    if let Some(old) = n.checked_sub(20) {
        batch.remove(format!("m/{old:06}")).remove(format!("b/{old:06}"));
    }
    batch
}

/// Not a test of its own: the child of the one below, which runs it in a process that
/// it can kill.
#[tokio::test]
async fn child_that_writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let store = Store::open(dir.as_ref()).unwrap();
    let mut n: usize = last(&store).map_or(0, |last| last + 1);
    loop {
        store.commit(message(n)).await.unwrap();
        println!("acknowledged {n}");
        std::io::stdout().flush().unwrap();
        n += 1;
    }
}

fn last(store: &Store) -> Option<usize> {
    let value = store.get(b"last").unwrap()?;
    Some(String::from_utf8(value).unwrap().parse().unwrap())
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_half_there_after_kill_9() {
    let dir = temp();
    for round in 0..ROUNDS {
        let starting = a_process_starts();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "store::tests::crash::child_that_writes_until_it_is_killed",
            ])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        drop(starting);
        let mut acknowledged = None;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut wanted = 3 + round * 5;
        for line in lines {
            let Ok(line) = line else { break };
            // The harness writes its own text before it, on the same line.
            let Some((_, n)) = line.rsplit_once("acknowledged ") else { continue };
            acknowledged = Some(n.parse::<usize>().unwrap());
            wanted -= 1;
            if wanted == 0 {
                // Those that it still says are read until its pipe closes.
                child.kill().unwrap();
                wanted = usize::MAX;
            }
        }
        child.wait().unwrap();

        let store = Store::open(dir.path()).unwrap();
        assert!(store.quarantined().is_empty(), "{:?}", store.quarantined());
        let last = last(&store).unwrap();
        assert!(last >= acknowledged.unwrap(), "{last} after {acknowledged:?}");
        let first = (last + 1).saturating_sub(20);
        for n in first..=last {
            let record = store.get(format!("m/{n:06}").as_bytes()).unwrap();
            assert_eq!(record, Some(pattern(n, 300)), "record {n} of {last}");
            let body = store.get(format!("b/{n:06}").as_bytes()).unwrap();
            assert!(body == Some(pattern(n, BODY_BYTES)), "body {n} of {last}");
        }
        assert_eq!(store.scan(b"m/").count(), last + 1 - first);
        assert_eq!(store.scan(b"b/").count(), last + 1 - first);
        no_blobs(dir.path());
        store.close();
    }
}
