//! Conditions of single messages, of their recipients, and of the pace.

use std::collections::{BTreeMap, BTreeSet};

use super::{Condition, Group};
use crate::Core;
use crate::queue::Message;
use crate::time::Now;
use tetherd_api::{ConditionKind, MessageId, ReasonKind, State};

/// Live messages by what keeps them.
#[derive(Default)]
struct Sorted {
    early: Group,
    early_due: Option<i64>,
    preparing: Group,
    unchecked: Group,
    unanswered: Group,
    parked: BTreeMap<ConditionKind, (ReasonKind, Group)>,
}

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
        let Sorted { early, early_due, preparing, unchecked, unanswered, mut parked } =
            self.sorted();
        let mut found = Vec::new();
        let unanswered_parked = parked.remove(&ConditionKind::NoAnswer).map(|(_, group)| group);
        let parked_for = unanswered_parked.unwrap_or_default();
        if !unanswered.ids.is_empty() || !parked_for.ids.is_empty() {
            found.push(Condition::NoAnswer { waiting: unanswered, parked: parked_for });
        }
        if self.timelock_ends().is_some() {
            parked.remove(&ConditionKind::ReachoutTimelock);
        }
        let parked = parked.into_values();
        found.extend(parked.map(|(reason, group)| Condition::Parked { reason, group }));
        if !unchecked.ids.is_empty() {
            let failure = self.contacts.trouble().map(|trouble| trouble.kind);
            let asking = self.contacts.is_asking();
            found.push(Condition::NumberUnchecked { group: unchecked, failure, asking });
        }
        if let Some(due) = early_due {
            found.push(Condition::NotBefore { group: early, due });
        }
        let uploading = self.uploading();
        if !preparing.ids.is_empty() || !uploading.ids.is_empty() {
            found.push(Condition::FileUnderway { preparing, uploading });
        }
        let doubtful = self.doubtful();
        if !doubtful.ids.is_empty() {
            found.push(Condition::LinkDoubtful { group: doubtful });
        }
        found
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

    /// Messages that still need an attempt, and whose time has come.
    pub(crate) fn waiting(&self) -> Vec<MessageId> {
        let early: BTreeSet<MessageId> = self.early();
        let waits =
            |m: &&Message| matches!(m.state(), State::Preparing | State::Queued | State::Unknown);
        let waiting = self.queue.iter().filter(waits).map(|message| message.id);
        waiting.filter(|id| !early.contains(id)).collect()
    }

    fn early(&self) -> BTreeSet<MessageId> {
        self.queue.deadlines().scheduled().map(|(_, id)| id).collect()
    }

    fn sorted(&self) -> Sorted {
        let mut sorted = Sorted::default();
        for (due, id) in self.queue.deadlines().scheduled() {
            let since = self.queue.get(id).map_or(due, |message| message.accepted_at);
            sorted.early.add(id, since);
            sorted.early_due.get_or_insert(due);
        }
        let early = self.early();
        let asking = self.checks_hold_up();
        for message in self.queue.iter().filter(|message| !early.contains(&message.id)) {
            let (id, since) = (message.id, message.changed_at);
            match message.state() {
                State::Preparing => sorted.preparing.add(id, since),
                State::Queued => {
                    if asking && self.number_gate(message).is_none() {
                        sorted.unchecked.add(id, since);
                    }
                }
                State::Unknown => sorted.unanswered.add(id, since),
                State::Parked => {
                    let Some(reason) = message.reason() else { continue };
                    let (first, group) = sorted
                        .parked
                        .entry(ConditionKind::from(reason.kind))
                        .or_insert_with(|| (reason.kind, Group::default()));
                    *first = reason.kind.min(*first);
                    group.add(id, since);
                    group.detail(reason.code, reason.detail.as_ref());
                }
                State::Sending
                | State::Sent
                | State::Delivered
                | State::Read
                | State::Failed
                | State::Expired
                | State::Cancelled => {}
            }
        }
        sorted
    }

    fn uploading(&self) -> Group {
        let mut group = Group::default();
        for (id, since, code) in self.uploads.waiting(&self.queue) {
            group.add(id, since);
            group.detail(code, None);
        }
        group
    }

    fn doubtful(&self) -> Group {
        let mut group = Group::default();
        for (id, warning) in self.queue.doubtful_links() {
            group.add(id, warning.at);
            group.detail(warning.code, Some(&warning.detail));
        }
        group
    }
}
