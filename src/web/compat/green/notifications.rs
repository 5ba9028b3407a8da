//! `receiveNotification` and `deleteNotification`: the changes feed, one notification at a time.
//! Each token has a place in the feed of each daemon, which is on disk. It moves when a
//! notification is deleted; until then the same one is answered, also after a restart. A token's
//! place begins where the feed ends at its first call.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tetherd_api::{Error, ErrorKind, Event, EventFrame, FeedId, FeedPlace, Method, NoParams, call};
use tokio::time::timeout;

use super::super::fields::Fields;
use super::super::{Caller, jid};
use super::account::state_of;
use super::body::Instance;
use crate::daemon::CallError;
use crate::durable;

/// How long a call waits, in seconds: at least, and without a wish; at most.
const WAIT_S: (u64, u64) = (5, 60);
/// A place on disk, in bytes.
const PLACE_BYTES_MAX: u64 = 4_096;

/// Every token's places.
#[derive(Debug)]
pub(in super::super) struct Notifications {
    folder: PathBuf,
    readers: Mutex<HashMap<PathBuf, Arc<Reader>>>,
}

impl Notifications {
    pub(in super::super) fn new(folder: PathBuf) -> Notifications {
        Notifications { folder, readers: Mutex::default() }
    }

    fn of(&self, caller: &Caller) -> Result<Arc<Reader>, Error> {
        let name = hex::encode(caller.program.digest());
        let path = self.folder.join(&caller.daemon.name).join(name);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = readers.get(&path) {
            return Ok(Arc::clone(reader));
        }
        let reader = Arc::new(Reader::open(path.clone()).map_err(not_kept)?);
        // A file of tokens that cannot be read says of no token that it is gone.
        if let Ok(tokens) = caller.front.tokens.list() {
            let names = tokens.iter().map(|token| hex::encode(token.digest)).collect();
            readers.retain(|path, _| is_of_one(path, &names));
            path.parent().map_or(Ok(()), |folder| tidy(folder, &names)).map_err(not_kept)?;
        }
        readers.insert(path, Arc::clone(&reader));
        Ok(reader)
    }
}

/// Whether a place is of one of these tokens.
fn is_of_one(path: &Path, names: &HashSet<String>) -> bool {
    path.file_stem().and_then(OsStr::to_str).is_some_and(|name| names.contains(name))
}

/// Removes the places of tokens that are gone. No call ever asks for them again.
fn tidy(folder: &Path, names: &HashSet<String>) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if !is_of_one(&path, names) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn not_kept(error: io::Error) -> Error {
    let sentence = format!("the place in the feed cannot be kept: {error}");
    Error::new(ErrorKind::InternalError, sentence)
}

/// What is on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The last number of the feed that is dealt with.
    after: u64,
    /// The feed that it is of, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    feed: Option<FeedId>,
    /// The last state of the instance that was reported.
    state: String,
}

impl Place {
    fn in_feed(&self) -> FeedPlace {
        FeedPlace { feed: self.feed, seq: self.after }
    }
}

/// A notification that was answered and not deleted.
#[derive(Clone, Debug)]
struct Pending {
    receipt: u64,
    body: Value,
    /// Where the reader stands once it is deleted.
    then: Place,
}

#[derive(Debug, Default)]
struct Standing {
    /// None: nothing was asked yet.
    place: Option<Place>,
    /// Up to here nothing needs a notification.
    passed: FeedPlace,
    pending: Option<Pending>,
}

/// One token's place in one feed.
#[derive(Debug)]
struct Reader {
    path: PathBuf,
    standing: Mutex<Standing>,
    /// Held by the call that waits. A second one waits for it.
    turn: tokio::sync::Mutex<()>,
}

impl Reader {
    fn open(path: PathBuf) -> io::Result<Reader> {
        let place = match durable::read(&path, PLACE_BYTES_MAX)? {
            Some(content) => Some(serde_json::from_slice(&content)?),
            None => None,
        };
        let standing = Mutex::new(Standing { place, ..Standing::default() });
        Ok(Reader { path, standing, turn: tokio::sync::Mutex::default() })
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves to a place, on disk first.
    async fn move_to(&self, place: Place) -> Result<(), Error> {
        let content = serde_json::to_vec(&place).map_err(|error| not_kept(error.into()))?;
        let path = self.path.clone();
        let write = tokio::task::spawn_blocking(move || durable::replace(&path, &content));
        write.await.map_err(|error| not_kept(io::Error::other(error)))?.map_err(not_kept)?;
        let mut standing = self.standing();
        (standing.place, standing.pending) = (Some(place), None);
        Ok(())
    }

    /// The next notification.
    async fn next(&self, caller: &Caller) -> Result<Pending, Error> {
        let _turn = self.turn.lock().await;
        let (mut place, passed) = {
            let standing = self.standing();
            if let Some(pending) = &standing.pending {
                return Ok(pending.clone());
            }
            (standing.place.clone(), standing.passed)
        };
        let instance = instance(caller).await?;
        let is_later = |place: &Place| passed.seq > place.after;
        let after =
            place.as_ref().map(|place| if is_later(place) { passed } else { place.in_feed() });
        let mut subscribed = caller.daemon.subscribe(after).await;
        if subscribed.as_ref().is_err_and(CallError::is_feed_renewed) {
            // Everything in the new feed is news.
            (place, self.standing().passed) = (Some(Place::default()), FeedPlace::START);
            subscribed = caller.daemon.subscribe(Some(FeedPlace::START)).await;
        }
        let mut subscription = subscribed.map_err(|error| error.into_contract())?;
        let FeedPlace { feed, seq: newest } = subscription.newest;
        let mut place = place.unwrap_or(Place { after: newest, ..Place::default() });
        // It goes on there.
        place.feed = feed;
        loop {
            let next = subscription.events.next().await;
            let frame =
                next.map_err(|error| Error::new(ErrorKind::ShuttingDown, error.to_string()))?;
            if place.state.is_empty()
                && let Event::Status { status } = &frame.event
            {
                // The first call: what is the case now is no news.
                place.state = state_of(status).into();
                self.move_to(place.clone()).await?;
            }
            if let Some(pending) = self.look(&instance, caller, &place, frame) {
                return Ok(pending);
            }
        }
    }

    /// Makes a notification of what happened, if it is worth one.
    fn look(
        &self,
        instance: &Instance,
        caller: &Caller,
        place: &Place,
        frame: EventFrame,
    ) -> Option<Pending> {
        let mut standing = self.standing();
        let pending = pending(instance, caller, place, &frame);
        match &pending {
            Some(pending) => standing.pending = Some(pending.clone()),
            // A status has the number of what came before it, which is dealt with.
            None => standing.passed = standing.passed.advanced(place.feed, frame.seq),
        }
        pending
    }
}

async fn instance(caller: &Caller) -> Result<Instance, Error> {
    // Just after the front's start its feed knows nothing yet.
    let status = match caller.daemon.feed.status() {
        Some(status) => status,
        None => Box::new(caller.call(call::Status, &NoParams {}).await?),
    };
    let wid = status.session.account.map(|account| jid::to_old(&account)).unwrap_or_default();
    Ok(Instance { id: caller.instance, wid })
}

fn pending(
    instance: &Instance,
    caller: &Caller,
    place: &Place,
    frame: &EventFrame,
) -> Option<Pending> {
    let seq = frame.seq;
    let passed = Place { after: seq, ..place.clone() };
    // Numbers of the feed are even here; a state has the odd one behind what came before it.
    match &frame.event {
        Event::Message { message } if seq > place.after => {
            let body = instance.status(message)?;
            Some(Pending { receipt: seq * 2, body, then: passed })
        }
        Event::Incoming { message } if seq > place.after => {
            let link = message.file.as_ref().map(|_| caller.file_link(message.cursor));
            let body = instance.incoming(message, link.as_deref().unwrap_or_default());
            Some(Pending { receipt: seq * 2, body, then: passed })
        }
        Event::Status { status } if state_of(status) != place.state => {
            let then = Place { state: state_of(status).into(), ..place.clone() };
            let body = instance.state(&then.state, frame.at);
            Some(Pending { receipt: seq * 2 + 1, body, then })
        }
        Event::Message { .. }
        | Event::Incoming { .. }
        | Event::Status { .. }
        | Event::Gap { .. }
        | Event::SnapshotEnd {}
        | Event::Pairing { .. } => None,
    }
}

pub(super) async fn receive(caller: &Caller, fields: &Fields) -> Result<Value, Error> {
    caller.program.may(Method::EventsSubscribe.tier())?;
    let reader = caller.front.compat.notifications.of(caller)?;
    let seconds = fields.whole("receiveTimeout")?.unwrap_or(WAIT_S.0).clamp(WAIT_S.0, WAIT_S.1);
    match timeout(Duration::from_secs(seconds), reader.next(caller)).await {
        Ok(Ok(pending)) => Ok(json!({ "receiptId": pending.receipt, "body": pending.body })),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok(Value::Null),
    }
}

pub(super) async fn delete(caller: &Caller, receipt: Option<&str>) -> Result<Value, Error> {
    caller.program.may(Method::EventsSubscribe.tier())?;
    let reader = caller.front.compat.notifications.of(caller)?;
    let receipt: Option<u64> = receipt.and_then(|receipt| receipt.parse().ok());
    let pending = reader.standing().pending.clone();
    match pending.filter(|pending| Some(pending.receipt) == receipt) {
        Some(pending) => {
            reader.move_to(pending.then).await?;
            Ok(json!({ "result": true, "reason": "" }))
        }
        None => {
            Ok(json!({ "result": false, "reason": "it is not the one that was answered last" }))
        }
    }
}
