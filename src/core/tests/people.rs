//! One person under several names is one chat: its order, its filters, whether it is known.

use super::numbers::{number, world};
use super::world::World;
use crate::action::Refresh;
use crate::contacts::{CheckFailureKind, CheckOutcome, Number, Registration, UsernameKey};
use crate::event::{Request, Selection, SessionEvent, TimelockNotice};
use crate::ids::ChatId;
use tetherd_api::{MessageId, ReasonKind, Reply, State};

const LID: &str = "100000000000001@lid";

fn lid() -> ChatId {
    LID.parse().unwrap()
}

impl World {
    pub(super) fn send_to(&mut self, to: &str) -> MessageId {
        let mut submission = self.submission(0, to, None);
        submission.draft.to = to.parse().unwrap();
        match self.ask(Request::Submit(Box::new(submission))) {
            Ok(Reply::MessageSend(result)) => result.message.id,
            other => panic!("{other:?}"),
        }
    }

    /// Answers the last question: everybody is there, and this is everybody's LID.
    fn all_are(&mut self, lid: &ChatId) {
        let (_, ticket, numbers) = self.questions.last().cloned().expect("nothing was asked");
        let here = Registration::Present { address: None, lid: Some(lid.clone()) };
        let answers = numbers.into_iter().map(|number| (number, here.clone())).collect();
        self.say(ticket, CheckOutcome::Answered(answers));
    }

    fn pass_until_asked(&mut self) {
        for _ in 0..1_000 {
            if self.core.contacts.is_asking() {
                return;
            }
            self.pass(1_000);
        }
        panic!("nothing was asked");
    }

    fn cancel_all_to(&mut self, to: &str) -> Vec<MessageId> {
        let filter = Selection { to: Some(to.parse().unwrap()), ..Selection::default() };
        match self.ask(Request::Cancel { ids: Vec::new(), filter, dry_run: true }) {
            Ok(Reply::QueueCancel(result)) => result.cancelled,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn invariant_5_messages_to_a_lid_and_to_its_number_keep_their_order_though_that_is_learnt_between()
{
    let mut world = world();
    let first = world.send_to(LID);
    let second = world.send(1);
    let third = world.send_to(LID);
    assert_eq!(world.sent_ids(), [first.0], "the second waits for the check of its number");
    world.all_are(&lid());
    assert_eq!(world.sent_ids(), [first.0], "and then for the first, which has no answer");
    world.ack(first);
    assert_eq!(world.sent_ids(), [first.0, second.0]);
    world.ack(second);
    assert_eq!(world.sent_ids(), [first.0, second.0, third.0]);
}

#[test]
fn invariant_5_a_persons_order_outlives_a_restart() {
    let mut world = world();
    world.send(1);
    world.all_are(&lid());
    let first = world.flight(MessageId(1)).id;
    world.ack(first);
    let waiting = [world.send_to(LID), world.send(1)];
    world.crash(true);
    world.connect();
    world.pass(1_000);
    assert_eq!(world.flight(waiting[0]).id, waiting[0]);
    assert!(!world.sent_ids().contains(&waiting[1].0), "{:?}", world.sent_ids());
    world.ack(waiting[0]);
    assert!(world.sent_ids().contains(&waiting[1].0));
}

#[test]
fn two_spellings_of_a_number_are_one_chat() {
    let mut world = world();
    world.request(Request::Pause);
    let [first, second] = [world.send(1), world.send(2)];
    world.request(Request::Resume);
    let (_, ticket, _) = world.questions.last().cloned().unwrap();
    let here = |address| Registration::Present { address, lid: None };
    let answers = vec![(number(1), here(Some(number(2)))), (number(2), here(None))];
    world.say(ticket, CheckOutcome::Answered(answers));
    assert_eq!(world.sent_ids(), [first.0]);
    world.ack(first);
    assert_eq!(world.sent_ids(), [first.0, second.0]);
}

#[test]
fn a_filter_finds_a_persons_messages_under_any_name() {
    let mut world = world();
    world.request(Request::Pause);
    let ids = vec![world.send(1), world.send_to(LID)];
    assert_eq!(world.cancel_all_to(LID), [ids[1]]);
    world.session(SessionEvent::Names { number: number(1), lid: lid() });
    assert_eq!(world.cancel_all_to(LID), ids);
    assert_eq!(world.cancel_all_to(&format!("+{}", number(1).as_str())), ids);
    assert_eq!(world.cancel_all_to("+15550999"), []);
}

#[test]
fn who_wrote_under_one_name_is_no_new_contact_under_the_other() {
    let mut world = world();
    world.session(SessionEvent::Timelock(TimelockNotice::Active { until: None }));
    let now = world.now.wall_ms;
    world.session(SessionEvent::ChatActivity { chats: vec![(lid(), now)] });
    let id = world.send(1);
    world.pass(3_000);
    if world.sends.is_empty() {
        world.all_are(&lid());
    }
    assert_eq!(world.state(id), State::Sending);
}

#[test]
fn who_wrote_with_a_username_is_reached_by_it_without_a_question() {
    let mut world = world();
    let name = || Number::parse("@bob.b").unwrap();
    world.session(SessionEvent::Names { number: name(), lid: lid() });
    let [first, second] = ["@bob.b", LID].map(|to| world.send_to(to));
    assert_eq!(world.sent_ids(), [first.0], "the other waits for it: they are one chat");
    assert_eq!(world.flight(first).draft.to, lid());
    assert!(world.questions.is_empty(), "{:?}", world.questions);
    world.ack(first);
    assert_eq!(world.sent_ids(), [first.0, second.0]);
    assert_eq!(world.store.numbers[&name()].lid, Some(lid()));
}

#[test]
fn a_number_that_changes_hands_is_another_chat() {
    let mut world = world();
    world.session(SessionEvent::Names { number: number(1), lid: lid() });
    let other: ChatId = "100000000000002@lid".parse().unwrap();
    world.session(SessionEvent::Names { number: number(1), lid: other.clone() });
    let first = world.send_to(LID);
    let second = world.send(1);
    assert_eq!(world.sent_ids(), [first.0, second.0], "neither waits for the other");
    let known = &world.store.numbers[&Number::parse("+15550101").unwrap()];
    assert_eq!(known.lid, Some(other));
}

#[test]
fn a_username_waits_until_the_network_says_whose_it_is_and_is_one_chat_with_its_lid() {
    let mut world = world();
    let first = world.send_to("@bob.b");
    assert_eq!(world.sent_ids(), [] as [u64; 0]);
    world.all_are(&lid());
    assert_eq!(world.flight(first).draft.to, lid());
    let message = world.core.message(first, world.now).unwrap();
    assert_eq!(&*message.to, "@bob.b");
    assert_eq!(message.address.as_deref(), Some(LID));
    let second = world.send_to(LID);
    assert_eq!(world.sent_ids(), [first.0], "one chat");
    world.ack(first);
    assert_eq!(world.sent_ids(), [first.0, second.0]);
    assert_eq!(world.cancel_all_to("@bob.b"), []);
}

#[test]
fn a_username_is_asked_about_though_recipients_are_not_checked_and_an_error_is_never_a_no() {
    let mut world = World::connected();
    let id = world.send_to("@bob");
    for _ in 0..6 {
        world.fail(CheckFailureKind::TimedOut);
        world.pass_until_asked();
        assert_eq!(world.state(id), State::Queued);
    }
    assert!(world.sends.is_empty(), "nothing is sent to a name");
    let (_, ticket, numbers) = world.questions.last().cloned().unwrap();
    let nobody = numbers.into_iter().map(|number| (number, Registration::Absent)).collect();
    world.say(ticket, CheckOutcome::Answered(nobody));
    assert_eq!(world.reason(id).0, ReasonKind::NotOnNetwork);
}

#[test]
fn an_answer_that_took_a_key_counts_when_the_key_is_gone() {
    const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
    let mut world = world();
    let mut submission = world.submission(0, "@bob", None);
    submission.draft.to = "@bob".parse().unwrap();
    submission.username_key = UsernameKey::parse("@bob#1234");
    world.ask(Request::Submit(Box::new(submission))).unwrap();
    assert_eq!(world.core.facts.username_keys.len(), 1);
    world.all_are(&lid());
    assert_eq!(world.core.facts.username_keys, []);
    assert_eq!(world.sends.len(), 1);
    let asked = world.questions.len();
    world.pass(40 * DAY_MS);
    world.core.contacts.forget(&"@bob".parse().unwrap());
    world.send_to("@bob");
    assert_eq!(world.questions.len(), asked, "nobody can ask again without the key");
}

#[test]
fn a_key_ends_the_no_that_was_said_without_it() {
    let mut world = world();
    let id = world.send_to("@bob");
    let (_, ticket, numbers) = world.questions.last().cloned().unwrap();
    let nobody = numbers.into_iter().map(|number| (number, Registration::Absent)).collect();
    world.say(ticket, CheckOutcome::Answered(nobody));
    assert_eq!(world.reason(id).0, ReasonKind::NotOnNetwork);
    let asked = world.questions.len();
    let mut submission = world.submission(0, "again", None);
    submission.draft.to = "@bob".parse().unwrap();
    submission.username_key = UsernameKey::parse("@bob#1234");
    world.ask(Request::Submit(Box::new(submission))).unwrap();
    world.pass_until_asked();
    assert_eq!(world.questions.len(), asked + 1);
    world.all_are(&lid());
    assert_eq!(world.sends.len(), 1);
}

#[test]
fn the_message_after_one_that_missed_devices_asks_for_them_anew_once() {
    let mut world = world();
    let first = world.send_to(LID);
    let wa_id = world.flight(first).draft.wa_id.clone();
    assert_eq!(world.flight(first).refresh, Refresh::default());
    world.session(SessionEvent::DevicesDiffer { wa_id });
    world.ack(first);
    let ids = [world.send_to(LID), world.send_to(LID)];
    assert_eq!(world.flight(ids[0]).refresh, Refresh { devices: true, group: true });
    world.ack(ids[0]);
    assert_eq!(world.flight(ids[1]).refresh, Refresh::default());
}
