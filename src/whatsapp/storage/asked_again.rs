//! Requests for messages that their recipients could not read: each lies here from before it is
//! acknowledged until the server has the answer. Answers nothing itself.

use serde::{Deserialize, Serialize};
use whatsapp_rust::wacore::time::now_secs;

use super::bounded::Bounded;
use super::protocol::SENT_SECONDS;
use super::{Result, SessionBackend, from_json, group_key, key, read_error, to_json};

const AREA: &str = "asked_again";
/// Most requests that wait; the library answers each as it comes.
const REQUESTS_MAX: usize = 256;
const REQUESTS: Bounded = Bounded {
    area: AREA,
    max: REQUESTS_MAX,
    learnt: |value| from_json(value).map_or(0, |request: Request| request.at),
};

/// Who asks for which message.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The chat that the message is in.
    pub(crate) chat: String,
    /// The device that could not read it.
    pub(crate) device: String,
    pub(crate) id: String,
    /// How many times it has asked.
    pub(crate) count: u8,
    /// When, in Unix seconds.
    at: i64,
}

impl Request {
    pub(crate) fn new(chat: String, device: String, id: String, count: u8) -> Request {
        Request { chat, device, id, count, at: now_secs() }
    }

    /// Whether a member of a group asks.
    pub(crate) fn is_in_group(&self) -> bool {
        self.chat.ends_with("@g.us")
    }

    fn key(&self) -> Vec<u8> {
        group_key(AREA, &[&self.device, &self.id])
    }
}

/// The requests of the session that is stored.
#[derive(Clone, Debug)]
pub struct AskedAgain(pub(crate) SessionBackend);

impl AskedAgain {
    pub(crate) async fn note(&self, request: &Request) -> Result<()> {
        let record = (request.key(), to_json(request)?);
        self.0.put_bounded(REQUESTS, |counts| &counts.asked_again, vec![record]).await
    }

    pub(crate) async fn forget(&self, request: &Request) -> Result<()> {
        self.0.remove(request.key()).await
    }

    /// The requests that have no answer, but those for messages that are not kept any more.
    pub(crate) fn left(&self) -> Result<Vec<Request>> {
        let all = self.0.list(&key(AREA, &[]))?.into_iter();
        let all = all.map(|(_, value)| from_json(&value).map_err(read_error));
        let oldest = now_secs() - SENT_SECONDS;
        let due = |request: &Result<Request>| request.as_ref().map_or(true, |r| r.at >= oldest);
        all.filter(due).collect()
    }
}
