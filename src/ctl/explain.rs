//! What `why` prints: the summary, and each condition that is the case with its evidence,
//! what it touches, what happens by itself, and what to type. Pure.

use crate::render::{Clock, messages, said};
use tetherd_api::{Condition, Explanation, MessageId};

/// Ids that a line names; the rest is counted.
const IDS_SHOWN: usize = 8;

/// `why`; with `all`, the conditions that are not the case too.
pub fn explanation(explanation: &Explanation, all: bool, clock: &Clock) -> String {
    let mut text = format!("{}\n", said(&explanation.summary, clock));
    for condition in explanation.conditions.iter().filter(|condition| condition.active) {
        text.push_str(&one_condition(condition, clock));
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
            (None, _) => text.push_str("next     once what holds them is resolved\n"),
        }
    }
    if all {
        text.push_str("\nNot the case now:\n");
        for condition in explanation.conditions.iter().filter(|condition| !condition.active) {
            let why = said(&condition.why, clock);
            text.push_str(&format!("  {:<18} {why}\n", condition.kind.name()));
            text.push_str(&evidence(condition, "                     ", clock));
        }
    }
    text
}

/// A condition that is the case, after an empty line.
pub(crate) fn one_condition(condition: &Condition, clock: &Clock) -> String {
    let mut head = condition.kind.name().to_owned();
    if let Some(since) = condition.since {
        head.push_str(&format!(", for {}", clock.since(since)));
    }
    if let Some(until) = condition.until.filter(|until| condition.by_itself_at != Some(*until)) {
        head.push_str(&format!(", ends {}", clock.until(until)));
    }
    let mut text = format!("\n  {head}: {}\n", said(&condition.why, clock));
    text.push_str(&evidence(condition, "    ", clock));
    if condition.affected.count > 0 {
        let (count, ids) = (condition.affected.count, &condition.affected.ids);
        text.push_str(&format!("    touches {}\n", touched(count, ids)));
    }
    let by_itself = said(&condition.by_itself, clock);
    match condition.by_itself_at {
        Some(at) => {
            let by_itself = by_itself.trim_end_matches('.');
            text.push_str(&format!("    {by_itself} {}.\n", clock.until(at)));
        }
        None => text.push_str(&format!("    {by_itself}\n")),
    }
    if let Some(remedy) = &condition.remedy {
        text.push_str(&format!(
            "    {}: {}\n",
            if is_command(remedy) { "Run" } else { "Do" },
            said(remedy, clock)
        ));
    }
    text
}

/// Whether a remedy can be typed as it is.
fn is_command(remedy: &str) -> bool {
    let program = remedy.split(' ').next();
    program
        .is_some_and(|name| ["tetherctl", "systemctl", "journalctl", "timedatectl"].contains(&name))
}

fn evidence(condition: &Condition, indent: &str, clock: &Clock) -> String {
    let line = |evidence: &tetherd_api::Evidence| {
        let age = match evidence.at {
            Some(at) => format!(" ({} ago)", clock.since(at)),
            None => String::new(),
        };
        format!("{indent}- {}{age}\n", said(&evidence.what, clock))
    };
    condition.evidence.iter().map(line).collect()
}

fn touched(count: usize, ids: &[MessageId]) -> String {
    let shown: Vec<String> = ids.iter().take(IDS_SHOWN).map(ToString::to_string).collect();
    let rest = count.saturating_sub(shown.len());
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}: {}{rest}", messages(count), shown.join(", "))
}
