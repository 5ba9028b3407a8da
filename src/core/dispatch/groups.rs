//! Messages to groups: parked where the group takes none from this account, put back once it
//! does, and the question for it.

use std::collections::BTreeMap;

use crate::Core;
use crate::groups::GroupStanding;
use crate::queue::Message;
use crate::time::Now;
use tetherd_api::{MessageId, Reason, ReasonKind, State};

/// Reasons that end by themselves when the network says so of the group.
const GROUP_REASONS: [ReasonKind; 3] =
    [ReasonKind::NotAdmin, ReasonKind::NotInGroup, ReasonKind::GroupSuspended];

/// Whether a message is parked for what its group is.
pub(crate) fn is_parked_for_group(message: &Message) -> bool {
    GROUP_REASONS.iter().any(|reason| message.is_parked_for(*reason))
}

impl Core {
    /// What may have left already waits for nobody.
    pub(crate) fn group_standing(&self, message: &Message) -> GroupStanding {
        if message.draft.to.is_group() && message.state() == State::Queued {
            self.groups.standing(&message.draft.to)
        } else {
            GroupStanding::Open
        }
    }

    /// Open once it is known that the group takes messages from this account; none: an answer
    /// has to come first.
    pub(crate) fn group_gate(&self, message: &Message) -> Option<u64> {
        match self.group_standing(message) {
            GroupStanding::Open => Some(0),
            GroupStanding::Asked | GroupStanding::Closed(_) => None,
        }
    }

    /// Goes by the network's last answer, and asks if that is needed.
    pub(crate) fn drive_groups(&mut self, now: Now) {
        let has_news = self.groups.take_news_for_waiting();
        self.put_back_grouped(now);
        for (id, reason) in self.closed(has_news) {
            let parked = self.queue.park_waiting(id, Reason::new(reason), &mut self.out, now);
            debug_assert!(parked, "only queued ones are parked here");
        }
        let wanted = self.may_dispatch() && self.groups_wanted();
        self.groups.on_wanted(wanted);
        self.groups.on_time(&mut self.out, now);
    }

    /// Those whose group takes none: all of them once the network has said so, and otherwise
    /// those that have just been accepted, or whose turn comes close.
    fn closed(&self, has_news: bool) -> BTreeMap<MessageId, ReasonKind> {
        if !self.queue.has_groups() {
            return BTreeMap::new();
        }
        let closed = |message: &Message| match self.group_standing(message) {
            GroupStanding::Closed(reason) => Some((message.id, reason)),
            GroupStanding::Open | GroupStanding::Asked => None,
        };
        if has_news {
            return self.queue.waiting().filter_map(closed).collect();
        }
        let changed = self.out.put.iter().filter_map(|id| self.queue.get(*id));
        changed.chain(self.next_heads()).filter_map(closed).collect()
    }

    /// Whether a message to a group could be among the next to leave, or one that was parked
    /// for its group may have become possible.
    fn groups_wanted(&self) -> bool {
        let asked = |head: &Message| self.group_standing(head) == GroupStanding::Asked;
        self.next_heads().any(asked)
            || self.queue.parked_reasons().any(|reason| GROUP_REASONS.contains(&reason))
    }

    /// Puts back what was parked for its group and may be sent by now, where it was, as far
    /// as there are places; the rest as places become free.
    fn put_back_grouped(&mut self, now: Now) {
        if !self.groups.has_news() || self.draining || self.queue.is_full() {
            return;
        }
        let open = |m: &&Message| {
            is_parked_for_group(m) && self.groups.standing(&m.draft.to) == GroupStanding::Open
        };
        let mut due: Vec<(u64, MessageId)> =
            self.queue.parked().filter(open).map(|m| (m.order, m.id)).collect();
        due.sort_unstable();
        for (order, id) in due {
            if self.queue.is_full() {
                return;
            }
            self.queue.requeue(id, order, false, &mut self.out, now);
        }
        self.groups.on_put_back();
    }
}
