//! Conditions of single messages, of their recipients, and of the pace.

use super::{Condition, Group};
use crate::Core;
use crate::queue::Message;
use crate::time::Now;
use tetherd_api::{ConditionKind, State};

impl Core {
    /// When the next attempt may leave, if that is not now.
    pub(super) fn pace_condition(&self, now: Now) -> Option<Condition> {
        if let Some(((since, code), until)) = self.slowed(now).zip(self.slowed_until(now)) {
            let until = self.wall_of(until, now).0;
            return Some(Condition::RateLimited { since, until, code });
        }
        let free_at = self.pacer.free_at(now.mono_ms);
        if self.queue.to_leave_now() == 0 || free_at <= now.mono_ms {
            return None;
        }
        let since = self.wall_of(self.pacer.last().unwrap_or(now.mono_ms), now).0;
        Some(Condition::Pacing { since, until: self.wall_of(free_at, now).0 })
    }

    pub(super) fn timelock_condition(&self, now: Now) -> Option<Condition> {
        let lock = self.facts.network.timelock?;
        let until = self.wall_of(self.timelock_ends()?, now).0;
        let (since, source, ids) = (lock.since, lock.source, self.timelocked());
        Some(Condition::ReachoutTimelock { since, until, source, ids })
    }

    pub(super) fn message_conditions(&self) -> Vec<Condition> {
        let mut found = self.queue.message_conditions(self.timelock_ends().is_some());
        found.extend(self.unchecked());
        found.extend(self.files_underway());
        found
    }

    /// Messages that wait for what the network says about their recipients.
    fn unchecked(&self) -> Option<Condition> {
        if !self.checks_hold_up() {
            return None;
        }
        let mut group = Group::default();
        for message in self.queue.waiting().filter(|m| m.state() == State::Queued) {
            if self.number_gate(message).is_none() {
                group.add(message.id, message.changed_at);
            }
        }
        let failure = self.contacts.trouble().map(|trouble| trouble.kind);
        let asking = self.contacts.is_asking();
        let found = !group.ids.is_empty();
        found.then_some(Condition::NumberUnchecked { group, failure, asking })
    }

    /// Messages whose file is fetched or uploaded, or whose links are checked.
    fn files_underway(&self) -> Option<Condition> {
        let (mut preparing, mut uploading) = (Group::default(), Group::default());
        for message in self.queue.waiting().filter(|m| m.state() == State::Preparing) {
            preparing.add(message.id, message.changed_at);
        }
        for (id, since, code) in self.uploads.waiting(&self.queue) {
            uploading.add(id, since);
            uploading.detail(code, None);
        }
        let found = !preparing.ids.is_empty() || !uploading.ids.is_empty();
        found.then_some(Condition::FileUnderway { preparing, uploading })
    }

    /// What holds a message beyond the pace; what stops the queue weighs most.
    pub(crate) fn held_by(
        &self,
        message: &Message,
        stop: Option<ConditionKind>,
    ) -> Option<ConditionKind> {
        let own = match message.state() {
            State::Preparing => Some(ConditionKind::FileUnderway),
            State::Unknown => Some(ConditionKind::NoAnswer),
            State::Queued => {
                let holds = [
                    (message.not_before.is_some_and(|at| at > self.now.wall_ms))
                        .then_some(ConditionKind::NotBefore),
                    (self.timelock_gate(message) > 0).then_some(ConditionKind::ReachoutTimelock),
                    self.number_gate(message).is_none().then_some(ConditionKind::NumberUnchecked),
                    self.upload_gate(message).is_none().then_some(ConditionKind::FileUnderway),
                ];
                holds.into_iter().flatten().next()
            }
            State::Sending
            | State::Parked
            | State::Sent
            | State::Delivered
            | State::Read
            | State::Failed
            | State::Expired
            | State::Cancelled => return None,
        };
        stop.or(own)
    }
}
