//! Asking which groups the account is in: one question for all of them, bounded in time.
//! Says what the server said; decides nothing about who may send.

use std::time::Duration;

use tokio::time::timeout;
use whatsapp_rust::Client;
use whatsapp_rust::features::GroupMetadata;

use crate::whatsapp::events::translate::Me;
use tetherd_core::event::SessionEvent;
use tetherd_core::groups::{GroupInfo, GroupTicket};

/// How long an answer may take: it holds the members of all groups. The core's limit is
/// behind it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Puts the question.
pub(crate) async fn ask(client: &Client, ticket: GroupTicket) -> SessionEvent {
    let me = Me { pn: client.pn().map(Into::into), lid: client.lid().map(Into::into) };
    let groups = match timeout(ANSWER_TIMEOUT, client.groups().get_participating()).await {
        Ok(Ok(groups)) => Some(groups.values().filter_map(|group| described(group, &me)).collect()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the server does not say which groups there are");
            None
        }
        Err(_) => {
            tracing::warn!("the server does not say in time which groups there are");
            None
        }
    };
    SessionEvent::Groups { ticket, groups }
}

/// The report where there is no connection to ask on.
pub(crate) fn not_connected(ticket: GroupTicket) -> SessionEvent {
    SessionEvent::Groups { ticket, groups: None }
}

/// A community's own group takes no messages of anybody: its announcements and its other
/// groups are groups of their own.
fn described(group: &GroupMetadata, me: &Me) -> Option<GroupInfo> {
    if group.is_parent_group {
        return None;
    }
    let own = group.participants.iter().find(|participant| {
        let names = [Some(&participant.jid), participant.phone_number.as_ref()];
        names.into_iter().chain([participant.lid.as_ref()]).flatten().any(|jid| me.owns(jid))
    });
    let size = group.size.and_then(|size| usize::try_from(size).ok());
    Some(GroupInfo {
        chat: group.id.to_string().parse().ok()?,
        name: group.subject.clone().into(),
        size: size.unwrap_or(group.participants.len()),
        announcement: group.is_announcement,
        admin: own.is_some_and(|participant| participant.is_admin()),
        suspended: group.is_suspended,
        community: group.parent_group_jid.as_ref().and_then(|jid| jid.to_string().parse().ok()),
    })
}
