//! Groups: which there are, whether this account may send, and a group by its name.

use super::world::World;

use crate::event::{Request, SessionEvent};
use crate::groups::{GroupInfo, Wanted, find_by_name};
use crate::ids::Recipient;
use tetherd_api::{ErrorKind, GroupListResult, MessageId, ReasonKind, Reply, State};

const WALKS: &str = "1203630001@g.us";

pub(super) fn group(jid: &str, name: &str) -> GroupInfo {
    GroupInfo {
        chat: jid.parse().unwrap(),
        name: name.into(),
        size: 3,
        announcement: false,
        admin: false,
        suspended: false,
        community: None,
    }
}

fn announcements(admin: bool) -> GroupInfo {
    GroupInfo { announcement: true, admin, ..group(WALKS, "Walks") }
}

fn send(world: &mut World, to: &str) -> MessageId {
    let mut submission = world.submission(0, to, None);
    submission.draft.to = to.parse().unwrap();
    match world.ask(Request::Submit(Box::new(submission))).unwrap() {
        Reply::MessageSend(sent) => sent.message.id,
        other => panic!("{other:?}"),
    }
}

fn list(world: &mut World, fresh: bool) -> Option<Result<GroupListResult, tetherd_api::Error>> {
    listed(world, fresh, Wanted::Page)
}

/// What a recipient's name is looked for in.
fn names(world: &mut World) -> Option<Result<GroupListResult, tetherd_api::Error>> {
    listed(world, false, Wanted::Names)
}

fn listed(
    world: &mut World,
    fresh: bool,
    wants: Wanted,
) -> Option<Result<GroupListResult, tetherd_api::Error>> {
    let token = world.request(Request::ListGroups { fresh, wants });
    world.replies.get(&token).cloned().map(|reply| {
        reply.map(|reply| match reply {
            Reply::GroupList(list) => *list,
            other => panic!("{other:?}"),
        })
    })
}

#[test]
fn one_question_serves_all_and_is_repeated_only_when_something_has_changed() {
    let mut world = World::connected();
    assert!(list(&mut world, false).is_none(), "answered before the network has");
    assert!(list(&mut world, false).is_none());
    assert_eq!(world.group_questions.len(), 1);
    world.groups_are(&[group(WALKS, "Walks")]);
    let known = list(&mut world, false).unwrap().unwrap();
    assert_eq!((known.total, known.current), (1, true));
    world.pass(24 * 60 * 60 * 1_000);
    assert_eq!(world.group_questions.len(), 1, "nothing is asked at intervals");
    world.session(SessionEvent::GroupsChanged);
    assert_eq!(world.group_questions.len(), 1, "nobody wants to know");
    assert!(list(&mut world, false).is_none());
    world.groups_are(&[]);
    assert_eq!(list(&mut world, false).unwrap().unwrap().total, 0);
    assert!(list(&mut world, true).is_none());
    world.pass(2_000);
    assert_eq!(world.group_questions.len(), 3);
}

#[test]
fn without_a_connection_the_last_answer_is_given_as_old_and_none_is_an_error() {
    let mut world = World::connected();
    list(&mut world, false);
    world.lose();
    let (error, _) = (list(&mut world, false).unwrap().unwrap_err(), ());
    assert_eq!(error.data.kind, ErrorKind::WrongState);
    assert!(error.data.retry_after_ms.is_some());
    world.pass(2_000);
    world.connect();
    list(&mut world, false);
    world.groups_are(&[group(WALKS, "Walks")]);
    world.lose();
    assert!(!list(&mut world, true).unwrap().unwrap().current);
}

#[test]
fn a_caller_is_answered_after_failures_and_does_not_wait_for_ever() {
    let mut world = World::connected();
    let token = world.request(Request::ListGroups { fresh: false, wants: Wanted::Page });
    for _ in 0..3 {
        world.groups_fail();
        world.pass(2_000);
    }
    assert!(world.replies.get(&token).unwrap().is_err());
    let mut world = World::connected();
    let token = world.request(Request::ListGroups { fresh: false, wants: Wanted::Page });
    world.pass(20_000);
    assert!(world.replies.get(&token).unwrap().is_err());
}

#[test]
fn a_message_to_a_group_of_admins_is_parked_before_anything_leaves() {
    let mut world = World::connected();
    let id = send(&mut world, WALKS);
    assert_eq!((world.sends.len(), world.group_questions.len()), (0, 1));
    world.groups_are(&[announcements(false)]);
    assert_eq!(world.state(id), State::Parked);
    assert_eq!(world.reason(id), (ReasonKind::NotAdmin, None));
    assert_eq!(world.status().pacing.spent, 0);
    // It becomes an admin: the network reports it, and the message leaves by itself.
    world.session(SessionEvent::GroupsChanged);
    world.pass(2_000);
    world.groups_are(&[announcements(true)]);
    assert_eq!(world.sent_ids(), [id.0]);
}

#[test]
fn a_retry_asks_the_network_anew() {
    let mut world = World::connected();
    let id = send(&mut world, WALKS);
    world.groups_are(&[GroupInfo { suspended: true, ..announcements(true) }]);
    assert_eq!(world.reason(id), (ReasonKind::GroupSuspended, None));
    world.pass(2_000);
    let filter = world.all();
    world.ask(Request::Retry { filter, anyway: false, dry_run: false }).unwrap();
    assert_eq!((world.state(id), world.group_questions.len()), (State::Queued, 2));
    world.groups_are(&[group(WALKS, "Walks")]);
    assert_eq!(world.sent_ids(), [id.0]);
}

#[test]
fn a_group_that_is_not_there_parks_and_blocks_no_other_chat() {
    let mut world = World::connected();
    let lost = send(&mut world, WALKS);
    let well = send(&mut world, "1203630002@g.us");
    world.groups_are(&[group("1203630002@g.us", "Runs")]);
    assert_eq!(world.reason(lost), (ReasonKind::NotInGroup, None));
    assert_eq!(world.sent_ids(), [well.0]);
}

#[test]
fn a_network_that_does_not_answer_holds_no_message_for_long() {
    let mut world = World::connected();
    let id = send(&mut world, WALKS);
    for _ in 0..3 {
        assert_eq!(world.sends.len(), 0);
        world.groups_fail();
        world.pass(2_000);
    }
    assert_eq!(world.sent_ids(), [id.0]);
}

#[test]
fn a_new_connection_asks_again_for_what_is_parked() {
    let mut world = World::connected();
    let id = send(&mut world, WALKS);
    world.groups_are(&[announcements(false)]);
    world.lose();
    world.pass(2_000);
    world.connect();
    assert_eq!(world.group_questions.len(), 2);
    world.groups_are(&[announcements(true)]);
    assert_eq!(world.sent_ids(), [id.0]);
}

#[test]
fn a_name_counts_where_it_is_exact_and_unique() {
    let mut world = World::connected();
    list(&mut world, false);
    world.groups_are(&[
        group(WALKS, "Walks"),
        group("1203630002@g.us", "Twins"),
        group("1203630003@g.us", "Twins"),
    ]);
    let known = list(&mut world, false).unwrap().unwrap();
    assert_eq!(find_by_name(&known, " Walks ").unwrap().as_str(), WALKS);
    let twins = find_by_name(&known, "Twins").unwrap_err();
    assert_eq!(twins.data.kind, ErrorKind::BadRecipient);
    let remedy = twins.data.remedy.unwrap();
    assert!(remedy.contains("1203630002@g.us") && remedy.contains("1203630003@g.us"), "{remedy}");
    let close = find_by_name(&known, "walks").unwrap_err().data.remedy.unwrap();
    assert!(close.contains("`Walks`"), "{close}");
    let none = find_by_name(&known, "Swims").unwrap_err().data.remedy.unwrap();
    assert!(none.contains("tetherctl groups"), "{none}");
}

#[test]
fn what_looks_like_a_number_or_a_jid_names_no_group() {
    for name in ["Walks", "Team 7", "7 a side", "C++"] {
        assert!(matches!(Recipient::parse(name), Ok(Recipient::GroupName(_))), "{name}");
    }
    for other in ["15550100", "+15550100", "(555) 0100", "+Walks", "ann@example", "", "  "] {
        assert!(Recipient::parse(other).is_err() || other.starts_with("+1555"), "{other}");
    }
}

#[test]
fn a_group_is_found_among_more_than_a_page_lists() {
    let mut world = World::connected();
    assert!(names(&mut world).is_none());
    let jid = |n: usize| format!("120363{n:06}@g.us");
    let many: Vec<GroupInfo> =
        (0..1_500).map(|n| group(&jid(n), &format!("Group {n:04}"))).collect();
    world.groups_are(&many);
    let page = list(&mut world, false).unwrap().unwrap();
    assert_eq!((page.groups.len(), page.total), (1_000, 1_500));
    assert!(find_by_name(&page, "Group 1499").is_err());
    let all = names(&mut world).unwrap().unwrap();
    assert_eq!(find_by_name(&all, "Group 1499").unwrap().as_str(), jid(1_499));
}

#[test]
fn names_outlive_a_restart_and_not_the_account() {
    let mut world = World::connected();
    assert!(names(&mut world).is_none());
    world.groups_are(&[group(WALKS, "Walks"), group("1203630002@g.us", "News")]);
    let changes = world.changes;
    world.session(SessionEvent::GroupsChanged);
    assert!(names(&mut world).is_none());
    world.groups_are(&[group("1203630002@g.us", "News"), group(WALKS, "Walks")]);
    assert_eq!(world.changes, changes, "the same names again");
    world.crash(true);
    // There is no connection: what was known counts, and who may send is not said.
    let known = names(&mut world).unwrap().unwrap();
    assert!(!known.current);
    assert_eq!(find_by_name(&known, "Walks").unwrap().as_str(), WALKS);
    assert!(list(&mut world, false).unwrap().is_err());
    let id = send(&mut world, WALKS);
    world.connect();
    world.groups_are(&[announcements(false)]);
    assert_eq!(world.reason(id), (ReasonKind::NotAdmin, None));
    assert!(world.store.groups.groups.len() == 1);
    world.request(Request::Logout);
    world.end(crate::event::EndReason::Closed);
    assert!(names(&mut world).unwrap().is_err());
    assert_eq!(world.store.groups, crate::groups::GroupNames::default());
}
