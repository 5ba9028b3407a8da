//! Receipts of the phone's messages about the account. The library answers those that waited
//! for this device with one receipt that names the first and lists the others; the server seems
//! to take note of the first only, sends the others again at every login, and ends the stream
//! over them. So each that is listed gets a receipt of its own. Decides nothing else.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;
use whatsapp_rust::futures::channel::oneshot;
use whatsapp_rust::types::events::{Event, EventHandler, EventInterest, EventKind, Subscription};
use whatsapp_rust::wacore_binary::{Node, NodeRef};
use whatsapp_rust::{Client, NodeBuilder, NodeFilter};

/// The type of these receipts.
const PEER_MSG: &str = "peer_msg";
/// Messages of one login that are looked after; the rest comes again at the next one.
const MESSAGES_MAX: usize = 1_024;
/// The library sends its receipt once all that waited was read.
const RECEIPT_TIME_MAX: Duration = Duration::from_secs(10 * 60);

/// A receipt that the library is about to send.
type Receipt = oneshot::Receiver<Arc<Node>>;

/// Sees the messages come in. It asks for the receipt of each by its id, before the library has
/// read the message: none can slip through.
struct Arrivals {
    client: Weak<Client>,
    receipts: mpsc::Sender<Receipt>,
}

impl EventHandler for Arrivals {
    fn handle_event(&self, event: Arc<Event>) {
        let Event::RawNode(node) = &*event else { return };
        let (Some(id), Some(client)) = (waited(node.get()), self.client.upgrade()) else { return };
        let receipt = NodeFilter::tag("receipt").attr("type", PEER_MSG).attr("id", id);
        if self.receipts.try_send(client.wait_for_sent_node(receipt)).is_err() {
            tracing::debug!("more messages about the account than are looked after");
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&[EventKind::RawNode])
    }
}

/// The id of a message about the account that waited for this device.
fn waited(node: &NodeRef<'_>) -> Option<String> {
    let is = |name: &str, value: &str| node.get_attr(name).is_some_and(|given| given == value);
    let peer = node.tag.as_ref() == "message" && is("category", "peer");
    let id = node.get_attr("id").filter(|_| peer && node.get_attr("offline").is_some())?;
    Some(id.as_str().into_owned())
}

/// Looks after the receipts of one connection, while the subscription and the task last.
pub(crate) fn watch(
    client: &Arc<Client>,
) -> (Subscription, impl Future<Output = ()> + Send + use<>) {
    let (receipts, mut seen) = mpsc::channel::<Receipt>(MESSAGES_MAX);
    let arrivals = Arrivals { client: Arc::downgrade(client), receipts };
    let subscription = client.subscribe_handler(Arc::new(arrivals));
    let client = Arc::downgrade(client);
    let work = async move {
        let mut waiting = FuturesUnordered::new();
        loop {
            let sent = tokio::select! {
                receipt = seen.recv(), if waiting.len() < MESSAGES_MAX => {
                    let Some(receipt) = receipt else { return };
                    waiting.push(timeout(RECEIPT_TIME_MAX, receipt).map(|sent| sent.ok()?.ok()));
                    continue;
                }
                Some(sent) = waiting.next() => sent,
            };
            let Some(client) = client.upgrade() else { return };
            for receipt in sent.iter().flat_map(|sent| own_receipts(sent)) {
                // What does not leave is due again at the next login.
                if client.send_node(receipt).await.is_err() {
                    return;
                }
            }
        }
    };
    (subscription, work)
}

/// One receipt for each message that this one only lists.
fn own_receipts(receipt: &Node) -> Vec<Node> {
    let list = receipt.get_optional_child("list");
    let items = list.into_iter().flat_map(|list| list.get_children_by_tag("item"));
    let ids = items.filter_map(|item| item.attrs.get("id"));
    let own = ids.map(|id| {
        let mut own = NodeBuilder::new("receipt");
        if let Some(to) = receipt.attrs.get("to") {
            own = own.attr("to", to.clone());
        }
        own.attr("type", PEER_MSG).attr("id", id.clone()).build()
    });
    own.collect()
}
