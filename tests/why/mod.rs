//! What `explain` and `tetherctl why` say of each cause before, during and after it
//! holds, beside what the simulator did.

mod groups;
mod messages;
mod quiet;
mod refusals;
mod session;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tetherd_api::ConditionKind;

use crate::support::Daemon;

/// What is said of a cause while it holds.
struct Told {
    kind: ConditionKind,
    /// Part of its evidence.
    evidence: &'static str,
    /// Part of what happens by itself.
    by_itself: &'static str,
    /// Whether it is known when.
    at: bool,
    remedy: Option<&'static str>,
}

const fn told(
    kind: ConditionKind,
    evidence: &'static str,
    by_itself: &'static str,
    at: bool,
    remedy: Option<&'static str>,
) -> Told {
    Told { kind, evidence, by_itself, at, remedy }
}

const NOBODY: &str = "they block no other message";

const TOLD: &[Told] = &[
    told(
        ConditionKind::StoreTrouble,
        "found when the store was opened",
        "The rest goes on",
        false,
        Some("journalctl -u tetherd -g quarantined"),
    ),
    told(
        ConditionKind::NotPaired,
        "no account's keys",
        "until a phone is paired",
        false,
        Some("tetherctl pair"),
    ),
    told(
        ConditionKind::LoggedOut,
        "the server said so",
        "until a phone is paired again",
        false,
        Some("tetherctl pair"),
    ),
    told(ConditionKind::Locked, "(code 403)", "Do not pair again", true, None),
    told(
        ConditionKind::BannedForGood,
        "(code 406)",
        "Appeal in WhatsApp on the phone",
        false,
        Some("tetherctl reconnect"),
    ),
    told(
        ConditionKind::LoginDeclined,
        "(code 415)",
        "trying again changes nothing",
        false,
        Some("tetherctl reconnect"),
    ),
    told(
        ConditionKind::ClientExpiresSoon,
        "named the date",
        "Install a newer tetherd",
        true,
        Some("systemctl restart tetherd"),
    ),
    told(ConditionKind::Banned, "(code 101)", "connects when the ban ends", true, None),
    told(
        ConditionKind::ClientOutdated,
        "(code 405)",
        "install a newer tetherd",
        false,
        Some("systemctl restart tetherd"),
    ),
    told(
        ConditionKind::IntegrityChallenge,
        "the server said so",
        "Open WhatsApp on the phone",
        false,
        None,
    ),
    told(
        ConditionKind::OtherSession,
        "it happened once in the last hour",
        "does not fight",
        false,
        Some("tetherctl takeover"),
    ),
    told(
        ConditionKind::Disconnected,
        "tries in a row failed",
        "The daemon tries again",
        true,
        Some("tetherctl reconnect"),
    ),
    told(
        ConditionKind::PhoneOffline,
        "it was asked and has not answered yet",
        "keeps asking",
        true,
        Some("tetherctl status"),
    ),
    told(ConditionKind::PhoneSilent, "last sign of life: ", "leave all the same", true, None),
    told(
        ConditionKind::BatteryCritical,
        "4 %, not charging, reported by test",
        "Once a report says that it charges",
        false,
        Some("tetherctl heartbeat --charging"),
    ),
    told(
        ConditionKind::BatteryLow,
        "12 %, not charging, reported by test",
        "leave all the same",
        false,
        Some("tetherctl heartbeat --charging"),
    ),
    told(
        ConditionKind::Paused,
        "somebody paused it",
        "until somebody resumes it",
        false,
        Some("tetherctl resume"),
    ),
    told(
        ConditionKind::StaleBacklog,
        "longer than queue.confirm_after",
        "until somebody releases",
        false,
        Some("tetherctl release"),
    ),
    told(
        ConditionKind::AccountChanged,
        "another account was linked",
        "only if their account is linked again",
        false,
        Some("tetherctl release"),
    ),
    told(
        ConditionKind::ReachoutTimelock,
        "the server named its end",
        "the others leave when it ends",
        true,
        None,
    ),
    told(
        ConditionKind::NewChatQuota,
        "50 of 50 new chats",
        "the others leave when the next cycle begins",
        true,
        None,
    ),
    told(
        ConditionKind::TokenMissing,
        "code 463",
        "sent again once when its recipient writes",
        false,
        Some("tetherctl retry --reason token_missing"),
    ),
    told(
        ConditionKind::NoDevice,
        "it was parked",
        NOBODY,
        false,
        Some("tetherctl retry --reason no_device"),
    ),
    told(ConditionKind::RateLimited, "code 429", "After a longer pause", true, None),
    told(
        ConditionKind::NotOnNetwork,
        "it was parked",
        NOBODY,
        false,
        Some("tetherctl clear --reason not_on_network"),
    ),
    told(
        ConditionKind::NumberUnchecked,
        "the network is being asked",
        "The daemon asks",
        false,
        None,
    ),
    told(
        ConditionKind::GroupTrouble,
        "it was parked",
        "once the network says",
        false,
        Some("tetherctl retry --reason not_admin"),
    ),
    told(
        ConditionKind::GroupUnchecked,
        "the network is being asked",
        "The daemon asks",
        false,
        None,
    ),
    told(
        ConditionKind::LinkBroken,
        "code 410",
        NOBODY,
        false,
        Some("tetherctl retry --reason link_broken"),
    ),
    told(ConditionKind::LinkDoubtful, "code 500", "They leave all the same", false, None),
    told(
        ConditionKind::FileTrouble,
        "it was parked",
        NOBODY,
        false,
        Some("tetherctl clear --reason too_large"),
    ),
    told(
        ConditionKind::FileUnderway,
        "the first began to wait",
        "go on by themselves",
        false,
        None,
    ),
    told(
        ConditionKind::Refused,
        "code 488, 1 in all",
        NOBODY,
        false,
        Some("tetherctl retry --reason refused"),
    ),
    told(
        ConditionKind::NotSendable,
        "it was parked",
        NOBODY,
        false,
        Some("tetherctl clear --reason not_sendable"),
    ),
    told(
        ConditionKind::NoAnswer,
        "without an answer",
        "sent again under its id",
        false,
        Some("tetherctl reconnect"),
    ),
    told(ConditionKind::NotBefore, "accepted with its time", "is due", true, None),
    told(
        ConditionKind::ClockJumped,
        "wall clock and monotonic clock disagree",
        "The pace does not depend on it",
        false,
        Some("timedatectl"),
    ),
    told(
        ConditionKind::ShuttingDown,
        "asked to end",
        "after its next start",
        false,
        Some("systemctl start tetherd"),
    ),
    told(ConditionKind::Pacing, "left in the last window", "The last of them leaves", true, None),
];

/// Which test shows which causes; each sees to it that it does.
const SCENES: &[&[ConditionKind]] = &[
    session::PAIRING,
    session::BAN,
    session::LINE,
    session::ACCOUNT,
    session::CHALLENGE,
    session::CHANGED,
    session::PHONE,
    session::CLOCK,
    session::SILENCE,
    session::STORE,
    session::END,
    messages::SHELF,
    messages::WAITING,
    messages::LINKS,
    messages::SERVER,
    messages::PACE,
    refusals::TOKEN,
    refusals::QUOTA,
    refusals::DEVICE,
    groups::GROUPS,
];

#[test]
fn every_cause_is_shown() {
    let mut all: Vec<ConditionKind> = SCENES.concat();
    all.sort();
    assert_eq!(all, ConditionKind::ALL);
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    Before,
    During,
    After,
}

/// A test's causes, and how far each has got.
struct Stage {
    seen: BTreeMap<ConditionKind, Seen>,
}

impl Stage {
    /// None of the causes holds yet.
    #[track_caller]
    fn set(kinds: &[ConditionKind], daemon: &Daemon) -> Stage {
        for kind in kinds {
            quiet(daemon, *kind, "before");
        }
        Stage { seen: kinds.iter().map(|kind| (*kind, Seen::Before)).collect() }
    }

    /// The simulator, or a person, did this: the cause holds, and touches these.
    #[track_caller]
    fn during(&mut self, daemon: &Daemon, kind: ConditionKind, done: &str, ids: &[&String]) {
        assert_eq!(self.seen.insert(kind, Seen::During), Some(Seen::Before), "{kind:?}");
        holds(daemon, kind, done, ids);
    }

    /// And after this it does not any more.
    #[track_caller]
    fn after(&mut self, daemon: &Daemon, kind: ConditionKind, done: &str) {
        assert_eq!(self.seen.insert(kind, Seen::After), Some(Seen::During), "{kind:?}");
        quiet(daemon, kind, done);
    }

    /// Each has been there, and has gone.
    #[track_caller]
    fn end(self) {
        assert!(self.seen.values().all(|seen| *seen == Seen::After), "{:?}", self.seen);
    }
}

fn explain(daemon: &Daemon) -> Value {
    daemon.call("explain", json!({})).unwrap()
}

fn cause(explained: &Value, kind: ConditionKind) -> Value {
    let causes = explained["conditions"].as_array().unwrap();
    causes.iter().find(|cause| cause["kind"] == kind.name()).unwrap().clone()
}

/// The lines of `why` about one cause; none: it does not name it.
fn lines(why: &str, kind: ConditionKind) -> Option<String> {
    let begin = format!("  {}", kind.name());
    let mut lines = why.lines().skip_while(|line| {
        line.strip_prefix(&begin).is_none_or(|rest| !rest.starts_with([',', ':']))
    });
    let head = lines.next()?.to_owned();
    Some(
        lines.take_while(|line| line.starts_with("    ")).fold(head, |all, line| all + "\n" + line),
    )
}

#[track_caller]
fn quiet(daemon: &Daemon, kind: ConditionKind, done: &str) {
    let explained = explain(daemon);
    let cause = cause(&explained, kind);
    assert_eq!(cause["active"], false, "{done}: {cause}");
    assert_eq!(cause["affected"], json!({ "count": 0, "ids": [] }), "{done}: {cause}");
    let why = daemon.ctl().args(&["why"]).ok();
    assert_eq!(lines(&why, kind), None, "{done}: {why}");
    eprintln!("{done}\n  {}: does not hold. {}", kind.name(), cause["why"]);
}

#[track_caller]
fn holds(daemon: &Daemon, kind: ConditionKind, done: &str, ids: &[&String]) {
    let told = TOLD.iter().find(|told| told.kind == kind).unwrap();
    let explained = explain(daemon);
    let why = daemon.ctl().args(&["why"]).ok();
    let cause = cause(&explained, kind);
    let text = format!("{done}: {cause}\n{why}");
    assert_eq!(cause["active"], true, "{text}");
    let since: jiff::Timestamp = cause["since"].as_str().expect(&text).parse().unwrap();
    assert!(since <= jiff::Timestamp::now(), "{text}");
    let evidence = cause["evidence"].as_array().unwrap();
    let says = |e: &Value| e["what"].as_str().unwrap().contains(told.evidence);
    assert!(evidence.iter().any(says), "{text}");
    assert!(evidence.iter().all(|e| e["at"].is_string() == e["age_s"].is_u64()), "{text}");
    assert_eq!(cause["affected"], json!({ "count": ids.len(), "ids": ids }), "{text}");
    assert!(cause["by_itself"].as_str().unwrap().contains(told.by_itself), "{text}");
    assert_eq!(cause["by_itself_at"].is_string(), told.at, "{text}");
    assert_eq!(cause["remedy"].as_str(), told.remedy, "{text}");

    let lines = lines(&why, kind).expect(&text);
    let mut parts: BTreeSet<String> = ids.iter().map(|id| (*id).clone()).collect();
    parts.extend([told.evidence, told.by_itself].map(str::to_owned));
    parts.extend(told.remedy.map(|remedy| format!("Run: {remedy}")));
    for part in parts {
        assert!(lines.contains(&part), "{part:?} is missing. {text}");
    }
    eprintln!("{done}\n{lines}");
}

/// Runs the command that a cause's remedy is, as it is printed; where it asks, the answer
/// is yes.
#[track_caller]
fn run_remedy(daemon: &Daemon, kind: ConditionKind) {
    let cause = cause(&explain(daemon), kind);
    let remedy = cause["remedy"].as_str().unwrap().to_owned();
    let mut args: Vec<&str> = remedy.split(' ').collect();
    assert_eq!(args[0], "tetherctl", "{remedy}");
    if args[1] == "clear" {
        args.push("--yes");
    }
    daemon.ctl().args(&args[1..]).ok();
}
