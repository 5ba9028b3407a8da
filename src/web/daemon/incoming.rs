//! What came in lately. The daemon lists it the oldest first and stops when an answer is full, so
//! the newest ones take several calls.

use std::collections::VecDeque;

use tetherd_api::{Gap, INBOX_LIST_MAX, InboxListParams, Incoming, Redacted, call};

use super::{CallError, Daemon};
use crate::limits::TEXT_BYTES_MAX;

/// Messages that came in one after the other.
#[derive(Debug)]
pub(crate) struct Came {
    /// The oldest first.
    pub(crate) messages: Vec<Incoming>,
    /// The cursor after which they begin.
    pub(crate) after: u64,
    /// Those of the first ones that are no longer kept.
    pub(crate) gap: Option<Gap>,
}

impl Daemon {
    /// The cursor of the message that came last.
    pub(crate) async fn newest_incoming(&self) -> Result<u64, CallError> {
        let one = InboxListParams { after: None, limit: Some(1) };
        Ok(self.call(call::InboxList, &one).await?.newest)
    }

    /// So many messages up to this cursor, or the newest of them, as far as their texts have
    /// room.
    pub(crate) async fn incoming_until(&self, end: u64, count: u64) -> Result<Came, CallError> {
        let after = end.saturating_sub(count);
        let mut came = Came { messages: Vec::new(), after, gap: None };
        let (mut kept, mut bytes, mut at) = (VecDeque::new(), 0, after);
        while at < end {
            let limit = usize::try_from(end - at).unwrap_or(usize::MAX).min(INBOX_LIST_MAX);
            let params = InboxListParams { after: Some(at), limit: Some(limit) };
            let page = self.call(call::InboxList, &params).await?;
            if at == after {
                came.gap = page.gap;
            }
            let last = page.messages.last().map(|message| message.cursor);
            at = last.or(page.gap.map(|gap| gap.to)).unwrap_or(end);
            for message in page.messages.into_iter().filter(|message| message.cursor <= end) {
                bytes += weight(&message);
                kept.push_back(message);
            }
            while bytes > TEXT_BYTES_MAX {
                let Some(oldest) = kept.pop_front() else { break };
                bytes -= weight(&oldest);
                (came.after, came.gap) = (oldest.cursor, None);
            }
        }
        came.messages = kept.into();
        Ok(came)
    }
}

fn weight(message: &Incoming) -> usize {
    let length = |text: &Option<Redacted<String>>| text.as_ref().map_or(0, |text| text.len());
    length(&message.text) + length(&message.vcard)
}
