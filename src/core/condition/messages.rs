//! Conditions of single messages, and of their recipients.

use super::{Condition, Group};
use crate::Core;
use crate::pacing::{Class, Closed, NewChatQuota};
use crate::queue::Message;
use crate::time::Now;
use tetherd_api::{ConditionKind, MessageId, ReasonKind, State};

impl Core {
    /// Which slots those that wait may take; none: nothing waits to leave now.
    pub(crate) fn waiting_class(&self) -> Option<Class> {
        if self.queue.to_leave_now() == 0 {
            return None;
        }
        let high = |message: &Message| Class::of(message.draft.priority) == Class::High;
        Some(if self.queue.heads().all(high) { Class::High } else { Class::Other })
    }

    pub(super) fn hours_condition(&self, now: Now) -> Option<Condition> {
        let Closed { since, until } = self.pacing.closed(now)?;
        let late = |m: &&Message| m.draft.expires_at.is_some_and(|at| at <= until);
        let late = self.queue.waiting().filter(late).count();
        Some(Condition::OutsideHours { since, until, late })
    }

    pub(super) fn timelock_condition(&self, now: Now) -> Option<Condition> {
        if let Some((lock, ends)) = self.pacing.timelock() {
            let ids = self.new_contacts_held(ReasonKind::ReachoutTimelock);
            let (since, source, until) = (lock.since, Some(lock.source), self.wall_of(ends, now).0);
            return Some(Condition::ReachoutTimelock { since, until, source, ids });
        }
        let until = self.wall_of(self.pacing.timelock_asked_until()?, now).0;
        let ids = self.new_contacts_held(ReasonKind::ReachoutTimelock);
        Some(Condition::ReachoutTimelock { since: now.wall_ms, until, source: None, ids })
    }

    pub(super) fn quota_condition(&self, now: Now) -> Option<Condition> {
        let (quota, ends) = self.pacing.quota()?;
        let held = quota.used_up.then(|| self.new_contacts_held(ReasonKind::NewChatQuota));
        let quota = NewChatQuota { until: self.wall_of(ends, now).0, ..quota };
        Some(Condition::NewChatQuota { quota, ids: held.unwrap_or_default() })
    }

    /// Messages to new contacts that wait, and those that were refused for this reason.
    fn new_contacts_held(&self, reason: ReasonKind) -> Vec<MessageId> {
        let waits = |m: &&Message| match m.state() {
            State::Queued | State::Unknown => self.is_new_contact(&m.draft.to),
            State::Parked => m.is_parked_for(reason),
            State::Preparing
            | State::Sending
            | State::Sent
            | State::Delivered
            | State::Read
            | State::Failed
            | State::Expired
            | State::Cancelled => false,
        };
        self.queue.unfinished().filter(waits).map(|message| message.id).collect()
    }

    pub(super) fn message_conditions(&self) -> Vec<Condition> {
        let used_up = self.pacing.quota().is_some_and(|(quota, _)| quota.used_up);
        let listed = [
            self.pacing.timelock().map(|_| ConditionKind::ReachoutTimelock),
            used_up.then_some(ConditionKind::NewChatQuota),
        ];
        let mut found = self.queue.message_conditions(listed.into_iter().flatten());
        found.extend(self.unchecked());
        found.extend(self.groups_unchecked());
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

    /// Messages that wait for what the network says about their groups.
    fn groups_unchecked(&self) -> Option<Condition> {
        let mut group = Group::default();
        if self.may_dispatch() && self.queue.has_groups() {
            for message in self.queue.waiting().filter(|m| self.group_gate(m).is_none()) {
                group.add(message.id, message.changed_at);
            }
        }
        let asking = self.groups.is_asking();
        (!group.ids.is_empty()).then_some(Condition::GroupUnchecked { group, asking })
    }

    /// Messages whose file is fetched or uploaded, or whose links are checked.
    fn files_underway(&self) -> Option<Condition> {
        let (mut preparing, mut uploading) = (Group::default(), Group::default());
        if self.queue.preparing_len() > 0 {
            for message in self.queue.waiting().filter(|m| m.state() == State::Preparing) {
                preparing.add(message.id, message.changed_at);
            }
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
            State::Preparing | State::Queued if message.account.is_some() => {
                Some(ConditionKind::AccountChanged)
            }
            State::Preparing => Some(ConditionKind::FileUnderway),
            State::Unknown => Some(ConditionKind::NoAnswer),
            State::Queued => {
                let holds = [
                    (message.draft.not_before.is_some_and(|at| at > self.now.wall_ms))
                        .then_some(ConditionKind::NotBefore),
                    (!self.pacing.is_open(Class::of(message.draft.priority), self.now))
                        .then_some(ConditionKind::OutsideHours),
                    self.new_contact_hold(message).map(|(_, kind)| kind),
                    self.number_gate(message).is_none().then_some(ConditionKind::NumberUnchecked),
                    self.group_gate(message).is_none().then_some(ConditionKind::GroupUnchecked),
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
