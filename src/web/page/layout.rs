//! What all pages have in common: head, navigation, notice. And the parts of forms.

use maud::{DOCTYPE, Markup, html};
use tetherd_api::Method;

use super::visit::Visit;
use super::webhooks;

/// A page without a daemon.
pub(super) fn bare(title: &str, text: &Markup) -> Markup {
    frame(title, None, &html! { main id="main" { (text) } })
}

fn frame(title: &str, refresh: Option<u32>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · tetherd" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                script src="/live.js" defer {}
                @if let Some(seconds) = refresh {
                    noscript { meta http-equiv="refresh" content=(seconds); }
                }
            }
            body {
                a.skip href="#main" { "To the content" }
                (body)
            }
        }
    }
}

/// A page of a daemon. `at` is the entry of the navigation that it belongs to.
pub(super) fn page(visit: &Visit, title: &str, at: &str, text: &Markup) -> Markup {
    framed(visit, title, at, None, text)
}

/// The same, loaded anew every so many seconds where there is no script.
pub(super) fn refreshed(
    visit: &Visit,
    title: &str,
    at: &str,
    seconds: u32,
    text: &Markup,
) -> Markup {
    framed(visit, title, at, Some(seconds), text)
}

fn framed(visit: &Visit, title: &str, at: &str, refresh: Option<u32>, text: &Markup) -> Markup {
    // A script that asks for what is new leaves the notice to the person.
    let notice = if visit.live { None } else { visit.front.sessions.take(&visit.person.0) };
    frame(
        title,
        refresh,
        &html! {
            header.top {
                (navigation(visit, at))
                (account(visit))
            }
            main id="main" data-live-from=(visit.path("live")) {
                @if let Some(notice) = notice { p.notice role="status" { (notice) } }
                (text)
            }
        },
    )
}

fn navigation(visit: &Visit, at: &str) -> Markup {
    let several = visit.front.daemons.iter().len() > 1;
    let entries = [
        ("", "Overview", Method::Status),
        ("queue", "Queue", Method::QueueList),
        ("inbox", "Inbox", Method::InboxList),
        ("send", "Send", Method::MessageSend),
        ("link", "Phone", Method::SessionPair),
    ];
    html! {
        nav aria-label="Pages" {
            @if several { a.which href="/" { (visit.daemon.name) } }
            @for (path, name, method) in entries {
                @if visit.may(method) {
                    (entry(visit, at, path, name))
                }
            }
            @if webhooks::any(visit) { (entry(visit, at, "webhooks", "Webhooks")) }
        }
    }
}

fn entry(visit: &Visit, at: &str, path: &str, name: &str) -> Markup {
    html! {
        a href=(visit.path(path)) aria-current=[(at == path).then_some("page")] { (name) }
    }
}

fn account(visit: &Visit) -> Markup {
    html! {
        form.out method="post" action="/logout" {
            (csrf(visit))
            span.who { bdi { (visit.person.0.name) } " · " (visit.person.0.tier.name()) }
            button.quiet { "Log out" }
        }
    }
}

/// The secret that every form carries.
pub(super) fn csrf(visit: &Visit) -> Markup {
    html! { input type="hidden" name="csrf" value=(visit.person.0.csrf); }
}

/// A form that is one button. `fields` goes with it; the way leads back here.
pub(super) fn button(visit: &Visit, verb: &str, label: &str, fields: &[(&str, &str)]) -> Markup {
    html! {
        form.act method="post" action=(visit.path(&format!("act/{verb}"))) {
            (csrf(visit))
            input type="hidden" name="back" value=(visit.here);
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            button id=(id(verb, fields)) { (label) }
        }
    }
}

/// By which the focus finds its button again when the page is renewed.
fn id(verb: &str, fields: &[(&str, &str)]) -> String {
    fields.iter().fold(format!("b-{verb}"), |id, (_, value)| format!("{id}-{value}"))
}
