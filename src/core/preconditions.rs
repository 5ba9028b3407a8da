//! What keeps one message back although the queue as a whole may move: the preconditions
//! of an attempt. Never blocks another chat.

use std::collections::BTreeSet;

use crate::Core;
use crate::contacts::{CHECK_BATCH_MAX, Number, Standing};
use crate::ids::ChatId;
use crate::queue::Message;
use crate::time::Now;
use tetherd_api::{ConditionKind, MessageId, Reason, ReasonKind, State};

/// Messages are looked at closely, and the network is asked about them, only while fewer than
/// this many others before them could leave without that.
const READY_AHEAD: usize = 10;

impl Core {
    /// When all preconditions of this message hold, monotonic; 0: they do. None: an input
    /// has to come first.
    pub(crate) fn preconditions(&self, message: &Message) -> Option<u64> {
        Some(self.preconditions_but_upload(message)?.max(self.upload_gate(message)?))
    }

    /// Open once its file, if it has one, is on the media host.
    pub(crate) fn upload_gate(&self, message: &Message) -> Option<u64> {
        message.media_is_ready(self.now.wall_ms).then_some(0)
    }

    /// The same without its file's upload, which is worth its while only once all others
    /// hold.
    pub(crate) fn preconditions_but_upload(&self, message: &Message) -> Option<u64> {
        if self.queue.target_is_sent(message) != Some(true) {
            return None;
        }
        let recipient = self.number_gate(message)?.max(self.group_gate(message)?);
        Some(recipient.max(self.new_contact_gate(message)))
    }

    /// When nothing about the recipient's number keeps the message back; none: an answer
    /// has to come first.
    pub(crate) fn number_gate(&self, message: &Message) -> Option<u64> {
        match self.standing(message) {
            Standing::Settled | Standing::Waived(_) => Some(0),
            Standing::Absent | Standing::Asked(_) => None,
        }
    }

    /// When a message passes what holds those to new contacts, monotonic; 0: it does.
    pub(crate) fn new_contact_gate(&self, message: &Message) -> u64 {
        self.new_contact_hold(message).map_or(0, |(ends, _)| ends)
    }

    /// What holds a message to a new contact, and until when, monotonic.
    pub(crate) fn new_contact_hold(&self, message: &Message) -> Option<(u64, ConditionKind)> {
        let hold = self.pacing.new_contact_hold()?;
        self.is_new_contact(&message.draft.to).then_some(hold)
    }

    pub(crate) fn is_new_contact(&self, chat: &ChatId) -> bool {
        !chat.is_group() && !self.contacts.is_known(chat)
    }

    /// What may have left already waits for nobody.
    fn standing(&self, message: &Message) -> Standing {
        if message.state() == State::Queued {
            self.contacts.standing(&message.draft.to)
        } else {
            Standing::Settled
        }
    }

    fn number_to_ask(&self, head: &Message) -> Option<Number> {
        match self.standing(head) {
            Standing::Asked(number) | Standing::Waived(number) => Some(number),
            Standing::Settled | Standing::Absent => None,
        }
    }

    /// When a message that could be among the next to leave wants to be asked about.
    pub(crate) fn number_wanted_at(&self) -> Option<u64> {
        if !self.may_dispatch() {
            return None;
        }
        let wanted = self.next_heads().filter_map(|head| self.number_to_ask(head));
        wanted.map(|number| self.contacts.ask_at(&number)).min()
    }

    /// The first messages of their chats that could be among the next to leave. Those behind
    /// them are looked at when their turn comes closer.
    pub(crate) fn next_heads(&self) -> impl Iterator<Item = &Message> {
        let mut ready = 0;
        self.queue.heads().take_while(move |head| {
            let is_next = ready < READY_AHEAD;
            ready += usize::from(is_next && self.could_leave(head));
            is_next
        })
    }

    /// Asks the network about numbers, if it is time to.
    pub(crate) fn drive_checks(&mut self, now: Now) {
        self.contacts.on_wanted(self.number_wanted_at());
        if !self.contacts.is_due(now) {
            return;
        }
        let mut numbers = Vec::new();
        if self.may_dispatch() {
            let wanted = self.queue.heads().filter_map(|head| self.number_to_ask(head));
            let askable = wanted.filter(|number| self.contacts.ask_at(number) <= now.mono_ms);
            numbers.extend(askable.take(CHECK_BATCH_MAX));
        }
        self.contacts.ask(numbers, &mut self.out, now);
    }

    /// Whether messages wait for what the network says about their numbers: nothing else
    /// holds all of them, and it is being asked, or about to be.
    pub(crate) fn checks_hold_up(&self) -> bool {
        self.may_dispatch() && (self.contacts.is_asking() || self.number_wanted_at().is_some())
    }

    /// Parks messages whose number is not on the network, before anything of them leaves: at once
    /// where that is known when they are accepted, or is learnt while they wait; else when their
    /// turn comes close.
    pub(crate) fn park_absent(&mut self, now: Now) {
        let mut others = self.out.put.clone();
        for recipient in self.contacts.take_absent() {
            others.extend(self.queue.to(&recipient).map(|message| message.id));
        }
        loop {
            let others =
                std::mem::take(&mut others).into_iter().filter_map(|id| self.queue.get(id));
            let absent = |message: &&Message| self.standing(message) == Standing::Absent;
            let absent = others.chain(self.next_heads()).filter(absent);
            let ids: BTreeSet<MessageId> = absent.map(|message| message.id).collect();
            if ids.is_empty() {
                return;
            }
            for id in ids {
                let reason = Reason::new(ReasonKind::NotOnNetwork);
                let parked = self.queue.park_waiting(id, reason, &mut self.out, now);
                debug_assert!(parked, "only queued ones are parked here");
            }
        }
    }

    /// Parks what is about a message that will not be sent.
    pub(crate) fn park_pointless(&mut self, now: Now) {
        let pointless = |core: &Core| {
            let pointless = |m: &&Message| {
                m.state() == State::Queued && core.queue.target_is_sent(m) == Some(false)
            };
            core.next_heads().find(pointless).map(|message| message.id)
        };
        while let Some(id) = pointless(self) {
            let reason = Reason::new(ReasonKind::TargetNotSent);
            if !self.queue.park_waiting(id, reason, &mut self.out, now) {
                return;
            }
        }
    }
}
