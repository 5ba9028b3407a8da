use super::virtual_time::run_until_empty;
use super::world::World;
use crate::CoreConfig;
use crate::event::{EndReason, ReceiptKind, Request, SessionEvent};
use crate::phone::Heartbeat;
use crate::phone::PhoneActivity;
use crate::phone::{DAY_MS, PhoneConfig};
use tetherd_api::{BatteryLevel, ConditionKind, ErrorKind, PhoneState, State};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn state(world: &World) -> PhoneState {
    world.status().phone.state
}

/// A message's copy and then a question stay unanswered.
fn go_offline(world: &mut World) {
    world.phone_on = false;
    let id = world.send(900);
    world.written(id);
    world.ack(id);
    world.pass(2 * MINUTE);
    assert_eq!(world.probes.len(), 1, "the copy was not asked about");
    world.session(SessionEvent::Probed { left: true });
    world.pass(3 * MINUTE);
    assert_eq!(state(world), PhoneState::Offline);
}

fn come_back(world: &mut World) {
    world.phone_on = true;
    world.phone_answers();
    assert_eq!(state(world), PhoneState::Online);
}

fn report(world: &mut World, percent: u8, charging: bool) {
    let report =
        Heartbeat { percent: Some(percent), charging: Some(charging), ..Heartbeat::default() };
    world.ask(Request::Heartbeat(Box::new(report))).unwrap();
}

fn battery(world: &World) -> BatteryLevel {
    world.status().phone.battery.expect("a report").level
}

#[test]
fn while_the_phone_is_off_four_hundred_wait_and_then_take_eighty_windows_of_five() {
    let mut world = World::connected();
    go_offline(&mut world);
    assert_eq!(world.holds(), [ConditionKind::PhoneOffline]);
    for chat in 0..400 {
        world.send(chat);
    }
    let refused = world.submit(400, "one more", None).unwrap_err();
    assert_eq!(refused.data.kind, ErrorKind::QueueFull);
    world.sends.clear();
    world.pass(12 * HOUR);
    assert!(world.sends.is_empty(), "sent to a phone that is off");
    assert_eq!((state(&world), world.status().queue.next_send_at), (PhoneState::Offline, None));
    let began = world.true_ms;
    come_back(&mut world);
    let times = run_until_empty(&mut world);
    let expected: Vec<u64> = (0..400).map(|n| n / 5 * 120_000).collect();
    assert_eq!(times, expected);
    assert_eq!(world.sends[0].0, began, "the first leave when the phone is back");
}

#[test]
fn offline_is_remembered_over_a_restart_and_ends_with_the_late_answer() {
    for new_boot in [false, true] {
        let mut world = World::connected();
        go_offline(&mut world);
        let before = world.status().phone;
        world.crash(new_boot);
        let after = world.status().phone;
        assert_eq!((after.state, after.since), (before.state, before.since));
        world.connect();
        let id = world.send(0);
        assert_eq!(
            (world.state(id), world.holds()),
            (State::Queued, vec![ConditionKind::PhoneOffline])
        );
        world.phone_seen();
        assert_eq!((world.state(id), state(&world)), (State::Sending, PhoneState::Online));
        world.crash(new_boot);
        assert_eq!(state(&world), PhoneState::Online);
        assert_eq!(world.status().phone.last_sign.as_deref(), Some("peer"));
    }
}

#[test]
fn an_offline_phone_is_asked_seldomer_and_seldomer() {
    let mut world = World::connected();
    go_offline(&mut world);
    let first = world.probes[0];
    world.pass(DAY_MS);
    let times: Vec<u64> = world.probes.iter().map(|at| (at - first) / MINUTE).collect();
    assert_eq!(times, [0, 10, 30, 70, 150, 310, 630, 1270]);
}

#[test]
fn a_phone_that_answers_is_asked_only_when_evidence_is_old_and_something_waits() {
    let mut world = World::connected();
    world.phone_seen();
    world.pass(HOUR);
    assert_eq!((state(&world), world.probes.len()), (PhoneState::Silent, 0));
    let id = world.send(0);
    assert_eq!(world.probes.len(), 1, "asked when something waits");
    assert_eq!((world.state(id), state(&world)), (State::Sending, PhoneState::Online));
    world.receipt(id, ReceiptKind::OwnPhone);
    world.pass(DAY_MS - MINUTE);
    assert_eq!(world.probes.len(), 1);
    world.pass(2 * MINUTE);
    assert_eq!(world.probes.len(), 2, "asked once a day");
}

#[test]
fn without_a_connection_a_phone_does_not_turn_offline() {
    let mut world = World::connected();
    world.phone_on = false;
    world.phone_seen();
    let id = world.send(0);
    world.ack(id);
    world.pass(2 * MINUTE);
    world.session(SessionEvent::Probed { left: true });
    world.end_with(EndReason::Refused { code: 503 }, 500);
    world.idle(HOUR);
    assert_eq!(state(&world), PhoneState::Online, "as it was last judged");
    world.request(Request::Reconnect);
    assert_eq!(state(&world), PhoneState::Unknown);
    world.connect();
    assert_eq!((state(&world), world.probes.len()), (PhoneState::Silent, 2), "asked again");
    assert!(world.holds().is_empty());
}

#[test]
fn a_question_that_did_not_leave_proves_nothing() {
    let mut world = World::connected();
    world.phone_on = false;
    let id = world.send(0);
    world.ack(id);
    world.pass(2 * MINUTE);
    world.session(SessionEvent::Probed { left: false });
    world.pass(MINUTE);
    assert_eq!(world.probes.len(), 1);
    world.pass(MINUTE);
    assert_eq!((world.probes.len(), state(&world)), (2, PhoneState::Unknown));
}

#[test]
fn what_the_server_had_kept_is_as_old_as_it_is() {
    let mut world = World::connected();
    go_offline(&mut world);
    let day_ago = world.now.wall_ms - i64::try_from(DAY_MS).unwrap();
    let activity = PhoneActivity::Receipt;
    world.session(SessionEvent::PhoneActivity { activity, at_ms: Some(day_ago) });
    assert_eq!(state(&world), PhoneState::Offline);
    assert_eq!(world.status().phone.last_seen_at.map(|at| at.0), Some(day_ago));
    let now = world.now.wall_ms;
    world.session(SessionEvent::PhoneActivity { activity, at_ms: Some(now - 1_000) });
    assert_eq!(state(&world), PhoneState::Online);
}

#[test]
fn a_wall_clock_that_jumps_changes_neither_state_nor_battery() {
    let mut world = World::connected();
    world.phone_seen();
    report(&mut world, 4, false);
    for jump in [400 * 86_400_000_i64, -800 * 86_400_000] {
        world.now.wall_ms += jump;
        world.pass(MINUTE);
        assert_eq!((state(&world), battery(&world)), (PhoneState::Online, BatteryLevel::Critical));
    }
    let seen = world.status().phone.last_seen_at.unwrap();
    assert_eq!(world.now.wall_ms - seen.0, 120_000);
}

#[test]
fn the_limit_for_an_absent_phone_is_warned_of_from_the_tenth_day() {
    let mut world = World::connected();
    world.phone_seen();
    go_offline(&mut world);
    let unlinked = world.status().phone.unlinked_at.unwrap();
    let warning = |world: &World| {
        let mut reasons = world.status().phone.reasons.into_iter().map(|reason| reason.what);
        reasons.find(|reason| reason.contains("unlinks"))
    };
    world.pass(9 * DAY_MS);
    assert_eq!(warning(&world), None);
    let shown = world.events.len();
    world.pass(DAY_MS);
    let said = warning(&world).expect("a warning");
    assert!(said.contains("10 days") && said.contains(&unlinked.to_string()), "{said}");
    assert!(world.events.len() > shown, "nobody was notified");
    assert_eq!(world.status().phone.unlinked_at, Some(unlinked));
}

#[test]
fn a_critical_battery_holds_until_it_charges_over_a_restart() {
    let mut world = World::connected();
    report(&mut world, 5, false);
    let id = world.send(0);
    assert_eq!(
        (battery(&world), world.holds()),
        (BatteryLevel::Critical, vec![ConditionKind::BatteryCritical])
    );
    world.crash(true);
    world.connect();
    assert_eq!(
        (world.state(id), world.holds()),
        (State::Queued, vec![ConditionKind::BatteryCritical])
    );
    report(&mut world, 5, true);
    assert_eq!((world.state(id), battery(&world)), (State::Sending, BatteryLevel::Ok));
}

#[test]
fn an_old_report_says_nothing_and_holds_nothing() {
    let mut world = World::connected();
    report(&mut world, 3, false);
    let id = world.send(0);
    world.pass(30 * MINUTE - 1);
    assert_eq!(world.state(id), State::Queued);
    world.pass(1);
    assert_eq!((world.state(id), battery(&world)), (State::Sending, BatteryLevel::Unknown));
    assert!(world.status().phone.battery.unwrap().stale);
}

#[test]
fn a_report_from_the_future_is_refused_and_one_older_than_the_last_is_left_alone() {
    let mut world = World::connected();
    let at = |world: &mut World, ms: i64, percent: u8| {
        let at = Some(world.now.wall_ms + ms);
        let report = Heartbeat { percent: Some(percent), at, ..Heartbeat::default() };
        world.ask(Request::Heartbeat(Box::new(report)))
    };
    let refused = at(&mut world, 300_001, 50).unwrap_err();
    assert_eq!(refused.data.kind, ErrorKind::InvalidParams);
    at(&mut world, -60_000, 50).unwrap();
    at(&mut world, -60_001, 40).unwrap();
    let battery = world.status().phone.battery.unwrap();
    assert_eq!((battery.percent, battery.at.0), (Some(50), world.now.wall_ms - 60_000));
    at(&mut world, 300_000, 60).unwrap();
    assert_eq!(world.status().phone.battery.unwrap().at.0, world.now.wall_ms);
}

#[test]
fn a_policy_that_holds_nothing_lets_everything_leave() {
    let phone = PhoneConfig {
        hold_when_offline: false,
        hold_when_battery: crate::phone::HoldBattery::Never,
        ..PhoneConfig::default()
    };
    let mut world = World::connected_with(CoreConfig { phone, ..CoreConfig::default() });
    go_offline(&mut world);
    report(&mut world, 0, false);
    let id = world.send(0);
    assert_eq!((world.state(id), world.holds()), (State::Sending, vec![]));
}

#[test]
fn a_backlog_that_was_held_for_long_waits_for_a_word_over_a_restart() {
    let config = CoreConfig { confirm_after_ms: Some(HOUR), ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    go_offline(&mut world);
    let short = world.send(0);
    world.pass(HOUR - 1);
    come_back(&mut world);
    assert_eq!(world.state(short), State::Sending, "that was no long hold");
    world.written(short);
    world.receipt(short, ReceiptKind::OwnPhone);

    world.probes.clear();
    world.answered = 0;
    world.pass(10 * MINUTE);
    go_offline(&mut world);
    let id = world.send(0);
    world.pass(HOUR);
    come_back(&mut world);
    assert_eq!(
        (world.state(id), world.holds()),
        (State::Queued, vec![ConditionKind::StaleBacklog])
    );
    let later = world.send(1);
    world.crash(true);
    world.connect();
    world.phone_seen();
    assert_eq!(world.holds(), [ConditionKind::StaleBacklog]);
    assert_eq!(world.state(later), State::Queued, "what comes later waits too");
    world.ask(Request::Release).unwrap();
    assert_eq!((world.state(id), world.state(later)), (State::Sending, State::Sending));
}

#[test]
fn a_text_accepted_just_before_the_hold_ends_is_no_stale_backlog() {
    let config = CoreConfig { confirm_after_ms: Some(HOUR), ..CoreConfig::default() };
    let mut world = World::connected_with(config);
    world.pass(MINUTE);
    go_offline(&mut world);
    let expires_at = world.now.wall_ms + i64::try_from(5 * HOUR).unwrap() - 1_000;
    world.submit_as(0, |submission, _| submission.draft.expires_at = Some(expires_at)).unwrap();
    world.pass(5 * HOUR - 2_000);
    let fresh = world.send(1);
    world.pass(2_000);
    come_back(&mut world);
    assert_eq!((world.state(fresh), world.holds()), (State::Sending, vec![]));
}

#[test]
fn another_phone_starts_from_nothing() {
    let mut world = World::connected();
    go_offline(&mut world);
    report(&mut world, 1, false);
    world.end(EndReason::logged_out(Some(401)));
    world.request(Request::Pair { phone: None, anyway: false });
    let phone = world.status().phone;
    assert_eq!((phone.state, phone.last_seen_at, phone.battery), (PhoneState::Unknown, None, None));
}
