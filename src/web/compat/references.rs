//! Finds a message by the id that the network has for it, as callers of these interfaces name
//! the one that they answer.

use tetherd_api::{
    Error, ErrorKind, GetParams, INBOX_LIST_MAX, InboxListParams, Incoming, MessageRef, call,
};

use super::{Caller, jid};

/// Pages of incoming messages that are looked at for one id, from the newest back.
const PAGES_MAX: u64 = 5;

/// The message of this id, of the daemon's or of the newest incoming ones.
pub(super) async fn find(caller: &Caller, id: &str) -> Result<MessageRef, Error> {
    let wa_id = jid::network_id(id);
    let params = GetParams { wa_id: Some(wa_id.into()), ..GetParams::default() };
    match caller.call(call::MessageGet, &params).await {
        Ok(message) => Ok(MessageRef::Own(message.id)),
        Err(error) if error.data.kind == ErrorKind::NotFound => {
            Ok(MessageRef::Incoming(find_incoming(caller, wa_id).await?.cursor))
        }
        Err(error) => Err(error),
    }
}

/// The incoming message of this id, if it is one of the newest.
pub(super) async fn find_incoming(caller: &Caller, id: &str) -> Result<Incoming, Error> {
    let wa_id = jid::network_id(id);
    let one = InboxListParams { after: None, limit: Some(1) };
    let mut end = caller.call(call::InboxList, &one).await?.newest;
    for _ in 0..PAGES_MAX {
        let start = end.saturating_sub(INBOX_LIST_MAX as u64);
        let mut after = start;
        while after < end {
            let params = InboxListParams { after: Some(after), limit: None };
            let page = caller.call(call::InboxList, &params).await?;
            let last = page.messages.last().map(|message| message.cursor);
            if let Some(found) = page.messages.into_iter().find(|known| known.wa_id == wa_id) {
                return Ok(found);
            }
            after = last.or(page.gap.map(|gap| gap.to)).unwrap_or(end);
        }
        end = start;
    }
    Err(Error::new(ErrorKind::NotFound, "there is no message of this id, or it is too old"))
}
