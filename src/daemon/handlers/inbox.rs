//! Incoming messages: subscribing to them, listing them, fetching their files.

use super::Handled;
use crate::daemon::inbox_service::{Fetched, Follow, InboxService};
use crate::daemon::server::Service;
use tetherd_api::{
    Error, ErrorKind, InboxFileParams, InboxListParams, Reply, Signature, SubscribeParams,
    SubscribeResult, call,
};

/// The cursor first: what comes in between is then told, never missed.
pub(super) async fn subscribe(
    service: &Service,
    params: SubscribeParams,
) -> Result<Handled, Error> {
    let follow = match &service.inbox {
        Some(inbox) => inbox.follow(params)?,
        None => Follow::nothing(),
    };
    let subscription = service.engine.subscribe().await?;
    let reply = call::EventsSubscribe::reply(SubscribeResult { cursor: follow.newest() });
    Ok(Handled::Subscription(reply, subscription, follow))
}

pub(super) fn list(service: &Service, params: InboxListParams) -> Result<Reply, Error> {
    inbox(service)?.list(params).map(call::InboxList::reply)
}

pub(super) async fn file(service: &Service, params: InboxFileParams) -> Result<Handled, Error> {
    let Fetched { result, file } = inbox(service)?.file(params).await?;
    let reply = call::InboxFile::reply(result);
    Ok(match file {
        Some(file) => Handled::WithFile(reply, file.into()),
        None => Handled::Reply(reply),
    })
}

fn inbox(service: &Service) -> Result<&InboxService, Error> {
    let none = || Error::new(ErrorKind::WrongState, "this daemon keeps no inbox");
    service.inbox.as_ref().ok_or_else(none)
}
