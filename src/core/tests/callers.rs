//! Callers of `phone.check`: their answers, their bounds and their budget.

use super::numbers::{DAY_MS, config, contacts, number, world};
use std::collections::BTreeSet;

use super::world::World;
use crate::CoreConfig;
use crate::contacts::{CheckFailure, CheckFailureKind, CheckOutcome, ContactsConfig, Number};
use crate::event::{EndReason, Input, Token};
use tetherd_api::{ErrorKind, Presence, State};

#[test]
fn a_caller_is_answered_in_the_order_of_the_question_from_memory_and_from_the_network() {
    let mut world = world();
    let first = world.check_request(&[1], false);
    world.all_but(&[1]);
    assert_eq!(world.answers(first), [Presence::NotOnNetwork]);
    let second = world.check_request(&[2, 1, 2], false);
    assert_eq!(world.questions[1].2, [number(2)], "only what is not known is asked for");
    world.all_but(&[]);
    let result = world.answered(second).unwrap();
    let shown: Vec<_> = result.numbers.iter().map(|n| (&*n.number, n.cached)).collect();
    assert_eq!(shown, [("+15550102", false), ("+15550101", true), ("+15550102", false)]);
    assert!(result.numbers.iter().all(|n| n.checked_at.is_some() && n.why.is_none()));
    // Fresh means that the network says it now.
    let third = world.check_request(&[1], true);
    world.all_but(&[]);
    assert_eq!(world.answers(third), [Presence::OnNetwork]);
}

#[test]
fn without_a_connection_a_caller_is_told_at_once_what_is_remembered_and_that_the_rest_is_not_known()
{
    let mut world = world();
    world.check_request(&[1], false);
    world.all_but(&[]);
    let waiting = world.check_request(&[2], false);
    world.lose();
    assert_eq!(world.answers(waiting), [Presence::Unknown]);
    let later = world.check_request(&[1, 2], false);
    assert_eq!(world.answers(later), [Presence::OnNetwork, Presence::Unknown]);
    let why = world.answered(later).unwrap().numbers[1].why.clone().unwrap();
    assert_eq!(why, "There is no connection to WhatsApp.");
}

#[test]
fn a_caller_waits_twenty_seconds_at_most_and_less_where_waiting_is_pointless() {
    let mut world = world();
    let token = world.check_request(&[1], false);
    world.fail(CheckFailureKind::Refused(Some(500)));
    assert!(world.answered(token).is_none(), "it is asked again");
    world.pass(19_999);
    assert!(world.answered(token).is_none());
    world.pass(1);
    assert_eq!(world.answers(token), [Presence::Unknown]);

    let mut world = super::numbers::world();
    let token = world.check_request(&[1], false);
    let (_, ticket, _) = world.questions[0].clone();
    let kind = CheckFailureKind::RateLimited;
    let retry_after_ms = Some(60_000);
    world.say(ticket, CheckOutcome::Failed(CheckFailure { kind, retry_after_ms }));
    let why = world.answered(token).unwrap().numbers[0].why.clone().unwrap();
    assert!(why.contains("429"), "{why}");
}

#[test]
fn messages_come_first_and_neither_they_nor_callers_starve() {
    let mut world = World::paired(config());
    for chat in 1..=200 {
        world.send(chat);
    }
    world.connect();
    let chats: Vec<u32> = (1_000..1_100).collect();
    let token = world.check_request(&chats, false);
    world.all_but(&[]);
    world.pass(1);
    let (_, _, asked) = world.questions[1].clone();
    let callers: BTreeSet<Number> = chats.iter().map(|chat| number(*chat)).collect();
    let of_callers = asked.iter().filter(|n| callers.contains(n)).count();
    assert!(of_callers >= 10, "{of_callers}");
    assert!(asked.len() - of_callers >= 10);
    for _ in 0..8 {
        if world.core.contacts.is_asking() {
            world.all_but(&[]);
        }
        world.pass(2_000);
    }
    assert_eq!(world.answers(token).len(), 100);
}

#[test]
fn invariant_10_callers_and_their_numbers_are_bounded_and_answered_when_the_daemon_goes() {
    let mut world = world();
    let tokens: Vec<Token> = (0..64).map(|chat| world.check_request(&[chat], true)).collect();
    let over = world.check_request(&[99], true);
    assert_eq!(world.answers(over), [Presence::Unknown]);
    assert!(world.answered(tokens[0]).is_none());
    world.input(Input::Drain);
    for token in tokens {
        assert_eq!(world.answers(token), [Presence::Unknown]);
    }
    world.end(EndReason::Closed);
}

fn hundred_a_day() -> World {
    let contacts = ContactsConfig { per_day: 100, ..contacts() };
    World::connected_with(CoreConfig { contacts, ..CoreConfig::default() })
}

fn spend(world: &mut World, chats: std::ops::Range<u32>) -> Token {
    let token = world.check_request(&chats.collect::<Vec<u32>>(), false);
    for _ in 0..4 {
        if world.core.contacts.is_asking() {
            world.all_but(&[]);
        }
        world.pass(2_000);
    }
    token
}

fn refused(world: &World, token: Token) -> &tetherd_api::Error {
    let error = world.replies[&token].as_ref().unwrap_err();
    assert_eq!(error.data.kind, ErrorKind::CheckBudgetSpent);
    error
}

#[test]
fn callers_have_a_daily_budget_that_no_restart_refills_and_messages_need_none() {
    let mut world = hundred_a_day();
    let first = spend(&mut world, 0..80);
    assert_eq!(world.answers(first), vec![Presence::OnNetwork; 80]);
    // What does not fit into the rest is not asked at all.
    let asked = world.questions.len();
    let late = spend(&mut world, 100..121);
    assert!(refused(&world, late).data.retry_after_ms.unwrap() > DAY_MS - 60_000);
    assert_eq!(world.questions.len(), asked);
    let fits = spend(&mut world, 100..120);
    assert_eq!(world.answers(fits), vec![Presence::OnNetwork; 20]);
    // What is remembered costs nothing, and a message's question is not counted.
    let known = spend(&mut world, 0..80);
    assert_eq!(world.answers(known), vec![Presence::OnNetwork; 80]);
    let id = world.send(200);
    world.all_but(&[]);
    assert_eq!(world.state(id), State::Sending);
    world.ack(id);
    for new_boot in [false, true] {
        world.crash(new_boot);
        world.connect();
        let token = spend(&mut world, 300..301);
        refused(&world, token);
    }
    world.pass(DAY_MS + 3_600_000);
    let token = spend(&mut world, 300..400);
    assert_eq!(world.answers(token), vec![Presence::OnNetwork; 100]);
}

#[test]
fn a_call_that_no_day_has_room_for_says_so_and_names_no_time() {
    let mut world = hundred_a_day();
    let token = spend(&mut world, 0..101);
    let error = refused(&world, token);
    assert_eq!(error.data.retry_after_ms, None);
    assert!(error.message.contains("100 numbers a day"), "{}", error.message);
}

#[test]
fn callers_that_come_together_and_questions_that_fail_do_not_overdraw_the_budget() {
    let mut world = hundred_a_day();
    world.check_request(&(0..60).collect::<Vec<u32>>(), false);
    let second = world.check_request(&(100..160).collect::<Vec<u32>>(), false);
    refused(&world, second);
    let mut asked = 0;
    for _ in 0..10 {
        if world.core.contacts.is_asking() {
            asked += world.questions.last().unwrap().2.len();
            world.fail(CheckFailureKind::TimedOut);
        }
        world.pass(2_000);
    }
    assert!(asked <= 100, "{asked}");
}
