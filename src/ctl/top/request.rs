//! What the screen asks the daemon for: the calls, the command that each equals, and what came
//! of it in a line. Never asks by itself.

use crate::error::CommandError;
use crate::render::{Clock, messages};
use tetherd_api::client::{Client, ClientError};
use tetherd_api::{
    CancelParams, CancelResult, ClearParams, ClearResult, Explanation, Filter, GetParams,
    LIST_ENTRIES_MAX, ListParams, ListResult, Message, MessageId, NoParams, PairOffer, PairParams,
    RestoreParams, RestoreResult, RetryParams, RetryResult, Status, call,
};

/// Something that a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Let nothing leave.
    Pause,
    /// Let messages leave again.
    Resume,
    /// What would `Clear` withdraw?
    ClearPreview,
    /// Withdraw what waits or is parked.
    Clear,
    /// Bring back what was withdrawn.
    Restore,
    /// Put a parked message back.
    Retry(MessageId),
    /// Put all of them back.
    RetryAll,
    /// Withdraw one.
    Cancel(MessageId),
    /// One message with its whole text.
    Show(MessageId),
    /// Link a phone.
    Pair,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    /// Of `Pause` and `Resume`.
    Status(Box<Status>),
    /// Of `ClearPreview` and `Clear`.
    Cleared(ClearResult),
    /// Of `Restore`.
    Restored(RestoreResult),
    /// Of `Retry` and `RetryAll`.
    Retried(RetryResult),
    /// Of `Cancel`.
    Cancelled(CancelResult),
    /// Of `Show`.
    Message(Box<Message>),
    /// Of `Pair`.
    Offer(PairOffer),
}

/// Everything that the screen shows and that events do not carry.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) status: Box<Status>,
    pub(super) why: Explanation,
    pub(super) queue: ListResult,
}

impl Request {
    /// The command that does the same.
    pub(super) fn command(self) -> String {
        match self {
            Request::Pause => String::from("tetherctl pause"),
            Request::Resume => String::from("tetherctl resume"),
            Request::ClearPreview => String::from("tetherctl clear --dry-run"),
            Request::Clear => String::from("tetherctl clear --yes"),
            Request::Restore => String::from("tetherctl restore"),
            Request::Retry(id) => format!("tetherctl retry {id}"),
            Request::RetryAll => String::from("tetherctl retry"),
            Request::Cancel(id) => format!("tetherctl cancel {id}"),
            Request::Show(id) => format!("tetherctl show {id}"),
            Request::Pair => String::from("tetherctl pair"),
        }
    }

    /// Makes the call. An error is a sentence.
    pub(super) async fn make(self, client: &Client) -> Result<Done, String> {
        self.call(client).await.map_err(sentence)
    }

    async fn call(self, client: &Client) -> Result<Done, ClientError> {
        let none = NoParams {};
        let one = |id| Filter { ids: vec![id], ..Filter::default() };
        Ok(match self {
            Request::Pause => Done::Status(Box::new(client.call(call::QueuePause, &none).await?)),
            Request::Resume => Done::Status(Box::new(client.call(call::QueueResume, &none).await?)),
            Request::ClearPreview | Request::Clear => {
                let dry_run = self == Request::ClearPreview;
                let params = ClearParams { filter: Filter::default(), dry_run };
                Done::Cleared(client.call(call::QueueClear, &params).await?)
            }
            Request::Restore => {
                let params = RestoreParams::default();
                Done::Restored(client.call(call::QueueRestore, &params).await?)
            }
            Request::Retry(id) => {
                let params = RetryParams { filter: one(id), ..RetryParams::default() };
                Done::Retried(client.call(call::QueueRetry, &params).await?)
            }
            Request::RetryAll => {
                Done::Retried(client.call(call::QueueRetry, &RetryParams::default()).await?)
            }
            Request::Cancel(id) => {
                let params = CancelParams { ids: vec![id], ..CancelParams::default() };
                Done::Cancelled(client.call(call::QueueCancel, &params).await?)
            }
            Request::Show(id) => {
                let params = GetParams { id: Some(id), ..GetParams::default() };
                Done::Message(Box::new(client.call(call::MessageGet, &params).await?))
            }
            Request::Pair => {
                let params = PairParams::default();
                Done::Offer(client.call(call::SessionPair, &params).await?.offer)
            }
        })
    }
}

impl Look {
    /// Asks for all of it at once.
    pub(super) async fn take(client: &Client) -> Result<Look, String> {
        let none = NoParams {};
        let list = ListParams { limit: Some(LIST_ENTRIES_MAX), ..ListParams::default() };
        let (status, why, queue) = tokio::try_join!(
            client.call(call::Status, &none),
            client.call(call::Explain, &none),
            client.call(call::QueueList, &list),
        )
        .map_err(sentence)?;
        Ok(Look { status: Box::new(status), why, queue })
    }
}

impl Done {
    /// What came of it, in a line.
    pub(super) fn sentence(&self, clock: &Clock) -> String {
        match self {
            Done::Status(status) if status.queue.paused => {
                String::from("paused: nothing leaves; p resumes")
            }
            Done::Status(_) => String::from("messages leave again as pace and connection allow"),
            Done::Cleared(result) => cleared(result, clock),
            Done::Restored(RestoreResult { restored, no_place, .. }) => {
                put_back(restored, no_place, "brought back", "nothing can be brought back")
            }
            Done::Retried(RetryResult { requeued, no_place, .. }) => {
                put_back(requeued, no_place, "back in the queue", "not parked")
            }
            Done::Cancelled(result) => cancelled(result, clock),
            Done::Message(message) => format!("{} in whole", message.id),
            Done::Offer(_) => String::from("a code for the phone"),
        }
    }
}

fn cleared(result: &ClearResult, clock: &Clock) -> String {
    let count = messages(result.cleared);
    match (result.dry_run, result.undo_until) {
        (true, _) => format!("{count} would be withdrawn"),
        (false, Some(at)) => {
            format!("{count} withdrawn; u brings them back until {}", clock.local(at))
        }
        (false, None) => format!("{count} withdrawn"),
    }
}

fn cancelled(result: &CancelResult, clock: &Clock) -> String {
    if let Some(not) = result.not_cancelled.first() {
        return format!("not withdrawn: {} is {}", not.id, not.state);
    }
    match (result.cancelled.len(), result.undo_until) {
        (0, _) => String::from("no such message"),
        (_, Some(at)) => format!("withdrawn; u brings it back until {}", clock.local(at)),
        (_, None) => String::from("withdrawn"),
    }
}

fn put_back(back: &[MessageId], no_place: &[MessageId], done: &str, nothing: &str) -> String {
    match (back.len(), no_place.len()) {
        (0, 0) => nothing.to_owned(),
        (some, 0) => format!("{} {done}", messages(some)),
        (some, left) => {
            format!("{} {done}; the queue has no place for {}", messages(some), messages(left))
        }
    }
}

fn sentence(error: ClientError) -> String {
    CommandError::from(error).sentence().unwrap_or_default()
}
