//! Carries out requests: one match over the calls, and the handlers by noun. Owns the
//! checking of parameters beyond their types. Decides nothing about the queue.

mod about;
mod amend;
mod checks;
mod content;
mod inbox;
mod message;
mod phone;
mod queue;
mod recipients;
mod send_url;
mod session;

use std::os::fd::OwnedFd;

use crate::daemon::auth::Caller;
use crate::daemon::descriptors::Descriptors;
use crate::daemon::engine_handle::Query;
use crate::daemon::event_stream::Subscription;
use crate::daemon::server::Service;
use tetherd_api::{Call, Error, Reply};
use tetherd_core::event::Request;

/// What a request came to.
#[derive(Debug)]
pub(crate) enum Handled {
    /// Something to answer.
    Reply(Reply),
    /// Something to answer, and an open file that goes with it.
    WithFile(Reply, OwnedFd),
    /// Something to answer, and events to forward from then on.
    Subscription(Reply, Box<Subscription>),
}

/// Carries out one request. What is large and rare is boxed: the others need no room for it.
pub(crate) async fn handle(
    service: &Service,
    caller: Caller,
    call: Call,
    descriptors: Descriptors,
) -> Result<Handled, Error> {
    let engine = &service.engine;
    let reply = match call {
        Call::Version(_) => about::version(),
        Call::RpcDiscover(_) => about::contract()?,
        Call::Status(_) => engine.query(Query::Status).await?,
        Call::Explain(_) => engine.query(Query::Explain).await?,
        Call::MessageSend(params) => message::send(service, caller, *params, descriptors).await?,
        Call::MessageReact(params) => amend::react(service, *params).await?,
        Call::MessageEdit(params) => amend::edit(service, *params).await?,
        Call::MessageRevoke(params) => amend::revoke(service, *params).await?,
        Call::MessageRead(params) => inbox::read(service, *params).await?,
        Call::MessageGet(params) => engine.query(message::get(*params)?).await?,
        Call::QueueList(params) => engine.query(queue::list(engine, *params).await?).await?,
        Call::QueueClear(params) => engine.change(queue::clear(engine, *params).await?).await?,
        Call::QueueCancel(params) => engine.change(queue::cancel(engine, *params).await?).await?,
        Call::QueueRetry(params) => engine.change(queue::retry(engine, *params).await?).await?,
        Call::QueueRestore(params) => engine.change(queue::restore(engine, *params).await?).await?,
        Call::QueuePause(_) => engine.change(Request::Pause).await?,
        Call::QueueResume(_) => engine.change(Request::Resume).await?,
        Call::QueueRelease(_) => engine.change(Request::Release).await?,
        Call::SessionPair(params) => engine.change(session::pair(*params)?).await?,
        Call::SessionPasskey(params) => engine.change(session::passkey(*params)).await?,
        Call::SessionPasskeyConfirm(params) => {
            engine.change(session::passkey_confirm(*params)).await?
        }
        Call::SessionReconnect(_) => engine.change(Request::Reconnect).await?,
        Call::SessionTakeover(_) => engine.change(Request::Takeover).await?,
        Call::SessionLogout(_) => engine.change(Request::Logout).await?,
        Call::PhoneCheck(params) => engine.change(phone::check(*params)?).await?,
        Call::PhoneHeartbeat(params) => engine.change(phone::heartbeat(*params)?).await?,
        Call::GroupList(params) => engine.change(recipients::list(*params)).await?,
        Call::InboxList(params) => inbox::list(service, *params)?,
        Call::InboxFile(params) => return Box::pin(inbox::file(service, caller, *params)).await,
        Call::EventsSubscribe(params) => return inbox::subscribe(service, *params).await,
    };
    Ok(Handled::Reply(reply))
}
