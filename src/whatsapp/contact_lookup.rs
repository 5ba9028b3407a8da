//! Asking who is on the network: one question at a time, bounded in time. Says yes or no
//! about a number only where the server said so in words that we know; whatever else comes
//! back is no answer about it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use whatsapp_rust::wacore::iq::usync::{
    UsyncAddressingMode, UsyncContext, UsyncMode, UsyncOutcome, UsyncProtocol, UsyncProtocolKind,
    UsyncProtocolResult, UsyncQuery, UsyncResponse, UsyncUser, UsyncUserResult,
};
use whatsapp_rust::{Client, IqError};

use crate::whatsapp::group_lookup;
use tetherd_core::contacts::{
    CheckFailure, CheckFailureKind, CheckOutcome, CheckTicket, Number, Registration, UsernameKey,
};
use tetherd_core::event::SessionEvent;
use tetherd_core::groups::GroupTicket;
use tetherd_core::ids::ChatId;

/// How long an answer may take. The core's limit is behind it.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// The server's code for too many requests.
const RATE_OVERLIMIT: u16 = 429;

/// The questions of one connection. The core asks one at a time; an end of the connection
/// ends them without an event, which the core knows.
#[derive(Default)]
pub(crate) struct Lookups {
    tasks: JoinSet<SessionEvent>,
}

impl Lookups {
    pub(crate) fn start(
        &mut self,
        client: &Arc<Client>,
        ticket: CheckTicket,
        (numbers, keys): (Vec<Number>, Vec<UsernameKey>),
    ) {
        let client = Arc::clone(client);
        self.tasks.spawn(async move {
            let outcome = timeout(CHECK_TIMEOUT, ask(&client, &numbers, &keys)).await;
            let outcome = outcome.unwrap_or_else(|_| failed(CheckFailureKind::TimedOut));
            SessionEvent::Checked { ticket, outcome }
        });
    }

    /// Asks which groups there are.
    pub(crate) fn start_groups(&mut self, client: &Arc<Client>, ticket: GroupTicket) {
        let client = Arc::clone(client);
        self.tasks.spawn(async move { group_lookup::ask(&client, ticket).await });
    }

    /// The next report; none: nothing is asked. Cancelling the wait loses nothing.
    pub(crate) async fn next(&mut self) -> Option<SessionEvent> {
        loop {
            // A panic has been reported by its hook, and the core has a limit of its own.
            if let Ok(event) = self.tasks.join_next().await? {
                return Some(event);
            }
        }
    }
}

/// The report where there is no connection to ask on.
pub(crate) fn not_connected(ticket: CheckTicket) -> SessionEvent {
    SessionEvent::Checked { ticket, outcome: failed(CheckFailureKind::NotConnected) }
}

fn failed(kind: CheckFailureKind) -> CheckOutcome {
    CheckOutcome::Failed(kind.into())
}

async fn ask(client: &Client, numbers: &[Number], keys: &[UsernameKey]) -> CheckOutcome {
    // No country code begins with 0: the library refuses a whole question over one such.
    let users: Vec<UsyncUser> = numbers
        .iter()
        .filter(|number| !number.as_str().starts_with('0'))
        .map(|number| match number.username() {
            Some(name) => {
                let user = UsyncUser::from_username(name);
                match keys.iter().find(|key| key.number == *number) {
                    Some(key) => user.with_username_pin(&*key.key),
                    None => user,
                }
            }
            None => UsyncUser::from_phone(number.written()),
        })
        .collect();
    if users.is_empty() {
        return CheckOutcome::Answered(Vec::new());
    }
    let protocols = vec![
        UsyncProtocol::Contact { addressing_mode: UsyncAddressingMode::Pn },
        UsyncProtocol::Lid,
    ];
    let Ok(query) = UsyncQuery::new(UsyncMode::Query, UsyncContext::Interactive, protocols, users)
    else {
        tracing::error!("a question about numbers cannot be put");
        return failed(CheckFailureKind::NotUnderstood);
    };
    match client.query_usync(query).await {
        Ok(response) => read(&response, numbers),
        Err(error) => CheckOutcome::Failed(failure(&error)),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum, which may grow")]
fn failure(error: &IqError) -> CheckFailure {
    match error {
        IqError::Timeout => CheckFailureKind::TimedOut.into(),
        IqError::ServerError { code, backoff, .. } => refused(Some(*code), *backoff),
        IqError::NotConnected
        | IqError::Socket(_)
        | IqError::EncryptSend(_)
        | IqError::ClientState(_)
        | IqError::Disconnected(_)
        | IqError::InternalChannelClosed => CheckFailureKind::NotConnected.into(),
        _ => CheckFailureKind::NotUnderstood.into(),
    }
}

fn refused(code: Option<u16>, backoff_s: Option<u32>) -> CheckFailure {
    let kind = match code {
        Some(RATE_OVERLIMIT) => CheckFailureKind::RateLimited,
        code => CheckFailureKind::Refused(code),
    };
    let retry_after_ms = backoff_s.map(|seconds| u64::from(seconds).saturating_mul(1_000));
    CheckFailure { kind, retry_after_ms }
}

/// What the response states about the numbers that were asked about.
fn read(response: &UsyncResponse, asked: &[Number]) -> CheckOutcome {
    let state = response.protocol_state(UsyncProtocolKind::Contact);
    if let Some(error) = state.and_then(|state| state.error.as_ref()) {
        return CheckOutcome::Failed(refused(error.code, error.backoff));
    }
    // None: the response has both.
    let mut said: BTreeMap<&Number, Option<Registration>> = BTreeMap::new();
    for user in &response.users {
        if let Some((number, registration)) = one(user, asked) {
            let before = said.entry(number).or_insert_with(|| Some(registration.clone()));
            if before.as_ref() != Some(&registration) {
                *before = None;
            }
        }
    }
    let clear = said.into_iter().filter_map(|(number, clear)| Some((number.clone(), clear?)));
    CheckOutcome::Answered(clear.collect())
}

/// The server repeats the number that was asked for; where it does not, its address has to
/// be it. Some countries' numbers have an address that is written otherwise.
fn one<'n>(user: &UsyncUserResult, asked: &'n [Number]) -> Option<(&'n Number, Registration)> {
    let Some(UsyncProtocolResult::Contact(UsyncOutcome::Value(contact))) =
        user.protocol(UsyncProtocolKind::Contact)
    else {
        return None;
    };
    let on_network = match contact.contact_type.as_str() {
        "in" => true,
        "out" => false,
        _ => return None,
    };
    let find = |digits: &str| asked.iter().find(|number| number.as_str() == digits);
    if let Some(name) = &contact.username {
        let is_it = |number: &&Number| {
            number.username().is_some_and(|asked| asked.eq_ignore_ascii_case(name))
        };
        let number = asked.iter().find(is_it)?;
        // A name that demands a key is named without its owner, unless it was asked for with
        // that key (whatsapp-rust, pull request 1381).
        let demands_key = user.id.is_none() && user.pn_jid.is_none();
        return match (on_network, lid(user)) {
            (false, _) => Some((number, Registration::Absent)),
            (true, None) if demands_key => Some((number, Registration::Absent)),
            // Without a LID nothing can be sent there: no answer yet.
            (true, None) => None,
            (true, lid) => Some((number, Registration::Present { address: None, lid })),
        };
    }
    let repeated = contact
        .content
        .as_ref()
        .and_then(|text| find(text.as_str().trim().trim_start_matches('+')));
    let addresses = || [user.id.as_ref(), user.pn_jid.as_ref()].into_iter().flatten();
    let mut numbers = addresses().filter(|jid| jid.is_pn()).map(|jid| jid.user.as_str());
    let number = repeated.or_else(|| numbers.clone().find_map(find))?;
    if !on_network {
        return Some((number, Registration::Absent));
    }
    let address = numbers.next().filter(|digits| *digits != number.as_str());
    let address = address.and_then(Number::from_digits);
    Some((number, Registration::Present { address, lid: lid(user) }))
}

/// The person's chat under the LID, wherever the answer names it.
fn lid(user: &UsyncUserResult) -> Option<ChatId> {
    let named = match user.protocol(UsyncProtocolKind::Lid) {
        Some(UsyncProtocolResult::Lid(UsyncOutcome::Value(lid))) => lid.as_ref(),
        _ => None,
    };
    let lid = named.or(user.id.as_ref()).filter(|jid| jid.is_lid())?;
    lid.to_non_ad_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use whatsapp_rust::wacore::iq::spec::IqSpec;
    use whatsapp_rust::wacore::iq::usync::UsyncQuerySpec;
    use whatsapp_rust::wacore_binary::Node;
    use whatsapp_rust::{Jid, NodeBuilder};

    use super::*;

    fn number(digits: &str) -> Number {
        Number::parse(&format!("+{digits}")).unwrap()
    }

    fn asked() -> Vec<Number> {
        ["15550111", "15550112", "15550113"].map(number).to_vec()
    }

    fn user(digits: &str, contact: Option<Node>) -> Node {
        NodeBuilder::new("user").attr("jid", Jid::pn(digits)).children(contact).build()
    }

    fn contact(kind: &'static str) -> NodeBuilder {
        NodeBuilder::new("contact").attr("type", kind)
    }

    fn error(code: u16) -> Node {
        NodeBuilder::new("error").attr("code", code.to_string()).attr("text", "no").build()
    }

    fn said(users: Vec<Node>, states: Vec<Node>) -> CheckOutcome {
        said_of(users, states, &asked())
    }

    fn said_of(users: Vec<Node>, states: Vec<Node>, asked: &[Number]) -> CheckOutcome {
        let usync = NodeBuilder::new("usync").children([
            NodeBuilder::new("result").children(states).build(),
            NodeBuilder::new("list").children(users).build(),
        ]);
        let response = NodeBuilder::new("iq").attr("type", "result").children([usync.build()]);
        let users = vec![UsyncUser::from_phone("+15550111")];
        let protocols = vec![UsyncProtocol::Contact { addressing_mode: UsyncAddressingMode::Pn }];
        let query =
            UsyncQuery::new(UsyncMode::Query, UsyncContext::Interactive, protocols, users).unwrap();
        let spec = UsyncQuerySpec::new(query, "1").unwrap();
        let response = response.build();
        read(&spec.parse_response(&response.as_node_ref()).unwrap(), asked)
    }

    #[test]
    fn a_username_without_its_owner_demands_a_key_and_one_with_a_number_only_is_no_answer() {
        let bob = Number::parse("@bob").unwrap();
        let named = || contact("in").attr("username", "Bob").build();
        let keyed = NodeBuilder::new("user").children([named()]).build();
        let absent = CheckOutcome::Answered(vec![(bob.clone(), Registration::Absent)]);
        assert_eq!(said_of(vec![keyed], vec![], std::slice::from_ref(&bob)), absent);
        let unclear = user("15550111", Some(named()));
        let nothing = CheckOutcome::Answered(vec![]);
        assert_eq!(said_of(vec![unclear], vec![], &[bob]), nothing);
    }

    #[test]
    fn only_in_and_out_are_answers() {
        let users = vec![
            user("15550111", Some(contact("in").build())),
            user("15550112", Some(contact("out").build())),
            user("15550113", Some(contact("invalid").build())),
        ];
        let present = Registration::Present { address: None, lid: None };
        let answers =
            vec![(number("15550111"), present), (number("15550112"), Registration::Absent)];
        assert_eq!(said(users, vec![]), CheckOutcome::Answered(answers));
    }

    #[test]
    fn a_number_without_a_word_or_with_an_error_of_its_own_is_no_no() {
        let users = vec![
            user("15550111", None),
            user("15550112", Some(NodeBuilder::new("contact").children([error(500)]).build())),
        ];
        assert_eq!(said(users, vec![]), CheckOutcome::Answered(vec![]));
    }

    #[test]
    fn a_number_that_was_not_asked_for_or_is_said_both_ways_is_no_answer() {
        let users = vec![
            user("15550119", Some(contact("out").build())),
            user("15550111", Some(contact("in").build())),
            user("15550111", Some(contact("out").build())),
        ];
        assert_eq!(said(users, vec![]), CheckOutcome::Answered(vec![]));
    }

    #[test]
    fn the_repeated_number_counts_and_another_address_is_where_messages_go() {
        let repeated = contact("in").bytes(b"+15550112".as_slice()).build();
        let address = Some(number("15550199"));
        let answers = vec![(number("15550112"), Registration::Present { address, lid: None })];
        assert_eq!(
            said(vec![user("15550199", Some(repeated))], vec![]),
            CheckOutcome::Answered(answers)
        );
    }

    #[test]
    fn an_error_about_all_of_them_is_a_failure_and_429_a_limit() {
        for (code, kind) in
            [(500, CheckFailureKind::Refused(Some(500))), (429, CheckFailureKind::RateLimited)]
        {
            let state = NodeBuilder::new("contact").children([error(code)]).build();
            let users = vec![user("15550111", Some(contact("out").build()))];
            assert_eq!(said(users, vec![state]), CheckOutcome::Failed(kind.into()));
        }
    }

    #[test]
    fn a_refusal_says_how_long_to_wait_and_a_lost_line_is_none() {
        let limit = IqError::ServerError {
            code: 429,
            text: String::new(),
            error_type: None,
            backoff: Some(7),
        };
        let kind = CheckFailureKind::RateLimited;
        assert_eq!(failure(&limit), CheckFailure { kind, retry_after_ms: Some(7_000) });
        assert_eq!(failure(&IqError::NotConnected), CheckFailureKind::NotConnected.into());
        assert_eq!(failure(&IqError::Timeout), CheckFailureKind::TimedOut.into());
    }
}
