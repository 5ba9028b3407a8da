//! The causes that lie with the daemon and its session.

use super::{Draft, wait_n};
use crate::situation::Situation;

pub(super) fn store_trouble(now: &Situation) -> Draft {
    if now.set_aside == 0 {
        return Draft::quiet("Every record of the store read well when it was opened.");
    }
    let records = match now.set_aside {
        1 => "1 record was".to_owned(),
        count => format!("{count} records were"),
    };
    Draft::holds(Some(now.started_at), format!("{records} damaged and set aside at the start."))
        .evidence("found when the store was opened", Some(now.started_at))
        .by_itself("The rest goes on; what was set aside stays where it is.", None)
        .remedy("journalctl -u tetherd -g 'set aside'")
}

pub(super) fn not_paired(now: &Situation) -> Draft {
    let Some((since, pairing)) = now.session.not_paired else {
        return Draft::quiet("A phone is paired.");
    };
    let draft = Draft::holds(Some(since), "No phone is paired.").affects(&now.waiting);
    if pairing {
        return draft
            .evidence("a pairing runs", Some(since))
            .by_itself("Once the phone has taken the code, messages leave.", None)
            .remedy("tetherctl pair");
    }
    draft
        .evidence("the store holds no account's keys", Some(since))
        .by_itself("Nothing, until a phone is paired; what waits is kept.", None)
        .remedy("tetherctl pair")
}

pub(super) fn logged_out(now: &Situation) -> Draft {
    let Some((since, code)) = now.session.logged_out else {
        return Draft::quiet("The account knows this device.");
    };
    let evidence = match code {
        Some(code) => format!("the server said so (code {code})"),
        None => "the server said so".to_owned(),
    };
    Draft::holds(Some(since), "The account no longer knows this device.")
        .evidence(evidence, Some(since))
        .affects(&now.waiting)
        .by_itself("Nothing, until a phone is paired again; what waits is kept.", None)
        .remedy("tetherctl pair")
}

pub(super) fn banned(now: &Situation) -> Draft {
    let Some((since, until, code)) = now.session.banned else {
        return Draft::quiet("The account is not banned.");
    };
    Draft::holds(Some(since), "The server banned the account for a time.")
        .evidence(format!("the server said so (code {code})"), Some(since))
        .affects(&now.waiting)
        .by_itself("The daemon connects when the ban ends.", Some(until))
}

pub(super) fn client_outdated(now: &Situation) -> Draft {
    let Some(since) = now.session.outdated else {
        return Draft::quiet("The server takes this client version.");
    };
    Draft::holds(Some(since), "The server refuses this client version.")
        .evidence("the server refused the login (code 405)", Some(since))
        .affects(&now.waiting)
        .by_itself(
            "Nothing: install a newer tetherd, or set session.client_version and restart it.",
            None,
        )
        .remedy("systemctl restart tetherd")
}

pub(super) fn other_session(now: &Situation) -> Draft {
    let session = &now.session;
    let often = |draft: Draft| match session.replaced_last_hour {
        0 => draft,
        1 => draft.evidence("it happened once in the last hour", None),
        count => draft.evidence(format!("it happened {count} times in the last hour"), None),
    };
    let Some(since) = session.replaced else {
        return often(Draft::quiet("No other session has taken over."));
    };
    let draft = Draft::holds(Some(since), "Another WhatsApp Web session took over.")
        .evidence("the server closed the connection in its favour", Some(since));
    let draft = often(draft).affects(&now.waiting).remedy("tetherctl takeover");
    match (session.takeover_at, session.takeovers_used_up_until) {
        (Some(at), None) => draft.by_itself("The daemon takes the session back.", Some(at)),
        (Some(at), Some(_)) => draft.by_itself(
            "It was taken back as often as it may be in an hour; the next time is set.",
            Some(at),
        ),
        (None, _) => draft.by_itself("Nothing: the daemon does not fight for the session.", None),
    }
}

pub(super) fn disconnected(now: &Situation) -> Draft {
    let Some(down) = &now.session.down else {
        let draft = Draft::quiet(match now.session.connected_since {
            Some(_) => "There is a connection to WhatsApp.",
            None => "No connection is wanted now.",
        });
        return match now.session.connected_since {
            Some(since) => draft.evidence("logged in", Some(since)),
            None => draft,
        };
    };
    let why = match &down.detail {
        Some(detail) => format!("There is no connection to WhatsApp: {detail}."),
        None => "There is no connection to WhatsApp.".to_owned(),
    };
    let draft = Draft::holds(Some(down.since), why).affects(&now.waiting);
    let draft = draft.evidence("there has been none", Some(down.since));
    let draft = match down.tries {
        0 => draft,
        1 => draft.evidence("1 try failed", None),
        tries => draft.evidence(format!("{tries} tries in a row failed"), None),
    };
    match down.next_try {
        Some(at) => {
            draft.by_itself("The daemon tries again.", Some(at)).remedy("tetherctl reconnect")
        }
        None => draft.by_itself("A connection is being made.", None),
    }
}

pub(super) fn paused(now: &Situation) -> Draft {
    let Some(since) = now.paused_since else {
        return Draft::quiet("The queue is not paused.");
    };
    Draft::holds(Some(since), "The queue is paused.")
        .evidence("somebody paused it", Some(since))
        .affects(&now.waiting)
        .by_itself("Nothing, until somebody resumes it; what waits is kept.", None)
        .remedy("tetherctl resume")
}

pub(super) fn stale_backlog(now: &Situation) -> Draft {
    let Some(since) = now.backlog_since else {
        return Draft::quiet("No backlog waits for a confirmation.");
    };
    let why = format!("{} so long that a person is to look first.", wait_n(now.waiting.len()));
    Draft::holds(Some(since), why)
        .evidence("the hold before it lasted longer than queue.confirm_after", Some(since))
        .affects(&now.waiting)
        .by_itself("Nothing, until somebody releases or clears it.", None)
        .remedy("tetherctl release")
}

/// For how long a jump is told.
const JUMP_TOLD_MS: i64 = 24 * 60 * 60 * 1_000;

pub(super) fn clock_jumped(now: &Situation) -> Draft {
    let Some(jump) = now.clock_jump else {
        return Draft::quiet("The clock has run evenly.");
    };
    let (seconds, where_to) =
        (jump.by_ms.unsigned_abs() / 1_000, if jump.by_ms < 0 { "back" } else { "forward" });
    let recent = now.now.saturating_sub(jump.at) < JUMP_TOLD_MS;
    let why = format!("The clock went {where_to} by {seconds} s, or the machine slept.");
    let draft = if recent {
        Draft::holds(Some(jump.at), why)
    } else {
        Draft { since: Some(jump.at), ..Draft::quiet(why) }
    };
    draft
        .evidence("wall clock and monotonic clock disagree", Some(jump.at))
        .by_itself("The pace does not depend on it; times shown from before may look odd.", None)
        .remedy("timedatectl")
}

pub(super) fn shutting_down(now: &Situation) -> Draft {
    let Some(since) = now.draining_since else {
        return Draft::quiet("The daemon runs.");
    };
    Draft::holds(Some(since), "The daemon is going down.")
        .evidence("it was told to end", Some(since))
        .affects(&now.waiting)
        .by_itself("What waits is sent after its next start.", None)
        .remedy("systemctl start tetherd")
}
