//! Who is checked when, what an answer brings about, and that a failure is never a no.

use super::world::World;
use crate::CoreConfig;
use crate::action::Wake;
use crate::contacts::{
    CHECK_BATCH_MAX, CheckFailure, CheckFailureKind, CheckOutcome, ContactsConfig, Number,
    Registration,
};
use crate::event::{NotSent, ReceiptKind, Request};
use tetherd_api::{MessageId, ReasonKind, State};

pub(super) const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

pub(super) fn contacts() -> ContactsConfig {
    ContactsConfig { check_recipients: true, ..ContactsConfig::default() }
}

pub(super) fn config() -> CoreConfig {
    CoreConfig { contacts: contacts(), ..CoreConfig::default() }
}

pub(super) fn world() -> World {
    World::connected_with(config())
}

pub(super) fn registered(on_network: bool) -> Registration {
    if on_network {
        Registration::Present { address: None, lid: None }
    } else {
        Registration::Absent
    }
}

pub(super) fn number(chat: u32) -> Number {
    Number::parse(&format!("+1555{:04}", 100 + chat)).unwrap()
}

#[test]
fn a_message_waits_for_the_answer_and_then_leaves() {
    let mut world = world();
    let id = world.send(1);
    assert_eq!((world.questions.len(), world.sends.len()), (1, 0));
    assert_eq!(world.waiting_for_checks(), [id]);
    world.all_but(&[]);
    assert_eq!(world.sent_ids(), [id.0]);
    // The answer is remembered: the next one to them does not wait.
    world.ack(id);
    world.send(1);
    assert_eq!((world.questions.len(), world.sends.len()), (1, 2));
}

#[test]
fn an_absent_number_parks_all_its_messages_without_an_attempt_and_without_a_slot() {
    let mut world = world();
    let lost = [world.send(1), world.send(1), world.send(1)];
    let well = world.send(2);
    world.all_but(&[1]);
    world.pass(10_000);
    world.all_but(&[1]);
    assert_eq!(world.sent_ids(), [well.0]);
    for id in lost {
        assert_eq!(world.reason(id), (ReasonKind::NotOnNetwork, None));
        assert_eq!(world.core.message(id, world.now).unwrap().attempts, 0);
    }
    assert_eq!(world.status().pacing.spent, 1);
    // One more to them is parked at once, from memory.
    let late = world.send(1);
    assert_eq!(world.state(late), State::Parked);
    assert_eq!(world.questions.len(), 2);
}

#[test]
fn what_is_known_of_a_number_parks_its_messages_however_many_wait_before_them() {
    let mut world = world();
    world.check_request(&[1], false);
    world.all_but(&[1]);
    world.request(Request::Pause);
    for chat in 10..60 {
        world.send(chat);
    }
    let known = world.submit(1, "x", None).unwrap().message.id;
    assert_eq!(world.state(known), State::Parked);
    let unknown = world.send(2);
    assert_eq!(world.state(unknown), State::Queued);
    world.check_request(&[2], false);
    world.all_but(&[2]);
    assert_eq!(world.reason(unknown), (ReasonKind::NotOnNetwork, None));
}

#[test]
fn groups_hidden_identities_and_our_own_number_are_not_asked_about() {
    let mut world = world();
    for to in ["1203630001@g.us", "100000000000001@lid", "+15550100"] {
        let mut submission = world.submission(0, to, None);
        submission.draft.to = to.parse().unwrap();
        world.ask(Request::Submit(Box::new(submission))).unwrap();
    }
    world.groups_are(&[super::groups::group("1203630001@g.us", "Walks")]);
    assert_eq!((world.questions.len(), world.sends.len()), (0, 3));
}

#[test]
fn four_hundred_messages_cost_eight_questions_at_most() {
    let mut world = World::paired(CoreConfig { window_ms: 1_000, ..config() });
    for chat in 1..=400 {
        world.send(chat);
    }
    world.connect();
    let mut answered = 0;
    for _ in 0..100 {
        while answered < world.questions.len() {
            answered = world.questions.len();
            world.all_but(&[]);
        }
        for id in world.core.queue.sending().collect::<Vec<MessageId>>() {
            world.written(id);
            world.ack(id);
        }
        world.pass(1_000);
    }
    assert_eq!(world.sends.len(), 400);
    assert!(world.questions.len() <= 8, "{}", world.questions.len());
    assert!(world.questions.iter().all(|(_, _, numbers)| numbers.len() <= CHECK_BATCH_MAX));
}

#[test]
fn a_thousand_messages_that_arrive_one_by_one_cost_few_questions() {
    let mut world = World::connected_with(CoreConfig { capacity: 1_000, ..config() });
    for chat in 1..=1_000 {
        world.send(chat);
        world.idle(1);
        if world.core.contacts.is_asking() {
            world.all_but(&[]);
        }
    }
    assert!(world.questions.len() <= 4, "{}", world.questions.len());
}

#[test]
fn a_failure_is_never_a_no_and_is_asked_again_with_a_pause_that_doubles() {
    let mut world = world();
    let id = world.send(1);
    world.fail(CheckFailureKind::Refused(Some(500)));
    assert_eq!((world.state(id), world.questions.len()), (State::Queued, 1));
    assert_eq!(
        world.core.contacts.trouble().map(|trouble| trouble.kind),
        Some(CheckFailureKind::Refused(Some(500)))
    );
    world.pass(999);
    assert_eq!(world.questions.len(), 1);
    world.pass(1);
    assert_eq!(world.questions.len(), 2);
    world.fail(CheckFailureKind::TimedOut);
    world.pass(1_999);
    assert_eq!(world.questions.len(), 2);
    world.pass(1);
    assert_eq!(world.questions.len(), 3);
    world.all_but(&[1]);
    assert_eq!((world.state(id), world.sends.len()), (State::Parked, 0));
    assert_eq!(world.core.contacts.trouble(), None);
}

#[test]
fn a_check_that_is_broken_does_not_stop_the_queue() {
    let mut world = world();
    let ids = [world.send(1), world.send(2)];
    for _ in 0..3 {
        world.fail(CheckFailureKind::Refused(None));
        world.pass(8_000);
    }
    assert_eq!(world.sent_ids(), [ids[0].0, ids[1].0]);
    assert!(world.core.contacts.trouble().unwrap().waived);
    // What the send finds out is believed.
    world.not_sent(ids[0], NotSent::NoDevice);
    world.not_sent(ids[0], NotSent::NoDevice);
    assert_eq!(world.reason(ids[0]), (ReasonKind::NoDevice, None));
    // Once the check works again, messages wait for it again.
    let left = world.send(3);
    assert_eq!(world.state(left), State::Sending);
    world.all_but(&[]);
    let late = world.send(4);
    assert_eq!(world.state(late), State::Queued);
    assert_eq!(world.waiting_for_checks(), [late]);
}

#[test]
fn a_rate_limit_is_left_alone_for_longer_and_for_as_long_as_the_network_says() {
    let mut world = world();
    world.send(1);
    world.fail(CheckFailureKind::RateLimited);
    world.pass(15_999);
    assert_eq!(world.questions.len(), 1);
    world.pass(1);
    assert_eq!(world.questions.len(), 2);
    let (_, ticket, _) = world.questions[1].clone();
    let kind = CheckFailureKind::RateLimited;
    let retry_after_ms = Some(120_000);
    world.say(ticket, CheckOutcome::Failed(CheckFailure { kind, retry_after_ms }));
    world.pass(119_999);
    assert_eq!(world.questions.len(), 2);
    world.pass(1);
    assert_eq!(world.questions.len(), 3);
}

#[test]
fn a_number_that_the_network_passes_over_is_asked_for_again_and_let_go_after_three_times() {
    let mut world = world();
    let id = world.send(1);
    for _ in 0..3 {
        assert_eq!(world.sends.len(), 0);
        let (_, ticket, _) = world.questions.last().cloned().unwrap();
        world.say(ticket, CheckOutcome::Answered(Vec::new()));
        world.pass(4_000);
    }
    assert_eq!(world.sent_ids(), [id.0]);
    // The others are not let go with it.
    let other = world.send(2);
    world.pass(4_000);
    assert_eq!(world.state(other), State::Queued);
}

#[test]
fn a_question_ends_with_its_connection_and_is_asked_again_on_the_next() {
    let mut world = world();
    let id = world.send(1);
    world.lose();
    assert_eq!(world.state(id), State::Queued);
    world.connect();
    world.pass(2_000);
    assert_eq!(world.questions.len(), 2);
    // The old one's answer comes too late to count.
    let (_, old, _) = world.questions[0].clone();
    world.say(old, CheckOutcome::Answered(vec![(number(1), registered(false))]));
    assert_eq!(world.state(id), State::Queued);
    world.all_but(&[]);
    assert_eq!(world.sent_ids(), [id.0]);
}

#[test]
fn a_session_that_says_nothing_is_not_waited_for_for_ever() {
    let mut world = world();
    world.send(1);
    assert_eq!(world.core.poll_timeout().map(|(_, wake)| wake), Some(Wake::Check));
    world.pass(15_000);
    assert_eq!(
        world.core.contacts.trouble().map(|trouble| trouble.kind),
        Some(CheckFailureKind::TimedOut)
    );
}

#[test]
fn after_a_retry_the_number_is_checked_afresh_also_over_a_crash() {
    for crash in [false, true] {
        let mut world = world();
        let id = world.send(1);
        world.all_but(&[1]);
        world.ask(Request::Retry { filter: world.all(), anyway: false, dry_run: false }).unwrap();
        if crash {
            world.crash(false);
            world.connect();
        }
        world.pass(2_000);
        assert_eq!((world.state(id), world.sends.len()), (State::Queued, 0));
        world.all_but(&[]);
        assert_eq!(world.sent_ids(), [id.0]);
    }
}

#[test]
fn answers_outlive_a_restart_and_count_for_as_long_as_configured() {
    let mut world = world();
    let first = world.send(1);
    let lost = world.send(2);
    world.pass(4_000);
    world.all_but(&[]);
    world.pass(4_000);
    world.all_but(&[2]);
    world.ack(first);
    assert_eq!(world.state(lost), State::Parked);
    let asked = world.questions.len();
    world.crash(true);
    world.connect();
    let again = world.send(1);
    let lost = world.send(2);
    assert_eq!((world.questions.len(), world.state(lost)), (0, State::Parked), "{asked}");
    assert_eq!(world.sends.last().unwrap().1.id, again);
    world.ack(again);
    // A day later the no has to be asked again, the yes has not.
    world.pass(DAY_MS);
    let late = [world.send(1), world.send(2)];
    assert_eq!((world.state(late[0]), world.state(late[1])), (State::Sending, State::Queued));
    assert_eq!(world.questions.len(), 1);
    assert_eq!(world.questions[0].2, [number(2)]);
}

#[test]
fn neither_clock_alone_keeps_an_answer_alive() {
    let mut world = world();
    let id = world.send(1);
    world.all_but(&[]);
    world.ack(id);
    // A clock set back: the answer ages by the time that the daemon lives.
    world.now.wall_ms -= 1_000_000_000_000;
    world.pass(30 * DAY_MS);
    let id = world.send(1);
    assert_eq!(world.questions.len(), 2);
    world.all_but(&[]);
    world.ack(id);
    // A daemon that did not run: it ages by the wall clock.
    world.suspend(30 * DAY_MS);
    world.crash(true);
    world.connect();
    world.send(1);
    assert_eq!(world.questions.len(), 1);
}

#[test]
fn a_receipt_shows_that_a_number_is_there_and_costs_no_write_of_its_own() {
    let mut world = world();
    let id = world.send(1);
    for _ in 0..3 {
        world.fail(CheckFailureKind::Refused(None));
        world.pass(8_000);
    }
    world.ack(id);
    let before = world.changes;
    world.receipt(id, ReceiptKind::Delivered);
    assert_eq!(world.changes - before, 2, "the message and the number");
    assert!(world.store.numbers[&number(1)].on_network);
    world.receipt(id, ReceiptKind::Read);
    assert_eq!(world.changes - before, 3);
}

#[test]
fn nothing_is_asked_while_nothing_may_leave() {
    let mut world = World::paired(config());
    world.send(1);
    assert_eq!(world.questions.len(), 0);
    world.ask(Request::Pause).unwrap();
    world.connect();
    assert_eq!(world.questions.len(), 0);
    world.ask(Request::Resume).unwrap();
    assert_eq!(world.questions.len(), 1);
}

#[test]
fn what_is_not_checked_leaves_at_once() {
    let mut world = World::connected();
    let id = world.send(1);
    assert_eq!((world.questions.len(), world.sent_ids()), (0, vec![id.0]));
}
