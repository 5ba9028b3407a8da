//! The verdict about messages: what was acknowledged is with its recipient once, under its id.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::senders::Accepted;
use crate::support::{DEADLINE, Daemon, Lab};
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
    if readable == Readable::InTheEnd {
        wait_until_read(lab);
    }
    arrivals(lab, (accepted, readable), tally);
}

/// Waits until nobody waits for the answer to a message that they could not read. What has no
/// answer by the deadline is lost.
fn wait_until_read(lab: &Lab) {
    let started = Instant::now();
    while let Some(left) = DEADLINE.checked_sub(started.elapsed()) {
        // Before the inboxes are looked at: an answer is one message more.
        let messages = lab.sim.call("server.stats", json!({}))["messages"].as_u64().unwrap();
        let unread = |number: &&str| lab.sim.inbox(number).iter().any(|e| e["copies"] == 0);
        if !PEOPLE.iter().any(unread) {
            return;
        }
        let next = json!({ "messages": messages + 1, "within_s": left.as_secs() });
        // Nothing more comes: the inboxes show it.
        let _ = lab.sim.try_call("server.wait", next);
    }
}

/// Looks at the inboxes.
pub(crate) fn arrivals(
    lab: &Lab,
    (accepted, readable): (&[Accepted], Readable),
    tally: &mut Tally,
) {
    tally.acknowledged += accepted.len() as u64;
    assert!(accepted.iter().all(|m| PEOPLE.contains(&m.chat.as_str())));
    let (mut late, mut runs) = (0, 0);
    for number in PEOPLE {
        let inbox = lab.sim.inbox(number);
        let mut is_late = false;
        for message in accepted.iter().filter(|m| m.chat == number) {
            let was_late = is_late;
            is_late = arrived(&inbox, message, readable, tally);
            late += u64::from(is_late);
            runs += u64::from(is_late && !was_late);
        }
        for entry in inbox.iter().filter(|entry| !accepted.iter().any(|m| entry["text"] == *m.text))
        {
            tally.wrong(format!("nobody sent {entry}"));
        }
    }
    tally.count("readable only when asked for again", late);
    if runs > late_runs_max(accepted.len()) {
        tally.wrong(format!("{late} of {} were readable only later", accepted.len()));
    }
}

/// How often of so many messages some in a row may have been readable only later, since keys that
/// are lost make unreadable what is sent until its recipient has asked: of 200 once, and once of
/// fewer.
fn late_runs_max(accepted: usize) -> u64 {
    (accepted as u64).div_ceil(200)
}

/// Looks for one message. Whether it was readable only later.
fn arrived(inbox: &[Value], message: &Accepted, readable: Readable, tally: &mut Tally) -> bool {
    let entries: Vec<&Value> =
        inbox.iter().filter(|entry| entry["text"] == *message.text).collect();
    match entries.as_slice() {
        [] => tally.lost(format!("{message:?}")),
        [entry] if entry["id"] != *message.wa_id => {
            tally.wrong(format!("another id: {entry} for {message:?}"));
        }
        [entry] if entry["failed"] != 0 && readable == Readable::InTheEnd => return true,
        [entry] if entry["failed"] != 0 => {
            tally.wrong(format!("not readable at first: {entry} for {message:?}"));
        }
        [_] => {}
        many => tally.doubled(format!("{message:?} as {many:?}")),
    }
    false
}

/// The same files elsewhere.
pub(crate) fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success(), "cp -a {} {}", from.display(), to.display());
}
