//! The changes feed: a subscriber that remembers one number misses nothing, whoever is
//! killed in between.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Daemon, Events, Lab};

const FRIEND: &str = "+15550111";

/// What a subscriber keeps on its own disk.
#[derive(Default)]
struct Subscriber {
    after: u64,
    states: BTreeMap<String, Value>,
    incoming: Vec<u64>,
}

impl Subscriber {
    /// Takes one event in.
    fn take(&mut self, event: &Value) {
        let seq = event["seq"].as_u64().unwrap();
        assert!(seq >= self.after, "{} after {}", event, self.after);
        let message = &event["message"];
        match event["event"].as_str().unwrap() {
            "message" => {
                let id = message["id"].as_str().unwrap().to_owned();
                self.states.insert(id, message["state"].clone());
            }
            "incoming" => self.incoming.push(message["cursor"].as_u64().unwrap()),
            "status" | "snapshot_end" => {}
            other => panic!("{other}: {event}"),
        }
        self.after = seq;
    }

    /// Continues after its number until this holds, then is gone without a word.
    fn read_until(&mut self, lab: &Lab, done: impl Fn(&Subscriber, &Value) -> bool) {
        let (mut events, _) = Events::subscribe_with(&lab.socket(), json!({ "after": self.after }));
        events.wait("what is still to come", |event| {
            self.take(event);
            done(self, event)
        });
    }

    /// Whether it has each message as the daemon has it.
    fn knows_all(&self, daemon: &Daemon, ids: &[String]) -> bool {
        ids.iter().all(|id| self.states.get(id) == Some(&daemon.message(id)["state"]))
    }
}

#[test]
fn over_kills_of_both_sides_each_last_state_and_each_incoming_message_once_is_told() {
    let lab = Lab::new();
    lab.people(&[FRIEND]);
    let mut daemon = lab.paired_with("");
    lab.sim.call("server.wait", json!({ "key_uploads": 1 }));
    let mut subscriber = Subscriber::default();
    let mut ids = Vec::new();
    for round in 0_u64..4 {
        for n in 0..2 {
            lab.sim.call("recipient.reply", json!({ "number": FRIEND, "text": "in" }));
            ids.push(daemon.send(FRIEND, &format!("out {round} {n}")));
        }
        // The first of the two, and whatever comes before it.
        let first = 3 * round + 1;
        subscriber.read_until(&lab, |subscriber, _| subscriber.incoming.contains(&first));
        daemon.kill9();
        // Nobody is there when it comes.
        lab.sim.call("recipient.reply", json!({ "number": FRIEND, "text": "away" }));
        daemon = lab.daemon("");
    }
    subscriber.read_until(&lab, |subscriber, _| {
        subscriber.incoming.len() >= 12 && subscriber.knows_all(&daemon, &ids)
    });
    // All of it once more, to somebody new: the same picture.
    let mut newcomer = Subscriber::default();
    newcomer.read_until(&lab, |_, event| event["event"] == "snapshot_end");
    assert_eq!(subscriber.incoming, (1..=12).collect::<Vec<u64>>());
    assert_eq!(newcomer.incoming, subscriber.incoming);
    assert_eq!(newcomer.states.keys().collect::<Vec<_>>(), ids.iter().collect::<Vec<_>>());
}
