//! Clients that use more of the daemon than short texts: long texts, files, messages for later,
//! cancels and clears, and people who write at the same time. Owns what was acknowledged to them,
//! and the verdict on what the judge of short texts does not see.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::judge::PEOPLE;
use crate::random::Random;
use crate::senders::{Accepted, call};
use crate::support::{DEADLINE, Daemon, Events, Lab, Rpc};
use crate::tally::Tally;

const CLIENTS: usize = 2;
/// Between two messages of a client, or of the people, at most.
const PAUSE_MS: u64 = 250;
/// Before a client asks again.
const AGAIN: Duration = Duration::from_millis(50);
/// Texts in one record, in several, and in so many that few of them fill the journal.
const TEXT_CHARS: [usize; 3] = [300, 9_000, 40_000];
const FILE_BYTES: usize = 96 * 1024;
/// When a message for later is due: after the end of every round.
const LATER: jiff::SignedDuration = jiff::SignedDuration::from_hours(3);

/// Whether a message for later was withdrawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Withdrawn {
    No,
    Yes,
    /// Nobody has answered.
    Perhaps,
}

/// A message that waits for hours.
struct Later {
    id: String,
    text: String,
    withdrawn: Withdrawn,
}

/// A file, under the id that its recipient sees.
struct Sent {
    wa_id: String,
    chat: String,
    sha256: String,
}

/// What was acknowledged.
#[derive(Default)]
pub(crate) struct Work {
    /// What leaves at once: texts, and files by their captions.
    pub(crate) accepted: Vec<Accepted>,
    files: Vec<Sent>,
    later: Vec<Later>,
    /// What people have written.
    incoming: Vec<String>,
}

#[derive(Default)]
struct Shared {
    stopped: Mutex<bool>,
    told: Condvar,
    work: Mutex<Work>,
}

impl Shared {
    /// Lets this much time pass. Whether it is over.
    fn passes(&self, time: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap();
        *self.told.wait_timeout(stopped, time).unwrap().0
    }
}

/// The clients and the people, as long as they run.
pub(crate) struct Mixed {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Mixed {
    pub(crate) fn start(lab: &Lab, random: &mut Random) -> Mixed {
        let shared = Arc::new(Shared::default());
        let mut threads: Vec<_> = (0..CLIENTS)
            .map(|name| {
                let (socket, shared) = (lab.socket(), Arc::clone(&shared));
                let client = Client { name, socket, shared };
                let random = random.fork();
                std::thread::spawn(move || client.run(random))
            })
            .collect();
        let (control, of_people) = (lab.sim.control.clone(), Arc::clone(&shared));
        let random = random.fork();
        threads.push(std::thread::spawn(move || people(&control, &of_people, random)));
        Mixed { shared, threads }
    }

    /// What they were told. A daemon must answer.
    pub(crate) fn stop(self) -> Work {
        *self.shared.stopped.lock().unwrap() = true;
        self.shared.told.notify_all();
        for thread in self.threads {
            thread.join().unwrap();
        }
        std::mem::take(&mut *self.shared.work.lock().unwrap())
    }
}

/// People write to the account, whether the daemon is there or not.
fn people(control: &Path, shared: &Shared, mut random: Random) {
    for number in 0.. {
        let text = format!("incoming {number}");
        let reply = json!({ "number": PEOPLE[random.index(PEOPLE.len())], "text": text });
        if Rpc::connect(control).call("recipient.reply", reply).is_ok() {
            shared.work.lock().unwrap().incoming.push(text);
        }
        if shared.passes(Duration::from_millis(random.below(PAUSE_MS))) {
            return;
        }
    }
}

struct Client {
    name: usize,
    socket: PathBuf,
    shared: Arc<Shared>,
}

impl Client {
    fn run(&self, mut random: Random) {
        for number in 0.. {
            match random.below(3) {
                0 => self.send_text(number, &mut random),
                1 => self.send_file(number, &mut random),
                _ => self.send_later(number, &mut random),
            }
            if self.shared.passes(Duration::from_millis(random.below(PAUSE_MS))) {
                return;
            }
        }
    }

    /// Asks until there is an answer. None: it was refused for now, and nobody waits any more.
    fn ask(&self, method: &str, params: &Value) -> Option<Value> {
        loop {
            let reply = call(&self.socket, method, params);
            if let Some(Ok(result)) = reply {
                return Some(result);
            }
            let stopped = self.shared.passes(AGAIN);
            if let Some(Err(error)) = reply {
                let kind = error["data"]["kind"].as_str().unwrap().to_owned();
                let passing =
                    ["queue_full", "disk_full", "spool_full", "shutting_down", "outcome_unknown"];
                assert!(passing.contains(&kind.as_str()), "{method}: {error}");
                if stopped && kind == "queue_full" {
                    return None;
                }
            }
        }
    }

    fn send(&self, params: &Value) -> Option<Accepted> {
        let message = self.ask("message.send", params)?["message"].clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Some(Accepted {
            order: 0,
            id: text(&message["id"]),
            wa_id: text(&message["wa_id"]),
            chat: text(&params["to"]),
            text: text(&params["key"]),
        })
    }

    fn send_text(&self, number: u64, random: &mut Random) {
        let chars = TEXT_CHARS[random.index(TEXT_CHARS.len())];
        let text = format!("long {number} of client {}{}", self.name, ".".repeat(chars));
        let chat = PEOPLE[random.index(PEOPLE.len())];
        let key = format!("long {number} of client {}", self.name);
        let params = json!({ "to": chat, "text": text, "key": key });
        if let Some(accepted) = self.send(&params) {
            self.shared.work.lock().unwrap().accepted.push(Accepted { text, ..accepted });
        }
    }

    fn send_file(&self, number: u64, random: &mut Random) {
        let caption = format!("file {number} of client {}", self.name);
        let mut content = b"%PDF-1.7\n".to_vec();
        let bytes = random.index(FILE_BYTES);
        content.extend((0..bytes).map(|_| u8::try_from(random.below(256)).unwrap()));
        let chat = PEOPLE[random.index(PEOPLE.len())];
        let base64 = BASE64_STANDARD.encode(&content);
        let file = json!({ "base64": base64, "name": "a.pdf", "caption": caption });
        let params = json!({ "to": chat, "file": file, "key": caption });
        let Some(accepted) = self.send(&params) else { return };
        let sha256 = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        let sent = Sent { wa_id: accepted.wa_id.clone(), chat: chat.to_owned(), sha256 };
        let mut work = self.shared.work.lock().unwrap();
        work.accepted.push(accepted);
        work.files.push(sent);
    }

    /// A message that waits, and is withdrawn by its id, by its key, or not at all.
    fn send_later(&self, number: u64, random: &mut Random) {
        let key = format!("later {number} of client {}.", self.name);
        let text = format!("{key}{}", ".".repeat(TEXT_CHARS[random.index(2)]));
        let due = (jiff::Timestamp::now() + LATER).to_string();
        let to = PEOPLE[random.index(PEOPLE.len())];
        let params = json!({ "to": to, "text": text, "key": key, "not_before": due });
        let Some(Accepted { id, .. }) = self.send(&params) else { return };
        let place = {
            let mut work = self.shared.work.lock().unwrap();
            work.later.push(Later { id: id.clone(), text, withdrawn: Withdrawn::No });
            work.later.len() - 1
        };
        let (method, params) = match random.below(3) {
            0 => return,
            1 => ("queue.cancel", json!({ "ids": [id] })),
            _ => ("queue.clear", json!({ "filter": { "key_prefix": key } })),
        };
        let withdrawn =
            |is: Withdrawn| self.shared.work.lock().unwrap().later[place].withdrawn = is;
        withdrawn(Withdrawn::Perhaps);
        let answer = self.ask(method, &params);
        // It is judged as one that waits where the daemon does not know it.
        let known = answer.is_some_and(|answer| answer["not_found"] != json!([id]));
        withdrawn(if known { Withdrawn::Yes } else { Withdrawn::No });
    }
}

impl Work {
    /// Looks at what the judge of texts does not: files, what waits, what came in.
    pub(crate) fn judge(&self, lab: &Lab, daemon: &Daemon, tally: &mut Tally) {
        tally.count("files", self.files.len() as u64);
        for file in &self.files {
            let inbox = lab.sim.inbox(&file.chat);
            let entry = inbox.iter().find(|entry| entry["id"] == *file.wa_id);
            // Without an entry it is lost, which the judge of texts says.
            if let Some(entry) = entry.filter(|e| e["content"]["sha256"] != *file.sha256) {
                tally.wrong(format!("another file: {entry}"));
            }
        }
        tally.acknowledged += (self.later.len() + self.incoming.len()) as u64;
        for message in &self.later {
            waits(daemon, message, tally);
        }
        self.came_in(daemon, tally);
    }

    /// Each of these is in the inbox once.
    fn came_in(&self, daemon: &Daemon, tally: &mut Tally) {
        tally.count("came in", self.incoming.len() as u64);
        let mut missing: std::collections::BTreeSet<&str> =
            self.incoming.iter().map(String::as_str).collect();
        let mut events = Events::subscribe_with(daemon.socket(), json!({ "after": 0 })).0;
        while !missing.is_empty() {
            let Some(event) = events.next_within(DEADLINE) else { break };
            missing.remove(event["message"]["text"].as_str().unwrap_or_default());
        }
        for text in missing {
            tally.lost(format!("{text} is not in the inbox"));
        }
        let mut after = 0;
        let mut texts = Vec::new();
        loop {
            let list = daemon.call("inbox.list", json!({ "after": after })).unwrap();
            let messages = list["messages"].as_array().unwrap();
            texts.extend(messages.iter().map(|m| m["text"].as_str().unwrap_or("").to_owned()));
            match messages.last() {
                Some(last) => after = last["cursor"].as_u64().unwrap(),
                None => break,
            }
        }
        texts.sort_unstable();
        for twice in texts.windows(2).filter(|pair| pair[0] == pair[1]) {
            tally.doubled(format!("{} is in the inbox twice", twice[0]));
        }
    }
}

fn waits(daemon: &Daemon, message: &Later, tally: &mut Tally) {
    let Later { id, text, withdrawn } = message;
    let Ok(known) = daemon.call("message.get", json!({ "id": id })) else {
        return tally.lost(format!("{id}, which was to leave later"));
    };
    if known["text"] != **text {
        tally.wrong(format!("another text: {id}"));
    }
    let fits = match known["state"].as_str().unwrap() {
        "queued" => *withdrawn != Withdrawn::Yes,
        "cancelled" => *withdrawn != Withdrawn::No,
        _ => false,
    };
    if !fits {
        tally.wrong(format!("{id}, withdrawn: {withdrawn:?}, is {}", known["state"]));
    }
}
