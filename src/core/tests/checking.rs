//! What the network answers about numbers, and what callers ask about them, in short.

use super::numbers::{number, registered};
use super::world::World;
use crate::contacts::{CheckFailure, CheckFailureKind, CheckOutcome, Number};
use crate::event::{Request, SessionEvent, Token};
use crate::queue::Message;
use tetherd_api::{CheckResult, MessageId, Presence, Reply, State};

impl World {
    /// Answers the last question as a property test wants it: how, and about each number
    /// one bit of `answers`.
    pub(super) fn answer_check(&mut self, how: u8, answers: u64) {
        let Some((_, ticket, numbers)) = self.questions.last().cloned() else { return };
        let failed = |kind| CheckOutcome::Failed(CheckFailure { kind, retry_after_ms: None });
        let outcome = match how % 8 {
            5 => failed(CheckFailureKind::TimedOut),
            6 => failed(CheckFailureKind::RateLimited),
            7 => CheckOutcome::Answered(Vec::new()),
            _ => CheckOutcome::Answered(
                numbers
                    .iter()
                    .enumerate()
                    .map(|(n, of)| (of.clone(), registered(answers >> (n % 64) & 1 == 1)))
                    .collect(),
            ),
        };
        self.say(ticket, outcome);
    }

    pub(super) fn say(&mut self, ticket: crate::contacts::CheckTicket, outcome: CheckOutcome) {
        self.session(SessionEvent::Checked { ticket, outcome });
    }

    /// Answers the last question: those in `absent` are not there, all others are.
    pub(super) fn all_but(&mut self, absent: &[u32]) {
        let (_, ticket, numbers) = self.questions.last().cloned().expect("nothing was asked");
        let absent: Vec<Number> = absent.iter().map(|chat| number(*chat)).collect();
        let answers =
            numbers.into_iter().map(|n| (n.clone(), registered(!absent.contains(&n)))).collect();
        self.say(ticket, CheckOutcome::Answered(answers));
    }

    pub(super) fn fail(&mut self, kind: CheckFailureKind) {
        let (_, ticket, _) = self.questions.last().cloned().expect("nothing was asked");
        self.say(ticket, CheckOutcome::Failed(kind.into()));
    }

    pub(super) fn check_request(&mut self, chats: &[u32], fresh: bool) -> Token {
        let numbers = chats.iter().map(|chat| number(*chat)).collect();
        self.request(Request::Check { numbers, keys: Vec::new(), fresh })
    }

    pub(super) fn answered(&self, token: Token) -> Option<CheckResult> {
        match self.replies.get(&token)? {
            Ok(Reply::PhoneCheck(result)) => Some((**result).clone()),
            other => panic!("{other:?}"),
        }
    }

    /// Messages that wait for what the network says about their number.
    pub(super) fn waiting_for_checks(&self) -> Vec<MessageId> {
        let waits = |m: &&Message| m.state() == State::Queued && self.core.number_gate(m).is_none();
        self.core.queue.heads().filter(waits).map(|m| m.id).collect()
    }

    pub(super) fn answers(&self, token: Token) -> Vec<Presence> {
        self.answered(token).expect("no reply yet").numbers.iter().map(|n| n.answer).collect()
    }
}
