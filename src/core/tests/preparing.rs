//! Messages whose file is still to be fetched, or whose links are still to be looked at.

use std::collections::BTreeSet;

use super::world::{World, file};
use crate::CoreConfig;
use crate::condition::{Condition, Group};
use crate::config::LinkPolicy;
use crate::event::{EndReason, Input, Request, Selection};
use crate::files::{LinkFinding, Outcome, Prepared, Trouble};
use tetherd_api::{MessageId, Reason, ReasonKind, State};

fn passing(detail: &str) -> Outcome {
    let reason = Reason::new(ReasonKind::LinkBroken).detail(detail);
    Outcome::Failed(Trouble { passes: true, reason })
}

fn broken(code: u32) -> Outcome {
    let reason = Reason::coded(ReasonKind::LinkBroken, code);
    Outcome::Failed(Trouble { passes: false, reason })
}

fn link(broken: bool, detail: &str) -> Outcome {
    let link = LinkFinding { broken, code: None, detail: detail.to_owned(), url: None };
    Outcome::Ready { file: None, link: Some(link) }
}

fn doubtful_links(world: &World) -> Option<Group> {
    world.core.conditions(world.now).into_iter().find_map(|condition| {
        if let Condition::LinkDoubtful { group } = condition { Some(group) } else { None }
    })
}

fn well(world: &mut World, id: MessageId) {
    let outcome = world.all_well(id);
    world.prepared(id, outcome);
}

fn cancel(world: &mut World, id: MessageId) {
    world
        .ask(Request::Cancel { ids: vec![id], filter: Selection::default(), dry_run: false })
        .unwrap();
}

fn retry(world: &mut World) {
    world
        .ask(Request::Retry { filter: Selection::default(), anyway: false, dry_run: false })
        .unwrap();
}

#[test]
fn a_file_by_its_address_is_queued_when_it_is_there() {
    let mut world = World::connected();
    let id = world.send_url(0);
    assert_eq!(world.state(id), State::Preparing);
    assert_eq!(world.status().queue.preparing, 1);
    well(&mut world, id);
    // The pacer is free: once it is on the host it leaves, as what its content is.
    assert_eq!(world.state(id), State::Queued);
    world.uploaded(id);
    assert_eq!(world.state(id), State::Sending);
    let message = world.core.message(id, world.now).unwrap();
    assert_eq!(message.kind, tetherd_api::Kind::Image);
    assert_eq!(message.file, Some(file(id, 0).info));
}

#[test]
fn its_own_chat_waits_for_it_and_no_other() {
    let mut world = World::connected();
    let first = world.send_url(0);
    let second = world.send(0);
    let other = world.send(1);
    assert_eq!(world.sent_ids(), [other.0]);
    well(&mut world, first);
    world.uploaded(first);
    world.ack(first);
    assert_eq!(world.sent_ids(), [other.0, first.0, second.0]);
}

#[test]
fn what_is_broken_is_parked_and_the_chat_goes_on() {
    let mut world = World::connected();
    let first = world.send_url(0);
    let second = world.send(0);
    world.prepared(first, broken(404));
    assert_eq!(world.state(first), State::Parked);
    assert_eq!(world.reason(first), (ReasonKind::LinkBroken, Some(404)));
    assert_eq!(world.sent_ids(), [second.0]);
}

#[test]
fn invariant_10_what_fails_in_passing_is_tried_three_times_in_bounded_time() {
    let mut world = World::connected();
    let id = world.send_url(0);
    for pause in [5_000, 20_000] {
        world.prepared(id, passing("timeout"));
        assert_eq!(world.state(id), State::Preparing);
        world.pass(pause - 1);
        assert!(world.preparing.is_empty());
        world.pass(1);
        assert!(world.preparing.contains_key(&id));
    }
    world.prepared(id, passing("timeout"));
    assert_eq!(world.state(id), State::Parked);
    let reason = world.core.message(id, world.now).unwrap().reason.unwrap();
    assert_eq!(reason.detail.as_deref(), Some("timeout"));
}

#[test]
fn a_restart_prepares_again_and_keeps_the_place() {
    let mut world = World::connected();
    let first = world.send_url(0);
    let second = world.send(0);
    world.crash(false);
    assert_eq!(world.state(first), State::Preparing);
    well(&mut world, first);
    world.connect();
    world.uploaded(first);
    assert_eq!(world.sent_ids(), [first.0]);
    world.ack(first);
    assert_eq!(world.sent_ids(), [first.0, second.0]);
}

#[test]
fn it_needs_no_session() {
    let mut world = World::new(CoreConfig::default());
    let id = world.send_url(0);
    well(&mut world, id);
    assert_eq!(world.state(id), State::Queued);
}

#[test]
fn a_cancelled_one_is_stopped_and_its_late_file_removed() {
    let mut world = World::connected();
    let id = world.send_url(0);
    let round = world.preparing[&id].round;
    cancel(&mut world, id);
    assert!(world.preparing.is_empty());
    let outcome =
        Outcome::Ready { file: Some((tetherd_api::Kind::Image, file(id, 0))), link: None };
    world.input(Input::Prepared(Prepared { id, round, outcome }));
    assert_eq!(world.state(id), State::Cancelled);
    assert!(world.unspooled.contains(&file(id, 0).spool));
}

#[test]
fn a_retry_prepares_again_whatever_is_remembered() {
    let mut world = World::connected();
    let id = world.send_url(0);
    assert!(!world.preparing[&id].afresh);
    world.prepared(id, broken(404));
    retry(&mut world);
    assert_eq!(world.state(id), State::Preparing);
    assert!(world.preparing[&id].afresh);
    well(&mut world, id);
    world.uploaded(id);
    assert_eq!(world.state(id), State::Sending);
}

#[test]
fn a_broken_link_parks_and_a_doubtful_one_is_only_remembered() {
    let mut world = World::connected();
    let parked = world.send_link(0);
    world.prepared(parked, link(true, "unknown_host"));
    assert_eq!(world.reason(parked), (ReasonKind::LinkBroken, None));

    let sent = world.send_link(0);
    world.prepared(sent, link(false, "timeout"));
    assert_eq!(world.state(sent), State::Sending);
    let doubtful = doubtful_links(&world).unwrap();
    assert_eq!(doubtful.ids, [sent]);
    assert_eq!(doubtful.details, BTreeSet::from([(None, Some("timeout".to_owned()))]));
}

#[test]
fn the_policy_decides_what_a_broken_link_means() {
    let mut world = World::new(CoreConfig { links: LinkPolicy::Warn, ..CoreConfig::default() });
    let id = world.send_link(0);
    world.prepared(id, link(true, "unknown_host"));
    assert_eq!(world.state(id), State::Queued);
    assert_eq!(doubtful_links(&world).unwrap().ids, [id]);

    let mut world = World::new(CoreConfig { links: LinkPolicy::Off, ..CoreConfig::default() });
    let id = world.send_link(0);
    assert_eq!(world.state(id), State::Queued);
    assert!(world.preparing.is_empty());
}

#[test]
fn nothing_is_prepared_while_the_daemon_goes_down() {
    let mut world = World::connected();
    let id = world.send_url(0);
    world.prepared(id, passing("timeout"));
    world.input(Input::Drain);
    world.pass(60_000);
    assert!(world.preparing.is_empty());
    assert_eq!(world.state(id), State::Preparing);
}

fn retry_anyway(world: &mut World, id: MessageId) {
    let filter = Selection { ids: vec![id], ..Selection::default() };
    world.ask(Request::Retry { filter, anyway: true, dry_run: false }).unwrap();
}

#[test]
fn links_of_one_message_are_asked_once_also_over_a_restart() {
    let mut world = World::connected();
    let id = world.send_link(0);
    assert!(world.preparing[&id].links);
    world.crash(false);
    // It may work once; and a doubt is no proof.
    assert!(world.preparing.is_empty());
    assert_eq!(world.state(id), State::Queued);
    let warning = world.core.queue.get(id).unwrap().link_warning.clone().unwrap();
    assert_eq!(warning.detail, "interrupted");
}

#[test]
fn a_command_asks_them_again() {
    let mut world = World::connected();
    let id = world.send_link(0);
    world.prepared(id, link(true, "unknown_host"));
    retry(&mut world);
    assert!(world.preparing[&id].links && world.preparing[&id].afresh);
    well(&mut world, id);
    assert_eq!(world.state(id), State::Sending);
    assert_eq!(world.core.queue.get(id).unwrap().link_warning, None);
}

#[test]
fn a_file_that_is_fetched_again_does_not_cost_its_caption_the_check_of_its_links() {
    let mut world = World::connected();
    let id = world.send_url(0);
    world.prepared(id, passing("timeout"));
    world.pass(5_000);
    assert_eq!(world.state(id), State::Preparing);
    well(&mut world, id);
    assert_eq!(world.core.queue.get(id).unwrap().link_warning, None);
}

#[test]
fn one_message_is_let_through_in_spite_of_its_link_for_good() {
    let mut world = World::connected();
    let id = world.send_link(0);
    world.prepared(id, link(true, "unknown_host"));
    let other = world.send_link(1);
    world.prepared(other, link(true, "unknown_host"));
    world.end(EndReason::Refused { code: 503 });
    retry_anyway(&mut world, id);
    assert!(world.preparing.is_empty());
    assert_eq!(world.state(id), State::Queued);
    assert_eq!(world.state(other), State::Parked);
    world.crash(false);
    assert_eq!(world.state(id), State::Queued);
    world.connect();
    assert_eq!(world.sent_ids(), [id.0]);
}

#[test]
fn the_address_that_was_asked_is_told_and_never_logged() {
    let mut world = World::connected();
    let id = world.send_link(0);
    let url = String::from("http://zanzibar.example/page");
    let finding = LinkFinding {
        broken: true,
        code: Some(404),
        detail: "status".into(),
        url: Some(url.clone().into()),
    };
    assert!(!format!("{finding:?}").contains("zanzibar"));
    world.prepared(id, Outcome::Ready { file: None, link: Some(finding) });
    let message = world.core.message(id, world.now).unwrap();
    assert_eq!(message.reason.as_ref().unwrap().url, Some(url.clone().into()));
    let explanation = world.core.explain(world.now);
    let shown = explanation.conditions.iter().flat_map(|condition| &condition.evidence);
    assert!(shown.map(|evidence| &evidence.what).any(|what| what.contains(&url)));
    let debug = format!(
        "{message:?} {:?} {:?}",
        world.core.queue.get(id),
        world.core.conditions(world.now)
    );
    assert!(!debug.contains("zanzibar"), "{debug}");
}
