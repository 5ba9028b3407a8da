//! What is the case about the messages, as plain data.

use std::collections::BTreeMap;

use super::Queue;
use crate::condition::{Condition, Group};
use crate::queue::Message;
use tetherd_api::{ConditionKind, ReasonKind};

impl Queue {
    /// What holds everything that waits. Cheap: asked at every turn.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = Condition> {
        let paused = self.paused_since.map(|since| Condition::Paused { since });
        let stale = self.backlog.facts().stale.map(|stale| Condition::StaleBacklog {
            since: stale.since,
            waited_ms: stale.waited_ms,
        });
        [paused, stale].into_iter().flatten()
    }

    /// What is the case about single messages. `listed`: what holds messages as a whole, those
    /// that were parked for it included.
    pub(crate) fn message_conditions(
        &self,
        listed: impl Iterator<Item = ConditionKind>,
    ) -> Vec<Condition> {
        let mut found = Vec::new();
        let mut parked = self.parked_by_kind();
        let waiting = self.unanswered_group();
        let unanswered = parked.remove(&ConditionKind::NoAnswer);
        let unanswered = unanswered.map(|(_, group)| group).unwrap_or_default();
        if !waiting.ids.is_empty() || !unanswered.ids.is_empty() {
            found.push(Condition::NoAnswer { waiting, parked: unanswered });
        }
        for kind in listed {
            parked.remove(&kind);
        }
        let changed = parked.remove(&ConditionKind::AccountChanged);
        found.extend(self.account_changed(changed.map(|(_, group)| group).unwrap_or_default()));
        let parked = parked.into_values();
        found.extend(parked.map(|(reason, group)| Condition::Parked { reason, group }));
        found.extend(self.not_before());
        found.extend(self.doubtful_links());
        found
    }

    fn unanswered_group(&self) -> Group {
        let mut group = Group::default();
        for message in self.unanswered_ones() {
            group.add(message.id, message.changed_at);
        }
        group
    }

    /// Parked messages, and the first of their reasons.
    fn parked_by_kind(&self) -> BTreeMap<ConditionKind, (ReasonKind, Group)> {
        let mut parked = BTreeMap::new();
        let mut found: Vec<&Message> = self.parked().collect();
        found.sort_unstable_by_key(|message| message.id);
        for message in found {
            let Some(reason) = message.reason() else { continue };
            let (first, group) = parked
                .entry(ConditionKind::from(reason.kind))
                .or_insert_with(|| (reason.kind, Group::default()));
            *first = reason.kind.min(*first);
            group.add(message.id, message.changed_at);
            group.detail(reason.code, reason.detail.as_ref());
            group.address(reason.url.as_ref());
        }
        parked
    }

    fn not_before(&self) -> Option<Condition> {
        let mut group = Group::default();
        for (_, message) in self.scheduled() {
            group.add(message.id, message.accepted_at);
        }
        let (due, _) = self.scheduled().next()?;
        Some(Condition::NotBefore { group, due })
    }

    /// Messages that wait or are under way although a link in them is doubtful.
    fn doubtful_links(&self) -> Option<Condition> {
        let mut group = Group::default();
        for message in self.doubtful() {
            if let Some(warning) = &message.link_warning {
                group.add(message.id, warning.at);
                group.detail(warning.code, Some(&warning.detail));
                group.address(warning.url.as_ref());
            }
        }
        (!group.ids.is_empty()).then_some(Condition::LinkDoubtful { group })
    }
}
