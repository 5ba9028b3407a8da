//! The scenario: pairing, several senders, a phone that goes off and on, a connection
//! that breaks, and the check at the end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::sync::Mutex;
use tokio::time::{Instant, interval, timeout};

use super::DrawQr;
use super::print::{self, Printer};
use crate::{DEFAULT_ACCOUNT, InboxMessage, Sim};
use tetherd_api::call;
use tetherd_api::client::{Client, Events};
use tetherd_api::state_replica::StateReplica;
use tetherd_api::{MessageId, PairOffer, PairParams, SendParams, SessionState};

/// The longest that one step may take before the demonstration gives up.
const STEP_MAX: Duration = Duration::from_secs(40);
/// How often somebody writes once the scenario is over.
const IDLE_PACE: Duration = Duration::from_secs(5);

/// Three people; the first has two more devices in addition to the phone.
const PEOPLE: [(&str, u8); 3] = [("+15550111", 2), ("+15550112", 0), ("+15550113", 0)];

/// One message as it was accepted.
struct Accepted {
    id: MessageId,
    chat: String,
    text: String,
}

/// A running scenario.
pub(super) struct Scenario {
    sim: Arc<Sim>,
    socket: PathBuf,
    printer: Printer,
    replica: StateReplica,
    draw: DrawQr,
    accepted: Arc<Mutex<Vec<Accepted>>>,
}

impl Scenario {
    pub(super) fn new(sim: Arc<Sim>, socket: PathBuf, draw: DrawQr) -> Scenario {
        let accepted = Arc::default();
        Scenario {
            sim,
            socket,
            printer: Printer::new(),
            replica: StateReplica::new(),
            draw,
            accepted,
        }
    }

    /// Plays it. With `once` it ends with the check; otherwise it goes on until stopped.
    pub(super) async fn play(mut self, once: bool) -> anyhow::Result<bool> {
        let client = Client::connect(&self.socket).await?;
        let mut events = client.subscribe().await?;
        let started = Instant::now();
        self.pair(&client, &mut events).await?;
        let group = self.people().await?;

        self.printer.scene("three programs write at the same time");
        let senders = [
            self.program("shop", "+15550111", 5),
            self.program("alarm", "+15550112", 4),
            self.program("family", &group, 3),
            // Two programs may write to one person.
            self.program("clinic", "+15550112", 2),
        ];
        for sender in senders {
            sender.await??;
        }
        self.repeat_with_the_same_key().await?;
        self.until(&mut events, |_, seen| seen.left() >= 3).await?;
        self.printer.scene("the connection breaks");
        self.sim.server_disconnect(None).await?;
        self.until(&mut events, |_, seen| seen.left() >= 8).await?;
        self.printer.scene("the phone is switched off; a linked device goes on without it");
        self.sim.phone_set(None, false).await?;
        self.program("shop", "+15550111", 2).await??;
        let ids: Vec<MessageId> = self.accepted.lock().await.iter().map(|m| m.id).collect();
        self.until(&mut events, |_, seen| ids.iter().all(|id| seen.has_left(*id))).await?;
        self.printer.scene("the phone is back");
        self.sim.phone_set(None, true).await?;

        let good = self.check(started).await?;
        if !once {
            self.go_on(&mut events).await?;
        }
        Ok(good)
    }

    async fn pair(&mut self, client: &Client, events: &mut Events) -> anyhow::Result<()> {
        self.printer.scene("pairing: the phone is shown this code");
        let answer = client.call(call::SessionPair, &PairParams::default()).await?;
        let PairOffer::Qr { qr: code, .. } = answer.offer else { bail!("no QR code was offered") };
        print::line(&(self.draw)(&code)?);
        self.printer.scene("the phone scans it");
        self.sim.phone_scan(None, &code).await?;
        self.until(events, |replica, _| {
            replica.status().is_some_and(|s| s.session.state == SessionState::Connected)
        })
        .await
    }

    /// Puts people and a group of them on the network. Answers the group.
    async fn people(&self) -> anyhow::Result<String> {
        for (number, companions) in PEOPLE {
            self.sim.recipient_add(number, true, companions).await?;
        }
        let us = DEFAULT_ACCOUNT;
        let members: Vec<String> =
            PEOPLE.iter().map(|(number, _)| *number).chain([us]).map(str::to_owned).collect();
        Ok(self.sim.group_add("everybody", &members).await?)
    }

    /// A program with a connection of its own, which writes some messages.
    fn program(
        &self,
        name: &'static str,
        to: &str,
        count: usize,
    ) -> tokio::task::JoinHandle<anyhow::Result<()>> {
        let (socket, to, accepted) =
            (self.socket.clone(), to.to_owned(), Arc::clone(&self.accepted));
        tokio::spawn(async move {
            let client = Client::connect(&socket).await?;
            for n in 1..=count {
                let text = format!("{name}: message {n} of {count}");
                let params = SendParams::text(&to, &text);
                let answer = client.call(call::MessageSend, &params).await?;
                let id = answer.message.id;
                accepted.lock().await.push(Accepted { id, chat: to.clone(), text });
            }
            Ok(())
        })
    }

    /// A program that was restarted and does not know whether its message got through.
    async fn repeat_with_the_same_key(&self) -> anyhow::Result<()> {
        self.printer.scene("a program repeats a message with the same key: it is taken once");
        let client = Client::connect(&self.socket).await?;
        let text = "clinic: your appointment is at nine".to_owned();
        let (to, key) = ("+15550113".to_owned(), Some("appointment-9".to_owned()));
        let params = SendParams { key: key.map(Into::into), ..SendParams::text(&to, &text) };
        let first = client.call(call::MessageSend, &params).await?;
        let again = client.call(call::MessageSend, &params).await?;
        if !again.duplicate || again.message.id != first.message.id {
            bail!("the same key made a second message");
        }
        self.accepted.lock().await.push(Accepted { id: first.message.id, chat: to, text });
        Ok(())
    }

    /// Prints events until the replica is as wanted.
    async fn until(
        &mut self,
        events: &mut Events,
        wanted: impl Fn(&StateReplica, &Printer) -> bool,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + STEP_MAX;
        while !wanted(&self.replica, &self.printer) {
            let frame = tokio::time::timeout_at(deadline, events.next())
                .await
                .context("the next step of the scenario took too long")??;
            self.replica.apply(&frame);
            self.printer.event(&frame.event);
        }
        Ok(())
    }

    /// Compares what was accepted with what everybody has received.
    async fn check(&self, started: Instant) -> anyhow::Result<bool> {
        let mut expected: BTreeMap<&str, Vec<(MessageId, &str)>> = BTreeMap::new();
        let accepted = self.accepted.lock().await;
        for message in accepted.iter() {
            expected.entry(&message.chat).or_default().push((message.id, &message.text));
        }
        let mut wrong = 0;
        for (chat, messages) in &mut expected {
            messages.sort_by_key(|(id, _)| *id);
            let wanted: Vec<&str> = messages.iter().map(|(_, text)| *text).collect();
            for (number, _) in PEOPLE {
                let is_group = !chat.starts_with('+');
                if (is_group || *chat == number) && !self.arrived(number, chat, &wanted).await? {
                    print::line(&format!(
                        "{number}: not every message of {chat} arrived once and in order"
                    ));
                    wrong += 1;
                }
            }
        }
        let stats = self.sim.server_stats().await;
        print::line(&format!(
            "{} messages to {} chats: {} in {:.1} s, with {} attempts and {} connections.",
            accepted.len(),
            expected.len(),
            if wrong == 0 {
                "each arrived exactly once and in order"
            } else {
                "NOT all arrived as they should"
            },
            started.elapsed().as_secs_f32(),
            stats.attempts.len(),
            stats.logins,
        ));
        Ok(wrong == 0)
    }

    async fn arrived(&self, number: &str, chat: &str, wanted: &[&str]) -> anyhow::Result<bool> {
        let of_chat = |chat_of_message: &str| {
            if chat.starts_with('+') {
                !chat_of_message.contains('@')
            } else {
                chat_of_message == chat
            }
        };
        let complete = |inbox: &[InboxMessage]| {
            inbox.iter().filter(|m| of_chat(&m.chat)).count() >= wanted.len()
        };
        // The server has acknowledged them; the last may still be on their way to devices.
        let Ok(inbox) = self.sim.wait_for_inbox(number, complete, STEP_MAX).await else {
            return Ok(false);
        };
        let here: Vec<_> = inbox.iter().filter(|m| of_chat(&m.chat)).collect();
        let texts: Vec<&str> = here.iter().map(|m| m.text.as_str()).collect();
        Ok(texts == wanted && here.iter().all(|m| m.failed == 0))
    }

    /// Somebody writes now and then, so that there is something to look at.
    async fn go_on(&mut self, events: &mut Events) -> anyhow::Result<()> {
        print::line("");
        print::line("It goes on, with a message now and then, until Ctrl-C.");
        let mut pace = interval(IDLE_PACE);
        for (number, _) in PEOPLE.iter().cycle() {
            pace.tick().await;
            let sender = self.program("shop", number, 1);
            // Printed as it happens; nothing new within one beat is normal.
            let _ = timeout(IDLE_PACE / 2, self.until(events, |_, _| false)).await;
            sender.await??;
        }
        Ok(())
    }
}
