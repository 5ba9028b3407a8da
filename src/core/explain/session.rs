//! The session, the store, the clock, and what commands have done, in words.

use super::{Words, end_reason};
use crate::condition::{LastHour, PairingStage};
use crate::event::{ChallengeKind, EndReason};

pub(super) const OTHER_SESSION: &str = "another WhatsApp Web session took over";

pub(super) fn store_trouble(since: i64, records: usize) -> Words {
    let were = if records == 1 { "1 record was" } else { &format!("{records} records were") };
    Words::new(since, format!("{were} damaged and quarantined at the start"))
        .evidence("found when the store was opened", since)
        .by_itself("The rest goes on; the quarantined records stay where they are.", None)
        .remedy("journalctl -u tetherd -g quarantined")
}

pub(super) fn disk_full(since: i64) -> Words {
    Words::new(since, "the disk of the state directory is full, and no new message is taken")
        .evidence("there is no room that the store does not need itself", since)
        .by_itself(
            "What waits is sent. New messages are taken again seconds after 20 MiB are free.",
            None,
        )
        .remedy("make room on that disk; `tetherctl queue`, `cancel` and `clear` work meanwhile")
}

pub(super) fn not_paired(since: i64, pairing: Option<PairingStage>) -> Words {
    let words = Words::new(since, "no phone is paired").remedy("tetherctl pair");
    if pairing == Some(PairingStage::Passkey) {
        return words
            .evidence("a pairing runs, and the phone asks for a passkey", since)
            .by_itself(
                "Nothing, until somebody signs with the passkey as `tetherctl pair` shows; then \
             messages leave.",
                None,
            );
    }
    if pairing.is_some() {
        return words.evidence("a pairing runs", since).by_itself(
            "Once the phone has taken the code that `tetherctl pair` shows, messages leave.",
            None,
        );
    }
    words
        .evidence("the store holds no account's keys", since)
        .by_itself("Waiting messages are kept. Nothing is sent until a phone is paired.", None)
}

pub(super) fn integrity_challenge(since: i64, kind: ChallengeKind) -> Words {
    let by = match kind {
        ChallengeKind::Passkey => " by its passkey",
        ChallengeKind::Captcha => " by reading a picture (captcha)",
        ChallengeKind::Other => "",
    };
    Words::new(since, format!("the server asks the account to prove itself{by}"))
        .evidence("the server said so", since)
        .by_itself(
            "Messages leave until the server refuses them; it may unlink this device. Open \
             WhatsApp on the phone and do what it asks.",
            None,
        )
}

pub(super) fn other_session(since: i64, takeover_at: Option<i64>, hour: LastHour) -> Words {
    let words = Words::new(since, OTHER_SESSION)
        .evidence("the server closed the connection in its favour", since);
    let words = replaced(words, hour).remedy("tetherctl takeover");
    match takeover_at {
        Some(at) if hour.used_up => words.by_itself(
            "No more takeovers by itself are allowed in this hour; the daemon makes the next one.",
            at,
        ),
        Some(at) => words.by_itself("The daemon takes the session back.", at),
        None => words.by_itself("Nothing: the daemon does not fight for the session.", None),
    }
}

/// How often the session changed hands.
pub(super) fn replaced(words: Words, hour: LastHour) -> Words {
    let times = |count: u64| match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    };
    let words = match hour.replaced {
        0 => words,
        count => words.evidence(format!("it happened {} in the last hour", times(count)), None),
    };
    match hour.taken_back {
        (0, 0) => words,
        (by_itself, 0) => {
            words.evidence(format!("it was taken back {} by itself", times(by_itself)), None)
        }
        (by_itself, by_command) => words.evidence(
            format!(
                "it was taken back {by_itself} times by itself and {by_command} times by command"
            ),
            None,
        ),
    }
}

pub(super) fn disconnected(
    since: i64,
    ended: Option<&EndReason>,
    next_try: Option<i64>,
    tries: u32,
) -> Words {
    let reason = ended.map(|reason| format!(": {}", end_reason(reason))).unwrap_or_default();
    let words = Words::new(since, format!("there is no connection to WhatsApp{reason}"))
        .evidence("there has been none", since);
    let words = match tries {
        0 => words,
        1 => words.evidence("1 try failed", None),
        tries => words.evidence(format!("{tries} tries in a row failed"), None),
    };
    match next_try {
        Some(at) => words.by_itself("The daemon tries again.", at).remedy("tetherctl reconnect"),
        None => words.by_itself("A connection is being made.", None),
    }
}

pub(super) fn paused(since: i64) -> Words {
    Words::new(since, "the queue is paused")
        .evidence("somebody paused it", since)
        .by_itself("Waiting messages are kept. Nothing is sent until somebody resumes it.", None)
        .remedy("tetherctl resume")
}

pub(super) fn stale_backlog(since: i64, waited_ms: u64) -> Words {
    let held = span(waited_ms);
    Words::new(since, format!("the backlog was held for {held} and is not confirmed"))
        .evidence("it could have left; it was held for longer than queue.confirm_after", since)
        .by_itself(
            "Nothing is sent until somebody releases or clears it. Messages accepted since then \
             wait behind it.",
            None,
        )
        .remedy("tetherctl release")
}

fn span(ms: u64) -> String {
    match (ms / 1_000, ms / 60_000, ms / 3_600_000) {
        (seconds, 0, _) => format!("{seconds} s"),
        (_, minutes, hours) if hours < 2 => format!("{minutes} min"),
        (_, _, hours) => format!("{hours} h"),
    }
}

pub(super) fn clock_jumped(at: i64, by_ms: i64) -> Words {
    let seconds = by_ms.unsigned_abs() / 1_000;
    let direction = if by_ms < 0 { "back" } else { "forward" };
    Words::new(at, format!("the clock went {direction} by {seconds} s, or the machine slept"))
        .evidence("wall clock and monotonic clock disagree", at)
        .by_itself("The pace does not depend on it; times shown from before may look odd.", None)
        .remedy("timedatectl")
}

pub(super) fn shutting_down(since: i64) -> Words {
    Words::new(since, "the daemon is going down")
        .evidence("it was asked to end", since)
        .by_itself("Waiting messages are sent after its next start.", None)
        .remedy("systemctl start tetherd")
}
