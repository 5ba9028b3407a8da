//! What is judged, as tables: the kinds of all cases stand in `kinds.golden.txt`, the words of a
//! sample in `sample.golden.txt`.

mod around;
mod daemon;
mod target;

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::tz::TimeZone;

use super::finding::{Finding, Severity, Topic, exit, summary};
use crate::render::Clock;
use expect_test::expect_file;
use tetherd_api::exit::ExitCode;

/// A case: what it is called, and what is found.
type Case = (&'static str, Vec<Finding>);

/// Severity, exit code and id of each finding.
fn kinds(cases: &[Case]) -> String {
    let mut text = String::new();
    for (name, findings) in cases {
        writeln!(text, "{name}").unwrap();
        for Finding { topic, severity, exit, id, .. } in findings {
            let code = exit.map(|code| format!(" {code}")).unwrap_or_default();
            writeln!(text, "  {}: {}{code} {id}", topic.name(), severity.name()).unwrap();
        }
    }
    text
}

/// The words of the first finding of each topic and severity.
fn sample(cases: &[Case]) -> String {
    let findings = cases.iter().flat_map(|(_, findings)| findings);
    let mut first = BTreeMap::new();
    for finding in findings {
        first.entry((finding.topic, finding.severity)).or_insert(finding);
    }
    let clock = Clock { now_ms: 0, zone: TimeZone::UTC };
    first.values().map(|finding| finding.text(&clock)).collect()
}

fn all() -> Vec<Case> {
    [around::configuration(), around::state(), around::service(), around::socket()]
        .into_iter()
        .chain([daemon::access(), daemon::version(), daemon::messages()])
        .chain([around::clock(), around::network()])
        .flatten()
        .collect()
}

#[test]
fn each_case_has_the_findings_that_were_agreed() {
    expect_file!["kinds.golden.txt"].assert_eq(&kinds(&all()));
}

#[test]
fn findings_read_as_they_were_agreed() {
    expect_file!["sample.golden.txt"].assert_eq(&sample(&all()));
}

#[test]
fn an_id_has_one_topic_is_snake_case_and_says_a_sentence_with_a_remedy_if_it_is_bad() {
    let mut topics: BTreeMap<&str, Topic> = BTreeMap::new();
    for finding in all().into_iter().flat_map(|case| case.1) {
        let Finding { id, severity, topic, what, remedy, exit } = &finding;
        let known = topics.entry(id).or_insert(*topic);
        assert!(known == topic || *id == "network_not_checked", "{id}");
        assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
        assert!(what.ends_with('.') && !what.contains('\n'), "{id}: {what}");
        assert_eq!(exit.is_some(), *severity == Severity::Failure, "{id}");
        assert!(*severity < Severity::Warning || remedy.is_some(), "{id}");
        assert!(exit.is_none_or(|code| !code.for_tetherctl().is_empty()), "{id}");
    }
}

#[test]
fn every_severity_has_its_exit_code_and_the_first_failure_gives_its_own() {
    let about = Topic::Socket;
    let (ok, note) = (about.ok("a", "A."), about.note("b", "B."));
    let warning = about.warning("c", "C.");
    let denied = about.failure("d", ExitCode::NoPerm, "D.");
    let absent = about.failure("e", ExitCode::Unavailable, "E.");
    assert_eq!(exit(&[]), ExitCode::Ok);
    assert_eq!(exit(&[ok.clone(), note.clone()]), ExitCode::Ok);
    assert_eq!(exit(&[warning.clone(), note.clone()]), ExitCode::No);
    assert_eq!(exit(&[warning.clone(), denied.clone(), absent.clone()]), ExitCode::NoPerm);
    assert_eq!(summary(&[ok.clone(), ok.clone()]), "nothing to say; 2 ok");
    let all = [ok, note.clone(), note, warning, denied, absent];
    assert_eq!(summary(&all), "2 failures, 1 warning, 2 notes; 1 ok");
}

#[test]
fn a_finding_is_one_object_with_json_and_columns_for_people() {
    let finding = Topic::Socket
        .failure("socket_stale", ExitCode::Unavailable, "Nobody listens.")
        .remedy("tetherd");
    assert_eq!(
        serde_json::to_string(&finding).unwrap(),
        r#"{"id":"socket_stale","severity":"failure","topic":"socket","what":"Nobody listens.","remedy":"tetherd"}"#
    );
    let clock = Clock { now_ms: 0, zone: TimeZone::UTC };
    assert_eq!(
        finding.text(&clock),
        "failure  socket         Nobody listens.\n                        -> tetherd\n"
    );
}
