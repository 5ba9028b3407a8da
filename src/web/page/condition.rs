//! A condition, as the daemon explains it, with its remedy as a button where the page has one.
//! The words are the daemon's.

use maud::{Markup, html};
use tetherd_api::{Condition, Holds, Method, ReasonKind, RestoreParams, call};

use super::layout;
use super::visit::Visit;
use super::words::{at, label, messages, said, when};

/// Messages that a condition names here; the rest is counted.
const SHOWN_MAX: usize = 12;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Fine,
    Some,
    All,
}

impl Weight {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Weight::Fine => "fine",
            Weight::Some => "some",
            Weight::All => "all",
        }
    }

    /// Not by colour alone.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Weight::Fine => "✓",
            Weight::Some => "!",
            Weight::All => "✕",
        }
    }
}

/// How much a condition weighs. What is as configured is how things should be.
pub(super) fn weight(condition: &Condition) -> Weight {
    if condition.kind.is_as_configured() {
        return Weight::Fine;
    }
    match condition.holds {
        Holds::None => Weight::Fine,
        Holds::Some => Weight::Some,
        Holds::All => Weight::All,
    }
}

/// One that is the case.
pub(super) fn card(visit: &Visit, condition: &Condition) -> Markup {
    let weight = weight(condition);
    html! {
        article class=(format!("condition {}", weight.class())) {
            h3 { span.sign aria-hidden="true" { (if weight == Weight::Fine { "i" } else { weight.sign() }) } " " (said(&condition.why)) }
            p.meta {
                code { (condition.kind.name()) }
                @if let Some(since) = condition.since { ", since " (at(since)) }
                @if let Some(until) = condition.until { ", ends " (when(until)) }
            }
            @if !condition.evidence.is_empty() {
                ul {
                    @for evidence in &condition.evidence {
                        li { (said(&evidence.what))
                            @if let Some(at) = evidence.at { ", " (when(at)) } }
                    }
                }
            }
            @if condition.affected.count > 0 { (affected(visit, condition)) }
            p {
                @match condition.by_itself_at {
                    Some(time) => {
                        (said(condition.by_itself.trim_end_matches('.'))) " " (when(time)) "."
                    }
                    None => (said(&condition.by_itself)),
                }
            }
            @if let Some(remedy) = &condition.remedy { (remedied(visit, remedy)) }
        }
    }
}

fn affected(visit: &Visit, condition: &Condition) -> Markup {
    let affected = &condition.affected;
    let shown = affected.ids.iter().take(SHOWN_MAX);
    html! {
        p.touched {
            "Touches " (messages(affected.count)) ": "
            @for (place, id) in shown.enumerate() {
                @if place > 0 { ", " }
                a href=(visit.path(&format!("message/{id}"))) { (id) }
            }
            @if affected.count > SHOWN_MAX { " and " (affected.count - SHOWN_MAX) " more" }
        }
    }
}

/// What helps: a button where the page can do it, else what to type or to do.
fn remedied(visit: &Visit, remedy: &str) -> Markup {
    html! {
        div.remedy {
            @let button = offered(visit, remedy);
            @if let Some(button) = &button { (button) }
            @if is_command(remedy) {
                span.hint { (if button.is_some() { "or type " } else { "Type " }) code { (remedy) } }
            } @else { p { (said(remedy)) } }
        }
    }
}

fn is_command(remedy: &str) -> bool {
    let program = remedy.split(' ').next().unwrap_or_default();
    ["tetherctl", "systemctl", "journalctl", "timedatectl"].contains(&program)
}

/// The page's own way to do what a command does, if there is one and the person may.
fn offered(visit: &Visit, remedy: &str) -> Option<Markup> {
    let mut words = remedy.strip_prefix("tetherctl ")?.split(' ');
    let (command, option, value) = (words.next()?, words.next(), words.next());
    let button = |method: Method, verb, label, fields: &[(&str, &str)]| {
        visit.may(method).then(|| layout::button(visit, verb, label, fields))
    };
    let link = |method: Method, to: String, label: &str| {
        visit.may(method).then(|| html! { a.button href=(visit.path(&to)) { (label) } })
    };
    let reason = match (option, value) {
        (Some("--reason"), Some(reason)) => {
            ReasonKind::ALL.into_iter().find(|kind| kind.name() == reason)
        }
        (Some(_) | None, _) => None,
    };
    match (command, reason) {
        ("pair", _) => link(Method::SessionPair, "link".into(), "Link the phone"),
        ("takeover", _) => {
            button(Method::SessionTakeover, "takeover", "Take the session back", &[])
        }
        ("reconnect", _) => button(Method::SessionReconnect, "reconnect", "Connect now", &[]),
        ("resume", _) => button(Method::QueueResume, "resume", "Go on sending", &[]),
        ("release", _) => button(Method::QueueRelease, "release", "Let them leave", &[]),
        ("retry", Some(reason)) => {
            button(Method::QueueRetry, "retry", "Try these again", &[("reason", reason.name())])
        }
        ("clear", Some(reason)) => {
            let to = format!("clear?reason={}", reason.name());
            link(Method::QueueClear, to, &format!("Withdraw those: {}…", label(reason.name())))
        }
        _ => None,
    }
}

/// What was withdrawn and can be brought back, with a button that does.
pub(super) async fn restore(visit: &Visit) -> Markup {
    if !visit.may(Method::QueueRestore) {
        return html! {};
    }
    let dry = RestoreParams { dry_run: true, ..RestoreParams::default() };
    let asked = visit.daemon.call(call::QueueRestore, &dry).await;
    let back = asked.map_or(0, |answer| answer.restored.len());
    html! {
        section #undo data-live {
            @if back > 0 {
                div.notice.remedy {
                    p { (messages(back)) " withdrawn lately can be brought back." }
                    (layout::button(visit, "restore", "Undo", &[]))
                }
            }
        }
    }
}
