//! What goes wrong, at random, and how it is put right at the end.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::PEOPLE;
use super::random::Random;
use super::senders::{Accepted, Senders};
use crate::support::{ACCOUNT, DEADLINE, Daemon, Lab, session_is};

/// Between two faults, at most.
const PAUSE_MS: u64 = 500;
/// Until all waiting messages have left after the faults.
const CALM_MAX: Duration = Duration::from_secs(120);

/// The laboratory, its daemon, and what was done to them.
pub(super) struct Storm {
    pub(super) lab: Lab,
    pub(super) daemon: Daemon,
    pace: &'static str,
    random: Random,
    /// Attempts that reached the server, for each of its lives: id and time.
    pub(super) attempts: Vec<Vec<(String, u64)>>,
    /// The daemon said that they are withdrawn, and nothing of them had left.
    pub(super) cancelled: BTreeSet<String>,
    /// Withdrawn perhaps, or after an attempt without an answer.
    pub(super) cancelled_perhaps: BTreeSet<String>,
    /// Set aside at some time: their place in the order is lost.
    pub(super) parked: BTreeSet<String>,
    pub(super) deeds: Vec<String>,
}

impl Storm {
    pub(super) fn new(lab: Lab, pace: &'static str, random: Random) -> Storm {
        let daemon = lab.daemon(pace);
        Storm {
            lab,
            daemon,
            pace,
            random,
            attempts: Vec::new(),
            cancelled: BTreeSet::new(),
            cancelled_perhaps: BTreeSet::new(),
            parked: BTreeSet::new(),
            deeds: Vec::new(),
        }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.lab.socket()
    }

    pub(super) fn group(&self) -> String {
        let mut members = vec![format!("+{ACCOUNT}")];
        members.extend(PEOPLE.iter().map(|&number| number.to_owned()));
        let group = json!({ "subject": "everybody", "members": members });
        let group = self.lab.sim.call("group.add", group);
        group["jid"].as_str().unwrap().to_owned()
    }

    /// Pairs, and is killed at some moment of that, until it is paired.
    pub(super) fn pair_roughly(&mut self) {
        loop {
            let offer = self.daemon.call("session.pair", json!({})).unwrap();
            let qr = offer["offer"]["qr"].as_str().unwrap().to_owned();
            self.lab.sim.call("phone.scan", json!({ "qr": qr, "account": ACCOUNT }));
            let moment = Duration::from_millis(self.random.below(400));
            self.daemon.log_within("nothing that it says", moment);
            self.deed(format!("killed {moment:?} after the scan"));
            self.daemon.kill9();
            self.daemon = self.lab.daemon(self.pace);
            let mut events = self.daemon.events();
            let settled = events.wait("a session or none", |event| {
                session_is(event, "connected") || session_is(event, "not_paired")
            });
            if session_is(&settled, "connected") {
                return;
            }
            self.deed("not paired yet".to_owned());
        }
    }

    /// Faults, for this long.
    pub(super) fn rage(&mut self, senders: &Senders, time: Duration) {
        let started = Instant::now();
        while started.elapsed() < time {
            let pause = Duration::from_millis(self.random.below(PAUSE_MS));
            self.daemon.log_within("nothing that it says", pause);
            self.one_fault(senders);
        }
    }

    fn deed(&mut self, deed: String) {
        self.deeds.push(deed);
    }

    fn one_fault(&mut self, senders: &Senders) {
        match self.random.below(17) {
            0 => self.server("disconnect", json!({})),
            1 => {
                let times = 1 + self.random.below(3);
                self.server("set", json!({ "ack_drop": times }));
            }
            2 => {
                let delay = self.random.below(800);
                self.server("set", json!({ "ack_delay_ms": delay }));
            }
            3 => {
                let receipts = ["all", "delivered", "none"][self.random.index(3)];
                self.server("set", json!({ "receipts": receipts }));
            }
            4 => {
                let stall = self.random.below(3) == 0;
                self.server("set", json!({ "stall": stall }));
            }
            5 => {
                let online = self.random.below(2) == 0;
                self.deed(format!("phone online: {online}"));
                self.lab.sim.call("phone.set", json!({ "online": online }));
            }
            6 => {
                self.server("replace_session", json!({}));
                self.take_over();
            }
            7 => self.restart_server(),
            8 | 9 => self.kill(),
            10 => self.kill_in_the_start(),
            11 => self.kill_at_an_attempt(),
            12 => self.stop(),
            13 => {
                let method = ["queue.pause", "queue.resume", "queue.resume"][self.random.index(3)];
                self.deed(method.to_owned());
                self.daemon.call(method, json!({})).unwrap();
            }
            14 | 15 => self.cancel(senders),
            16 => {
                let times = 1 + self.random.below(3);
                self.server("set", json!({ "lose_messages": times }));
            }
            _ => unreachable!(),
        }
    }

    fn server(&mut self, method: &str, params: Value) {
        self.deed(format!("{method} {params}"));
        self.lab.sim.call(&format!("server.{method}"), params);
    }

    fn take_over(&mut self) {
        let status = self.daemon.status();
        if status["session"]["state"] == "replaced" {
            self.deed("takeover".to_owned());
            self.daemon.call("session.takeover", json!({})).unwrap();
        }
    }

    fn restart_server(&mut self) {
        self.deed("server restarts".to_owned());
        self.note_attempts();
        self.lab.sim.restart();
    }

    /// What the server counts is gone with it.
    pub(super) fn note_attempts(&mut self) {
        let stats = self.lab.sim.call("server.stats", json!({}));
        let attempts = stats["attempts"].as_array().unwrap().iter();
        let own = format!("{ACCOUNT}@");
        let messages = attempts.filter(|a| !a["to"].as_str().unwrap().starts_with(&own));
        let noted =
            messages.map(|a| (a["id"].as_str().unwrap().to_owned(), a["at_ms"].as_u64().unwrap()));
        self.attempts.push(noted.collect());
    }

    fn kill(&mut self) {
        self.deed("kill -9".to_owned());
        self.daemon.kill9();
        self.daemon = self.lab.daemon(self.pace);
    }

    fn kill_in_the_start(&mut self) {
        self.daemon.kill9();
        let moment = Duration::from_millis(self.random.below(250));
        self.deed(format!("kill -9, and again after {moment:?}"));
        let config = self.lab.config(self.pace);
        let mut early = Daemon::spawn(&config, &self.lab.socket());
        early.log_within("nothing that it says", moment);
        early.kill9();
        self.daemon = self.lab.daemon(self.pace);
    }

    /// Between an attempt's start and its answer.
    fn kill_at_an_attempt(&mut self) {
        let mut events = self.daemon.events();
        let moment = Duration::from_micros(self.random.below(30_000));
        let started = Instant::now();
        let mut wait = || -> bool {
            while started.elapsed() < Duration::from_secs(2) {
                match events.next_within(Duration::from_secs(2)) {
                    Some(event) if event["message"]["state"] == "sending" => return true,
                    Some(_) => {}
                    None => return false,
                }
            }
            false
        };
        let attempt = wait();
        self.daemon.log_within("nothing that it says", moment);
        self.deed(format!("kill -9 {moment:?} after an attempt ({attempt})"));
        self.daemon.kill9();
        self.daemon = self.lab.daemon(self.pace);
    }

    fn stop(&mut self) {
        self.deed("SIGTERM".to_owned());
        let status = self.daemon.stop();
        assert!(status.success(), "{status}\n{}", self.daemon.log());
        self.daemon = self.lab.daemon(self.pace);
    }

    fn cancel(&mut self, senders: &Senders) {
        let Some(Accepted { id, .. }) = senders.any(&mut self.random) else { return };
        let before = self.daemon.message(&id);
        let result = self.daemon.call("queue.cancel", json!({ "ids": [id] })).unwrap();
        if result["cancelled"] == json!([id]) {
            let after = self.daemon.message(&id);
            self.deed(format!("cancelled {id} ({})", before["state"]));
            // Without an answer it may have left; the daemon says so.
            let answered = before["state"] == "queued" || before["reason"]["kind"] != "no_answer";
            if answered && after["state"] == "cancelled" {
                self.cancelled.insert(id);
            } else {
                self.cancelled_perhaps.insert(id);
            }
        }
    }

    /// Ends all faults, and waits until every message has had its turn.
    pub(super) fn calm(&mut self) {
        self.deed("calm".to_owned());
        let calm = json!({
            "ack_drop": false, "lose_messages": false, "ack_delay_ms": 0, "receipts": "all", "stall": false
        });
        self.server("set", calm);
        self.lab.sim.call("phone.set", json!({ "online": true }));
        self.daemon.call("queue.resume", json!({})).unwrap();
        // What has no answer is asked for anew on the next connection.
        let mut events = self.daemon.events();
        let started = Instant::now();
        let mut asked = false;
        while started.elapsed() < CALM_MAX {
            // A takeover may have been under way when the calm began.
            self.take_over();
            let status = self.daemon.status();
            if !asked && status["session"]["state"] == "connected" {
                asked = true;
                self.server("disconnect", json!({}));
            }
            let queue = &status["queue"];
            let waiting = ["queued", "sending", "unknown"];
            if waiting.iter().all(|state| queue[*state] == 0) {
                if queue["parked"] == 0 {
                    self.note_attempts();
                    return;
                }
                self.retry_parked();
            }
            events.next_within(DEADLINE);
        }
        panic!("not calm: {}\n{:#?}", self.daemon.status(), self.deeds);
    }

    fn retry_parked(&mut self) {
        let retried = self.daemon.call("queue.retry", json!({})).unwrap();
        let ids = retried["requeued"].as_array().unwrap().iter();
        self.parked.extend(ids.map(|id| id.as_str().unwrap().to_owned()));
        self.deed(format!("retry {}", retried["requeued"]));
    }
}
