//! What must be true at the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::PEOPLE;
use super::faults::Storm;
use super::senders::Accepted;
use crate::support::ACCOUNT;

/// The pace: so many in so many milliseconds.
const LIMIT: usize = 5;
const WINDOW_MS: u64 = 1_000;
/// The way to the server takes longer for one than for another, by this much at most.
const WAY_MS: u64 = 400;

/// Collects what is wrong, so that one run tells everything.
struct Judge<'a> {
    storm: &'a Storm,
    wrong: Vec<String>,
}

pub(super) fn judge(storm: &mut Storm, accepted: &[Accepted], group: &str) {
    let states: BTreeMap<&str, Value> =
        accepted.iter().map(|m| (m.id.as_str(), storm.daemon.message(&m.id))).collect();
    let mut judge = Judge { storm, wrong: Vec::new() };
    let mut arrived = 0;
    for number in PEOPLE {
        let inbox = judge.storm.lab.sim.inbox(number);
        arrived += inbox.len();
        for chat in [number, group] {
            judge.chat(&inbox, number, chat, accepted, &states);
        }
        judge.nothing_else(&inbox, accepted);
    }
    judge.states(accepted, &states);
    judge.pace();
    let attempts: usize = judge.storm.attempts.iter().map(Vec::len).sum();
    eprintln!(
        "chaos: {} accepted, {} cancelled, {} parked, {arrived} arrived, {attempts} attempts, {} faults",
        accepted.len(),
        judge.storm.cancelled.len(),
        judge.storm.parked.len(),
        judge.storm.deeds.len(),
    );
    if !judge.wrong.is_empty() {
        let wrong = judge.wrong.join("\n");
        let deeds = storm.deeds.join("\n");
        panic!("what was done:\n{deeds}\nwhat is wrong:\n{wrong}\n{}", storm.daemon.log());
    }
}

impl Judge<'_> {
    /// One person's view of one chat.
    fn chat(
        &mut self,
        inbox: &[Value],
        number: &str,
        chat: &str,
        accepted: &[Accepted],
        states: &BTreeMap<&str, Value>,
    ) {
        // A person's own chat is named by the other side.
        let shown = if chat == number { format!("+{ACCOUNT}") } else { chat.to_owned() };
        let entries: Vec<&Value> = inbox.iter().filter(|m| m["chat"] == shown.as_str()).collect();
        for message in accepted.iter().filter(|m| m.chat == chat) {
            let under: Vec<&&Value> =
                entries.iter().filter(|m| m["text"] == message.text.as_str()).collect();
            let known = &states[message.id.as_str()];
            let cancelled = self.storm.cancelled.contains(&message.id);
            let perhaps = self.storm.cancelled_perhaps.contains(&message.id);
            match under.as_slice() {
                [] if cancelled || perhaps => {}
                [] => self.wrong.push(format!("{number} lacks {message:?}: {known}")),
                [_] if cancelled => {
                    self.wrong.push(format!("{number} has {message:?}, withdrawn: {known}"));
                }
                [entry] => self.entry(entry, message, known),
                _ => self.wrong.push(format!("{number} has {message:?} as {under:?}")),
            }
        }
        let kept = |text: &str| {
            let message = accepted.iter().find(|m| m.text == text)?;
            (!self.storm.parked.contains(&message.id)).then_some(message.order)
        };
        let orders: Vec<u64> =
            entries.iter().filter_map(|m| kept(m["text"].as_str().unwrap())).collect();
        if !orders.is_sorted() {
            self.wrong.push(format!("{number} got {chat} out of order: {orders:?}"));
        }
    }

    fn entry(&mut self, entry: &Value, message: &Accepted, known: &Value) {
        if entry["id"] != message.wa_id.as_str() {
            self.wrong.push(format!("another id: {entry} for {message:?}"));
        }
        if entry["failed"] != 0 {
            self.wrong.push(format!("not readable at first: {entry} for {message:?}: {known}"));
        }
        if entry["copies"].as_u64() > known["attempts"].as_u64() {
            self.wrong.push(format!("more copies than attempts: {entry}: {known}"));
        }
    }

    /// Nobody has what nobody sent.
    fn nothing_else(&mut self, inbox: &[Value], accepted: &[Accepted]) {
        let texts: BTreeSet<&str> = accepted.iter().map(|m| m.text.as_str()).collect();
        for entry in inbox {
            if !texts.contains(entry["text"].as_str().unwrap()) {
                self.wrong.push(format!("nobody sent {entry}"));
            }
        }
    }

    fn states(&mut self, accepted: &[Accepted], states: &BTreeMap<&str, Value>) {
        for message in accepted {
            let known = &states[message.id.as_str()];
            let state = known["state"].as_str().unwrap();
            let cancelled = self.storm.cancelled.contains(&message.id);
            let perhaps = self.storm.cancelled_perhaps.contains(&message.id);
            let fits = match state {
                "cancelled" => cancelled || perhaps,
                "sent" | "delivered" | "read" => !cancelled,
                _ => false,
            };
            if !fits {
                self.wrong.push(format!("{message:?} ends as {known}"));
            }
        }
    }

    /// No window holds more than its limit.
    fn pace(&mut self) {
        for attempts in &self.storm.attempts {
            for window in attempts.windows(LIMIT + 1) {
                let width = window[LIMIT].1 - window[0].1;
                if width + WAY_MS < WINDOW_MS {
                    self.wrong.push(format!("six attempts within {width} ms: {window:?}"));
                }
            }
        }
    }
}
