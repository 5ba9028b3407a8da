//! Requests for messages that their recipients could not read. The library acknowledges one as
//! it comes, and answers in a task of its own: a kill in between, or the end of the connection,
//! would leave the recipient without the message. So a request is on disk before anything
//! leaves after it, and goes once the server has acknowledged the answer; what is left over is
//! answered here at the next login. Answers nothing that came on this connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use whatsapp_rust::features::MessageRetransmission;
use whatsapp_rust::futures::channel::oneshot;
use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust::types::events::{Event, EventHandler, EventInterest, EventKind};
use whatsapp_rust::wacore::protocol::retry::MAX_RETRY_COUNT;
use whatsapp_rust::wacore::store::error::StoreError;
use whatsapp_rust::wacore_binary::{JidExt as _, Node, NodeRef};
use whatsapp_rust::{Client, Jid, NodeFilter, anyhow, waproto};

use crate::whatsapp::events::translate::Me;
use crate::whatsapp::storage::{AskedAgain, Request};

/// Requests of one connection that are looked after; more are answered by the library alone.
const REQUESTS_MAX: usize = 256;
/// The library answers no device that has asked more often (wacore, protocol/retry.rs).
const COUNT_MAX: u8 = MAX_RETRY_COUNT - 1;
/// Requests of earlier connections that are answered after a login; the library's own bound for
/// a chat (resend_rate_limiter.rs). The rest waits for the next one.
const ANSWERS_AT_A_LOGIN_MAX: usize = 20;
/// Between two of these answers.
const ANSWER_PAUSE: Duration = Duration::from_secs(1);
/// For one of these answers: it asks the server for keys, and for a group's members.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// What has come, and how much of it is on disk.
#[derive(Default)]
pub(crate) struct Unsaved(watch::Sender<Counts>);

#[derive(Clone, Copy, Default)]
struct Counts {
    came: u64,
    saved: u64,
}

impl Unsaved {
    /// Waits until what has come until now is on disk.
    pub(crate) async fn none(&self) {
        let mut counts = self.0.subscribe();
        let came = counts.borrow().came;
        // The sender is ours: it does not go away.
        let _ = counts.wait_for(|counts| counts.saved >= came).await;
    }
}

/// Sees the requests come in, and the acks of the answers.
pub(crate) struct Requests {
    client: Weak<Client>,
    manager: Arc<PersistenceManager>,
    kept: AskedAgain,
    unsaved: Arc<Unsaved>,
    /// To the task that writes them, in their order.
    unwritten: mpsc::Sender<Request>,
    waiting: Mutex<Vec<Waiting>>,
    /// What is left over of earlier connections.
    left: Mutex<Vec<Request>>,
}

/// A request whose answer has no ack.
struct Waiting {
    request: Request,
    answer: oneshot::Receiver<Arc<Node>>,
    has_left: bool,
}

impl Requests {
    pub(crate) async fn new(
        client: &Arc<Client>,
        manager: &Arc<PersistenceManager>,
        kept: AskedAgain,
        unsaved: Arc<Unsaved>,
    ) -> Result<Arc<Requests>, StoreError> {
        let left = Mutex::new(kept.left().await?);
        let (unwritten, requests) = mpsc::channel(REQUESTS_MAX);
        tokio::spawn(write(kept.clone(), requests, Arc::clone(&unsaved)));
        let (client, manager) = (Arc::downgrade(client), Arc::clone(manager));
        let waiting = Mutex::default();
        Ok(Arc::new(Requests { client, manager, kept, unsaved, unwritten, waiting, left }))
    }

    /// Answers what is left over of earlier connections, once.
    pub(crate) async fn answer_left(self: Arc<Requests>) {
        let Some(client) = self.client.upgrade() else { return };
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        for (place, request) in left.into_iter().take(ANSWERS_AT_A_LOGIN_MAX).enumerate() {
            if place > 0 {
                sleep(ANSWER_PAUSE).await;
            }
            // Before anything is tried: what fails for good, or ends the daemon, is not tried for ever.
            if let Err(error) = self.kept.note_try(&request).await {
                return tracing::error!(%error, "a request for a message could not be kept");
            }
            self.watch(&client, &request);
            match timeout(ANSWER_TIME, answer(&client, &self.manager, &request)).await {
                Ok(Ok(true)) => continue,
                Ok(Ok(false)) => forget(&self.kept, &request).await,
                // It stays for the next login.
                Ok(Err(error)) => {
                    tracing::warn!(%error, "a message that is asked for again did not leave");
                }
                Err(_) => tracing::warn!("a message that is asked for again did not leave in time"),
            }
            self.stop_watching(&request);
        }
    }

    /// Waits for the ack of the answer. A device that asks once more has one answer to come.
    fn watch(&self, client: &Client, request: &Request) {
        let to = if request.is_in_group() { "participant" } else { "to" };
        let answer = NodeFilter::tag("message").attr("id", request.id.clone());
        let answer = client.wait_for_sent_node(answer.attr(to, request.device.clone()));
        self.stop_watching(request);
        let mut all = self.lock();
        if all.len() >= REQUESTS_MAX {
            // The library may have dropped the oldest, without an answer.
            all.remove(0);
        }
        all.push(Waiting { request: request.clone(), answer, has_left: false });
    }

    fn stop_watching(&self, request: &Request) {
        self.lock().retain(|waiting| !waiting.request.is_same(request));
    }

    fn came(&self, request: Request) {
        let Some(client) = self.client.upgrade() else { return };
        let Ok(place) = self.unwritten.try_reserve() else {
            return tracing::warn!("more requests for messages come than can be kept");
        };
        self.watch(&client, &request);
        self.unsaved.0.send_modify(|counts| counts.came += 1);
        place.send(request);
    }

    /// The server has answered a message with this id. One that it refused has not arrived.
    fn acknowledged(&self, id: &str, is_taken: bool) {
        let mut all = self.lock();
        for waiting in all.iter_mut().filter(|waiting| waiting.request.id == id) {
            waiting.has_left |= matches!(waiting.answer.try_recv(), Ok(Some(_)));
        }
        let first = all.iter().position(|one| one.has_left && one.request.id == id);
        let Some(answered) = first.map(|first| all.remove(first)) else { return };
        drop(all);
        if is_taken {
            let kept = self.kept.clone();
            tokio::spawn(async move { forget(&kept, &answered.request).await });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes requests as they come, until nobody is there to whom one could.
async fn write(kept: AskedAgain, mut requests: mpsc::Receiver<Request>, unsaved: Arc<Unsaved>) {
    while let Some(request) = requests.recv().await {
        if let Err(error) = kept.note(&request).await {
            tracing::error!(%error, "a request for a message could not be kept");
        }
        unsaved.0.send_modify(|counts| counts.saved += 1);
    }
}

impl EventHandler for Requests {
    fn handle_event(&self, event: Arc<Event>) {
        let Event::RawNode(node) = &*event else { return };
        let node = node.get();
        let is = |name: &str, value: &str| node.get_attr(name).is_some_and(|given| given == value);
        if node.tag.as_ref() == "receipt" && is("type", "retry") {
            let me = Me::of(&self.manager);
            if let Some(request) = request(node, &me) {
                self.came(request);
            }
        } else if node.tag.as_ref() == "ack"
            && is("class", "message")
            && let Some(id) = node.get_attr("id")
        {
            self.acknowledged(&id.as_str(), node.get_attr("error").is_none());
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&[EventKind::RawNode])
    }
}

/// What a receipt asks for, if the library answers it. One of an own device names the chat,
/// too.
fn request(receipt: &NodeRef<'_>, me: &Me) -> Option<Request> {
    let retry = receipt.get_optional_child("retry")?;
    let text = |node: &NodeRef<'_>, name: &str| {
        node.get_attr(name).map(|value| value.as_str().into_owned())
    };
    let from = text(receipt, "from")?;
    let count = text(retry, "count").and_then(|count| count.parse().ok()).unwrap_or(1);
    if !(1..=COUNT_MAX).contains(&count) {
        return None;
    }
    let id = text(retry, "id")?;
    let is_own = || from.parse().is_ok_and(|device: Jid| me.owns(&device));
    let (chat, device) = match (text(receipt, "participant"), text(receipt, "recipient")) {
        (Some(member), _) => (from, member),
        (None, Some(chat)) if is_own() => (chat, from),
        (None, _) => (from.clone(), from),
    };
    Some(Request::new(chat, device, id, count))
}

/// One request that came on an earlier connection.
async fn answer(client: &Client, manager: &PersistenceManager, request: &Request) -> Answered {
    let (Ok(chat), Ok(device)) = (request.chat.parse::<Jid>(), request.device.parse::<Jid>())
    else {
        return Ok(false);
    };
    let Some(message) = sent_message(client, manager, &chat, &request.id).await? else {
        return Ok(false);
    };
    if !may_have(client, &chat, &device).await? {
        return Ok(false);
    }
    // It could not read what came on the session that there is.
    client.signal().delete_sessions(std::slice::from_ref(&device)).await?;
    let (id, count) = (request.id.clone(), request.count);
    let mut answer =
        MessageRetransmission::new(chat.to_non_ad(), device.clone(), message, id, count);
    if Me::of(manager).owns(&device) {
        answer = answer.with_recipient(chat.to_non_ad());
    }
    client.retransmit_message(answer).await?;
    Ok(true)
}

/// Whether an answer has left; it has not where there is none to give.
type Answered = Result<bool, anyhow::Error>;

/// A message lies under the chat's number or under its LID.
async fn sent_message(
    client: &Client,
    manager: &PersistenceManager,
    chat: &Jid,
    id: &str,
) -> Result<Option<waproto::whatsapp::Message>, anyhow::Error> {
    let mut chats = vec![chat.to_non_ad()];
    if let Some(entry) = client.get_lid_pn_entry(chat).await? {
        chats.push(Jid::lid(entry.lid.to_string()));
        chats.push(Jid::pn(entry.phone_number.to_string()));
    }
    for chat in chats {
        let found = manager.backend().take_sent_message(&chat.to_string(), id).await?;
        if let Some(bytes) = found {
            return Ok(Some(waproto::codec::message_decode(bytes.as_slice())?));
        }
    }
    Ok(None)
}

/// A device of somebody in the chat; the library sees to it in a chat of two.
async fn may_have(client: &Client, chat: &Jid, device: &Jid) -> Answered {
    if chat.is_group() {
        let group = client.groups().query_info(chat).await?;
        if !group.participants.iter().any(|member| member.user == device.user) {
            return Ok(false);
        }
    }
    let devices = client.signal().get_user_devices(&[device.to_non_ad()]).await?;
    Ok(devices.iter().any(|known| known.device == device.device))
}

async fn forget(kept: &AskedAgain, request: &Request) {
    if let Err(error) = kept.forget(request).await {
        tracing::warn!(%error, "a request for a message is kept longer than it must be");
    }
}

#[cfg(test)]
mod tests {
    use whatsapp_rust::wacore_binary::builder::NodeBuilder;

    use super::*;
    use tetherd_api::Redacted;

    fn asked(from: &str, more: &[(&'static str, &str)], count: &str) -> Option<Request> {
        let retry = NodeBuilder::new("retry").attr("id", "A").attr("count", count);
        let mut receipt = NodeBuilder::new("receipt").attr("type", "retry").attr("from", from);
        for (name, value) in more {
            receipt = receipt.attr(name, *value);
        }
        let node = receipt.children([retry.build()]).build();
        let pn = "15550100@s.whatsapp.net".parse().ok().map(Redacted);
        request(&node.as_node_ref(), &Me { pn, lid: None })
    }

    #[test]
    fn only_what_the_library_answers_is_kept_and_only_own_devices_name_the_chat() {
        let person = "15550111:2@s.whatsapp.net";
        for (count, is_kept) in
            [("0", false), ("1", true), ("4", true), ("5", false), ("99", false)]
        {
            assert_eq!(asked(person, &[], count).is_some(), is_kept, "{count}");
        }
        let chat = ("recipient", "15550112@s.whatsapp.net");
        let of = |request: Request| (request.chat, request.device);
        assert_eq!(of(asked(person, &[chat], "1").unwrap()), (person.into(), person.into()));
        let own = "15550100:3@s.whatsapp.net";
        assert_eq!(of(asked(own, &[chat], "1").unwrap()), (chat.1.into(), own.into()));
        let member = asked("120363000000000001@g.us", &[("participant", person)], "1").unwrap();
        assert!(member.is_in_group() && member.device == person);
    }

    #[tokio::test]
    async fn what_came_later_is_not_waited_for() {
        let unsaved = Unsaved::default();
        unsaved.0.send_modify(|counts| counts.came = 2);
        let first = unsaved.none();
        let mut first = std::pin::pin!(first);
        assert!(futures_util::poll!(&mut first).is_pending());
        unsaved.0.send_modify(|counts| (counts.came, counts.saved) = (3, 2));
        first.await;
        assert!(futures_util::poll!(std::pin::pin!(unsaved.none())).is_pending());
    }
}
