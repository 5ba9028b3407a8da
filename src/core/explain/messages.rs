//! Single messages, their recipients and the pace, in words.

use super::{Words, are_n, check_failure, expire_n, messages_n, wait_n};
use crate::Core;
use crate::condition::Group;
use crate::contacts::CheckFailureKind;
use crate::pacing::{NewChatQuota, TimelockSource};
use crate::time::Now;
use tetherd_api::{MessageId, ReasonKind};

/// Longest address in a sentence, in characters; `show` has the whole.
const ADDRESS_CHARS_MAX: usize = 200;

/// Codes, details and addresses of a group as evidence.
fn details(words: Words, group: &Group) -> Words {
    let words = group.details.iter().fold(words, |words, detail| match detail {
        (Some(code), Some(detail)) => words.evidence(format!("code {code}, {detail}"), None),
        (Some(code), None) => words.evidence(format!("code {code}"), None),
        (None, Some(detail)) => words.evidence(detail.clone(), None),
        (None, None) => words,
    });
    group.addresses.iter().fold(words, |words, address| {
        let mut url: String = address.0.chars().take(ADDRESS_CHARS_MAX).collect();
        if url.len() < address.0.len() {
            url.push('…');
        }
        words.evidence(format!("asked {url}"), None)
    })
}

/// Messages that wait for a person and block no other.
pub(super) fn parked(reason: ReasonKind, group: &Group) -> Words {
    let why = match reason {
        ReasonKind::NotOnNetwork => {
            "the recipient's number or username is not on the network, or the username demands a key"
        }
        ReasonKind::LinkBroken => "a link leads nowhere",
        ReasonKind::FileUnreadable | ReasonKind::TooLarge | ReasonKind::UploadFailed => {
            "a file cannot be read, is too large, or could not be uploaded"
        }
        ReasonKind::Refused => "refused by the server",
        ReasonKind::NoAnswer => "several attempts went without an answer",
        ReasonKind::ReachoutTimelock => "to new contacts, which the server refused",
        ReasonKind::NewChatQuota => "to new contacts, of whom the account had too many",
        ReasonKind::TokenMissing => "the server misses a privacy token of the recipient",
        ReasonKind::NoDevice => "nothing could be encrypted for any device of the recipient",
        ReasonKind::AccountChanged => "another account may have sent it",
        ReasonKind::NotAdmin => "only admins may send to the group, and this account is none",
        ReasonKind::NotInGroup => "this account is not in the group, or there is none such",
        ReasonKind::GroupSuspended => "the network has suspended the group",
        ReasonKind::TargetNotSent => "the message that it is about was not sent",
        ReasonKind::NotSendable | ReasonKind::ShelfFull => {
            "not to be built or encrypted for the recipient"
        }
    };
    let count = group.ids.len();
    let first = if count == 1 { "it was parked" } else { "the first was parked" };
    let words = Words::new(group.since, format!("{} parked: {why}", are_n(count)));
    details(words.evidence(first, group.since), group)
        .touches(&group.ids)
        .by_itself(parked_by_itself(reason), None)
        .remedy(parked_remedy(reason))
}

fn parked_by_itself(reason: ReasonKind) -> &'static str {
    match reason {
        ReasonKind::LinkBroken => {
            "Nothing: they block no other message and wait for a person. `tetherctl retry ID \
             --anyway` sends a text in spite of its link."
        }
        ReasonKind::TokenMissing => {
            "Each is sent again once when its recipient writes to this account, or a token of \
             theirs arrives; they block no other message. Without that it is refused again."
        }
        ReasonKind::NotAdmin | ReasonKind::NotInGroup | ReasonKind::GroupSuspended => {
            "They go back into the queue once the network says that the group takes them."
        }
        ReasonKind::NotOnNetwork => {
            "Nothing: they block no other message and wait for a person. To a username that demands \
             a key, send again with it: @name#1234."
        }
        ReasonKind::Refused
        | ReasonKind::ReachoutTimelock
        | ReasonKind::NotSendable
        | ReasonKind::NoAnswer
        | ReasonKind::AccountChanged
        | ReasonKind::ShelfFull
        | ReasonKind::FileUnreadable
        | ReasonKind::TooLarge
        | ReasonKind::TargetNotSent
        | ReasonKind::UploadFailed
        | ReasonKind::NewChatQuota
        | ReasonKind::NoDevice => "Nothing: they block no other message and wait for a person.",
    }
}

/// Trying again helps where somebody else was in the way.
fn parked_remedy(reason: ReasonKind) -> String {
    let command = match reason {
        ReasonKind::Refused
        | ReasonKind::ReachoutTimelock
        | ReasonKind::NoAnswer
        | ReasonKind::LinkBroken
        | ReasonKind::NotAdmin
        | ReasonKind::GroupSuspended
        | ReasonKind::TokenMissing
        | ReasonKind::NewChatQuota
        | ReasonKind::NoDevice
        | ReasonKind::UploadFailed => "retry",
        ReasonKind::NotOnNetwork
        | ReasonKind::AccountChanged
        | ReasonKind::NotInGroup
        | ReasonKind::TargetNotSent
        | ReasonKind::NotSendable
        | ReasonKind::ShelfFull
        | ReasonKind::FileUnreadable
        | ReasonKind::TooLarge => "clear",
    };
    format!("tetherctl {command} --reason {}", reason.name())
}

pub(super) fn no_answer(waiting: &Group, parked_group: &Group) -> Words {
    let count = waiting.ids.len();
    if count == 0 {
        return parked(ReasonKind::NoAnswer, parked_group);
    }
    let why = format!("{} for the server's answer to an attempt", wait_n(count));
    let words = Words::new(waiting.since, why)
        .evidence("an attempt stayed without an answer", waiting.since)
        .touches(&waiting.ids)
        .by_itself(
            "Each is sent again under its id on a new connection, unless the answer comes first.",
            None,
        )
        .remedy("tetherctl reconnect");
    match parked_group.ids.len() {
        0 => words,
        count => words.evidence(
            format!("{} parked after several attempts", are_n(count)),
            parked_group.since,
        ),
    }
}

pub(super) fn number_unchecked(
    group: &Group,
    failure: Option<CheckFailureKind>,
    asking: bool,
) -> Words {
    let why = format!("{} for the network's word on the number", wait_n(group.ids.len()));
    let mut words = Words::new(group.since, why).evidence("the first began to wait", group.since);
    if let Some(kind) = failure {
        words = words.evidence(check_failure(kind), None);
    }
    if asking {
        words = words.evidence("the network is being asked", None);
    }
    words
        .touches(&group.ids)
        .by_itself("The daemon asks; after a few failures the message goes on without.", None)
}

pub(super) fn group_unchecked(group: &Group, asking: bool) -> Words {
    let why = format!("{} for the network's word on the group", wait_n(group.ids.len()));
    let mut words = Words::new(group.since, why).evidence("the first began to wait", group.since);
    if asking {
        words = words.evidence("the network is being asked", None);
    }
    words
        .touches(&group.ids)
        .by_itself("The daemon asks; after a few failures the message goes on without.", None)
}

pub(super) fn link_doubtful(group: &Group) -> Words {
    let why = format!("a link in {} could not be checked", messages_n(group.ids.len()));
    let words = Words::new(group.since, why).evidence("the first was looked at", group.since);
    details(words, group)
        .touches(&group.ids)
        .by_itself("They leave all the same: a doubt is no proof.", None)
}

pub(super) fn file_underway(preparing: &Group, uploading: &Group) -> Words {
    let kinds = [
        (preparing, "for a file to be fetched or a link to be checked"),
        (uploading, "for the upload of a file"),
    ];
    let parts = kinds.iter().filter(|(group, _)| !group.ids.is_empty());
    let parts = parts.map(|(group, what)| format!("{} {what}", wait_n(group.ids.len())));
    let why = parts.collect::<Vec<_>>().join("; ");
    let since = [preparing.since, uploading.since].into_iter().flatten().min();
    let mut ids = [&preparing.ids[..], &uploading.ids[..]].concat();
    ids.sort_unstable();
    let words = Words::new(since, why).evidence("the first began to wait", since);
    details(details(words, preparing), uploading)
        .touches(&ids)
        .by_itself("They go on by themselves, or are parked with a reason.", None)
}

pub(super) fn not_before(group: &Group, due: i64) -> Words {
    let why = format!("{} for the time that was asked for", wait_n(group.ids.len()));
    Words::new(group.since, why)
        .evidence("the first was accepted with its time", group.since)
        .touches(&group.ids)
        .by_itself("The first of them is due.", due)
}

pub(super) fn reachout_timelock(
    since: i64,
    until: i64,
    source: Option<TimelockSource>,
    ids: &[MessageId],
) -> Words {
    let Some(source) = source else {
        return Words::new(
            since,
            "the server is asked whether it refuses messages to new contacts",
        )
        .evidence("the server refused a message to a new contact (463)", None)
        .touches(ids)
        .by_itself("Messages to new contacts rest until the answer.", until);
    };
    let source = match source {
        TimelockSource::Announced => "the server named its end",
        TimelockSource::Assumed => "the server named no end; this one is assumed",
    };
    Words::new(since, "the server refuses messages to new contacts for a time")
        .evidence(source, since)
        .touches(ids)
        .by_itself("Chats that exist go on; the others leave when it ends.", until)
}

pub(super) fn new_chat_quota(quota: &NewChatQuota, ids: &[MessageId]) -> Words {
    let count = match (quota.used, quota.total) {
        (Some(used), Some(total)) => format!("{used} of {total} new chats of this cycle are used"),
        (Some(used), None) => format!("{used} new chats of this cycle are used"),
        (None, _) => {
            "the server refused a new chat (475) and has not said how many there may be".to_owned()
        }
    };
    let why = if quota.used_up {
        "the account may begin no more new chats for now"
    } else {
        "the account has begun nearly as many new chats as it may"
    };
    let words = Words::new(quota.since, why).evidence(count, quota.since).touches(ids);
    let words = if quota.assumed {
        words.evidence("the server named no end of the cycle; this one is assumed", None)
    } else {
        words
    };
    let what = if quota.used_up {
        "Chats that exist go on; the others leave when the next cycle begins."
    } else {
        "Nothing is held. The count begins anew with the next cycle."
    };
    words.by_itself(what, quota.until)
}

pub(super) fn outside_hours(since: i64, until: i64, late: usize) -> Words {
    let words = Words::new(since, "it is outside the sending hours ([pacing] hours)")
        .evidence("they ended", since)
        .by_itself("The sending hours begin, and messages leave at the pace.", until);
    match late {
        0 => words,
        late => words.evidence(format!("{} before they begin again", expire_n(late)), None),
    }
}

pub(super) fn rate_limited(since: i64, until: i64, code: u32) -> Words {
    Words::new(since, "the server asked to slow down")
        .evidence(format!("the server answered with code {code}"), since)
        .by_itself("After a longer pause the next message leaves.", until)
}

impl Core {
    pub(super) fn pacing(&self, since: i64, until: i64, now: Now) -> Words {
        let (limit, window) = self.pace_rule();
        let kept = match self.config.pace_reserve {
            0 => String::new(),
            kept => format!(", {kept} of them kept for high priority"),
        };
        let rule = format!("at most {limit} messages leave in any {window} s{kept}");
        let words = Words::new(since, rule);
        let words = self.spent(words, now);
        match self.sends(now) {
            (Some(next), Some(last)) if last > next => {
                words.by_itself("The last message that waits leaves.", last.0)
            }
            (Some(_) | None, _) => words.by_itself("The next slot is free.", until),
        }
    }

    /// So many messages in so many seconds.
    pub(super) fn pace_rule(&self) -> (usize, u64) {
        (self.config.pace_limit, self.config.window_ms.div_ceil(1_000))
    }

    pub(super) fn spent(&self, words: Words, now: Now) -> Words {
        let spent = messages_n(self.pacing.status(now).spent);
        let last = self.pacing.last_spent().map(|at| self.wall_of(at, now).0);
        words.evidence(format!("{spent} left in the last window"), last)
    }

    /// The server's refusals of messages by code.
    pub(super) fn refusals(&self, words: Words) -> Words {
        self.session.refusals().iter().fold(words, |words, refusal| {
            let (code, count) = (refusal.code, refusal.count);
            words.evidence(format!("code {code}, {count} in all, the last"), refusal.last)
        })
    }
}
