//! Whom the stanzas that leave are for, seen where the library hands them to the connection.
//! It sends one that is encrypted for none of the recipient's devices as a copy for our own
//! phone, and the server acknowledges that: such an ack, and the phone's receipt, say nothing
//! about the message. Decides which of them count; sends nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use whatsapp_rust::futures::channel::oneshot;
use whatsapp_rust::wacore::messages::MessageUtils;
use whatsapp_rust::wacore_binary::{JidExt as _, Node};
use whatsapp_rust::{Client, Jid, NodeFilter};

use crate::whatsapp::events::translate::Me;

/// Message ids that are looked after at a time. Each goes with the ack of its stanza; those
/// that reached nobody stay until the connection ends.
const STANZAS_MAX: usize = 1_024;

/// The stanzas of one connection, by message id.
#[derive(Default)]
pub(crate) struct SentStanzas(Mutex<HashMap<String, Sent>>);

/// What is known about the stanzas of one message.
struct Sent {
    to: Jid,
    me: Me,
    /// The last one, until it has been looked at.
    leaves: Option<oneshot::Receiver<Arc<Node>>>,
    left: Option<Left>,
    /// Stanzas for nobody whose acks are still to come.
    acks_to_ignore: u32,
    reached_nobody: bool,
}

/// A stanza that left.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    /// Whether it is for a device of the recipient.
    pub(crate) reaches: bool,
    /// The devices that something in it is encrypted for.
    pub(crate) devices: Vec<Jid>,
    /// The hash over the devices that it is for: a group's stanza says it, and the library
    /// takes that of another one over these.
    phash: Option<String>,
}

impl SentStanzas {
    /// Looks at the next stanza with this id. To be called before it leaves.
    pub(crate) fn watch(&self, client: &Client, id: &str, to: &Jid, me: Me) {
        let filter = NodeFilter::tag("message").attr("id", id.to_owned());
        let leaves = Some(client.wait_for_sent_node(filter));
        self.change(|sent| {
            if sent.len() >= STANZAS_MAX {
                sent.retain(|_, sent| sent.leaves.is_some());
            }
            let (acks_to_ignore, reached_nobody) = sent
                .get(id)
                .map_or((0, false), |before| (before.acks_to_ignore, before.reached_nobody));
            let to = to.clone();
            let next = Sent { to, me, leaves, left: None, acks_to_ignore, reached_nobody };
            sent.insert(id.to_owned(), next);
        });
    }

    /// The stanza that was looked at, if it has left.
    pub(crate) fn left(&self, id: &str) -> Option<Left> {
        self.change(|sent| sent.get_mut(id)?.look())
    }

    /// Whether an ack of a stanza with this id is one about the message.
    pub(crate) fn ack_counts(&self, id: &str) -> bool {
        self.change(|all| {
            let Some(sent) = all.get_mut(id) else { return true };
            sent.look();
            if sent.acks_to_ignore > 0 {
                sent.acks_to_ignore -= 1;
                return false;
            }
            if !sent.reached_nobody {
                all.remove(id);
            }
            true
        })
    }

    /// Whether an ack with this hash says that the message was for other devices than the
    /// server knows. To be asked before the ack counts.
    pub(crate) fn devices_differ(&self, id: &str, phash: &str) -> bool {
        let left = self.left(id);
        left.and_then(|left| left.phash).is_some_and(|ours| ours != phash)
    }

    /// Whether our own phone's receipt says anything: it has its copy in either case.
    pub(crate) fn own_receipt_counts(&self, id: &str) -> bool {
        self.change(|all| {
            let Some(sent) = all.get_mut(id) else { return true };
            sent.look();
            !sent.reached_nobody
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<String, Sent>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sent {
    /// The library resolves the wait before it writes the stanza: whoever sees its ack sees
    /// the stanza.
    fn look(&mut self) -> Option<Left> {
        if let Some(leaves) = &mut self.leaves
            && let Ok(Some(node)) = leaves.try_recv()
        {
            let left = left(&node, &self.to, &self.me);
            self.leaves = None;
            if !left.reaches {
                self.acks_to_ignore += 1;
                self.reached_nobody = true;
            }
            self.left = Some(left);
        }
        self.left.clone()
    }
}

fn left(node: &Node, to: &Jid, me: &Me) -> Left {
    let participants = node.get_optional_child("participants");
    let devices: Vec<Jid> = participants
        .into_iter()
        .flat_map(|list| list.get_children_by_tag("to"))
        .filter_map(|device| device.attrs.get("jid")?.to_jid())
        .collect();
    let direct = node.get_optional_child("enc").is_some();
    let reaches = direct || me.owns(to) || devices.iter().any(|device| !me.owns(device));
    let said = node.attrs.get("phash").map(|phash| phash.as_str().into_owned());
    let phash = match said {
        None if !to.is_group() && !direct => MessageUtils::participant_list_hash(&devices).ok(),
        said => said,
    };
    Left { reaches, devices, phash }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tetherd_api::Redacted;
    use whatsapp_rust::NodeBuilder;

    fn jid(text: &str) -> Jid {
        text.parse().unwrap()
    }

    fn me() -> Me {
        let own = |text| Some(Redacted(jid(text)));
        Me { pn: own("15550100:3@s.whatsapp.net"), lid: own("100:3@lid") }
    }

    fn message(devices: &[&str]) -> Node {
        let to = devices.iter().map(|text| NodeBuilder::new("to").attr("jid", jid(text)).build());
        let list = NodeBuilder::new("participants").children(to).build();
        NodeBuilder::new("message").children([list]).build()
    }

    fn reaches(devices: &[&str], to: &str) -> bool {
        left(&message(devices), &jid(to), &me()).reaches
    }

    #[test]
    fn a_copy_for_our_own_devices_reaches_nobody() {
        let friend = "15550111@s.whatsapp.net";
        assert!(reaches(&["200@lid", "100@lid"], friend));
        assert!(reaches(&["15550111:4@s.whatsapp.net"], friend));
        assert!(!reaches(&["100@lid", "15550100@s.whatsapp.net"], friend));
        assert!(!reaches(&[], friend));
        assert!(reaches(&["100@lid"], "15550100@s.whatsapp.net"), "a note to self");
    }

    #[test]
    fn the_hash_of_a_group_is_the_stanzas_and_of_a_person_that_of_the_devices() {
        let enc = NodeBuilder::new("enc").attr("type", "skmsg").build();
        let message = NodeBuilder::new("message").attr("phash", "2:abc").children([enc]).build();
        assert_eq!(left(&message, &jid("1203630@g.us"), &me()).phash.as_deref(), Some("2:abc"));
        let devices = ["200@lid", "100@lid"].map(jid);
        let ours = MessageUtils::participant_list_hash(&devices).unwrap();
        let left = left(&self::message(&["100@lid", "200@lid"]), &jid("200@lid"), &me());
        assert_eq!(left.phash, Some(ours), "in any order");
    }

    #[test]
    fn a_group_is_reached_by_what_is_for_all() {
        let enc = NodeBuilder::new("enc").attr("type", "skmsg").build();
        let message = NodeBuilder::new("message").children([enc]).build();
        assert!(left(&message, &jid("1203630@g.us"), &me()).reaches);
    }
}
