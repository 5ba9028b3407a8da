//! Why messages wait, or find no place, in one sentence.

use super::{are_n, wait_n};
use crate::Core;
use crate::condition::Condition;
use crate::pacing::{Class, TimelockSource};
use crate::time::Now;
use tetherd_api::{Error, ErrorKind, Time};

/// A place is free when the server has answered, a moment after the attempt.
const ANSWER_MS: u64 = 1_000;
/// When to try again while the disk is full: it is looked at this often.
const DISK_RETRY_MS: u64 = 5_000;

impl Core {
    /// That no message can be accepted, and when a place is expected.
    pub(crate) fn queue_full(&self, now: Now) -> Error {
        let taken = format!("The queue is full: all {} places are taken", self.config.capacity);
        let stop: Vec<_> = self.stops(now).take(1).collect();
        if let Some(stop) = self.words(&stop, now).pop() {
            let full = Error::new(ErrorKind::QueueFull, format!("{taken}. {}", stop.why))
                .remedy(stop.remedy.unwrap_or(stop.by_itself));
            return match stop.until {
                Some(until) => {
                    let left = until.0.saturating_sub(now.wall_ms);
                    full.retry_after_ms(u64::try_from(left).unwrap_or(0))
                }
                None => full,
            };
        }
        let free_at =
            if self.queue.sending_len() > 0 { now.mono_ms } else { self.soonest_slot(now) };
        let after = free_at.saturating_sub(now.mono_ms).saturating_add(ANSWER_MS);
        let at = self.wall_of(now.mono_ms.saturating_add(after), now);
        Error::new(ErrorKind::QueueFull, format!("{taken}. A place is expected at {at}."))
            .remedy("wait, or make room with `tetherctl clear`")
            .retry_after_ms(after)
    }

    fn soonest_slot(&self, now: Now) -> u64 {
        let class = self.waiting_class().unwrap_or(Class::Other);
        self.pacing.free_at(now)[class.index()]
    }

    /// That no new message is taken: the disk is full.
    pub(crate) fn disk_full(&self) -> Result<(), Error> {
        if self.disk_full_since.is_none() {
            return Ok(());
        }
        let sentence = "The disk of the state directory is full, and no new message is taken.";
        Err(Error::new(ErrorKind::DiskFull, sentence)
            .remedy(
                "make room on that disk; listing, cancelling and clearing go on, and what waits is \
                 sent",
            )
            .retry_after_ms(DISK_RETRY_MS))
    }

    pub(super) fn summary(
        &self,
        conditions: &[Condition],
        next: Option<Time>,
        last: Option<Time>,
        now: Now,
    ) -> String {
        let stops = conditions.iter().filter(|condition| condition.stops_the_queue());
        let stops: Vec<String> = stops.map(|stop| self.words_of(stop, now).why).collect();
        let locked = conditions.iter().find_map(|condition| self.locked(condition));
        let locked = locked.or_else(|| self.of_another_account(conditions));
        let summary = if !stops.is_empty() {
            let why = stops.join("; and ");
            match self.queue.taken() {
                0 => format!("Nothing waits, but no message could leave, because {why}."),
                count => format!("{} because {why}.", wait_n(count)),
            }
        } else if let Some(locked) = locked {
            locked
        } else {
            self.moving(conditions, next, last, now)
        };
        match self.queue.parked_len() {
            0 => summary,
            parked => format!("{summary} {} parked.", are_n(parked)),
        }
    }

    /// That messages wait for another account, if nothing else is to leave.
    fn of_another_account(&self, conditions: &[Condition]) -> Option<String> {
        let count = conditions.iter().find_map(|condition| {
            if let Condition::AccountChanged { held, .. } = condition {
                Some(held.ids.len()).filter(|count| *count > 0)
            } else {
                None
            }
        });
        let wait = wait_n(count.filter(|_| self.queue.to_leave() == 0)?);
        Some(format!("{wait} for another account than the one that is linked."))
    }

    /// That messages to new contacts wait, if some do.
    fn locked(&self, condition: &Condition) -> Option<String> {
        let (ids, why) = if let Condition::ReachoutTimelock { until, source, ids, .. } = condition {
            let until = Time(*until);
            let why = match source {
                Some(TimelockSource::Announced) => format!("refuses such messages until {until}"),
                Some(TimelockSource::Assumed) => {
                    format!("refuses such messages for now; they are tried again at {until}")
                }
                None => "is being asked whether it refuses such messages".to_owned(),
            };
            (ids, why)
        } else if let Condition::NewChatQuota { quota, ids } = condition {
            (ids, format!("takes no more new chats until {}", Time(quota.until)))
        } else {
            return None;
        };
        let kept = match ids.len() {
            0 => return None,
            1 => "1 message to a new contact waits".to_owned(),
            kept => format!("{kept} messages to new contacts wait"),
        };
        Some(format!("{kept} because the server {why}."))
    }

    /// The summary when nothing holds the queue but the pace.
    fn moving(
        &self,
        conditions: &[Condition],
        next: Option<Time>,
        last: Option<Time>,
        now: Now,
    ) -> String {
        let (to_leave, unknown) = (self.queue.to_leave(), self.queue.unknown_len());
        let closed = self.pacing.closed(now).is_some();
        let lead = if closed { "It is outside the sending hours" } else { "Nothing is wrong" };
        if let (Some(next), Some(last)) = (next, last) {
            return match to_leave {
                1 => format!("{lead}; the next message leaves at {next}."),
                _ => format!(
                    "{lead}; {to_leave} messages wait for their turn, the next leaves \
                     at {next}, the last at {last}."
                ),
            };
        }
        if unknown > 0 {
            return format!(
                "{unknown} of {to_leave} waiting messages had no answer from the server; each is \
                 sent again under its id, on a new connection."
            );
        }
        let mut single = conditions.iter().filter(|one| one.holds_single_messages());
        match (single.next(), to_leave, self.queue.sending_len()) {
            (Some(single), _, _) => {
                let why = self.words_of(single, now).why;
                format!("Nothing is wrong; {why}.")
            }
            (None, 1, _) => {
                "Nothing is wrong; 1 message waits for the one before it in its chat.".to_owned()
            }
            (None, 2.., _) => format!(
                "Nothing is wrong; {to_leave} messages wait for the ones before them in their \
                 chats."
            ),
            (None, 0, 0) => "Nothing is wrong, and nothing waits.".to_owned(),
            (None, 0, 1) => "Nothing is wrong; 1 message is on its way.".to_owned(),
            (None, 0, sending) => {
                format!("Nothing is wrong; {sending} messages are on their way.")
            }
        }
    }
}
