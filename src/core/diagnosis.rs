//! Why messages wait, in sentences. Names no chat, no number and no text.

use crate::Core;
use crate::time::Now;
use tetherd_api::{Hold, HoldKind, SessionState, Time};

impl Core {
    /// What holds the queue, the weightiest first.
    pub(crate) fn holds(&self, now: Now) -> Vec<Hold> {
        let mut holds = Vec::new();
        self.session_holds(now, &mut holds);
        self.offline_and_battery_holds(now, &mut holds);
        if let Some(since) = self.facts.paused_since {
            holds.push(hold(
                HoldKind::Paused,
                since,
                None,
                "the queue is paused",
                "tetherctl resume",
            ));
        }
        self.stale_hold(&mut holds);
        let free_at = self.pacer.free_at(now.mono_ms);
        if self.queue.to_leave_now() > 0 && free_at > now.mono_ms {
            let until = self.wall_of(free_at, now);
            let since = self.wall_of(self.pacer.last().unwrap_or(now.mono_ms), now);
            let (since, why) = match self.slowed(now) {
                Some((since, code)) => {
                    (since, format!("the server asked to slow down (code {code})"))
                }
                None => {
                    let why = format!(
                        "{} messages have left in the last {} s, and no more may",
                        self.config.pace_limit,
                        self.config.window_ms.div_ceil(1_000)
                    );
                    (since.0, why)
                }
            };
            let remedy = format!("Wait: the next slot is free at {until}.");
            holds.push(hold(HoldKind::Pacing, since, Some(until), &why, &remedy));
        }
        holds
    }

    fn session_holds(&self, now: Now, holds: &mut Vec<Hold>) {
        let facts = &self.facts;
        if let Some((since, code)) = facts.logged_out {
            let why = match code {
                Some(code) => format!("the account no longer knows this device (code {code})"),
                None => "the account no longer knows this device".to_owned(),
            };
            holds.push(hold(HoldKind::LoggedOut, since, None, &why, "tetherctl pair"));
        } else if facts.account.is_none() {
            let since = self.session_since(now);
            let remedy = if self.link.state(facts) == SessionState::Pairing {
                "Use the code that `tetherctl pair` shows on the phone."
            } else {
                "tetherctl pair"
            };
            holds.push(hold(HoldKind::NotPaired, since, None, "no phone is paired", remedy));
        }
        if let Some((since, until, code)) = facts.banned {
            let why = format!("the server banned the account for a time (code {code})");
            let remedy = "Wait: the daemon connects by itself when the ban ends.";
            holds.push(hold(HoldKind::Banned, since, Some(Time(until)), &why, remedy));
        }
        if let Some(since) = self.link.outdated_since {
            let remedy = "Install a newer tetherd, or set a newer client version in its \
                          configuration, and restart it.";
            let why = "the server refuses this client version";
            holds.push(hold(HoldKind::ClientOutdated, since, None, why, remedy));
        }
        if let Some(since) = facts.replaced_since {
            let until = self.takeover_at().map(|at| self.wall_of(at, now));
            let why = self.conflict_clause(now);
            holds.push(hold(HoldKind::Conflict, since, until, &why, "tetherctl takeover"));
        }
        let expected = self.link.wants_connection(facts) && facts.banned.is_none();
        if expected && !self.link.can_send() {
            let remedy = match self.link.next_try(facts) {
                Some(at) if !self.draining => {
                    format!("Wait: the next try is made at {}.", self.wall_of(at, now))
                }
                Some(_) | None if self.draining => "Start the daemon again.".to_owned(),
                Some(_) | None => "Wait: a connection is being made.".to_owned(),
            };
            let why = match &self.link.detail {
                Some(detail) => format!("there is no connection to WhatsApp: {}", clause(detail)),
                None => "there is no connection to WhatsApp".to_owned(),
            };
            holds.push(hold(HoldKind::Disconnected, self.link.down_since, None, &why, &remedy));
        }
    }

    /// Since when the session is in its state, wall.
    pub(crate) fn session_since(&self, now: Now) -> i64 {
        match self.link.state_since {
            Some((state, since)) if state == self.link.state(&self.facts) => since,
            Some(_) | None => now.wall_ms,
        }
    }

    /// Why messages wait, in one sentence.
    pub(crate) fn summary(&self, next: Option<Time>, last: Option<Time>, now: Now) -> String {
        let holds = self.holds(now);
        let waiting = self.queue.taken();
        let causes: Vec<String> = holds
            .iter()
            .filter(|hold| hold.kind != HoldKind::Pacing)
            .map(|hold| clause(&hold.why))
            .collect();
        let summary = if !causes.is_empty() {
            let causes = causes.join("; and ");
            match waiting {
                0 => format!("Nothing waits, but no message could leave, because {causes}."),
                1 => format!("1 message waits because {causes}."),
                _ => format!("{waiting} messages wait because {causes}."),
            }
        } else if self.draining {
            "The daemon is going down; what waits is sent after its next start.".to_owned()
        } else {
            let locked = self.timelock_sentence(now);
            locked.unwrap_or_else(|| self.fair_weather(next, last, now))
        };
        match self.queue.parked_len() {
            0 => summary,
            1 => format!("{summary} 1 message is set aside."),
            parked => format!("{summary} {parked} messages are set aside."),
        }
    }

    /// The summary when nothing but the pacer holds the queue.
    fn fair_weather(&self, next: Option<Time>, last: Option<Time>, now: Now) -> String {
        let sending = self.queue.sending_len();
        let to_leave = self.queue.to_leave();
        match (next, last) {
            (Some(next), Some(last)) if next.0 > now.wall_ms => {
                if to_leave == 1 {
                    format!("Nothing is wrong; the next message leaves at {next}.")
                } else {
                    format!(
                        "Nothing is wrong; {to_leave} messages wait for their turn, the next \
                         leaves at {next}, the last at {last}."
                    )
                }
            }
            (Some(_), _) if self.queue.unknown_len() > 0 => format!(
                "{} of {to_leave} waiting messages had no answer from the server; each is sent \
                 again under its id, on a new connection.",
                self.queue.unknown_len()
            ),
            (Some(_), _) if to_leave == 1 => {
                "Nothing is wrong; 1 message waits for another attempt, or for the one before it \
                 in its chat."
                    .to_owned()
            }
            (Some(_), _) => format!(
                "Nothing is wrong; {to_leave} messages wait for another attempt, or for the \
                 ones before them in their chats."
            ),
            (None, _) if sending == 1 => "Nothing is wrong; 1 message is on its way.".to_owned(),
            (None, _) if sending > 0 => {
                format!("Nothing is wrong; {sending} messages are on their way.")
            }
            (None, _) => "Nothing is wrong, and nothing waits.".to_owned(),
        }
    }
}

/// `cause` is a clause, so that it fits into longer sentences too.
pub(crate) fn hold(
    kind: HoldKind,
    since: i64,
    until: Option<Time>,
    cause: &str,
    remedy: &str,
) -> Hold {
    let mut letters = cause.chars();
    let why = letters
        .next()
        .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()));
    Hold { kind, since: Time(since), until, why, remedy: remedy.to_owned() }
}

/// The clause that a hold's sentence was made from.
pub(crate) fn clause(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_lowercase(), letters.as_str().trim_end_matches('.'))
    })
}
