//! Incoming messages: subscribing to them, listing them, fetching their files.

use super::Handled;
use crate::daemon::auth::Caller;
use crate::daemon::event_stream::Subscription;
use crate::daemon::inbox_service::{Fetched, Follow, InboxService};
use crate::daemon::server::Service;
use tetherd_api::{
    Error, ErrorKind, InboxFileParams, InboxListParams, ReadParams, Reply, Signature,
    SubscribeParams, SubscribeResult, call,
};

pub(super) async fn subscribe(
    service: &Service,
    SubscribeParams { after }: SubscribeParams,
) -> Result<Handled, Error> {
    let engine = service.engine.clone();
    let start = engine.subscribe().await?;
    if let Some(after) = after.filter(|after| *after > start.head) {
        return Err(from_elsewhere(after, start.head));
    }
    let follow = match &service.inbox {
        Some(inbox) => inbox.follow(after.unwrap_or(start.head))?,
        None => Follow::nothing(),
    };
    let reply = call::EventsSubscribe::reply(SubscribeResult { seq: start.head });
    Ok(Handled::Subscription(reply, Box::new(Subscription { engine, start, after, follow })))
}

fn from_elsewhere(after: u64, newest: u64) -> Error {
    let sentence = format!("`after` is {after}, but the newest number is {newest}");
    Error::new(ErrorKind::InvalidParams, sentence)
        .remedy("it is another daemon's number, or the state directory was renewed: begin with 0")
}

pub(super) fn list(service: &Service, params: InboxListParams) -> Result<Reply, Error> {
    inbox(service)?.list(params).map(call::InboxList::reply)
}

pub(super) async fn read(service: &Service, params: ReadParams) -> Result<Reply, Error> {
    inbox(service)?.mark_read(params).await.map(call::MessageRead::reply)
}

pub(super) async fn file(
    service: &Service,
    caller: Caller,
    params: InboxFileParams,
) -> Result<Handled, Error> {
    let Fetched { result, file } = inbox(service)?.file(params, caller.uid).await?;
    let reply = call::InboxFile::reply(result);
    Ok(match file {
        Some(file) => Handled::WithFile(reply, file.into()),
        None => Handled::Reply(reply),
    })
}

fn inbox(service: &Service) -> Result<&InboxService, Error> {
    service.inbox.as_ref().ok_or_else(super::checks::no_inbox)
}
