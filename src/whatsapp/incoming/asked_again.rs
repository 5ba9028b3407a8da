//! Requests for messages that their recipients could not read. The library acknowledges one as
//! it comes, and answers in a task of its own: a kill in between, or the end of the connection,
//! would leave the recipient without the message. So a request is on disk before anything
//! leaves after it, and goes once the server has acknowledged the answer; what is left over is
//! answered here at the next login. Answers nothing that came on this connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;
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

/// Requests of one connection that are looked after; the answers to more are not waited for.
const REQUESTS_MAX: usize = 256;

/// The library answers no device that has asked more often (wacore, protocol/retry.rs).
const COUNT_MAX: u8 = MAX_RETRY_COUNT - 1;

/// How many requests are not on disk yet.
#[derive(Default)]
pub(crate) struct Unsaved(watch::Sender<usize>);

impl Unsaved {
    /// Waits until there is none.
    pub(crate) async fn none(&self) {
        // The sender is ours: it does not go away.
        let _ = self.0.subscribe().wait_for(|unsaved| *unsaved == 0).await;
    }
}

/// Sees the requests come in, and the acks of the answers.
pub(crate) struct Requests {
    client: Weak<Client>,
    kept: AskedAgain,
    unsaved: Arc<Unsaved>,
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
    pub(crate) fn new(
        client: &Arc<Client>,
        kept: AskedAgain,
        unsaved: Arc<Unsaved>,
    ) -> Result<Arc<Requests>, StoreError> {
        let (client, left) = (Arc::downgrade(client), Mutex::new(kept.left()?));
        Ok(Arc::new(Requests { client, kept, unsaved, waiting: Mutex::default(), left }))
    }

    /// Answers what is left over of earlier connections, once.
    pub(crate) async fn answer_left(self: Arc<Requests>, manager: Arc<PersistenceManager>) {
        let Some(client) = self.client.upgrade() else { return };
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        for request in left {
            self.watch(&client, &request);
            match answer(&client, &manager, &request).await {
                Ok(true) => {}
                Ok(false) => forget(&self.kept, &request).await,
                // It stays for the next login.
                Err(error) => {
                    tracing::warn!(%error, "a message that is asked for again did not leave");
                }
            }
        }
    }

    /// Waits for the ack of the answer.
    fn watch(&self, client: &Client, request: &Request) {
        let to = if request.is_in_group() { "participant" } else { "to" };
        let answer = NodeFilter::tag("message").attr("id", request.id.clone());
        let answer = client.wait_for_sent_node(answer.attr(to, request.device.clone()));
        let waiting = Waiting { request: request.clone(), answer, has_left: false };
        let mut all = self.lock();
        if all.len() < REQUESTS_MAX {
            all.push(waiting);
        }
    }

    fn came(&self, request: Request) {
        let Some(client) = self.client.upgrade() else { return };
        self.watch(&client, &request);
        self.unsaved.0.send_modify(|unsaved| *unsaved += 1);
        let (kept, unsaved) = (self.kept.clone(), Arc::clone(&self.unsaved));
        tokio::spawn(async move {
            if let Err(error) = kept.note(&request).await {
                tracing::error!(%error, "a request for a message could not be kept");
            }
            unsaved.0.send_modify(|unsaved| *unsaved -= 1);
        });
    }

    /// The server has a message with this id.
    fn acknowledged(&self, id: &str) {
        let mut all = self.lock();
        for waiting in all.iter_mut().filter(|waiting| waiting.request.id == id) {
            waiting.has_left |= matches!(waiting.answer.try_recv(), Ok(Some(_)));
        }
        let first = all.iter().position(|one| one.has_left && one.request.id == id);
        let Some(answered) = first.map(|first| all.remove(first)) else { return };
        drop(all);
        let kept = self.kept.clone();
        tokio::spawn(async move { forget(&kept, &answered.request).await });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventHandler for Requests {
    fn handle_event(&self, event: Arc<Event>) {
        let Event::RawNode(node) = &*event else { return };
        let node = node.get();
        let is = |name: &str, value: &str| node.get_attr(name).is_some_and(|given| given == value);
        if node.tag.as_ref() == "receipt" && is("type", "retry") {
            if let Some(request) = request(node) {
                self.came(request);
            }
        } else if node.tag.as_ref() == "ack"
            && is("class", "message")
            && let Some(id) = node.get_attr("id")
        {
            self.acknowledged(&id.as_str());
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&[EventKind::RawNode])
    }
}

/// What a receipt asks for. One of an own device names the chat besides.
fn request(receipt: &NodeRef<'_>) -> Option<Request> {
    let retry = receipt.get_optional_child("retry")?;
    let text = |node: &NodeRef<'_>, name: &str| {
        node.get_attr(name).map(|value| value.as_str().into_owned())
    };
    let from = text(receipt, "from")?;
    let count = text(retry, "count").and_then(|count| count.parse().ok()).unwrap_or(1);
    let id = text(retry, "id")?;
    let (chat, device) = match text(receipt, "participant") {
        Some(member) => (from, member),
        None => (text(receipt, "recipient").unwrap_or_else(|| from.clone()), from),
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
    let (id, count) = (request.id.clone(), request.count.clamp(1, COUNT_MAX));
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
