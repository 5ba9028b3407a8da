//! Programs that send through the daemon, each message under its own key, and ask again
//! under the same key until they have an answer.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use super::random::Random;
use crate::support::DEADLINE;

/// Programs that send at the same time.
const SENDERS: usize = 4;
/// How long a sender waits at most before it asks again.
const PAUSE: Duration = Duration::from_millis(50);

/// A message that the daemon said it has.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    /// Its place in the order of acceptance.
    pub(super) order: u64,
    pub(super) id: String,
    pub(super) wa_id: String,
    pub(super) chat: String,
    pub(super) text: String,
}

#[derive(Default)]
struct Shared {
    stop: Mutex<bool>,
    stopped: Condvar,
    accepted: Mutex<BTreeMap<u64, Accepted>>,
}

pub(super) struct Senders {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Senders {
    pub(super) fn start(socket: &Path, chats: &[String], random: &mut Random) -> Senders {
        let shared = Arc::new(Shared::default());
        let threads = (0..SENDERS)
            .map(|name| {
                let sender = Sender {
                    name,
                    socket: socket.to_owned(),
                    chats: chats.to_vec(),
                    shared: Arc::clone(&shared),
                };
                let random = random.fork();
                std::thread::spawn(move || sender.run(random))
            })
            .collect();
        Senders { shared, threads }
    }

    /// Some message that was accepted.
    pub(super) fn any(&self, random: &mut Random) -> Option<Accepted> {
        let accepted = self.shared.accepted.lock().unwrap();
        let place = random.index(accepted.len().max(1));
        // Rather a late one: it may still wait.
        accepted.values().rev().nth(place % 30).cloned()
    }

    /// Everything that was accepted, in order.
    pub(super) fn stop(self) -> Vec<Accepted> {
        *self.shared.stop.lock().unwrap() = true;
        self.shared.stopped.notify_all();
        for thread in self.threads {
            thread.join().unwrap();
        }
        let accepted = self.shared.accepted.lock().unwrap();
        accepted.values().cloned().collect()
    }
}

struct Sender {
    name: usize,
    socket: PathBuf,
    chats: Vec<String>,
    shared: Arc<Shared>,
}

impl Sender {
    fn run(&self, mut random: Random) {
        for number in 0.. {
            let chat = &self.chats[random.index(self.chats.len())];
            let text = format!("text {number} of sender {}", self.name);
            let Some(message) = self.send(chat, &text) else { return };
            let id = message["id"].as_str().unwrap().to_owned();
            let order = id.trim_start_matches('m').parse().unwrap();
            let wa_id = message["wa_id"].as_str().unwrap().to_owned();
            let accepted = Accepted { order, id, wa_id, chat: chat.clone(), text };
            let before = self.shared.accepted.lock().unwrap().insert(order, accepted);
            assert!(before.is_none(), "an id was given twice: {before:?}");
            if self.waits(Duration::from_millis(random.below(300))) {
                return;
            }
        }
    }

    /// Until it has an answer; none if it is told to stop before it has.
    fn send(&self, chat: &str, text: &str) -> Option<Value> {
        let params = json!({ "to": chat, "text": text, "key": text });
        loop {
            let reply = call(&self.socket, "message.send", &params);
            match reply {
                Some(Ok(result)) => return Some(result["message"].clone()),
                Some(Err(error)) => {
                    let kind = error["data"]["kind"].as_str().unwrap().to_owned();
                    let passing = ["queue_full", "disk_full", "shutting_down", "outcome_unknown"];
                    assert!(passing.contains(&kind.as_str()), "{error}");
                    // Refused for certain: it may be given up.
                    if self.waits(PAUSE) && kind == "queue_full" {
                        return None;
                    }
                }
                // No daemon, or it went away: it may have the message.
                None => {
                    self.waits(PAUSE);
                }
            }
        }
    }

    /// Whether it is told to stop within this time.
    fn waits(&self, time: Duration) -> bool {
        let stop = self.shared.stop.lock().unwrap();
        if *stop {
            // Nothing to wake up from any more: the pace of asking again.
            drop(stop);
            std::thread::yield_now();
            return true;
        }
        let (stop, _) = self.shared.stopped.wait_timeout_while(stop, time, |stop| !*stop).unwrap();
        *stop
    }
}

/// One call of a program that expects the daemon to go away at any time.
pub(super) fn call(socket: &Path, method: &str, params: &Value) -> Option<Result<Value, Value>> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    stream.write_all(format!("{request}\n").as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    // Cut off in the middle of a line is no answer.
    let reply: Value = line.ends_with('\n').then(|| serde_json::from_str(&line).unwrap())?;
    Some(match reply.get("error") {
        Some(error) => Err(error.clone()),
        None => Ok(reply["result"].clone()),
    })
}
