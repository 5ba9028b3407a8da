//! Everything that the simulator knows, in one place, behind one lock: accounts,
//! open connections, settings, counts. Nothing here waits for anything; what it
//! says to clients goes into their bounded outboxes.

use std::collections::HashMap;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{Jid, Node};

use super::accounts::{Account, Accounts, DeviceId};
use super::cert::NoiseKeys;
use super::contacts::Contacts;
use super::groups::Addressing;
use super::linking_api::Linking;
use super::login::Failing;
use super::media::Media;
use super::nodes::{attr, conflict, jid_attr, server};
use super::pair_code::CodeOffer;
use super::pairing::{Pending, Registration};
use super::passkey::Gate;
use super::people::{People, PeopleError};
use super::preferences::Picture;
use super::presence::{self, Presence};
use super::quota::QuotaState;
use super::settings::{ATTEMPTS_MAX, Attempt, Settings, Stats};
use super::streams::{self, Offline};
use super::strict::KnownIds;
use super::tokens::{self, Tokens};

/// Most stanzas that wait to be written to one connection.
const OUTBOX_MAX: usize = 20_000;

/// One connection's name for as long as the simulator runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LinkId(u64);

/// What a connection is to do.
pub(super) enum Out {
    /// Write a stanza.
    Node(Node),
    /// Close, after what was queued before.
    Close,
}

/// Where a connection stands.
pub(super) enum Standing {
    /// Handshake done, nothing else yet.
    Fresh,
    /// It wants to pair.
    Pairing(Box<PairingLink>),
    /// Logged in.
    LoggedIn {
        /// As which companion.
        device: DeviceId,
        /// Whether it has asked for its messages.
        active: bool,
    },
}

/// A connection that wants to pair.
pub(super) struct PairingLink {
    /// The keys it registers.
    pub(super) registration: Registration,
    /// The references that its QR codes may carry.
    pub(super) references: Vec<String>,
    /// The code that it shows, if it asked for one.
    pub(super) code: Option<CodeOffer>,
    /// The passkey that the phone asks for.
    pub(super) gate: Option<Gate>,
    /// A pairing that a phone has agreed to.
    pub(super) pending: Option<Pending>,
}

/// One open connection.
pub(super) struct Link {
    outbox: mpsc::Sender<Out>,
    /// The client's Noise static key.
    pub(super) noise_key: [u8; 32],
    /// Where it stands.
    pub(super) standing: Standing,
    /// What waited for it at its login.
    offline: Offline,
}

/// Everything.
pub(super) struct World {
    /// The accounts.
    pub(super) accounts: Accounts,
    /// Everybody's Signal devices and inboxes.
    pub(super) people: People,
    /// The Noise keys.
    pub(super) noise: NoiseKeys,
    /// The media host.
    pub(super) media: Media,
    /// How the server behaves.
    pub(super) settings: Settings,
    /// Which messages there were, for the strict server.
    pub(super) known_ids: KnownIds,
    /// What happened.
    pub(super) stats: Stats,
    /// How the next logins fail, and how many of them.
    pub(super) failure: Option<Failing>,
    /// Whom the accounts know, and whether they may write to others.
    pub(super) contacts: Contacts,
    /// What stands in the way of pairings.
    pub(super) linking: Linking,
    /// How many new chats there may be.
    pub(super) quota: QuotaState,
    /// Privacy tokens, and properties.
    pub(super) tokens: Tokens,
    /// Who is there, and who writes.
    pub(super) presence: Presence,
    /// By number or group.
    pub(super) pictures: HashMap<String, Picture>,
    /// What the server says on streams until clients act on it.
    pub(super) streams: streams::State,
    links: HashMap<LinkId, Link>,
    next_link: u64,
    next_iq: u64,
    started: Instant,
}

impl World {
    /// A world with nobody connected.
    pub(super) fn new(noise: NoiseKeys, accounts: Accounts, people: People) -> Self {
        World {
            accounts,
            media: Media::new(people.files.clone()),
            people,
            noise,
            settings: Settings::default(),
            known_ids: KnownIds::new(),
            stats: Stats::default(),
            failure: None,
            contacts: Contacts::default(),
            linking: Linking::default(),
            quota: QuotaState::default(),
            tokens: Tokens::default(),
            presence: Presence::default(),
            pictures: HashMap::new(),
            streams: streams::State::default(),
            links: HashMap::new(),
            next_link: 0,
            next_iq: 0,
            started: Instant::now(),
        }
    }

    /// An id for a request of the server's own.
    pub(super) fn iq_id(&mut self) -> String {
        self.next_iq += 1;
        format!("{}.{}", now_secs(), self.next_iq)
    }

    /// Takes a connection in.
    pub(super) fn open(&mut self, noise_key: [u8; 32]) -> (LinkId, mpsc::Receiver<Out>) {
        let (outbox, receiver) = mpsc::channel(OUTBOX_MAX);
        let id = LinkId(self.next_link);
        self.next_link += 1;
        self.links.insert(
            id,
            Link { outbox, noise_key, standing: Standing::Fresh, offline: Offline::default() },
        );
        self.stats.accepted += 1;
        self.count_links();
        (id, receiver)
    }

    /// Forgets a connection. A pairing under way on it fails.
    pub(super) fn closed(&mut self, id: LinkId) {
        if let Some(device) = self.device(id).cloned() {
            presence::gone(self, &device);
        }
        self.links.remove(&id);
        self.count_links();
    }

    /// Changes where a connection stands.
    pub(super) fn stand(&mut self, id: LinkId, standing: Standing) {
        if let Some(link) = self.links.get_mut(&id) {
            link.standing = standing;
        }
        self.count_links();
    }

    fn count_links(&mut self) {
        self.stats.connections = self.links.len();
        self.stats.logged_in = self
            .links
            .values()
            .filter(|link| matches!(link.standing, Standing::LoggedIn { .. }))
            .count();
    }

    /// A connection.
    pub(super) fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.get(&id)
    }

    /// All connections, oldest first.
    pub(super) fn links(&self) -> Vec<(LinkId, &Link)> {
        let mut links: Vec<_> = self.links.iter().map(|(id, link)| (*id, link)).collect();
        links.sort_by_key(|(id, _)| *id);
        links
    }

    /// The pairing that goes on on a connection.
    pub(super) fn pairing(&mut self, id: LinkId) -> Option<&mut PairingLink> {
        match &mut self.links.get_mut(&id)?.standing {
            Standing::Pairing(pairing) => Some(pairing),
            Standing::Fresh | Standing::LoggedIn { .. } => None,
        }
    }

    /// As whom a connection is logged in.
    pub(super) fn device(&self, id: LinkId) -> Option<&DeviceId> {
        match &self.links.get(&id)?.standing {
            Standing::LoggedIn { device, .. } => Some(device),
            Standing::Fresh | Standing::Pairing(_) => None,
        }
    }

    /// A companion's connection, and whether it has asked for its messages.
    pub(super) fn link_of(&self, wanted: &DeviceId) -> Option<(LinkId, bool)> {
        self.links.iter().find_map(|(id, link)| match &link.standing {
            Standing::LoggedIn { device, active } if device == wanted => Some((*id, *active)),
            Standing::LoggedIn { .. } | Standing::Fresh | Standing::Pairing(_) => None,
        })
    }

    /// Says something on a connection. One that does not read is dropped.
    pub(super) fn say(&mut self, id: LinkId, node: Node) {
        self.put(id, Out::Node(node));
    }

    /// Closes a connection after what was said before.
    pub(super) fn hang_up(&mut self, id: LinkId) {
        self.put(id, Out::Close);
        if let Some(device) = self.device(id).cloned() {
            presence::gone(self, &device);
        }
        // From here on it is nobody's: who logs in next replaces no one.
        self.stand(id, Standing::Fresh);
    }

    fn put(&mut self, id: LinkId, out: Out) {
        if let Some(link) = self.links.get(&id)
            && link.outbox.try_send(out).is_err()
        {
            tracing::warn!("a client reads too slowly and is dropped");
            self.closed(id);
        }
    }

    /// Ends a connection because another one has taken its place.
    pub(super) fn replace(&mut self, id: LinkId) {
        self.say(id, conflict("replaced", None));
        self.hang_up(id);
        self.stats.replaced += 1;
    }

    /// Hands a stanza to a companion: now if it is there, and again at its next login
    /// unless it acknowledges it before. It knows who it is: `to` stays here.
    pub(super) fn deliver(&mut self, to: &DeviceId, mut node: Node) {
        node.attrs.0.retain(|(key, _)| key != "to");
        let Some(companion) = self.accounts.companion_mut(to) else { return };
        companion.keep(&node);
        if let Some((link, true)) = self.link_of(to) {
            if node.tag == "message" && self.settings.deliver_twice.take() {
                self.say(link, node.clone());
            }
            self.say(link, node);
        }
    }

    /// A companion asks for what waited for it.
    pub(super) fn activate(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Standing::LoggedIn { device, active } = &mut link.standing else { return };
        if std::mem::replace(active, true) {
            return;
        }
        let device = device.clone();
        let waiting = self
            .accounts
            .companion_mut(&device)
            .map(|companion| companion.pending())
            .unwrap_or_default();
        streams::hand_out(self, id, &device, waiting);
    }

    /// What waited for a client at its login.
    pub(super) fn offline(&mut self, id: LinkId) -> Option<&mut Offline> {
        self.links.get_mut(&id).map(|link| &mut link.offline)
    }

    /// A companion does not want its messages now.
    pub(super) fn deactivate(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id)
            && let Standing::LoggedIn { active, .. } = &mut link.standing
        {
            *active = false;
        }
    }

    /// What the phone says to a companion: now if it is on, otherwise once it is.
    pub(super) fn phone_says(&mut self, to: &DeviceId, node: Node) {
        match self.accounts.get_mut(&to.user) {
            Some(account) if !account.phone_online => account.postpone(to.device, &node),
            Some(_) | None => self.deliver(to, node),
        }
    }

    /// Notes a message stanza's arrival.
    pub(super) fn note_attempt(&mut self, message: &Node, account: &str, arrived: Instant) {
        if self.stats.attempts.len() >= ATTEMPTS_MAX {
            return;
        }
        let at = arrived.saturating_duration_since(self.started);
        let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        let address = attr(message, "to").unwrap_or_default();
        let to = jid_attr(message, "to").map(|to| self.people.named(&to, Addressing::Pn));
        self.stats.attempts.push(Attempt {
            id: attr(message, "id").unwrap_or_default(),
            to: to.map_or_else(|| address.clone(), |to| to.to_string()),
            address,
            account: format!("+{account}"),
            at_ms,
            token: tokens::carried(message),
        });
    }

    /// The account of the phone with this number, made if it is new.
    pub(super) fn phone(&mut self, user: &str) -> Result<&mut Account, PeopleError> {
        self.people.add_account_phone(user)?;
        Ok(self.accounts.or_insert(user, || Account::new(user)))
    }

    /// The companion at an address, by number or by LID.
    pub(super) fn companion_at(&self, jid: &Jid) -> Option<DeviceId> {
        let user = self.people.number_of(jid)?.to_owned();
        let id = DeviceId { user, device: jid.device };
        self.accounts.companion(&id).is_some().then_some(id)
    }

    /// An account's LID with this device.
    pub(super) fn lid(&self, id: &DeviceId) -> Option<Jid> {
        Some(self.people.account_phone(&id.user)?.lid().with_device(id.device))
    }
}

/// `<ib>` with one child.
pub(super) fn info(child: Node) -> Node {
    NodeBuilder::new("ib").attr("from", server()).children([child]).build()
}

/// Random bytes from the kernel; without them nothing here makes sense.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        tracing::error!("the kernel gives no random bytes: {error}");
    }
    bytes
}

/// How something that a phone began has ended.
pub(super) type Ending<T> = oneshot::Sender<T>;
