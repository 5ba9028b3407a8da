//! The queue: what waits, what is parked, what was sent, and what ended otherwise. With a
//! search, and the acts on what is shown.

use axum::extract::Query;
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tetherd_api::{
    Filter, LIST_ENTRIES_MAX, ListParams, Message, MessageId, Method, ReasonKind, State, call,
};

use super::condition::restore;
use super::visit::Visit;
use super::words::{at, chat, label, messages, when};
use super::{layout, message};
use crate::daemon::CallError;

/// Ids that one page of what is finished looks at: as many as one answer may list.
const PAGE_IDS: u64 = LIST_ENTRIES_MAX as u64;
/// Pages that a search looks through.
const SEARCH_PAGES_MAX: usize = 25;
/// Results of a search that are shown.
const FOUND_MAX: usize = 200;

#[derive(Deserialize)]
pub(super) struct Asked {
    show: Option<String>,
    q: Option<String>,
    reason: Option<String>,
    before: Option<u64>,
}

/// What is shown of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Waiting,
    Parked,
    Sent,
    Ended,
}

impl Shown {
    const ALL: [Shown; 4] = [Shown::Waiting, Shown::Parked, Shown::Sent, Shown::Ended];

    const fn name(self) -> &'static str {
        match self {
            Shown::Waiting => "waiting",
            Shown::Parked => "parked",
            Shown::Sent => "sent",
            Shown::Ended => "ended",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Shown::Waiting => "Waiting",
            Shown::Parked => "Parked",
            Shown::Sent => "Sent",
            Shown::Ended => "Withdrawn, expired, failed",
        }
    }

    fn states(self) -> Vec<State> {
        match self {
            Shown::Waiting => vec![State::Preparing, State::Queued, State::Sending, State::Unknown],
            Shown::Parked => vec![State::Parked],
            Shown::Sent => vec![State::Sent, State::Delivered, State::Read],
            Shown::Ended => vec![State::Failed, State::Expired, State::Cancelled],
        }
    }

    /// Whether there are at most as many as one answer lists, the next to leave first.
    const fn is_live(self) -> bool {
        matches!(self, Shown::Waiting | Shown::Parked)
    }
}

/// What was found, and from where to go on.
struct Found {
    messages: Vec<Message>,
    total: usize,
    older: Option<u64>,
}

/// `GET /d/NAME/queue`.
pub(super) async fn show(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let named = asked.show.as_deref().unwrap_or_default();
    let shown = Shown::ALL.into_iter().find(|shown| shown.name() == named);
    let shown = shown.unwrap_or(Shown::Waiting);
    let search = asked.q.as_deref().map(str::trim).filter(|q| !q.is_empty());
    let reason = asked.reason.as_deref();
    let reason = ReasonKind::ALL.into_iter().find(|kind| Some(kind.name()) == reason);
    let found = match list(&visit, shown, search, reason, asked.before).await {
        Ok(found) => found,
        Err(error) => return visit.failed(error),
    };
    let undo = restore(&visit).await;
    let text = html! {
        h1 { "Queue" }
        (undo)
        nav.tabs aria-label="Part of the queue" {
            @for known in Shown::ALL {
                a href=(visit.path(&format!("queue?show={}", known.name())))
                    aria-current=[(known == shown).then_some("page")] { (known.label()) }
            }
        }
        (search_form(&visit, shown, search, reason))
        (acts(&visit, shown, reason, &found))
        (listed(&visit, shown, &found))
        @if let Some(before) = found.older {
            p { a.button href=(older(&visit, shown, search, before)) { "Older ones" } }
        }
    };
    layout::page(&visit, "Queue", "queue", &text).into_response()
}

fn older(visit: &Visit, shown: Shown, search: Option<&str>, before: u64) -> String {
    let encode =
        |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
    let search = search.map(|q| format!("&q={}", encode(q))).unwrap_or_default();
    visit.path(&format!("queue?show={}&before={before}{search}", shown.name()))
}

async fn list(
    visit: &Visit,
    shown: Shown,
    search: Option<&str>,
    reason: Option<ReasonKind>,
    before: Option<u64>,
) -> Result<Found, CallError> {
    let filter = Filter { states: shown.states(), reason, ..Filter::default() };
    if shown.is_live() {
        let params = ListParams { filter, ..ListParams::default() };
        let answer = visit.daemon.call(call::QueueList, &params).await?;
        let messages = answer.messages.into_iter().filter(|message| fits(message, search));
        return Ok(Found { messages: messages.collect(), total: answer.total, older: None });
    }
    // The newest first: pages go back by id, of which each answer lists all there are.
    let mut high = before.unwrap_or_else(|| visit.daemon.feed.newest().saturating_add(1));
    let mut found = Found { messages: Vec::new(), total: 0, older: None };
    for _ in 0..SEARCH_PAGES_MAX {
        let low = high.saturating_sub(PAGE_IDS + 1);
        let after = (low > 0).then_some(MessageId(low));
        let params = ListParams { filter: filter.clone(), after, limit: None };
        let answer = visit.daemon.call(call::QueueList, &params).await?;
        found.total = answer.total;
        let here = answer.messages.into_iter().filter(|message| message.id.0 < high);
        let here = here.filter(|message| fits(message, search));
        found.messages.extend(here.collect::<Vec<_>>().into_iter().rev());
        found.older = (low > 0).then_some(low + 1);
        high = low + 1;
        let enough = found.messages.len() >= if search.is_some() { FOUND_MAX } else { 1 };
        if enough || low == 0 {
            break;
        }
    }
    Ok(found)
}

/// Whether a message is one that is searched for: by its text's beginning, chat, key or id.
fn fits(message: &Message, search: Option<&str>) -> bool {
    let Some(search) = search.map(str::to_lowercase) else { return true };
    let chat = message.to.trim_end_matches("@s.whatsapp.net");
    let key = message.key.as_deref().unwrap_or_default();
    let name = message.file.as_ref().and_then(|file| file.name.as_deref()).unwrap_or_default();
    let has = |text: &str| text.to_lowercase().contains(search.trim_start_matches('+'));
    has(&message.preview) || has(chat) || has(key) || has(name) || message.id.to_string() == search
}

fn search_form(
    visit: &Visit,
    shown: Shown,
    search: Option<&str>,
    reason: Option<ReasonKind>,
) -> Markup {
    html! {
        form.search method="get" action=(visit.path("queue")) role="search" {
            input type="hidden" name="show" value=(shown.name());
            label for="q" { "Search" }
            input #q name="q" type="search" value=[search] placeholder="text, number, key or m42";
            @if shown == Shown::Parked {
                label for="reason" { "Reason" }
                select #reason name="reason" {
                    option value="" { "any" }
                    @for kind in ReasonKind::ALL {
                        option value=(kind.name()) selected[reason == Some(kind)] {
                            (label(kind.name()))
                        }
                    }
                }
            }
            button { "Show" }
            @if search.is_some() || reason.is_some() {
                a href=(visit.path(&format!("queue?show={}", shown.name()))) { "All" }
            }
        }
    }
}

/// What can be done with all that is shown.
fn acts(visit: &Visit, shown: Shown, reason: Option<ReasonKind>, found: &Found) -> Markup {
    let reason = reason.map(ReasonKind::name);
    let fields: Vec<(&str, &str)> = reason.map(|reason| ("reason", reason)).into_iter().collect();
    let state = if shown == Shown::Parked { "state=parked" } else { "" };
    let query = reason.map_or_else(|| state.to_owned(), |reason| format!("reason={reason}"));
    html! {
        div #acts data-live .buttons {
            @if shown == Shown::Parked && found.total > 0 && visit.may(Method::QueueRetry) {
                (layout::button(visit, "retry", "Try all of these again", &fields))
            }
            @if shown.is_live() && found.total > 0 && visit.may(Method::QueueClear) {
                a.button href=(visit.path(&format!("clear?{query}"))) { "Clear…" }
            }
        }
    }
}

fn listed(visit: &Visit, shown: Shown, found: &Found) -> Markup {
    html! {
        section #list data-live aria-label=(shown.label()) {
            p.count {
                @if found.messages.is_empty() { "None." }
                @else if found.messages.len() == found.total { (messages(found.total)) }
                @else { (found.messages.len()) " of " (messages(found.total)) }
            }
            @if !found.messages.is_empty() {
                table {
                    thead { tr {
                        th scope="col" { "Id" } th scope="col" { "To" }
                        th scope="col" { "What" } th scope="col" { "State" }
                        th scope="col" { (if shown.is_live() { "Leaves" } else { "When" }) }
                        @if shown.is_live() { th scope="col" { span.sr { "Acts" } } }
                    } }
                    tbody { @for one in &found.messages { (row(visit, shown, one)) } }
                }
            }
        }
    }
}

fn row(visit: &Visit, shown: Shown, one: &Message) -> Markup {
    let id = one.id.to_string();
    html! {
        tr {
            th scope="row" { a href=(visit.path(&format!("message/{id}"))) { (id) } }
            td data-name="To" { (chat(&one.to)) }
            td.text data-name="What" { (message::brief(one)) }
            td data-name="State" { (message::state(one)) }
            td data-name=(if shown.is_live() { "Leaves" } else { "When" }) {
                @if shown.is_live() { (leaves(one)) } @else { (at(one.changed_at)) }
            }
            @if shown.is_live() {
                td.acts {
                    @if one.state == State::Parked && visit.may(Method::QueueRetry) {
                        (layout::button(visit, "retry", "Retry", &[("id", &id)]))
                    }
                    @if message::can_be_cancelled(one) && visit.may(Method::QueueCancel) {
                        (layout::button(visit, "cancel", "Withdraw", &[("id", &id)]))
                    }
                }
            }
        }
    }
}

/// When a message leaves, or what it waits for.
pub(super) fn leaves(message: &Message) -> Markup {
    html! {
        @match (message.expected_at, message.held_by, message.after) {
            (Some(time), ..) => (when(time)),
            (None, Some(kind), _) => { "held: " code { (kind.name()) } },
            (None, None, Some(after)) => { "after " (after) },
            (None, None, None) => "–",
        }
    }
}
