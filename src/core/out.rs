//! Gathers what one input brings about, and puts it into order. Decides nothing.

use std::collections::BTreeSet;

use crate::core::io::{Actions, Body, Change, Effect, Facts, PrepareCommand, SessionCommand};
use crate::core::pacer::Pacer;
use crate::core::queue::Queue;
use crate::rpc::api::{Event, MessageId};

/// What has gathered so far.
#[derive(Debug, Default)]
pub(crate) struct Out {
    /// Messages whose record changed.
    pub(crate) put: BTreeSet<MessageId>,
    /// New bodies.
    pub(crate) bodies: Vec<(MessageId, Body)>,
    /// Messages that are gone.
    pub(crate) removed: Vec<MessageId>,
    /// Whether the pacer's slots changed.
    pub(crate) slots: bool,
    /// Whether the facts changed.
    pub(crate) facts: bool,
    pub(crate) replies: Vec<Effect>,
    pub(crate) events: Vec<Effect>,
    pub(crate) commands: Vec<SessionCommand>,
    pub(crate) prepare: Vec<PrepareCommand>,
}

impl Out {
    pub(crate) fn event(&mut self, event: Event) {
        self.events.push(Effect::Event(event));
    }

    /// A record that changed twice is written once, as it stands in the end.
    pub(crate) fn into_actions(self, queue: &Queue, pacer: &Pacer, facts: &Facts) -> Actions {
        let mut changes = Vec::new();
        let records = self.put.iter().filter_map(|id| queue.get(*id));
        changes.extend(records.map(|message| Change::PutMessage(Box::new(message.clone()))));
        changes.extend(self.bodies.into_iter().map(|(id, body)| Change::PutBody { id, body }));
        changes.extend(self.removed.into_iter().map(|id| Change::RemoveMessage { id }));
        if self.slots {
            changes.push(Change::PutSlots(pacer.stored()));
        }
        if self.facts {
            changes.push(Change::PutFacts(facts.clone()));
        }
        let mut effects = self.replies;
        effects.extend(self.events);
        effects.extend(self.commands.into_iter().map(Effect::Session));
        effects.extend(self.prepare.into_iter().map(Effect::Prepare));
        Actions { changes, effects }
    }
}
