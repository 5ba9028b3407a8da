//! Any operations, any crash, against a model that knows only what may be believed.

mod operations;
mod submissions;

use proptest::prelude::*;

use super::belief::Model;
use super::world::{ACCOUNT, Run, World, ban, trouble};
use crate::contacts::Number;
use crate::event::{
    EndReason, Input, NotSent, Offer, QuotaLevel, QuotaNotice, ReceiptKind, Request, Selection,
    SessionEvent, TimelockNotice, Token,
};
use crate::files::{LinkFinding, Outcome, Trouble, UploadFault};
use crate::phone::{Heartbeat, PhoneActivity};
use crate::queue::Message;
use crate::trouble::TroubleKind;
use operations::{Op, config, op, open_hours};
use submissions::{replace, submit};
use tetherd_api::{ErrorKind, MessageId, Priority, Reason, ReasonKind, Replace, Reply, State};

fn end_reason(which: u8) -> EndReason {
    let what = "x".to_owned();
    match which % 17 {
        0 => EndReason::Restart,
        1 => EndReason::Replaced,
        2 => EndReason::logged_out(Some(401)),
        3 => ban(Some(700)),
        4 => trouble(TroubleKind::Outdated, 405),
        5 => EndReason::Refused { code: 503 },
        6 => EndReason::Untrusted,
        7 => EndReason::Unreachable { what },
        8 => EndReason::PairingTimedOut,
        9 => EndReason::PairingFailed { why: tetherd_api::PairFailure::NotVerified },
        10 => EndReason::Refused { code: 429 },
        11 => trouble(TroubleKind::Locked, 403),
        12 => trouble(TroubleKind::BannedForGood, 406),
        13 => ban(None),
        14 => EndReason::StreamEnded,
        _ => EndReason::Lost { what },
    }
}

/// One of the attempts that left, the later ones more likely.
fn sent(world: &World, which: usize) -> Option<MessageId> {
    let recent = &world.sends[world.sends.len().saturating_sub(8)..];
    (!recent.is_empty()).then(|| recent[which % recent.len()].1.id)
}

fn uploading(world: &World, which: usize) -> Option<MessageId> {
    world.uploads.keys().nth(which % world.uploads.len().max(1)).copied()
}

fn prepared(world: &mut World, which: usize, how: u8) {
    let running: Vec<MessageId> = world.preparing.keys().copied().collect();
    if running.is_empty() {
        return;
    }
    let id = running[which % running.len()];
    let outcome = match how % 5 {
        0 => Outcome::Failed(Trouble {
            passes: how & 8 == 0,
            reason: Reason::new(ReasonKind::LinkBroken),
        }),
        1 => {
            let Outcome::Ready { file, .. } = world.all_well(id) else { return };
            let detail = "status".to_owned();
            let link = LinkFinding { broken: how & 8 == 0, code: Some(404), detail, url: None };
            Outcome::Ready { file, link: Some(link) }
        }
        _ => world.all_well(id),
    };
    world.prepared(id, outcome);
}

#[expect(clippy::too_many_lines, reason = "one arm for each operation")]
fn act(world: &mut World, model: &mut Model, op: Op) {
    match op {
        Op::Submit { chat, key, text } => submit(world, model, chat, key, text),
        Op::Replace { chat, key, text, edit } => {
            let how = if edit { Replace::Edit } else { Replace::New };
            replace(world, model, (chat, key, text), how);
        }
        Op::SubmitFile { chat } => {
            let submission = world.file_submission(chat, "a file");
            drop(world.ask(Request::Submit(Box::new(submission))));
        }
        Op::Uploaded(which) => {
            if let Some(id) = uploading(world, which) {
                world.uploaded(id);
            }
        }
        Op::UploadFailed(which, why) => {
            if let Some(id) = uploading(world, which) {
                let whys = [
                    UploadFault::NotConnected,
                    UploadFault::Passing { code: Some(503) },
                    UploadFault::Passing { code: None },
                    UploadFault::Passing { code: Some(507) },
                    UploadFault::TooLarge,
                    UploadFault::Unreadable,
                ];
                world.upload_failed(id, whys[usize::from(why) % whys.len()]);
            }
        }
        Op::Cancel(which) => {
            let ids: Vec<MessageId> = world.store.messages.keys().copied().collect();
            if !ids.is_empty() {
                let before = world.store.messages.clone();
                let done = world.cancel(&[ids[which % ids.len()]]);
                model.withdrawn(&before, &done.cancelled);
            }
        }
        Op::CancelChat { chat, dry_run } => {
            let before = world.store.messages.clone();
            let to = format!("+1555{:04}", 100 + chat).parse().ok();
            let filter = Selection { to, ..Selection::default() };
            let done = world.cancel_by(&[], filter, dry_run);
            if !dry_run {
                model.withdrawn(&before, &done.cancelled);
            }
        }
        Op::SubmitTimed { chat, priority, not_before, expires } => {
            let free = world.status().queue.free;
            let sent = world.submit_as(chat, |submission, now| {
                submission.draft.priority = Priority::ALL[priority];
                submission.draft.not_before = not_before.map(|ms| now.wall_ms + ms);
                submission.draft.expires_at = expires.map(|ms| now.wall_ms + ms);
            });
            let never = expires.is_some_and(|at| at <= 0 || not_before.is_some_and(|n| n >= at));
            let by_hours = world.hours.is_some() && expires.is_some();
            match sent {
                Ok(_) => assert!(free > 0 && !never),
                Err(error) => match error.data.kind {
                    ErrorKind::InvalidParams => assert!(never || by_hours),
                    ErrorKind::QueueFull => assert_eq!(free, 0),
                    kind => assert_eq!(kind, ErrorKind::ShuttingDown),
                },
            }
        }
        Op::Restore { dry_run } => {
            let uptime_ms =
                world.core.queue.uptime_ms() + world.now.mono_ms - world.core.now.mono_ms;
            let can = |m: &&Message| m.undo().is_some_and(|u| u.until_uptime_ms > uptime_ms);
            let restorable = world.store.messages.values().filter(can).count();
            let done = world.restore_by(Selection::default(), dry_run);
            assert_eq!(done.restored.len() + done.no_place.len(), restorable);
            if !dry_run {
                model.brought_back(world, &done.restored);
            }
        }
        Op::Clear => {
            let before = world.store.messages.clone();
            let filter = Selection::default();
            let Ok(Reply::QueueClear(done)) = world.ask(Request::Clear { filter, dry_run: false })
            else {
                panic!("no answer")
            };
            let waits = |s: State| matches!(s, State::Preparing | State::Queued | State::Parked);
            let cleared: Vec<_> =
                before.values().filter(|m| waits(m.state())).map(|m| m.id).collect();
            assert_eq!(done.cleared, cleared.len());
            model.withdrawn(&before, &cleared);
        }
        Op::Retry => drop(world.ask(Request::Retry {
            filter: Selection::default(),
            anyway: false,
            dry_run: false,
        })),
        Op::SubmitUrl(chat) => world.try_send_url(chat),
        Op::SubmitLink(chat) => world.try_send_link(chat),
        Op::Prepared(which, how) => prepared(world, which, how),
        Op::Pause(true) => drop(world.ask(Request::Pause)),
        Op::Pause(false) => drop(world.ask(Request::Resume)),
        Op::Pair(by_code) => {
            let phone = by_code.then(|| "15550100".to_owned());
            world.request(Request::Pair { phone: phone.map(Into::into), anyway: false });
        }
        Op::Reconnect => drop(world.ask(Request::Reconnect)),
        Op::Takeover => drop(world.ask(Request::Takeover)),
        Op::Logout => drop(world.ask(Request::Logout)),
        Op::Drain => {
            world.input(Input::Drain);
        }
        Op::Phone(on) => {
            world.phone_on = on;
            world.phone_answers();
        }
        Op::PhoneSeen(ago) => {
            let at_ms = ago.map(|ago| world.now.wall_ms + ago);
            world.session(SessionEvent::PhoneActivity { activity: PhoneActivity::Receipt, at_ms });
        }
        Op::Probed(left) => world.session(SessionEvent::Probed { left }),
        Op::Heartbeat(percent, charging, at) => {
            let at = Some(world.now.wall_ms + at);
            let report = Heartbeat { percent: Some(percent), charging, at, ..Heartbeat::default() };
            drop(world.ask(Request::Heartbeat(Box::new(report))));
        }
        Op::Release => drop(world.ask(Request::Release)),
        Op::Connected if world.run == Run::Connecting => {
            world.session(SessionEvent::Connected { account: ACCOUNT.into() });
        }
        Op::Paired if world.run == Run::Pairing => {
            world.session(SessionEvent::Paired { account: ACCOUNT.into() });
        }
        Op::Connected | Op::Paired => {}
        Op::Offer => {
            let offer = Offer::Qr { text: "qr".into(), valid_ms: 500 };
            world.session(SessionEvent::Offer(offer));
        }
        Op::Ended(which, roll) if world.run != Run::None => {
            let reason =
                if world.closing && roll % 3 > 0 { EndReason::Closed } else { end_reason(which) };
            world.end_with(reason, roll);
        }
        Op::Ended(..) => {}
        Op::Written(which) => {
            if let Some(id) = sent(world, which) {
                world.written(id);
            }
        }
        Op::NotSent(which, why) => {
            if let Some(id) = sent(world, which) {
                let whys = [
                    NotSent::NotConnected,
                    NotSent::NoDevice,
                    NotSent::Unsendable,
                    NotSent::Passing,
                    NotSent::RateLimited,
                ];
                world.not_sent(id, whys[usize::from(why) % whys.len()]);
            }
        }
        Op::CutOff(which) => {
            if let Some(id) = sent(world, which) {
                world.cut_off(id);
            }
        }
        Op::Ack(which, error) => {
            if let Some(id) = sent(world, which) {
                if error.is_none() {
                    model.hear(world, id, 1);
                }
                world.ack_with(id, error);
            }
        }
        Op::Receipt(which, kind) => {
            if let Some(id) = sent(world, which) {
                let (kind, rank) = match kind % 3 {
                    0 => (ReceiptKind::OwnPhone, 1),
                    1 => (ReceiptKind::Delivered, 2),
                    _ => (ReceiptKind::Read, 3),
                };
                let nobody = world.core.queue.get(id).is_some_and(Message::reached_nobody);
                if kind != ReceiptKind::OwnPhone || !nobody {
                    model.hear(world, id, rank);
                }
                world.receipt(id, kind);
            }
        }
        Op::Check { number, fresh } => {
            let number = Number::parse(&format!("+1555{:04}", 100 + u32::from(number % 8)));
            let numbers = vec![number.unwrap()];
            world.request(Request::Check { numbers, keys: Vec::new(), fresh });
        }
        Op::Checked(how, answers) => world.answer_check(how, answers),
        Op::Writes(chat) => world.befriend(chat),
        Op::Timelock(after) => {
            let until = after.map(|after| world.now.wall_ms + after);
            world.session(SessionEvent::Timelock(TimelockNotice::Active { until }));
        }
        Op::Hours(span) => {
            let hours = span.and_then(|span| open_hours(span, world.now.wall_ms));
            world.input(Input::Hours(hours));
        }
        Op::Lifted => world.session(SessionEvent::Timelock(TimelockNotice::Lifted)),
        Op::Pass(ms) => world.pass(ms),
        Op::WallJump(ms) => world.now.wall_ms += ms,
        Op::Suspend(ms) => world.suspend(ms),
        Op::Crash { new_boot } => world.crash(new_boot),
        Op::DieOnSubmit { chat, stored, new_boot } => {
            let request = Request::Submit(Box::new(world.submission(chat, "lost?", None)));
            world.die_on(Input::Request { token: Token(u64::MAX), request }, stored, new_boot);
        }
        Op::DieOnReplace { chat, key, text, stored } => {
            let mut submission =
                world.submission(chat, &format!("text {text}"), Some(&format!("key {key}")));
            submission.replace = Some(Replace::New);
            let digest = submission.draft.digest;
            let request = Request::Submit(Box::new(submission));
            world.die_on(Input::Request { token: Token(u64::MAX), request }, stored, false);
            let found = world.core.queue.find_key(&format!("key {key}"));
            if let Some(id) = found.filter(|id| world.store.messages[id].draft.digest == digest) {
                model.stands_for(key, chat, text, id);
            }
            // Its caller had no answer and asks again.
            replace(world, model, (chat, key, text), Replace::New);
        }
        Op::DieOnRestore { stored, new_boot } => {
            let request = Request::Restore { filter: Selection::default(), dry_run: false };
            world.die_on(Input::Request { token: Token(u64::MAX), request }, stored, new_boot);
            let stands = |id: &MessageId| world.store.messages.get(id).map(|m| m.state());
            model.cancelled.retain(|id, _| stands(id) == Some(State::Cancelled));
        }
        Op::DieOnTick { stored, new_boot } => {
            if let Some((at, _)) = world.core.poll_timeout() {
                world.idle(at - world.now.mono_ms);
                world.die_on(Input::Tick, stored, new_boot);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_run_of_operations_and_crashes_breaks_the_rules(
        checked in any::<bool>(),
        ops in proptest::collection::vec(op(), 1..160)
    ) {
        let mut world = World::paired(config(checked));
        let mut model = Model::default();
        for op in ops {
            act(&mut world, &mut model, op);
            model.check(&world);
        }
        comes_to_rest(&mut world);
        super::simulated::ran(world.true_ms);
    }
}

fn wait_for_the_next_try(world: &mut World) {
    while world.run == Run::None
        && let Some(at) = world.status().session.next_try_at
    {
        world.pass(u64::try_from(at.0 - world.now.wall_ms).unwrap_or(0).max(100));
    }
}

/// Whatever happened: once everything is well, everything that waits gets its answer.
fn comes_to_rest(world: &mut World) {
    world.crash(false);
    world.input(Input::Hours(None));
    if world.run == Run::None && world.store.facts.account.is_some() {
        drop(world.ask(Request::Takeover));
        wait_for_the_next_try(world);
        // Unless the account is barred, or gone. A pause after too many logins is waited for.
        let refused = world.ask(Request::Reconnect).err().and_then(|e| e.data.retry_after_ms);
        if world.run == Run::None {
            world.pass(refused.unwrap_or(0));
        }
        if world.run == Run::None {
            drop(world.ask(Request::Reconnect));
        }
    }
    drop(world.ask(Request::Resume));
    world.session(SessionEvent::Timelock(TimelockNotice::Lifted));
    let quota = QuotaNotice { level: QuotaLevel::Fine, used: None, total: None, until: None };
    world.session(SessionEvent::NewChatQuota(quota));
    world.phone_on = true;
    if world.run == Run::None {
        world.request(Request::Pair { phone: None, anyway: true });
        world.session(SessionEvent::Paired { account: ACCOUNT.into() });
        world.end(EndReason::Restart);
        wait_for_the_next_try(world);
    }
    if world.run == Run::Connecting && !world.closing {
        world.connect();
    }
    // The clock is put right: whatever is scheduled is due.
    let last = world.store.messages.values().filter_map(|m| m.draft.not_before).max();
    world.now.wall_ms = world.now.wall_ms.max(last.unwrap_or(0));
    world.input(Input::Tick);
    world.phone_seen();
    let report = Heartbeat { percent: Some(80), ..Heartbeat::default() };
    drop(world.ask(Request::Heartbeat(Box::new(report))));
    drop(world.ask(Request::Release));
    for _ in 0..64 {
        for id in world.uploads.keys().copied().collect::<Vec<_>>() {
            world.uploaded(id);
        }
        let flying: Vec<MessageId> = world.core.queue.sending().collect();
        for id in flying {
            world.ack(id);
        }
        world.answer_check(0, u64::MAX);
        for id in world.preparing.keys().copied().collect::<Vec<_>>() {
            let outcome = world.all_well(id);
            world.prepared(id, outcome);
        }
        world.pass(100);
        if world.core.queue.taken() == 0 {
            return;
        }
    }
    panic!("{} messages are stuck: {:?}", world.core.queue.taken(), world.holds());
}
