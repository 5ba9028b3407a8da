//! Requests for messages that their recipients could not read: each lies here from before it is
//! acknowledged until the server has the answer. Answers nothing itself.

use serde::{Deserialize, Serialize};
use whatsapp_rust::wacore::time::now_secs;

use super::bounded::Bounded;
use super::protocol::SENT_SECONDS;
use super::{Result, SessionBackend, from_json, group_key, key, to_json};
use crate::store::Batch;

const AREA: &str = "asked_again";
/// Most requests that wait; the library answers each as it comes.
const REQUESTS_MAX: usize = 256;
/// Logins after which one is answered; one that fails each time is given up.
const TRIES_MAX: u8 = 3;
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
    /// How often it was answered after a login, without an ack.
    #[serde(default)]
    tries: u8,
}

impl Request {
    pub(crate) fn new(chat: String, device: String, id: String, count: u8) -> Request {
        Request { chat, device, id, count, at: now_secs(), tries: 0 }
    }

    /// Whether a member of a group asks.
    pub(crate) fn is_in_group(&self) -> bool {
        self.chat.ends_with("@g.us")
    }

    /// Whether both ask for the same, once or again.
    pub(crate) fn is_same(&self, other: &Request) -> bool {
        (&self.device, &self.id) == (&other.device, &other.id)
    }

    fn key(&self) -> Vec<u8> {
        group_key(AREA, &[&self.device, &self.id])
    }
}

/// The requests of the session that is stored.
#[derive(Clone, Debug)]
pub struct AskedAgain(pub(crate) SessionBackend);

impl AskedAgain {
    /// Keeps it, if the message is kept that it is for: nobody else's takes a place.
    pub(crate) async fn note(&self, request: &Request) -> Result<()> {
        if self.0.has_sent_message(&request.chat, &request.id)? {
            self.put(request).await?;
        }
        Ok(())
    }

    /// Notes that it is answered once more.
    pub(crate) async fn note_try(&self, request: &Request) -> Result<()> {
        self.put(&Request { tries: request.tries.saturating_add(1), ..request.clone() }).await
    }

    async fn put(&self, request: &Request) -> Result<()> {
        let record = (request.key(), to_json(request)?);
        self.0.put_bounded(REQUESTS, |counts| &counts.asked_again, vec![record]).await
    }

    pub(crate) async fn forget(&self, request: &Request) -> Result<()> {
        self.0.remove(request.key()).await
    }

    /// The requests that have no answer. Removes those that get none: their message is not kept any
    /// more, they were tried often enough, or nobody can read them.
    pub(crate) async fn left(&self) -> Result<Vec<Request>> {
        let oldest = now_secs() - SENT_SECONDS;
        let area = key(AREA, &[]);
        let (mut left, mut batch) = (Vec::new(), Batch::new());
        for (rest, value) in self.0.list(&area)? {
            let request = from_json::<Request>(&value).ok();
            if request.is_none() {
                tracing::warn!("a request for a message cannot be read, and is dropped");
            }
            let is_due = |request: &Request| request.at >= oldest && request.tries < TRIES_MAX;
            match request.filter(is_due) {
                Some(request) => left.push(request),
                None => {
                    batch.remove([&*area, &*rest].concat());
                }
            }
        }
        self.0.write(batch).await?;
        Ok(left)
    }
}
