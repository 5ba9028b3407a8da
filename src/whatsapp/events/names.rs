//! Which number, username and LID are one person's, as messages state it, and the names of the
//! account itself. Pure.

use whatsapp_rust::types::events::Event;
use whatsapp_rust::wacore_binary::NodeRef;
use whatsapp_rust::{Jid, Server};

use crate::whatsapp::events::translate::{ConnectionEvent, Me};
use crate::whatsapp::incoming::usernames::StatedUsername;
use tetherd_api::Redacted;
use tetherd_core::account_names::AccountNames;
use tetherd_core::contacts::Number;
use tetherd_core::event::SessionEvent;

/// The LID of a device that is not linked yet has this user part.
pub(crate) const PLACEHOLDER: &str = "0";

/// One report for each person who wrote to us in a chat of two. Members of groups are not
/// reported: they may be many, and are asked about before something is sent to them.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library has 60 kinds, we name ours")]
pub(crate) fn names(event: &Event, me: &Me) -> Vec<ConnectionEvent> {
    let batch = match event {
        Event::Messages(batch) => batch,
        Event::RawNode(node) => return username(node.get(), me).into_iter().collect(),
        _ => return Vec::new(),
    };
    let sources = batch.iter().map(|message| &message.info.source);
    let others = sources.filter(|source| !source.is_group && !source.is_from_me);
    let pairs = others.filter_map(|source| pair(&source.sender, source.sender_alt.as_ref()?, me));
    pairs.map(ConnectionEvent::Report).collect()
}

/// The username of who writes from a LID, which the library does not report.
fn username(stanza: &NodeRef<'_>, me: &Me) -> Option<ConnectionEvent> {
    let stated = StatedUsername::of(stanza)?;
    let writer = stated.writer.filter(|writer| !me.owns(writer))?;
    Some(ConnectionEvent::Report(SessionEvent::Names {
        number: Number::parse(&stated.username).ok()?,
        lid: writer.to_string().parse().ok()?,
    }))
}

fn pair(one: &Jid, other: &Jid, me: &Me) -> Option<SessionEvent> {
    let (number, lid) = match (one.server, other.server) {
        (Server::Pn, Server::Lid) => (one, other),
        (Server::Lid, Server::Pn) => (other, one),
        _ => return None,
    };
    if me.owns(number) || me.owns(lid) {
        return None;
    }
    Some(SessionEvent::Names {
        number: Number::from_digits(&number.user)?,
        lid: lid.to_non_ad_string().parse().ok()?,
    })
}

/// The account that a device belongs to.
pub(crate) fn account_names(pn: &Jid, lid: Option<&Jid>) -> AccountNames {
    let name = |jid: &Jid| Redacted(jid.to_non_ad().to_string());
    // Before a pairing has brought the real one, a placeholder stands there.
    let lid = lid.filter(|lid| lid.server == Server::Lid && lid.user != PLACEHOLDER);
    AccountNames { jid: name(pn), lid: lid.map(name) }
}
