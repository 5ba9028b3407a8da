//! Incoming messages: subscribing to them, listing them, fetching their files.

use super::{Handled, Reply};
use crate::daemon::inbox_service::{Fetched, Follow, InboxService};
use crate::daemon::server::Service;
use tetherd_api::{Error, ErrorKind, InboxFileParams, InboxListParams, SubscribeParams};

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
    Ok(Handled::Subscription(subscription, follow))
}

pub(super) fn list(service: &Service, params: InboxListParams) -> Result<Reply, Error> {
    inbox(service)?.list(params).map(Reply::Inbox)
}

pub(super) async fn file(service: &Service, params: InboxFileParams) -> Result<Handled, Error> {
    let Fetched { result, file } = inbox(service)?.file(params).await?;
    let reply = Reply::File(result);
    Ok(match file {
        Some(file) => Handled::WithFile(reply, file.into()),
        None => Handled::Reply(reply),
    })
}

fn inbox(service: &Service) -> Result<&InboxService, Error> {
    let none = || Error::new(ErrorKind::WrongState, "this daemon keeps no inbox");
    service.inbox.as_ref().ok_or_else(none)
}
