//! A replica that is fed changes, however coalesced, is the current state.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use crate::state_replica::StateReplica;
use crate::{
    ConditionKind, Event, EventFrame, Gap, GapOf, Kind, Message, MessageId, Priority, State,
    Status, Time,
};

const AT: Time = Time(1_700_000_000_000);

fn status(queued: usize) -> Event {
    let status: Status = serde_json::from_value(json!({
        "started_at": AT,
        "session": { "state": "connected", "since": AT, "connections": 1, "replaced": 0 },
        "queue": {
            "capacity": 400, "free": 400, "queued": queued, "sending": 0, "unknown": 0,
            "parked": 0, "history": 0, "paused": false,
        },
        "pacing": { "limit": 5, "window_ms": 120_000, "spent": 0 },
        "conditions": [],
    }))
    .unwrap();
    Event::Status { status: Box::new(status) }
}

fn message(id: u64, state: State, position: Option<usize>) -> Event {
    Event::Message {
        message: Box::new(Message {
            id: MessageId(id),
            wa_id: format!("3EB0{id:018X}"),
            to: "15550100@s.whatsapp.net".into(),
            address: None,
            state,
            reason: None,
            key: None,
            kind: Kind::Text,
            reply_to: None,
            file: None,
            priority: Priority::Normal,
            not_before: None,
            expires_at: None,
            undo_until: None,
            text: None,
            preview: "hello".into(),
            chars: 5,
            attempts: 0,
            accepted_at: AT,
            changed_at: AT,
            sent_at: None,
            delivered_at: None,
            read_at: None,
            position,
            expected_at: position.map(|_| AT),
            held_by: position.map(|_| ConditionKind::NotPaired),
            after: position.map(|_| MessageId(1)),
        }),
    }
}

fn frame(seq: u64, event: Event) -> EventFrame {
    EventFrame { seq, at: AT, event }
}

/// What a daemon knows: the last change of each message that it keeps.
#[derive(Default)]
struct Index {
    seq: u64,
    last: BTreeMap<u64, (u64, State)>,
    forgotten: u64,
}

impl Index {
    fn change(&mut self, id: u64, state: State) {
        self.seq += 1;
        self.last.insert(id, (self.seq, state));
    }

    /// Lets the finished message go that changed first.
    fn forget(&mut self) {
        let finished = self.last.iter().filter(|(_, (_, state))| !state.is_live());
        if let Some((id, seq)) = finished.map(|(id, (seq, _))| (*id, *seq)).min_by_key(|p| p.1) {
            self.last.remove(&id);
            self.forgotten = self.forgotten.max(seq);
        }
    }

    /// What a subscriber is sent that continues after this number; none: a new one.
    fn frames(&self, after: Option<u64>) -> Vec<EventFrame> {
        let mut frames = vec![frame(after.unwrap_or(0), status(0))];
        let mut from = after.unwrap_or(0);
        if after.is_some_and(|after| self.forgotten > after) {
            let gap = Gap { from: from + 1, to: self.forgotten };
            frames.push(frame(from, Event::Gap { of: GapOf::Messages, gap }));
            from = 0;
        }
        let mut due: Vec<_> = self.last.iter().filter(|(_, (seq, _))| *seq > from).collect();
        due.sort_by_key(|(_, (seq, _))| *seq);
        for (id, (seq, state)) in due {
            let is_new = after.is_some_and(|after| *seq > after);
            if state.is_live() || is_new {
                let seq = (*seq).max(after.unwrap_or(0));
                frames.push(frame(seq, message(*id, *state, Some(1))));
            }
        }
        frames.push(frame(self.seq, Event::SnapshotEnd {}));
        frames
    }
}

fn fold(replica: &mut StateReplica, frames: &[EventFrame]) {
    for frame in frames {
        replica.apply(frame);
    }
}

proptest! {
    #[test]
    fn one_that_continues_after_its_last_number_equals_a_new_one(
        steps in prop::collection::vec((1_u64..9, prop::option::of(0..State::ALL.len()), any::<bool>()), 0..60),
    ) {
        let mut index = Index::default();
        let mut replica = StateReplica::new();
        fold(&mut replica, &index.frames(None));
        for (id, state, reads) in steps {
            match state {
                Some(state) => index.change(id, State::ALL[state]),
                None => index.forget(),
            }
            if reads {
                let frames = index.frames(Some(replica.seq()));
                fold(&mut replica, &frames);
                let mut newcomer = StateReplica::new();
                fold(&mut newcomer, &index.frames(None));
                prop_assert_eq!(&replica, &newcomer);
            }
        }
    }
}

#[test]
fn the_number_to_continue_after_never_goes_back() {
    let mut replica = StateReplica::new();
    replica.apply(&frame(4, status(1)));
    replica.apply(&frame(3, status(2)));
    assert_eq!((replica.seq(), replica.status().unwrap().queue.queued), (4, 2));
}
