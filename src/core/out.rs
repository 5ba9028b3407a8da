//! Gathers what one input brings about, and puts it into order. Decides nothing.

use std::collections::BTreeSet;

use crate::checks;
use crate::io::{Actions, Body, Change, Effect, Facts, PrepareCommand, SessionCommand};
use crate::message::SpoolId;
use crate::number::Number;
use crate::numbers::Numbers;
use crate::pacer::Pacer;
use crate::queue::Queue;
use tetherd_api::{Event, MessageId};

/// What has gathered so far.
#[derive(Debug, Default)]
pub(crate) struct Out {
    /// Messages whose record changed.
    pub(crate) put: BTreeSet<MessageId>,
    /// New bodies.
    pub(crate) bodies: Vec<(MessageId, Body)>,
    /// Messages that are gone.
    pub(crate) removed: Vec<MessageId>,
    /// Numbers about which something else is known.
    pub(crate) numbers: BTreeSet<Number>,
    /// Whether the pacer's slots changed.
    pub(crate) slots: bool,
    /// Pages of known chats that changed.
    pub(crate) known: Vec<Change>,
    /// Whether the facts changed.
    pub(crate) facts: bool,
    pub(crate) replies: Vec<Effect>,
    pub(crate) events: Vec<Effect>,
    pub(crate) commands: Vec<SessionCommand>,
    /// Files that no message needs any more.
    pub(crate) unspool: Vec<SpoolId>,
    pub(crate) prepare: Vec<PrepareCommand>,
}

impl Out {
    pub(crate) fn event(&mut self, event: Event) {
        self.events.push(Effect::Event(event));
    }

    /// A record that changed twice is written once, as it stands in the end.
    pub(crate) fn into_actions(
        self,
        queue: &Queue,
        numbers: &Numbers,
        pacer: &Pacer,
        facts: &Facts,
    ) -> Actions {
        let mut changes = Vec::new();
        let records = self.put.iter().filter_map(|id| queue.get(*id));
        changes.extend(records.map(|message| Change::PutMessage(Box::new(message.clone()))));
        changes.extend(self.bodies.into_iter().map(|(id, body)| Change::PutBody { id, body }));
        changes.extend(self.removed.into_iter().map(|id| Change::RemoveMessage { id }));
        changes.extend(checks::changes(self.numbers, numbers));
        changes.extend(self.known);
        if self.slots {
            changes.push(Change::PutSlots(pacer.stored()));
        }
        if self.facts {
            changes.push(Change::PutFacts(Box::new(facts.clone())));
        }
        let mut effects = self.replies;
        effects.extend(self.events);
        effects.extend(self.commands.into_iter().map(Effect::Session));
        effects.extend(self.unspool.into_iter().map(Effect::Unspool));
        effects.extend(self.prepare.into_iter().map(Effect::Prepare));
        Actions { changes, effects }
    }
}
