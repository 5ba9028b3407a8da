//! GREEN-API's interface: `/waInstanceN/METHOD/TOKEN`, as its published clients call it. Its
//! answers have the shapes of its documentation; what is refused has the status that REST has
//! for it, with `statusCode` and `message` as the body.

mod account;
mod body;
mod journal;
mod notifications;
mod queue;
mod send;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{Method as Verb, StatusCode};
use axum::response::Response;
use axum::routing::any;
use serde_json::{Value, json};
use tetherd_api::Error;

use super::fields::Fields;
use super::{Caller, Refusal, check_verb};
use crate::front::Shared;
use crate::rest::{json_held, json_response, receive};

pub(super) use notifications::Notifications;

/// The methods, by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    SendMessage,
    SendFileByUrl,
    SendFileByUpload,
    SendContact,
    SendLocation,
    CheckWhatsapp,
    ShowMessagesQueue,
    ClearMessagesQueue,
    GetStateInstance,
    GetSettings,
    Qr,
    GetAuthorizationCode,
    Logout,
    Reboot,
    ReceiveNotification,
    DeleteNotification,
    DownloadFile,
    GetChatHistory,
    LastIncomingMessages,
    LastOutgoingMessages,
}

impl Method {
    const ALL: [(&str, Method); 20] = [
        ("sendMessage", Method::SendMessage),
        ("sendFileByUrl", Method::SendFileByUrl),
        ("sendFileByUpload", Method::SendFileByUpload),
        ("sendContact", Method::SendContact),
        ("sendLocation", Method::SendLocation),
        ("checkWhatsapp", Method::CheckWhatsapp),
        ("showMessagesQueue", Method::ShowMessagesQueue),
        ("clearMessagesQueue", Method::ClearMessagesQueue),
        ("getStateInstance", Method::GetStateInstance),
        ("getSettings", Method::GetSettings),
        ("qr", Method::Qr),
        ("getAuthorizationCode", Method::GetAuthorizationCode),
        ("logout", Method::Logout),
        ("reboot", Method::Reboot),
        ("receiveNotification", Method::ReceiveNotification),
        ("deleteNotification", Method::DeleteNotification),
        ("downloadFile", Method::DownloadFile),
        ("getChatHistory", Method::GetChatHistory),
        ("lastIncomingMessages", Method::LastIncomingMessages),
        ("lastOutgoingMessages", Method::LastOutgoingMessages),
    ];

    fn find(name: &str) -> Option<Method> {
        let fits = |known: &str| known.eq_ignore_ascii_case(name);
        Method::ALL.iter().find(|(known, _)| fits(known)).map(|(_, method)| *method)
    }

    fn verb(self) -> Verb {
        match self {
            Method::SendMessage
            | Method::SendFileByUrl
            | Method::SendFileByUpload
            | Method::SendContact
            | Method::SendLocation
            | Method::CheckWhatsapp
            | Method::GetAuthorizationCode
            | Method::DownloadFile
            | Method::GetChatHistory => Verb::POST,
            Method::ShowMessagesQueue
            | Method::ClearMessagesQueue
            | Method::GetStateInstance
            | Method::GetSettings
            | Method::Qr
            | Method::Logout
            | Method::Reboot
            | Method::ReceiveNotification
            | Method::LastIncomingMessages
            | Method::LastOutgoingMessages => Verb::GET,
            Method::DeleteNotification => Verb::DELETE,
        }
    }
}

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/waInstance{instance}/{method}/{token}", any(without_receipt))
        .route("/waInstance{instance}/{method}/{token}/{receipt}", any(with_receipt))
}

async fn without_receipt(
    State(front): State<Shared>,
    Path((instance, method, token)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    answer(&front, (&instance, &method, &token, None), request).await
}

async fn with_receipt(
    State(front): State<Shared>,
    Path((instance, method, token, receipt)): Path<(String, String, String, String)>,
    request: Request,
) -> Response {
    answer(&front, (&instance, &method, &token, Some(&receipt)), request).await
}

/// Instance, method, token and receipt, as they stand in the path.
type Segments<'a> = (&'a str, &'a str, &'a str, Option<&'a str>);

async fn answer(front: &Shared, segments: Segments<'_>, request: Request) -> Response {
    match carry_out(front, segments, request).await {
        Ok(response) => response,
        Err(refusal) => {
            let status = refusal.status().as_u16();
            refusal.answer(&json!({ "statusCode": status, "message": refusal.sentence() }))
        }
    }
}

async fn carry_out(
    front: &Shared,
    (instance, method, token, receipt): Segments<'_>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let caller = Caller::identify(front, &parts, instance, token)?;
    let method = Method::find(method).ok_or(Refusal::NoMethod)?;
    // Only one method has something behind the token.
    if (method == Method::DeleteNotification) != receipt.is_some() {
        return Err(Refusal::NoMethod);
    }
    check_verb(&parts, &[method.verb()])?;
    let request = Request::from_parts(parts, body);
    if method == Method::SendFileByUpload {
        caller.program.may(tetherd_api::Method::MessageSend.tier())?;
        let sent = send::uploaded(&caller, receive(front, request).await?).await?;
        return Ok(json_response(StatusCode::OK, &sent));
    }
    let (fields, share) = Fields::read(front, request).await?;
    // Who waits for a notification may wait for a minute: without memory.
    let share = (method != Method::ReceiveNotification).then_some(share);
    let value = dispatch(&caller, method, &fields, receipt).await?;
    Ok(match share {
        Some(share) => json_held(&value, share),
        None => json_response(StatusCode::OK, &value),
    })
}

async fn dispatch(
    caller: &Caller,
    method: Method,
    fields: &Fields,
    receipt: Option<&str>,
) -> Result<Value, Error> {
    match method {
        Method::SendMessage => send::message(caller, fields).await,
        Method::SendFileByUrl | Method::SendFileByUpload => send::file(caller, fields).await,
        Method::SendContact => send::contact(caller, fields).await,
        Method::SendLocation => send::location(caller, fields).await,
        Method::CheckWhatsapp => account::check(caller, fields).await,
        Method::ShowMessagesQueue => queue::show(caller).await,
        Method::ClearMessagesQueue => queue::clear(caller).await,
        Method::GetStateInstance => account::state(caller).await,
        Method::GetSettings => account::settings(caller).await,
        Method::Qr => account::qr(caller).await,
        Method::GetAuthorizationCode => account::code(caller, fields).await,
        Method::Logout => account::logout(caller).await,
        Method::Reboot => account::reboot(caller).await,
        Method::ReceiveNotification => notifications::receive(caller, fields).await,
        Method::DeleteNotification => notifications::delete(caller, receipt).await,
        Method::DownloadFile => journal::file(caller, fields).await,
        Method::GetChatHistory => journal::chat(caller, fields).await,
        Method::LastIncomingMessages => journal::incoming(caller, fields).await,
        Method::LastOutgoingMessages => journal::outgoing(caller, fields).await,
    }
}
