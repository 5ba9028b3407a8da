//! Whose messages wait. When another account is linked, what waits for the one before is held:
//! it leaves when a person releases it, or by itself when its account is linked again. What
//! may have left is never sent by another account, whoever asks for it.

use super::Queue;
use crate::account_names::AccountNames;
use crate::action::ActionBuffer;
use crate::condition::{Condition, Group};
use crate::config::LinkPolicy;
use crate::queue::transitions::IllegalStep;
use crate::queue::{Message, MessageState, Parked, Pending, Withdrawn};
use crate::time::Now;
use tetherd_api::{MessageId, Reason, ReasonKind, State};

impl Queue {
    /// This account is linked; none: nobody knows which comes next. Comes before anything
    /// leaves.
    pub(crate) fn on_account(
        &mut self,
        account: Option<&AccountNames>,
        out: &mut ActionBuffer,
        now: Now,
    ) {
        let Some(account) = account.filter(|account| self.account.as_ref() != Some(account)) else {
            return;
        };
        let before = self.account.replace(account.clone());
        out.save_facts();
        let Some(before) = before.filter(|before| !before.is_same(account)) else { return };
        for id in self.ids(|m| m.account.is_none() && m.needs_file()) {
            self.step(id, out, now, |m| {
                m.hold_for(before.clone(), now.wall_ms);
                Ok(())
            });
        }
        let returns = |m: &Message| m.account.as_ref().is_some_and(|of| of.is_same(account));
        for id in self.ids(returns) {
            self.step(id, out, now, |m| {
                m.account = None;
                Ok(())
            });
        }
        self.put_back_returned(out, now);
    }

    /// What was parked because it may have left goes on once its account is back, as far as
    /// there are places: it goes out under its id.
    fn put_back_returned(&mut self, out: &mut ActionBuffer, now: Now) {
        let returned =
            |m: &Message| m.account.is_none() && m.is_parked_for(ReasonKind::AccountChanged);
        for id in self.ids(returned) {
            let Some(order) = self.get(id).map(|message| message.order) else { continue };
            if self.is_full() {
                return;
            }
            self.step(id, out, now, |m| m.requeue(order, LinkPolicy::Off, false, now.wall_ms));
        }
    }

    /// A person lets what waits for another account leave.
    pub(super) fn release_held(&mut self, out: &mut ActionBuffer, now: Now) {
        let held = |m: &Message| m.account.is_some() && m.state().takes_a_place();
        for id in self.ids(held) {
            self.step(id, out, now, |m| {
                m.account = None;
                Ok(())
            });
        }
    }

    /// A person has a parked message sent by the account that is linked.
    pub(crate) fn adopt(&mut self, id: MessageId, out: &mut ActionBuffer) {
        self.change(id, out, |m| {
            if m.may_be_sent() {
                m.account = None;
            }
            Ok::<_, IllegalStep>(())
        });
    }

    /// What waits for another account, and what may have left from it.
    pub(super) fn account_changed(&self, parked: Group) -> Option<Condition> {
        let mut held = Group::default();
        for message in self.held_ones() {
            held.add(message.id, message.changed_at);
        }
        let found = !held.ids.is_empty() || !parked.ids.is_empty();
        found.then_some(Condition::AccountChanged { held, parked })
    }

    fn ids(&self, fits: impl Fn(&Message) -> bool) -> Vec<MessageId> {
        self.iter().filter(|message| fits(message)).map(|message| message.id).collect()
    }
}

impl Message {
    /// It is this account's, and another one is linked. One that may have left is parked.
    fn hold_for(&mut self, account: AccountNames, wall_ms: i64) {
        self.account = Some(account);
        let left = match &mut self.state {
            MessageState::Unknown { .. } | MessageState::Sending(..) => true,
            MessageState::Preparing(pending)
            | MessageState::Queued(pending, _)
            | MessageState::Parked(Parked { pending, .. }) => {
                // Another account's upload.
                pending.media = None;
                pending.maybe_out
            }
            MessageState::Cancelled { undo } => {
                if let Some(undo) = undo {
                    undo.before.pending_mut().media = None;
                }
                false
            }
            MessageState::Sent { .. }
            | MessageState::Delivered { .. }
            | MessageState::Read { .. }
            | MessageState::Failed { .. }
            | MessageState::Expired { .. } => false,
        };
        if left && self.state() != State::Parked {
            let reason = Reason::new(ReasonKind::AccountChanged);
            let pending = Pending { media: None, maybe_out: true };
            self.enter(MessageState::Parked(Parked { reason, pending }), wall_ms);
        } else {
            self.changed_at = wall_ms;
        }
    }

    /// Whether the account that is linked may send it, if a person wants that.
    pub(super) fn may_be_sent(&self) -> bool {
        match &self.state {
            MessageState::Parked(Parked { pending, .. }) => {
                self.account.is_none() || !pending.maybe_out
            }
            MessageState::Preparing(_)
            | MessageState::Queued(..)
            | MessageState::Sending(..)
            | MessageState::Unknown { .. }
            | MessageState::Sent { .. }
            | MessageState::Delivered { .. }
            | MessageState::Read { .. }
            | MessageState::Failed { .. }
            | MessageState::Expired { .. }
            | MessageState::Cancelled { .. } => true,
        }
    }
}

impl Withdrawn {
    fn pending_mut(&mut self) -> &mut Pending {
        match self {
            Withdrawn::Preparing(pending)
            | Withdrawn::Queued(pending, _)
            | Withdrawn::Parked(Parked { pending, .. }) => pending,
        }
    }
}
