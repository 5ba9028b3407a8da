//! kill -9 at random moments, under load from several clients, often during the start.
//!
//! Control: the store is put back to what it was before, as if a crash had taken everything
//! since, and a client repeats a request without its key.

use std::time::Duration;

use serde_json::json;

use crate::Protection;
use crate::judge::{PEOPLE, Readable, copy, judge};
use crate::random::Random;
use crate::senders::{Accepted, Senders};
use crate::support::{Daemon, Lab};
use crate::tally::Tally;

/// Fast enough that a round is short, slow enough that messages wait.
pub(crate) const PACE: &str = "[pacing]\nmessages = 60\nwindow = \"1s\"\n";
const KILLS: u64 = 8;
/// Between two kills, at most.
const PAUSE_MS: u64 = 500;
/// As long as a start takes, about.
const START_MS: u64 = 200;

pub(crate) fn round(random: &mut Random, protection: Protection, tally: &mut Tally) {
    let lab = Lab::new();
    lab.people(&PEOPLE);
    let mut daemon = lab.paired_with(PACE);
    if protection == Protection::Off {
        return forgotten_and_repeated(&lab, daemon, tally);
    }
    let chats = PEOPLE.map(str::to_owned);
    let senders = Senders::start(&lab.socket(), &chats, random);
    for _ in 0..KILLS {
        if random.below(10) < 3 {
            daemon.kill9();
            let mut early = Daemon::spawn(&lab.config(PACE), &lab.socket());
            pass(&mut early, random.below(START_MS));
            early.kill9();
        } else {
            pass(&mut daemon, random.below(PAUSE_MS));
            daemon.kill9();
        }
        tally.broken += 1;
        daemon = lab.daemon(PACE);
    }
    let accepted = senders.stop();
    judge(&lab, &daemon, (&accepted, Readable::AtOnce), tally);
}

/// Lets this much time pass while a daemon runs.
pub(crate) fn pass(daemon: &mut Daemon, ms: u64) {
    daemon.log_within("nothing that it says", Duration::from_millis(ms));
}

fn forgotten_and_repeated(lab: &Lab, mut daemon: Daemon, tally: &mut Tally) {
    let state = lab.path().join("state");
    let kept = lab.path().join("kept");
    daemon.kill9();
    copy(&state, &kept);
    daemon = lab.daemon(PACE);
    let repeated = [daemon.send(PEOPLE[0], "repeated"), daemon.send(PEOPLE[0], "repeated")];
    daemon.events().wait_until_left(&daemon, &repeated);
    daemon.call("queue.pause", json!({})).unwrap();
    let forgotten = daemon.send(PEOPLE[1], "forgotten");
    let accepted = [(&repeated[0], PEOPLE[0]), (&forgotten, PEOPLE[1])]
        .map(|(id, chat)| as_accepted(&daemon, id, chat));
    daemon.kill9();
    std::fs::remove_dir_all(&state).unwrap();
    copy(&kept, &state);
    daemon = lab.daemon(PACE);
    judge(lab, &daemon, (&accepted, Readable::AtOnce), tally);
}

/// A message as its sender knows it.
pub(crate) fn as_accepted(daemon: &Daemon, id: &str, chat: &str) -> Accepted {
    let message = daemon.message(id);
    let text = |name: &str| message[name].as_str().unwrap().to_owned();
    let (wa_id, text) = (text("wa_id"), text("text"));
    Accepted { order: 0, id: id.to_owned(), wa_id, chat: chat.to_owned(), text }
}
