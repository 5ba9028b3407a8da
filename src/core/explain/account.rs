//! What the server holds against the account or this client, in words: what it means, what
//! to do, and what not to do.

use super::{Words, are_n, in_code, wait_n};
use crate::condition::Group;
use crate::time::Now;
use crate::trouble::{AccountTrouble, TroubleKind};
use tetherd_api::{Error, ErrorKind, MessageId, Time};

/// What is the case, as a clause.
pub(super) fn what(kind: TroubleKind, code: Option<u32>) -> String {
    let what = match kind {
        TroubleKind::LoggedOut => "the account no longer knows this device",
        TroubleKind::Locked => "WhatsApp has locked the account",
        TroubleKind::BannedForGood => "WhatsApp has banned the account",
        TroubleKind::Banned => "the server banned the account for a time",
        TroubleKind::Outdated => "the server refuses this client version",
        TroubleKind::Declined => "the server refuses this login",
    };
    format!("{what}{}", in_code(code))
}

pub(super) fn trouble(trouble: &AccountTrouble, linked: bool) -> Words {
    let AccountTrouble { kind, since, code, last, refused, .. } = trouble;
    let words = Words::new(*since, what(*kind, *code));
    let words = match kind {
        TroubleKind::Outdated => words.evidence("the server refused the login (code 405)", *since),
        TroubleKind::LoggedOut
        | TroubleKind::Locked
        | TroubleKind::BannedForGood
        | TroubleKind::Banned
        | TroubleKind::Declined => {
            words.evidence(format!("the server said so{}", in_code(*code)), *since)
        }
    };
    let words = match &trouble.text {
        Some(text) => words.evidence(format!("the server's text: \"{}\"", text.as_str()), *last),
        None => words,
    };
    let words = if *refused > 1 {
        words.evidence(format!("{refused} logins in a row were refused"), *last)
    } else {
        words
    };
    let words = if trouble.enforced {
        words.evidence(
            "it had restricted the account just before: it was the server that unlinked this \
             device, not somebody at the phone",
            *since,
        )
    } else {
        words
    };
    if linked || *kind == TroubleKind::LoggedOut {
        next(words, trouble)
    } else {
        words
            .by_itself(
                "Nothing is sent until a phone is paired. Pairing again does not end this and can \
             make it worse: look at WhatsApp on the phone first.",
                None,
            )
            .remedy("tetherctl pair --anyway")
    }
}

/// What happens by itself, and what to do.
fn next(words: Words, trouble: &AccountTrouble) -> Words {
    match trouble.kind {
        TroubleKind::LoggedOut if trouble.enforced => words
            .by_itself(
                "Waiting messages are kept. Look at WhatsApp on the phone before anything else, \
                 and pair again only when the restriction is over: linking anew at once makes \
                 it worse.",
                None,
            )
            .remedy("tetherctl pair"),
        TroubleKind::LoggedOut => words
            .by_itself(
                "Waiting messages are kept. Nothing is sent until a phone is paired again.",
                None,
            )
            .remedy("tetherctl pair"),
        TroubleKind::Locked => words.by_itself(
            "Open WhatsApp on the phone and do what it asks for. Do not pair again: this device \
             stays linked, and its keys may work again. The daemon tries one login, and each \
             further one later than the last.",
            trouble.next,
        ),
        TroubleKind::BannedForGood => words
            .by_itself(
                "Nothing: the daemon makes no more logins. Appeal in WhatsApp on the phone (\
                 \"Request a review\"). Do not pair again. Once the phone works again, reconnect.",
                None,
            )
            .remedy("tetherctl reconnect"),
        TroubleKind::Banned if trouble.ends => {
            words.by_itself("The daemon connects when the ban ends.", trouble.next)
        }
        TroubleKind::Banned => words.by_itself(
            "The server named no end: WhatsApp on the phone shows it. Do not pair again. The \
             daemon tries one login, and each further one later than the last.",
            trouble.next,
        ),
        TroubleKind::Outdated => words
            .by_itself(
                "Nothing: install a newer tetherd, or set session.client_version and restart it.",
                None,
            )
            .remedy("systemctl restart tetherd"),
        TroubleKind::Declined => words
            .by_itself(
                "Nothing: trying again changes nothing. Ask whoever maintains tetherd, with this \
                 code; after a change, reconnect.",
                None,
            )
            .remedy("tetherctl reconnect"),
    }
}

/// Messages of an account that is not the one that is linked.
pub(super) fn changed(held: &Group, parked: &Group) -> Words {
    let since = held.since.or(parked.since);
    let ids: Vec<MessageId> = held.ids.iter().chain(&parked.ids).copied().collect();
    let why = format!("{} for another account than the one that is linked", wait_n(ids.len()));
    let words = Words::new(since, why)
        .touches(&ids)
        .evidence("another account was linked while they waited", since);
    let words = match parked.ids.len() {
        0 => words,
        count => words.evidence(
            format!("{} parked: they may have left before and are not sent again", are_n(count)),
            parked.since,
        ),
    };
    let words = words.by_itself(
        "They leave by themselves only if their account is linked again. `tetherctl release` \
         lets the linked account send those that have not left; `tetherctl clear` withdraws \
         messages. Others go on.",
        None,
    );
    let clear = "tetherctl clear --reason account_changed";
    words.remedy(if held.ids.is_empty() { clear } else { "tetherctl release" })
}

pub(super) fn client_expires(warned: i64, at: i64) -> Words {
    Words::new(warned, format!("the server takes this client version until {}", Time(at)))
        .evidence("the server named the date", None)
        .by_itself(
            "From then on it may refuse the login, and nothing is sent. Install a newer tetherd, \
             or set session.client_version and restart it.",
            at,
        )
        .remedy("systemctl restart tetherd")
}

/// Why the account's login is not tried now, if another try would come too soon.
pub(crate) fn too_soon(trouble: &AccountTrouble, now: Now) -> Option<Error> {
    let refuse = |sentence: String, remedy, at: i64| {
        let left = u64::try_from(at.saturating_sub(now.wall_ms)).unwrap_or(0);
        Error::new(ErrorKind::WrongState, sentence).remedy(remedy).retry_after_ms(left)
    };
    if let Some(until) = trouble.next.filter(|_| trouble.ends) {
        let sentence = format!("The account is banned until {}.", Time(until));
        return Some(refuse(sentence, "wait; the daemon connects when the ban ends", until));
    }
    let at = trouble.last.saturating_add(LOGIN_BY_COMMAND_PAUSE_MS);
    let early = trouble.kind.bars_the_account() && at > now.wall_ms && trouble.last <= now.wall_ms;
    early.then(|| {
        let what = super::sentence(&what(trouble.kind, trouble.code));
        let sentence = format!("{what} Another login before {} would make it worse.", Time(at));
        refuse(sentence, "look at WhatsApp on the phone; tetherctl why", at)
    })
}

/// After a refused login of an account that is locked or banned, the next one by command
/// comes at least this much later, in milliseconds.
const LOGIN_BY_COMMAND_PAUSE_MS: i64 = 60 * 60 * 1_000;

/// Why there is no pairing into a lock or a ban.
pub(crate) fn barred(trouble: &AccountTrouble) -> Error {
    let what = super::sentence(&what(trouble.kind, trouble.code));
    let until = trouble.next.filter(|_| trouble.ends);
    let until = until.map(|until| format!(" It ends at {}.", Time(until))).unwrap_or_default();
    let sentence = format!(
        "{what}{until} Pairing does not end this and can make it worse; look at WhatsApp on the \
         phone first."
    );
    let error = Error::new(ErrorKind::AccountBarred, sentence);
    error.remedy("if it is another account, or all the same: tetherctl pair --anyway")
}
