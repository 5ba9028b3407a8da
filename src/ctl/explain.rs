//! What `why` prints: the summary, and each cause that holds with its evidence, what it
//! touches, what happens by itself, and what to type. Pure.

use crate::ctl::render::{Clock, messages, said};
use tetherd_api::{Cause, Explanation, Hold, MessageId};

/// Ids that a line names; the rest is counted.
const IDS_SHOWN: usize = 8;

/// `why`; with `all`, the causes that do not hold too.
pub fn explanation(explanation: &Explanation, all: bool, clock: &Clock) -> String {
    let mut text = format!("{}\n", said(&explanation.summary, clock));
    for cause in explanation.causes.iter().filter(|cause| cause.active) {
        text.push_str(&one_cause(cause, clock));
    }
    // A daemon that knows no causes tells its holds.
    if explanation.causes.is_empty() {
        explanation.holds.iter().for_each(|hold| text.push_str(&one_hold(hold, clock)));
    }
    if explanation.waiting > 0 {
        text.push_str(&format!("\nwaiting  {}\n", messages(explanation.waiting)));
        match (explanation.next_send_at, explanation.last_send_at) {
            (Some(next), Some(last)) if last > next => text.push_str(&format!(
                "next     {}, the last one {}\n",
                clock.until(next),
                clock.until(last)
            )),
            (Some(next), _) => text.push_str(&format!("next     {}\n", clock.until(next))),
            (None, _) => text.push_str("next     once what holds the queue is resolved\n"),
        }
    }
    if all {
        text.push_str("\nWhat does not hold:\n");
        for cause in explanation.causes.iter().filter(|cause| !cause.active) {
            let why = said(&cause.why, clock);
            text.push_str(&format!("  {:<18} {why}\n", cause.kind.name()));
            text.push_str(&evidence(cause, "                     ", clock));
        }
    }
    text
}

fn one_cause(cause: &Cause, clock: &Clock) -> String {
    let since = match cause.since {
        Some(since) => format!(", for {}", clock.since(since)),
        None => String::new(),
    };
    let mut text = format!("\n  {}{since}: {}\n", cause.kind.name(), said(&cause.why, clock));
    text.push_str(&evidence(cause, "    ", clock));
    if cause.affected.count > 0 {
        let (count, ids) = (cause.affected.count, &cause.affected.ids);
        text.push_str(&format!("    touches {}\n", touched(count, ids)));
    }
    let by_itself = said(&cause.by_itself, clock);
    match cause.by_itself_at {
        Some(at) => text.push_str(&format!("    {by_itself} That is {}.\n", clock.until(at))),
        None => text.push_str(&format!("    {by_itself}\n")),
    }
    if let Some(remedy) = &cause.remedy {
        text.push_str(&format!("    Run: {}\n", said(remedy, clock)));
    }
    text
}

fn evidence(cause: &Cause, indent: &str, clock: &Clock) -> String {
    let line = |evidence: &tetherd_api::Evidence| {
        let age = match evidence.at {
            Some(at) => format!(" ({} ago)", clock.since(at)),
            None => String::new(),
        };
        format!("{indent}- {}{age}\n", said(&evidence.what, clock))
    };
    cause.evidence.iter().map(line).collect()
}

fn touched(count: usize, ids: &[MessageId]) -> String {
    let shown: Vec<String> = ids.iter().take(IDS_SHOWN).map(ToString::to_string).collect();
    let rest = count.saturating_sub(shown.len());
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}: {}{rest}", messages(count), shown.join(", "))
}

fn one_hold(hold: &Hold, clock: &Clock) -> String {
    let remedy = said(&hold.remedy, clock);
    let remedy = if remedy.starts_with("tetherctl ") { format!("Run: {remedy}") } else { remedy };
    let mut head = format!("{} for {}", hold.kind.name(), clock.since(hold.since));
    if let Some(until) = hold.until {
        head.push_str(&format!(", ends {}", clock.until(until)));
    }
    format!("\n  {head}: {}\n    {remedy}\n", said(&hold.why, clock))
}
