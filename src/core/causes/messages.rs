//! The causes that lie with single messages, their recipients, and the pace.

use super::{Draft, messages_n, wait_n};
use crate::situation::{Group, Situation};
use tetherd_api::{CauseKind, ReasonKind};

/// The parked messages whose reasons belong to this cause, as one group.
fn parked(now: &Situation, cause: CauseKind) -> Group {
    let mut all = Group::default();
    let of_cause = ReasonKind::ALL.into_iter().filter(|kind| CauseKind::from(*kind) == cause);
    for group in of_cause.filter_map(|kind| now.parked.get(&kind)) {
        all.ids.extend(&group.ids);
        all.details.extend(group.details.iter().cloned());
        all.since = match (all.since, group.since) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    all.ids.sort_unstable();
    all
}

fn details(draft: Draft, group: &Group) -> Draft {
    group.details.iter().fold(draft, |draft, detail| draft.evidence(detail.clone(), None))
}

/// Messages that are set aside: they block nothing, and wait for a person.
fn set_aside(group: &Group, why: &str, quiet: &str, remedy: &str) -> Draft {
    if group.is_empty() {
        return Draft::quiet(quiet);
    }
    let why = format!("{} set aside: {why}.", are(group.ids.len()));
    let first = if group.ids.len() == 1 { "it was set aside" } else { "the first was set aside" };
    details(Draft::holds(group.since, why).evidence(first, group.since), group)
        .affects(&group.ids)
        .by_itself("Nothing: they block no other message and wait for a person.", None)
        .remedy(remedy)
}

fn are(count: usize) -> String {
    let verb = if count == 1 { "is" } else { "are" };
    format!("{} {verb}", messages_n(count))
}

pub(super) fn not_on_network(now: &Situation) -> Draft {
    set_aside(
        &parked(now, CauseKind::NotOnNetwork),
        "the recipient's number is not on the network",
        "No message is set aside for a number that is not on the network.",
        "tetherctl clear --reason not_on_network",
    )
}

pub(super) fn link_broken(now: &Situation) -> Draft {
    set_aside(
        &parked(now, CauseKind::LinkBroken),
        "a link leads nowhere",
        "No message is set aside for a broken link.",
        "tetherctl retry --reason link_broken",
    )
}

pub(super) fn file_trouble(now: &Situation) -> Draft {
    let group = parked(now, CauseKind::FileTrouble);
    let kinds = [ReasonKind::FileUnreadable, ReasonKind::TooLarge, ReasonKind::UploadFailed];
    let first = kinds.into_iter().find(|kind| now.parked.contains_key(kind));
    let first = first.unwrap_or(ReasonKind::FileUnreadable);
    let remedy = if first == ReasonKind::UploadFailed {
        "tetherctl retry --reason upload_failed".to_owned()
    } else {
        format!("tetherctl clear --reason {}", first.name())
    };
    set_aside(
        &group,
        "a file cannot be read, is too large, or could not be uploaded",
        "No message is set aside for its file.",
        &remedy,
    )
}

pub(super) fn refused(now: &Situation) -> Draft {
    let group = parked(now, CauseKind::Refused);
    let draft = set_aside(
        &group,
        "refused by the server",
        "No message is set aside for a refusal.",
        "tetherctl retry --reason refused",
    );
    now.refusals.iter().fold(draft, |draft, (code, (count, last))| {
        draft.evidence(format!("code {code}, {count} in all, the last"), Some(*last))
    })
}

pub(super) fn not_sendable(now: &Situation) -> Draft {
    set_aside(
        &parked(now, CauseKind::NotSendable),
        "not to be built or encrypted for the recipient",
        "No message is set aside for what it is.",
        "tetherctl clear --reason not_sendable",
    )
}

pub(super) fn no_answer(now: &Situation) -> Draft {
    let shelf = parked(now, CauseKind::NoAnswer);
    if now.unanswered.is_empty() {
        return set_aside(
            &shelf,
            "several attempts went without an answer",
            "The server has answered every attempt.",
            "tetherctl retry --reason no_answer",
        );
    }
    let count = now.unanswered.ids.len();
    let why = format!("{} for the server's answer to an attempt.", wait_n(count));
    let draft = Draft::holds(now.unanswered.since, why)
        .evidence("an attempt stayed without an answer", now.unanswered.since)
        .affects(&now.unanswered.ids)
        .by_itself(
            "Each is sent again under its id on a new connection, unless the answer comes first.",
            None,
        )
        .remedy("tetherctl reconnect");
    if shelf.is_empty() {
        return draft;
    }
    let parked = format!("{} set aside after several attempts", are(shelf.ids.len()));
    draft.evidence(parked, shelf.since)
}

pub(super) fn number_unchecked(now: &Situation) -> Draft {
    let group = &now.unchecked;
    if group.is_empty() {
        return Draft::quiet("No message waits for the network's word on a number.");
    }
    let why = format!("{} for the network's word on the number.", wait_n(group.ids.len()));
    let draft = Draft::holds(group.since, why).evidence("the first began to wait", group.since);
    details(draft, group)
        .affects(&group.ids)
        .by_itself("The daemon asks; after a few failures the message goes on without.", None)
}

pub(super) fn link_doubtful(now: &Situation) -> Draft {
    let group = &now.doubtful;
    if group.is_empty() {
        return Draft::quiet("No link of a waiting message is in doubt.");
    }
    let why = format!("A link in {} could not be checked.", messages_n(group.ids.len()));
    let draft = Draft::holds(group.since, why).evidence("the first was looked at", group.since);
    details(draft, group)
        .affects(&group.ids)
        .by_itself("They leave all the same: a doubt is no proof.", None)
}

pub(super) fn file_underway(now: &Situation) -> Draft {
    if now.preparing.is_empty() && now.uploading.is_empty() {
        return Draft::quiet("No file is on its way.");
    }
    let mut parts = Vec::new();
    if !now.preparing.is_empty() {
        let count = now.preparing.ids.len();
        parts.push(format!("{} for a file or a link to be looked at", wait_n(count)));
    }
    if !now.uploading.is_empty() {
        parts.push(format!("{} for the upload of a file", wait_n(now.uploading.ids.len())));
    }
    let mut ids = [&now.preparing.ids[..], &now.uploading.ids[..]].concat();
    ids.sort_unstable();
    let since = [now.preparing.since, now.uploading.since].into_iter().flatten().min();
    let draft = Draft::holds(since, format!("{}.", parts.join("; ")));
    let draft = draft.evidence("the first began to wait", since);
    let draft = details(details(draft, &now.preparing), &now.uploading);
    draft.affects(&ids).by_itself("They go on by themselves, or are set aside with a reason.", None)
}

pub(super) fn not_before(now: &Situation) -> Draft {
    if now.early.is_empty() {
        return Draft::quiet("No message waits for its time.");
    }
    let why = format!("{} for the time that was asked for.", wait_n(now.early.ids.len()));
    Draft::holds(now.early.since, why)
        .evidence("the first was accepted with its time", now.early.since)
        .affects(&now.early.ids)
        .by_itself("The first of them is due.", now.early_due)
}

pub(super) fn reachout_timelock(now: &Situation) -> Draft {
    let Some(lock) = &now.timelock else {
        return set_aside(
            &parked(now, CauseKind::ReachoutTimelock),
            "to new contacts, which the server refused",
            "The server takes messages to new contacts.",
            "tetherctl retry --reason reachout_timelock",
        );
    };
    let told = if lock.told {
        "the server named its end"
    } else {
        "the server refused a message (463) and named no end; this one is assumed"
    };
    Draft::holds(Some(lock.since), "The server refuses messages to new contacts for a time.")
        .evidence(told, Some(lock.since))
        .affects(&lock.ids)
        .by_itself("Chats that exist go on; the others leave when it ends.", Some(lock.until))
}

pub(super) fn rate_limited(now: &Situation) -> Draft {
    let Some(slow) = now.slowdown else {
        return Draft::quiet("The server has not asked to slow down.");
    };
    let evidence = match slow.code {
        Some(code) => format!("the server answered with code {code}"),
        None => "the server said so".to_owned(),
    };
    Draft::holds(Some(slow.since), "The server asked to slow down.")
        .evidence(evidence, Some(slow.since))
        .affects(&now.waiting)
        .by_itself("The next message leaves after a longer pause.", Some(slow.until))
}

pub(super) fn pacing(now: &Situation) -> Draft {
    let pacing = &now.pacing;
    let rule = format!("{} in any {} s", pacing.limit, pacing.window_ms.div_ceil(1_000));
    let spent = format!("{} left in the last window", messages_n(pacing.spent));
    let Some(next) = pacing.next_slot.filter(|_| !now.waiting.is_empty()) else {
        return Draft::quiet(format!("The pace, {rule}, holds nothing up."))
            .evidence(spent, pacing.last_attempt);
    };
    let why = format!("{} for their turn: at most {rule} leave.", wait_n(now.waiting.len()));
    let draft = Draft::holds(pacing.last_attempt, why)
        .evidence(spent, pacing.last_attempt)
        .affects(&now.waiting);
    match pacing.last_send {
        Some(last) if now.waiting.len() > 1 => {
            draft.by_itself("The last of them will have left.", Some(last))
        }
        Some(_) | None => draft.by_itself("The next slot is free.", Some(next)),
    }
}
