//! Another account is linked while messages wait.

use super::world::{ACCOUNT, Run, World, foreign_id};
use crate::account_names::AccountNames;
use crate::event::{EndReason, Request, SessionEvent};
use tetherd_api::{ConditionKind, MessageId, State};

const OTHER: &str = "15550177@s.whatsapp.net";

/// Logs out, and links this account.
fn link(world: &mut World, account: impl Into<AccountNames>) {
    let account = account.into();
    if world.store.facts.account.is_some() {
        assert!(world.ask(Request::Logout).is_ok());
        if world.run != Run::None {
            world.end(EndReason::Closed);
        }
    }
    world.request(Request::Pair { phone: None, anyway: false });
    world.offer_qr("x");
    world.session(SessionEvent::Paired { account: account.clone() });
    world.end(EndReason::Restart);
    world.session(SessionEvent::Connected { account });
}

fn changed(world: &World) -> Vec<MessageId> {
    let conditions = world.status().conditions;
    let found = conditions.iter().find(|one| one.kind == ConditionKind::AccountChanged);
    found.map(|one| one.affected.ids.clone()).unwrap_or_default()
}

fn held_by(world: &World, id: MessageId) -> Option<ConditionKind> {
    world.core.message(id, world.now).unwrap().held_by
}

#[test]
fn invariant_11_nothing_of_one_account_is_sent_by_another_without_a_release() {
    let mut world = World::connected();
    assert!(world.ask(Request::Pause).is_ok());
    let first = world.send(1);
    link(&mut world, OTHER);
    assert!(world.ask(Request::Resume).is_ok());
    for _ in 0..2 {
        assert_eq!(changed(&world), [first]);
        assert_eq!(held_by(&world, first), Some(ConditionKind::AccountChanged));
        assert!(world.core.explain(world.now).summary.contains("another account"));
        let order = world.sent_ids();
        assert!(!order.contains(&first.0), "{order:?}");
        world.crash(true);
        world.session(SessionEvent::Connected { account: OTHER.into() });
    }
    // A message of the new account passes it, in the same chat too.
    let second = world.send(1);
    assert_eq!(world.state(second), State::Sending);
    world.ack(second);
    assert!(world.ask(Request::Release).is_ok());
    assert_eq!(changed(&world), []);
    assert_eq!(world.state(first), State::Sending);
}

#[test]
fn invariant_11_what_may_have_left_is_never_sent_by_another_account() {
    let mut world = World::connected();
    let id = world.send(1);
    world.written(id);
    world.lose();
    assert_eq!(world.state(id), State::Unknown);
    link(&mut world, OTHER);
    assert_eq!(world.state(id), State::Parked);
    assert_eq!(changed(&world), [id]);
    assert!(world.ask(Request::Release).is_ok());
    let all = world.all();
    let retry = Request::Retry { filter: all.clone(), anyway: true, dry_run: false };
    assert!(world.ask(retry).is_ok());
    world.pass(3_600_000);
    assert_eq!((world.state(id), world.sent_ids()), (State::Parked, vec![id.0]));
    // Its own account resolves it, under its id.
    link(&mut world, ACCOUNT);
    assert_eq!(world.state(id), State::Sending);
    assert_eq!(world.sent_ids(), [id.0, id.0]);
    assert_ne!(world.flight(id).draft.wa_id, foreign_id());
    assert_eq!(changed(&world), []);
}

#[test]
fn an_account_that_is_linked_again_sends_what_waited_for_it() {
    let mut world = World::connected();
    assert!(world.ask(Request::Pause).is_ok());
    let first = world.send(1);
    link(&mut world, OTHER);
    let second = world.send(2);
    link(&mut world, ACCOUNT);
    assert_eq!(changed(&world), [second]);
    assert!(world.ask(Request::Resume).is_ok());
    assert_eq!((world.state(first), world.state(second)), (State::Sending, State::Queued));
}

#[test]
fn what_is_held_can_be_cleared_and_comes_back_held() {
    let mut world = World::connected();
    assert!(world.ask(Request::Pause).is_ok());
    let first = world.send(1);
    let cancelled = world.send(2);
    let cancel = |ids: Vec<MessageId>, world: &World| Request::Cancel {
        ids,
        filter: world.all(),
        dry_run: false,
    };
    let request = cancel(vec![cancelled], &world);
    assert!(world.ask(request).is_ok());
    link(&mut world, OTHER);
    assert!(world.ask(Request::Resume).is_ok());
    let request = cancel(vec![first], &world);
    assert!(world.ask(request).is_ok());
    assert_eq!(changed(&world), []);
    let restore = Request::Restore { filter: world.all(), dry_run: false };
    assert!(world.ask(restore).is_ok());
    assert_eq!(changed(&world), [first, cancelled]);
    assert_eq!(world.state(first), State::Queued);
}

#[test]
fn a_daemon_that_died_before_it_learnt_of_the_pairing_holds_them_too() {
    let mut world = World::connected();
    assert!(world.ask(Request::Pause).is_ok());
    let first = world.send(1);
    // The keys decide whose device it is.
    world.store.facts.account = Some(OTHER.into());
    world.crash(false);
    assert!(world.ask(Request::Resume).is_ok());
    world.session(SessionEvent::Connected { account: OTHER.into() });
    assert_eq!(changed(&world), [first]);
}

#[test]
fn messages_from_before_any_account_leave_with_the_first() {
    let mut world = World::new(crate::CoreConfig::default());
    let id = world.send(1);
    link(&mut world, ACCOUNT);
    assert_eq!((changed(&world), world.state(id)), (vec![], State::Sending));
}

fn named(jid: &str, lid: &str) -> AccountNames {
    AccountNames { jid: jid.into(), lid: Some(lid.into()) }
}

#[test]
fn an_account_whose_number_changed_is_the_same_under_its_lid() {
    let mut world = World::new(crate::CoreConfig::default());
    link(&mut world, named(ACCOUNT, "9@lid"));
    assert!(world.ask(Request::Pause).is_ok());
    let id = world.send(1);
    // Another account in between, and a restart.
    link(&mut world, named("15550188@s.whatsapp.net", "8@lid"));
    assert_eq!(changed(&world), [id]);
    world.crash(true);
    link(&mut world, named(OTHER, "9@lid"));
    assert_eq!(changed(&world), []);
    assert!(world.ask(Request::Resume).is_ok());
    assert_eq!(world.state(id), State::Sending);
}

#[test]
fn a_number_that_somebody_else_has_now_is_another_account() {
    let mut world = World::new(crate::CoreConfig::default());
    link(&mut world, named(ACCOUNT, "9@lid"));
    assert!(world.ask(Request::Pause).is_ok());
    let id = world.send(1);
    link(&mut world, named(ACCOUNT, "8@lid"));
    assert_eq!(changed(&world), [id]);
}

#[test]
fn an_account_whose_lid_is_learnt_later_is_the_same() {
    let mut world = World::connected();
    assert!(world.ask(Request::Pause).is_ok());
    world.send(1);
    world.crash(true);
    world.session(SessionEvent::Connected { account: named(ACCOUNT, "9@lid") });
    assert_eq!(changed(&world), []);
    assert_eq!(world.store.facts.queue_account_lid.as_deref(), Some("9@lid"));
    link(&mut world, named(OTHER, "9@lid"));
    assert_eq!(changed(&world), []);
}
