//! Who has written to which account, and whether the server lets accounts write to others:
//! the reachout timelock. What an account sends itself makes nobody known (green-api#1088).
//! Forgotten when the simulator ends.

use std::collections::HashSet;

use serde_json::json;
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::iq::mex_operations::fetch_reachout_timelock;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{JidExt as _, Node};

use super::nodes::{attr, jid_attr, server};
use super::settings::ReachoutTimelock;
use super::world::World;

/// Most pairs that are remembered; beyond it everybody counts as known.
const CONTACTS_MAX: usize = 100_000;

/// What the server tells about the lock's kind.
const ENFORCEMENT: &str = "RESTRICT_ALL_COMPANIONS";

/// Who knows whom, and the lock.
#[derive(Default)]
pub(super) struct Contacts {
    known: HashSet<(String, String)>,
    lock: Option<Lock>,
    /// Clients that ask while there is none are answered with null.
    answers_null: bool,
}

/// The lock, and when it ends in Unix seconds, if it says so.
#[derive(Clone, Copy)]
struct Lock {
    ends: Option<i64>,
}

impl Contacts {
    /// This person has written to the account.
    pub(super) fn know(&mut self, account: &str, number: &str) {
        if self.known.len() < CONTACTS_MAX {
            self.known.insert((account.to_owned(), number.to_owned()));
        }
    }

    fn knows(&self, account: &str, number: &str) -> bool {
        self.known.len() >= CONTACTS_MAX
            || self.known.contains(&(account.to_owned(), number.to_owned()))
    }

    /// Whether one of them has written to the other.
    pub(super) fn have_met(&self, one: &str, other: &str) -> bool {
        let wrote = |a: &str, b: &str| self.known.contains(&(a.to_owned(), b.to_owned()));
        wrote(one, other) || wrote(other, one)
    }

    fn standing(&self) -> Option<Lock> {
        self.lock.filter(|lock| lock.ends.is_none_or(|ends| ends > now_secs()))
    }

    fn state(&self) -> serde_json::Value {
        match self.standing() {
            None if self.answers_null => serde_json::Value::Null,
            Some(Lock { ends }) => json!({
                "is_active": true,
                "time_enforcement_ends": ends.unwrap_or(0).to_string(),
                "enforcement_type": ENFORCEMENT,
            }),
            None => json!({ "is_active": false }),
        }
    }

    /// The answer to a client that asks.
    pub(super) fn answer(&self) -> Node {
        let data = json!({ "data": { "xwa2_fetch_account_reachout_timelock": self.state() } });
        NodeBuilder::new("result").bytes(data.to_string().into_bytes()).build()
    }
}

/// Whether a request asks about the lock.
pub(super) fn asks_timelock(iq: &Node) -> bool {
    let query = iq.get_optional_child("query");
    query.and_then(|query| attr(query, "query_id")).as_deref()
        == Some(fetch_reachout_timelock::DOC_ID)
}

/// Whether a message goes to somebody whom the account does not know.
pub(super) fn is_new(world: &World, message: &Node, account: &str) -> bool {
    let Some(to) = jid_attr(message, "to").filter(|to| !to.is_group()) else { return false };
    let peer = attr(message, "category").as_deref() == Some("peer");
    let number = world.people.number_of(&to);
    !peer && number.is_some_and(|to| to != account && !world.contacts.knows(account, to))
}

/// Whether the lock refuses a message.
pub(super) fn locked(world: &World, message: &Node, account: &str) -> bool {
    world.contacts.standing().is_some() && is_new(world, message, account)
}

/// Sets or lifts the lock, and tells the clients that are there.
pub(super) fn set(world: &mut World, lock: ReachoutTimelock) {
    let ends = lock.ends_in_s.map(|seconds| now_secs().saturating_add(seconds));
    world.contacts.lock = lock.active.then_some(Lock { ends });
    world.contacts.answers_null = lock.null;
    if !lock.notify {
        return;
    }
    let state = world.contacts.state();
    let body = json!({ "data": { "xwa2_notify_account_reachout_timelock": state } });
    notify(world, "NotificationUserReachoutTimelockUpdate", &body);
}

/// Tells the clients that are there.
pub(super) fn notify(world: &mut World, operation: &'static str, body: &serde_json::Value) {
    let links: Vec<_> = world.links().into_iter().map(|(id, _)| id).collect();
    for link in links.into_iter().filter(|link| world.device(*link).is_some()).collect::<Vec<_>>() {
        let update = NodeBuilder::new("update")
            .attr("op_name", operation)
            .bytes(body.to_string().into_bytes())
            .build();
        let id = world.iq_id();
        let notification = NodeBuilder::new("notification")
            .attr("from", server())
            .attr("type", "mex")
            .attr("id", id)
            .attr("t", now_secs())
            .children([update])
            .build();
        world.say(link, notification);
    }
}
