//! The account's groups as people read them.

use super::{Clock, clean, table};
use tetherd_api::{Group, GroupListResult, ReasonKind};

/// `groups`.
pub fn groups(list: &GroupListResult, clock: &Clock) -> String {
    if list.groups.is_empty() {
        return String::from("no groups\n");
    }
    let mut rows = vec![["NAME", "SIZE", "SEND", "JID"].map(String::from)];
    for group in &list.groups {
        rows.push([
            clean(&group.name, false),
            group.size.to_string(),
            may_send(group),
            clean(&group.jid, false),
        ]);
    }
    let mut text = table(&rows);
    if list.groups.len() < list.total {
        text.push_str(&format!("{} of {} shown\n", list.groups.len(), list.total));
    }
    if !list.current {
        let at = clock.local(list.asked_at);
        text.push_str(&format!("as of {at}: the network cannot be asked now\n"));
    }
    text
}

fn may_send(group: &Group) -> String {
    let text = match group.why_not {
        Some(ReasonKind::NotAdmin) => "no: admins only",
        Some(ReasonKind::GroupSuspended) => "no: suspended",
        Some(_) => "no",
        None if group.announcement => "yes, as admin",
        None => "yes",
    };
    text.to_owned()
}
