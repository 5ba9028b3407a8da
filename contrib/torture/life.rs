//! kill -9 at each point of a message's life, and while one comes in: it arrives once, under its
//! id, readable at once, and what came in is in the inbox once.
//!
//! Control: a client that repeats its request without a key after a kill.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Protection;
use crate::judge::{PEOPLE, Readable, judge};
use crate::kills::{PACE, as_accepted, pass};
use crate::random::Random;
use crate::senders::Accepted;
use crate::support::{DEADLINE, Daemon, Lab, message_is};
use crate::tally::Tally;

/// After a point, at most.
const AFTER_US: u64 = 20_000;
/// As long as an ack takes where it is waited for.
const ACK_MS: u64 = 200;
const LOOK_MS: u64 = 5;

/// Where it is killed.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// The caller has its answer.
    Acknowledged,
    /// The attempt has begun.
    Attempted,
    /// The server has it, and has not answered.
    Left,
    /// The server has answered.
    Sent,
    /// The recipient has it.
    Delivered,
    /// Somebody's message comes in at the same time.
    Answered,
}

const POINTS: [Point; 6] = [
    Point::Acknowledged,
    Point::Attempted,
    Point::Left,
    Point::Sent,
    Point::Delivered,
    Point::Answered,
];

pub(crate) fn round(random: &mut Random, protection: Protection, tally: &mut Tally) {
    let lab = Lab::new();
    lab.people(&PEOPLE);
    let mut daemon = lab.paired_with(PACE);
    lab.sim.call("server.wait", json!({ "key_uploads": 1 }));
    let mut accepted = Vec::new();
    let mut incoming = Vec::new();
    for (n, point) in POINTS.into_iter().enumerate() {
        let chat = PEOPLE[random.index(PEOPLE.len())];
        let text = format!("killed when {point:?}");
        let one = killed(&lab, &mut daemon, (point, chat, &text), random);
        accepted.push(one);
        if matches!(point, Point::Answered) {
            incoming.push(format!("incoming {n}"));
        }
        tally.broken += 1;
        daemon = lab.daemon(PACE);
        if protection == Protection::Off {
            let mut events = daemon.events();
            let again = daemon.send(chat, &text);
            events.wait_until_left(&daemon, std::slice::from_ref(&again));
            break;
        }
    }
    judge(&lab, &daemon, (&accepted, Readable::AtOnce), tally);
    came_in(&daemon, &incoming, tally);
}

fn killed(
    lab: &Lab,
    daemon: &mut Daemon,
    (point, chat, text): (Point, &str, &str),
    random: &mut Random,
) -> Accepted {
    let mut events = daemon.events();
    events.wait_connected(daemon);
    let delay = if matches!(point, Point::Left) { ACK_MS } else { 0 };
    lab.sim.call("server.set", json!({ "ack_delay_ms": delay }));
    if matches!(point, Point::Answered) {
        let number = POINTS.len() - 1;
        let reply = json!({ "number": chat, "text": format!("incoming {number}") });
        lab.sim.call("recipient.reply", reply);
    }
    let id = daemon.send(chat, text);
    let accepted = as_accepted(daemon, &id, chat);
    let mut until = |state: &str| {
        events.wait(state, |event| message_is(event, &id, state) || message_is(event, &id, "read"));
    };
    match point {
        Point::Acknowledged => {}
        Point::Attempted | Point::Answered => until("sending"),
        Point::Left => {
            let started = Instant::now();
            while lab.attempts(&accepted.wa_id).is_empty() && started.elapsed() < DEADLINE {
                pass(daemon, LOOK_MS);
            }
        }
        Point::Sent => until("sent"),
        Point::Delivered => until("delivered"),
    }
    let moment = Duration::from_micros(random.below(AFTER_US));
    daemon.log_within("nothing that it says", moment);
    daemon.kill9();
    lab.sim.call("server.set", json!({ "ack_delay_ms": 0 }));
    accepted
}

/// Each of these is in the inbox once.
fn came_in(daemon: &Daemon, texts: &[String], tally: &mut Tally) {
    let mut events =
        crate::support::Events::subscribe_with(daemon.socket(), json!({ "after": 0 })).0;
    for text in texts {
        events.wait("what came in", |event| event["message"]["text"] == text.as_str());
    }
    let list = daemon.call("inbox.list", json!({})).unwrap();
    let all: Vec<&Value> = list["messages"].as_array().unwrap().iter().collect();
    for text in texts {
        match all.iter().filter(|message| message["text"] == text.as_str()).count() {
            0 => tally.lost(format!("{text} is not in the inbox")),
            1 => tally.acknowledged += 1,
            many => tally.doubled(format!("{text} is in the inbox {many} times")),
        }
    }
}
