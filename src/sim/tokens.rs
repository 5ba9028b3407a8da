//! Privacy tokens: which a person gave to an account, whose messages have to carry one, and
//! what a message carries. Also the account's salt and the properties that make a client
//! send tokens. Forgotten when the simulator ends.
//!
//! A valid `<tctoken>` is the one that the person gave; a valid `<cstoken>` is the HMAC of
//! the person's LID under the account's salt (wacore 0.7.0, iq/tctoken.rs). A message to a
//! person who requires one is refused with 463 without it (waha#2219).

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::iq::tctoken::compute_cs_token;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::{JidExt as _, Node};

use super::accounts::DeviceId;
use super::history::MadeUp;
use super::nodes::jid_attr;
use super::people::PEOPLE_MAX;
use super::rules::MIGRATED_PROP;
use super::stanza::bytes_of;
use super::world::{World, random};

/// How long a client may keep the answer to `props`, in seconds.
const PROPS_REFRESH_S: u32 = 86_400;
/// Send a `<tctoken>` with every message to one person (wacore 0.7.0, iq/abprops.rs).
const PROP_TCTOKEN: u32 = 10_518;
/// Send a `<cstoken>` where there is no other.
const PROP_CSTOKEN: u32 = 24_941;
/// Properties that can be set.
const PROPS_MAX: usize = 1_000;
const TOKEN_BYTES: usize = 32;

/// The token that a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CarriedToken {
    /// `<tctoken>`, given by the recipient.
    Tctoken,
    /// `<cstoken>`, made from the account's salt.
    Cstoken,
}

/// Tokens, salts and properties.
pub(super) struct Tokens {
    /// By account and person: the token, and since when (Unix seconds).
    given: HashMap<(String, String), ([u8; TOKEN_BYTES], i64)>,
    /// Persons who take messages with a valid token only.
    required: HashSet<String>,
    salts: HashMap<String, [u8; TOKEN_BYTES]>,
    props: BTreeMap<u32, String>,
    /// What the phones' histories hold besides the people who exist.
    pub(super) made_up: MadeUp,
}

impl Default for Tokens {
    fn default() -> Tokens {
        let props = [(PROP_TCTOKEN, "1".to_owned()), (PROP_CSTOKEN, "1".to_owned())];
        Tokens {
            given: HashMap::new(),
            required: HashSet::new(),
            salts: HashMap::new(),
            props: BTreeMap::from(props),
            made_up: MadeUp::default(),
        }
    }
}

impl Tokens {
    /// Whether messages to this person have to carry a token.
    pub(super) fn require(&mut self, number: &str, required: bool) {
        if !required {
            self.required.remove(number);
        } else if self.required.len() < PEOPLE_MAX {
            self.required.insert(number.to_owned());
        }
    }

    /// The account's salt.
    pub(super) fn salt(&mut self, account: &str) -> [u8; TOKEN_BYTES] {
        *self.salts.entry(account.to_owned()).or_insert_with(random)
    }

    /// The token that this person has given to an account, and since when.
    pub(super) fn given(&self, account: &str, number: &str) -> Option<(&[u8], i64)> {
        let (token, since) = self.given.get(&(account.to_owned(), number.to_owned()))?;
        Some((token, *since))
    }

    /// The person gives the account a new token.
    pub(super) fn give(&mut self, account: &str, number: &str) {
        if self.given.len() < PEOPLE_MAX {
            self.given.insert((account.to_owned(), number.to_owned()), (random(), now_secs()));
        }
    }

    /// The token counts no more.
    pub(super) fn void(&mut self, account: &str, number: &str) {
        self.given.remove(&(account.to_owned(), number.to_owned()));
    }

    /// Sets properties, and takes back those without a value.
    pub(super) fn set_props(&mut self, change: BTreeMap<u32, Option<String>>) {
        for (code, value) in change {
            match value {
                Some(value) if self.props.len() < PROPS_MAX => {
                    self.props.insert(code, value);
                }
                Some(_) => {}
                None => drop(self.props.remove(&code)),
            }
        }
    }

    /// All properties.
    pub(super) fn props(&self) -> &BTreeMap<u32, String> {
        &self.props
    }

    /// The answer to a client that asks for its properties.
    pub(super) fn props_node(&self, migrated: bool) -> Node {
        let migrated = (MIGRATED_PROP, u8::from(migrated).to_string());
        let props = self.props.iter().chain([(&migrated.0, &migrated.1)]).map(|(code, value)| {
            let prop = NodeBuilder::new("prop").attr("config_code", *code);
            prop.attr("config_value", value.as_str()).build()
        });
        NodeBuilder::new("props")
            .attr("protocol", 1)
            .attr("hash", "sim")
            .attr("refresh", PROPS_REFRESH_S)
            .attr("refresh_id", 1)
            .children(props)
            .build()
    }
}

/// The token that a message carries, valid or not.
pub(super) fn carried(message: &Node) -> Option<CarriedToken> {
    let has = |tag| message.get_optional_child(tag).is_some();
    if has("tctoken") {
        Some(CarriedToken::Tctoken)
    } else {
        has("cstoken").then_some(CarriedToken::Cstoken)
    }
}

/// Whether a message is refused for want of a token.
pub(super) fn missing(world: &mut World, message: &Node, account: &str) -> bool {
    let Some(to) = jid_attr(message, "to").filter(|to| !to.is_group()) else { return false };
    let Some(person) = world.people.find(&to) else { return false };
    let (number, lid) = (person.number.clone(), person.lid_jid(0).to_string());
    world.tokens.required.contains(&number) && !is_valid(world, message, account, &number, &lid)
}

fn is_valid(world: &mut World, message: &Node, account: &str, number: &str, lid: &str) -> bool {
    let bytes = |tag| message.get_optional_child(tag).and_then(bytes_of);
    if let Some(token) = bytes("tctoken") {
        return world.tokens.given(account, number).is_some_and(|(given, _)| given == token);
    }
    let salt = world.tokens.salt(account);
    bytes("cstoken").is_some_and(|token| token == compute_cs_token(&salt, lid))
}

/// A person gives an account a token: its clients are notified.
pub(super) fn give(world: &mut World, account: &str, number: &str) {
    world.tokens.give(account, number);
    let Some((token, since)) = world.tokens.given(account, number) else { return };
    let token = NodeBuilder::new("token")
        .attr("type", "trusted_contact")
        .attr("t", since)
        .bytes(token)
        .build();
    let Some(person) = world.people.persons.get(number) else { return };
    let (from, lid) = (person.pn_jid(0), person.lid_jid(0));
    let Some(known) = world.accounts.get(account) else { return };
    let devices: Vec<u16> = known.companions.keys().copied().collect();
    for device in devices {
        let notification = NodeBuilder::new("notification")
            .attr("from", &from)
            .attr("sender_lid", &lid)
            .attr("type", "privacy_token")
            .attr("id", world.iq_id())
            .attr("t", now_secs())
            .children([NodeBuilder::new("tokens").children([token.clone()]).build()])
            .build();
        world.deliver(&DeviceId { user: account.to_owned(), device }, notification);
    }
}
