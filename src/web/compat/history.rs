//! Messages that came in and went out, as many as an answer may have. Both directions are
//! bounded in number and in bytes.

use std::collections::VecDeque;

use tetherd_api::{
    Error, Filter, GetParams, INBOX_LIST_MAX, InboxListParams, Incoming, LIST_ENTRIES_MAX,
    ListParams, Message, Method, PREVIEW_CHARS_MAX, Redacted, State, call,
};

use super::Caller;
use crate::daemon::CallError;
use crate::limits::TEXT_BYTES_MAX;

/// Messages that came in after a cursor, at most so many.
pub(super) async fn incoming_after(
    caller: &Caller,
    after: u64,
    count: usize,
) -> Result<Vec<Incoming>, Error> {
    let params = InboxListParams { after: Some(after), limit: Some(count.min(INBOX_LIST_MAX)) };
    Ok(caller.call(call::InboxList, &params).await?.messages)
}

/// The newest that came in, the oldest of them first, without the newest `skipped`.
pub(super) async fn incoming_newest(
    caller: &Caller,
    count: usize,
    skipped: u64,
) -> Result<Vec<Incoming>, Error> {
    caller.program.may(Method::InboxList.tier())?;
    let came = async {
        let newest = caller.daemon.newest_incoming().await?;
        caller.daemon.incoming_until(newest.saturating_sub(skipped), count as u64).await
    };
    came.await.map(|came| came.messages).map_err(CallError::into_contract)
}

/// What waits, the first to be accepted first, at most so many, and how many there are.
pub(super) async fn waiting(caller: &Caller, count: usize) -> Result<(Vec<Message>, usize), Error> {
    let params = ListParams { limit: Some(count), ..ListParams::default() };
    let list = caller.call(call::QueueList, &params).await?;
    Ok((whole(caller, list.messages).await?, list.total))
}

/// The newest that were accepted and have left the queue, for one chat or for all, the oldest of
/// them first.
pub(super) async fn outgoing_newest(
    caller: &Caller,
    to: Option<Redacted<String>>,
    count: usize,
) -> Result<Vec<Message>, Error> {
    let states = State::ALL.into_iter().filter(|state| !state.is_live()).collect();
    let filter = Filter { states, to, ..Filter::default() };
    let (mut kept, mut after) = (VecDeque::new(), None);
    loop {
        let limit = Some(LIST_ENTRIES_MAX);
        let params = ListParams { filter: filter.clone(), after, limit };
        let page = caller.call(call::QueueList, &params).await?;
        kept.extend(page.messages);
        kept.drain(..kept.len().saturating_sub(count));
        match page.next {
            Some(next) => after = Some(next),
            None => return whole(caller, kept.into()).await,
        }
    }
}

/// With their whole texts, as far as there is room: lists have the beginnings only.
async fn whole(caller: &Caller, mut messages: Vec<Message>) -> Result<Vec<Message>, Error> {
    let mut room = TEXT_BYTES_MAX;
    for message in &mut messages {
        if message.chars > PREVIEW_CHARS_MAX && room > 0 {
            let params = GetParams { id: Some(message.id), ..GetParams::default() };
            // One that is no longer readable keeps its beginning.
            if let Ok(found) = caller.call(call::MessageGet, &params).await {
                let bytes = found.text.as_ref().map_or(0, |text| text.len());
                message.text = found.text.filter(|_| bytes <= room);
                room = room.saturating_sub(bytes);
            }
        }
    }
    Ok(messages)
}

/// A message's text, or its beginning.
pub(super) fn text_of(message: &Message) -> &str {
    message.text.as_ref().map_or(&*message.preview, |text| &**text)
}
