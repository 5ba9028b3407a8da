//! What the server wants of the connection, in words.

use super::Words;
use crate::session::UnackedStanza;
use crate::time::{Now, wall_of};
use tetherd_api::{Error, ErrorKind, Time};

pub(super) fn login_limited(since: i64, until: i64, count: u64) -> Words {
    let words = Words::new(since, "the server wants fewer logins for now (code 429)");
    let words = match count {
        0 | 1 => words.evidence("the server said so", since),
        count => words.evidence(format!("the server said so {count} times, the last time"), since),
    };
    words.by_itself(
        "Wait: a login before then would make it worse. Waiting messages are kept, and the \
         daemon connects.",
        until,
    )
}

pub(super) fn stanza_unacked(stanza: &UnackedStanza) -> Words {
    let UnackedStanza { id, count, first, last, .. } = stanza;
    let why = format!("the server ends the stream because stanza {id} is not acknowledged");
    Words::new(*first, why)
        .evidence(format!("it has named this stanza {count} times"), *last)
        .by_itself(
            "Messages leave; each time the daemon connects again. The server sends the stanza \
             again at every login, and the daemon acknowledges it on its own then.",
            None,
        )
        .remedy("tetherctl reconnect")
}

/// Why there is no login now, and when the next one is made by itself, monotonic; none: it is
/// not.
pub(crate) fn logins_limited(until: u64, next: Option<u64>, now: Now) -> Error {
    let at = Time(wall_of(until, now));
    let sentence = format!(
        "The server wants fewer logins for now (code 429). Another one before {at} would make \
         it worse."
    );
    let remedy = match next {
        Some(next) => {
            format!("wait; the daemon connects by itself at {}", Time(wall_of(next, now)))
        }
        None => "the daemon makes no login by itself; after that time: tetherctl reconnect".into(),
    };
    Error::new(ErrorKind::WrongState, sentence)
        .remedy(remedy)
        .retry_after_ms(until.saturating_sub(now.mono_ms))
}
