//! The questions of a turn, answered from the state that is on disk by then. Changes nothing
//! but who follows the events.

use super::Engine;
use crate::daemon::engine_handle::{MessageName, Query};
use crate::store;
use tetherd_api::{self as api, Reply, Signature, call};

impl Engine {
    /// Answers what was asked in this turn.
    pub(super) fn answer_queries(&mut self) {
        for (query, reply) in std::mem::take(&mut self.queries) {
            // A caller that has gone away needs no answer.
            let _ = reply.send(self.answer(query));
        }
        let (range, now) = (*self.incoming.borrow(), (self.clock)());
        for reply in std::mem::take(&mut self.starts) {
            let _ = reply.send(self.hub.now(&self.core, range, now));
        }
        for (walk, reply) in std::mem::take(&mut self.walks) {
            let _ = reply.send(self.hub.page(walk, &self.core, range, now));
        }
    }

    fn answer(&self, query: Query) -> Result<Reply, api::Error> {
        let now = (self.clock)();
        match query {
            Query::Status => Ok(call::Status::reply(self.core.status(now))),
            Query::Explain => Ok(call::Explain::reply(self.core.explain(now))),
            Query::Repeated { key, digest } => {
                let repeated = self.core.repeated(&key, &digest, now);
                repeated.unwrap_or_else(|| Err(forgotten())).map(call::MessageSend::reply)
            }
            Query::List { selection, after, limit } => {
                let list = self.core.list(&selection, after, Some(limit), now);
                Ok(call::QueueList::reply(list))
            }
            Query::Get(which) => {
                let id = match which {
                    MessageName::Id(id) => Some(id),
                    MessageName::WaId(wa_id) => self.core.find_wa_id(&wa_id.0),
                    MessageName::Key(key) => self.core.find_key(&key),
                };
                let found = id.and_then(|id| self.core.message(id, now));
                let mut message = found.ok_or_else(not_found)?;
                message.text = store::queue::body(&self.store, message.id)
                    .ok()
                    .flatten()
                    .map(|body| body.0.to_string())
                    .filter(|text| !text.is_empty())
                    .map(Into::into);
                Ok(call::MessageGet::reply(message))
            }
        }
    }
}

/// Between the question for a place and the answer, the message left the history.
fn forgotten() -> api::Error {
    let sentence = "the message with this key has just left the history";
    api::Error::new(api::ErrorKind::WrongState, sentence).retry_after_ms(0)
}

fn not_found() -> api::Error {
    api::Error::new(api::ErrorKind::NotFound, "no such message")
        .remedy("`tetherctl queue` lists the live ones; finished ones stay readable for a while")
}
