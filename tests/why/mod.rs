//! What `explain` and `tetherctl why` say of each cause before, during and after it
//! holds, beside what the simulator did.

mod disk;
mod groups;
mod messages;
mod quiet;
mod refusals;
mod session;
mod shown;
mod streams;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tetherd_api::ConditionKind;

use crate::support::Daemon;
use shown::SHOWN;

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
    disk::DISK,
    session::END,
    messages::SHELF,
    messages::WAITING,
    messages::LINKS,
    messages::SERVER,
    messages::HOURS,
    messages::PACE,
    refusals::TOKEN,
    refusals::QUOTA,
    refusals::DEVICE,
    groups::GROUPS,
    streams::LOGINS,
    streams::STANZA,
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
    let told = SHOWN.iter().find(|told| told.kind == kind).unwrap();
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
    // Making room is no command.
    let verb = if kind == ConditionKind::DiskFull { "Do" } else { "Run" };
    parts.extend(told.remedy.map(|remedy| format!("{verb}: {remedy}")));
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
