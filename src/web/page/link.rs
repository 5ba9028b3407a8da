//! Linking a phone: the code to scan or to type, which renews itself, and the passkey's steps.
//! Codes are secrets: only who may pair sees them.

use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use serde_json::{Map, Value};
use tetherd_api::{
    Method, NoParams, PASSKEY_PAGE, PairEnd, PairOffer, PairParams, PasskeyConfirmParams,
    PasskeyParams, Redacted, SessionState, Status, call, passkey_snippet,
};

use super::layout::{self, csrf};
use super::posted::Posted;
use super::qr;
use super::visit::Visit;
use super::words::{at, capital, chat, label, said, when};

/// How often the page is loaded anew without script, in seconds: a code lives for 20 or more.
const REFRESH_S: u32 = 5;

/// `GET /d/NAME/link`.
pub(super) async fn show(visit: Visit) -> Response {
    if !visit.may(Method::SessionPair) {
        return visit.denied(Method::SessionPair);
    }
    let status = match visit.daemon.call(call::Status, &NoParams {}).await {
        Ok(status) => status,
        Err(error) => return visit.failed(error),
    };
    let (offer, ended) = visit.daemon.feed.pairing();
    // A device that was unlinked since is not linked.
    let ended = ended
        .filter(|end| !matches!(end, PairEnd::Paired { .. }) || status.session.account.is_some());
    let pairing = [SessionState::Pairing, SessionState::PasskeyNeeded];
    let offer = offer.filter(|_| pairing.contains(&status.session.state));
    let text = html! {
        h1 { "Phone" }
        (session(&visit, &status))
        div #pairing data-live {
            @match (&offer, &ended) {
                (Some(offer), _) => (steps(&visit, offer)),
                (None, Some(end)) => (ending(end)),
                (None, None) => {}
            }
        }
        div #choices data-live {
            @if can_begin(&status) {
                @match offer {
                    // To begin anew ends what the person is in the middle of.
                    Some(PairOffer::Passkey { .. } | PairOffer::PasskeyCode { .. }) => {
                        details #anew {
                            summary { "Begin anew" }
                            (choices(&visit, true))
                        }
                    }
                    Some(PairOffer::Qr { .. } | PairOffer::Code { .. }) => (choices(&visit, true)),
                    None => (choices(&visit, false)),
                }
            }
        }
    };
    // What is typed into a form would be lost.
    let waits = matches!(offer, Some(PairOffer::Qr { .. }));
    if waits {
        layout::refreshed(&visit, "Phone", "link", REFRESH_S, &text).into_response()
    } else {
        layout::page(&visit, "Phone", "link", &text).into_response()
    }
}

fn can_begin(status: &Status) -> bool {
    !matches!(
        status.session.state,
        SessionState::Connected | SessionState::Connecting | SessionState::Waiting
    )
}

fn session(visit: &Visit, status: &Status) -> Markup {
    let session = &status.session;
    html! {
        section #session data-live {
            p {
                (capital(&label(session.state.name())))
                @if let Some(account) = &session.account { " as " (chat(account)) }
                ", since " (at(session.since))
                @if let Some(detail) = &session.detail { "; " (said(detail)) }
            }
            @if session.state == SessionState::Replaced {
                (layout::button(visit, "takeover", "Take the session back", &[]))
            }
            @if matches!(session.state, SessionState::Waiting) {
                (layout::button(visit, "reconnect", "Connect now", &[]))
            }
            @if session.account.is_some() {
                details #unlink {
                    summary { "Unlink this device" }
                    p { "The queue stays. To send again, a phone has to be linked anew." }
                    (layout::button(visit, "logout", "Unlink", &[]))
                }
            }
        }
    }
}

fn choices(visit: &Visit, runs: bool) -> Markup {
    html! {
        section {
            h2 { (if runs { "Another way" } else { "Link a phone" }) }
            p { "On the phone: WhatsApp, Linked devices, Link a device." }
            form method="post" action=(visit.path("link")) {
                (csrf(visit))
                button { "Show a QR code" }
            }
            form.stacked method="post" action=(visit.path("link")) {
                (csrf(visit))
                label for="number" { "Or link with a code to type, for the phone with the number" }
                input #number name="number" type="tel" placeholder="+15550199" required
                    autocomplete="off" pattern="\\+[0-9]{7,15}";
                button { "Show a code to type" }
            }
            details #barred {
                summary { "The account is locked or banned" }
                p { "Linking does not end a ban, and can make a lock worse." }
                form method="post" action=(visit.path("link")) {
                    (csrf(visit))
                    input type="hidden" name="anyway" value="yes";
                    button { "Link all the same" }
                }
            }
        }
    }
}

fn steps(visit: &Visit, offer: &PairOffer) -> Markup {
    html! {
        section.pairing aria-live="polite" {
            @match offer {
                PairOffer::Qr { qr: text, expires_at } => {
                    h2 { "Scan this" }
                    ol {
                        li { "Open WhatsApp on the phone." }
                        li { "Linked devices, then Link a device." }
                        li { "Hold the phone to this code." }
                    }
                    @match qr::svg(text) { Some(svg) => (svg), None => p { "The code cannot be drawn." } }
                    p.hint { "It renews itself, the next time " (when(*expires_at)) "." }
                },
                PairOffer::Code { code, expires_at } => {
                    h2 { "Type this on the phone" }
                    ol {
                        li { "Open WhatsApp on the phone." }
                        li { "Linked devices, Link a device, then Link with phone number instead." }
                        li { "Type this code." }
                    }
                    p.code { (split(code)) }
                    p.hint { "Its time ends " (when(*expires_at)) "." }
                },
                PairOffer::Passkey { request, expires_at } => {
                    (passkey_steps(visit, &request.0))
                    p.hint { "The time for it ends " (when(*expires_at)) "." }
                },
                PairOffer::PasskeyCode { code, confirm, expires_at } => {
                    (compare(visit, code, *confirm))
                    p.hint { "Its time ends " (when(*expires_at)) "." }
                },
            }
        }
    }
}

fn passkey_steps(visit: &Visit, request: &Map<String, Value>) -> Markup {
    html! {
        h2 { "The phone asks for a passkey" }
        ol {
            li { "Keep WhatsApp open on the phone. If it offers to create a passkey, create it." }
            li { "On a computer, open " a href=(PASSKEY_PAGE) rel="noreferrer" target="_blank" { (PASSKEY_PAGE) }
                " in a browser (you need not log in there), then its developer tools (F12) and "
                "the console." }
            li { "Copy this line, paste it there and press Enter. A browser may want “allow "
                "pasting” typed first. It asks for the passkey, or shows a QR code for the "
                "phone's camera."
                label.sr for="snippet" { "The line for the console" }
                textarea #snippet readonly rows="5" spellcheck="false" { (passkey_snippet(request)) }
            }
            li { "Copy the line that the console prints, from { to }, and paste it here."
                form.stacked method="post" action=(visit.path("link/passkey")) {
                    (csrf(visit))
                    label.sr for="answer" { "What the console printed" }
                    textarea #answer name="answer" rows="4" required spellcheck="false"
                        autocomplete="off" placeholder="{ … }" {}
                    button { "Go on" }
                }
            }
        }
    }
}

fn compare(visit: &Visit, code: &str, confirm: bool) -> Markup {
    html! {
        h2 { "Compare the code" }
        p.code { (code) }
        @if confirm {
            p { "The phone shows a code. If it is this one, confirm it on the phone, and here." }
            form method="post" action=(visit.path("link/confirm")) {
                (csrf(visit))
                input type="hidden" name="code" value=(code);
                button { "They are the same" }
            }
            p { "If it is another one, refuse on the phone, and begin again." }
        } @else {
            p { "The phone links this device now. If it shows a code, it must be this one." }
        }
    }
}

/// `ABCD-EFGH`, as the phone shows it.
fn split(code: &str) -> String {
    match (code.get(..4), code.get(4..)) {
        (Some(head), Some(tail)) if code.len() == 8 => format!("{head}-{tail}"),
        _ => code.to_owned(),
    }
}

fn ending(end: &PairEnd) -> Markup {
    html! {
        @match end {
            PairEnd::Paired { account } => p.notice.fine { "Linked to " (chat(account)) "." },
            PairEnd::TimedOut {} => p.notice.bad {
                "Nobody scanned or typed in time. A phone that says it has too many linked devices \
                 must first unlink one of them: Settings, Linked devices."
            },
            PairEnd::Failed { why, remedy, .. } => p.notice.bad {
                (said(&capital(why))) "."
                @if let Some(remedy) = remedy { " " (said(remedy)) }
            },
        }
    }
}

/// `POST /d/NAME/link`.
pub(super) async fn begin(posted: Posted) -> Response {
    if !posted.visit.may(Method::SessionPair) {
        return posted.visit.denied(Method::SessionPair);
    }
    let phone = posted.fields.get("number").map(Into::into);
    let params = PairParams { phone, anyway: posted.fields.get("anyway").is_some() };
    match posted.visit.daemon.call(call::SessionPair, &params).await {
        Ok(answer) => {
            // Its event may come after the page that shows it.
            posted.visit.daemon.feed.offered(answer.offer);
            axum::response::Redirect::to(&posted.visit.path("link")).into_response()
        }
        Err(error) => posted.back_with("link", &error.into_contract()),
    }
}

/// `POST /d/NAME/link/passkey`.
pub(super) async fn passkey(posted: Posted) -> Response {
    if !posted.visit.may(Method::SessionPasskey) {
        return posted.visit.denied(Method::SessionPasskey);
    }
    let given = posted.fields.get("answer").unwrap_or_default();
    let Ok(response) = serde_json::from_str::<Map<String, Value>>(given) else {
        let wrong =
            "This is not what the browser's console printed: copy the whole line, from { to }.";
        return posted.back("link", wrong.into());
    };
    let params = PasskeyParams { response: Redacted(response) };
    match posted.visit.daemon.call(call::SessionPasskey, &params).await {
        Ok(_) => posted.back("link", "The passkey is taken; the phone goes on.".into()),
        Err(error) => posted.back_with("link", &error.into_contract()),
    }
}

/// `POST /d/NAME/link/confirm`.
pub(super) async fn confirm(posted: Posted) -> Response {
    if !posted.visit.may(Method::SessionPasskeyConfirm) {
        return posted.visit.denied(Method::SessionPasskeyConfirm);
    }
    let code = posted.fields.get("code").unwrap_or_default().into();
    match posted
        .visit
        .daemon
        .call(call::SessionPasskeyConfirm, &PasskeyConfirmParams { code })
        .await
    {
        Ok(_) => posted.back("link", "Confirmed. Confirm it on the phone as well.".into()),
        Err(error) => posted.back_with("link", &error.into_contract()),
    }
}
