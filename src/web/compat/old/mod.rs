//! The old service's interface: `/instanceN/METHOD?token=...`, and `/METHOD?instanceId=N&token=...`
//! except for `logout`, which is the page's. Its answers have its shapes; what is refused has the
//! status of HTTP that REST has for it, and says so in the old shape. The token may come as a
//! bearer's instead.

mod account;
mod inbox;
mod queue;
mod send;
mod status;
mod webhook;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::Method as Verb;
use axum::response::Response;
use axum::routing::any;
use serde_json::{Value, json};
use tetherd_api::Error;

use super::fields::Fields;
use super::{Caller, Refusal, check_verb};
use crate::auth::bearer;
use crate::front::Shared;
use crate::limits::Share;
use crate::page;
use crate::rest::json_held;

/// The methods, by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Status,
    QrCode,
    SendMessage,
    SendFile,
    SendContact,
    SendLocation,
    CheckPhone,
    ShowMessagesQueue,
    ClearMessagesQueue,
    Messages,
    MessagesHistory,
    Logout,
    Takeover,
    Webhook,
}

impl Method {
    const ALL: [(&str, Method); 14] = [
        ("status", Method::Status),
        ("qr_code", Method::QrCode),
        ("sendMessage", Method::SendMessage),
        ("sendFile", Method::SendFile),
        ("sendContact", Method::SendContact),
        ("sendLocation", Method::SendLocation),
        ("checkPhone", Method::CheckPhone),
        ("showMessagesQueue", Method::ShowMessagesQueue),
        ("clearMessagesQueue", Method::ClearMessagesQueue),
        ("messages", Method::Messages),
        ("messagesHistory", Method::MessagesHistory),
        ("logout", Method::Logout),
        ("takeover", Method::Takeover),
        ("webhook", Method::Webhook),
    ];

    fn find(name: &str) -> Option<Method> {
        Method::ALL.iter().find(|(known, _)| *known == name).map(|(_, method)| *method)
    }

    /// Whether it sends, and so answers whether it has.
    fn sends(self) -> bool {
        matches!(
            self,
            Method::SendMessage | Method::SendFile | Method::SendContact | Method::SendLocation
        )
    }
}

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/instance{instance}/{method}", any(by_path))
}

async fn by_path(
    State(front): State<Shared>,
    Path((instance, method)): Path<(String, String)>,
    request: Request,
) -> Response {
    answer(&front, &instance, &method, request).await
}

/// What no other route takes: `/METHOD?instanceId=N`, or nothing that is here.
pub(crate) async fn by_query(State(front): State<Shared>, request: Request) -> Response {
    let query = Fields::of_form(request.uri().query().unwrap_or_default());
    let method = request.uri().path().trim_start_matches('/').to_owned();
    match (Method::find(&method), query.text("instanceId")) {
        (Some(_), Some(instance)) => answer(&front, &instance, &method, request).await,
        (Some(_) | None, _) => page::not_found(State(front)).await,
    }
}

async fn answer(front: &Shared, instance: &str, method: &str, request: Request) -> Response {
    let method = Method::find(method);
    let sends = method.is_some_and(Method::sends);
    match carry_out(front, instance, method, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.answer(&refused(refusal.sentence(), sends)),
    }
}

fn refused(sentence: &str, sends: bool) -> Value {
    if sends { json!({ "sent": false, "message": sentence }) } else { json!({ "error": sentence }) }
}

async fn carry_out(
    front: &Shared,
    instance: &str,
    method: Option<Method>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let query = Fields::of_form(parts.uri.query().unwrap_or_default());
    let token = query.text("token");
    let token = token.as_deref().or(bearer(&parts.headers)).unwrap_or_default();
    let caller = Caller::identify(front, &parts, instance, token)?;
    check_verb(&parts, &[Verb::GET, Verb::POST])?;
    let method = method.ok_or(Refusal::NoMethod)?;
    let (fields, share) = Fields::read(front, Request::from_parts(parts, body)).await?;
    Ok(dispatch(&caller, method, &fields, share).await?)
}

async fn dispatch(
    caller: &Caller,
    method: Method,
    fields: &Fields,
    share: Share,
) -> Result<Response, Error> {
    let value = match method {
        Method::QrCode => return account::qr_code(caller).await,
        Method::Status => account::status(caller).await?,
        Method::SendMessage => send::message(caller, fields).await?,
        Method::SendFile => send::file(caller, fields).await?,
        Method::SendContact => send::contact(caller, fields).await?,
        Method::SendLocation => send::location(caller, fields).await?,
        Method::CheckPhone => account::check_phone(caller, fields).await?,
        Method::ShowMessagesQueue => queue::show(caller).await?,
        Method::ClearMessagesQueue => queue::clear(caller).await?,
        Method::Messages => inbox::messages(caller, fields).await?,
        Method::MessagesHistory => inbox::history(caller, fields).await?,
        Method::Logout => account::logout(caller).await?,
        Method::Takeover => account::takeover(caller).await?,
        Method::Webhook => webhook::webhook(caller, fields)?,
    };
    Ok(json_held(&value, share))
}
