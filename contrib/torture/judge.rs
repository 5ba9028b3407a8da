//! The verdict about messages: what was acknowledged is with its recipient once, under its id.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::senders::Accepted;
use crate::support::{Daemon, Lab};
use crate::tally::Tally;

/// The people whom the clients write to.
pub(crate) const PEOPLE: [&str; 3] = ["+15550111", "+15550112", "+15550113"];

/// When its recipient can read a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Readable {
    AtOnce,
    /// Or once it has asked again: where people write at the same time, a message may leave under
    /// keys that came with theirs and are not on disk. That is counted.
    InTheEnd,
}

/// Waits until everything that the daemon knows has left, and looks at the inboxes.
pub(crate) fn judge(
    lab: &Lab,
    daemon: &Daemon,
    (accepted, readable): (&[Accepted], Readable),
    tally: &mut Tally,
) {
    let known = |m: &&Accepted| daemon.call("message.get", json!({ "id": m.id })).is_ok();
    let ids: Vec<String> = accepted.iter().filter(known).map(|m| m.id.clone()).collect();
    // What was cut off five times waits for a person.
    let retried = daemon.call("queue.retry", json!({})).unwrap();
    tally.count("retried", retried["requeued"].as_array().unwrap().len() as u64);
    daemon.events().wait_until_left(daemon, &ids);
    arrivals(lab, (accepted, readable), tally);
}

/// Looks at the inboxes.
pub(crate) fn arrivals(
    lab: &Lab,
    (accepted, readable): (&[Accepted], Readable),
    tally: &mut Tally,
) {
    tally.acknowledged += accepted.len() as u64;
    assert!(accepted.iter().all(|m| PEOPLE.contains(&m.chat.as_str())));
    for number in PEOPLE {
        let inbox = lab.sim.inbox(number);
        for message in accepted.iter().filter(|m| m.chat == number) {
            arrived(&inbox, message, readable, tally);
        }
        for entry in inbox.iter().filter(|entry| !accepted.iter().any(|m| entry["text"] == *m.text))
        {
            tally.wrong(format!("nobody sent {entry}"));
        }
    }
}

fn arrived(inbox: &[Value], message: &Accepted, readable: Readable, tally: &mut Tally) {
    let entries: Vec<&Value> =
        inbox.iter().filter(|entry| entry["text"] == *message.text).collect();
    match entries.as_slice() {
        [] => tally.lost(format!("{message:?}")),
        [entry] if entry["id"] != *message.wa_id => {
            tally.wrong(format!("another id: {entry} for {message:?}"));
        }
        [entry] if entry["failed"] != 0 && readable == Readable::InTheEnd => {
            tally.count("readable only when asked for again", 1);
        }
        [entry] if entry["failed"] != 0 => {
            tally.wrong(format!("not readable at first: {entry} for {message:?}"));
        }
        [_] => {}
        many => tally.doubled(format!("{message:?} as {many:?}")),
    }
}

/// The same files elsewhere.
pub(crate) fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success(), "cp -a {} {}", from.display(), to.display());
}
