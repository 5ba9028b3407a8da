//! Incoming messages: subscribing to them, listing them, fetching their files.

use super::Handled;
use crate::daemon::auth::Caller;
use crate::daemon::event_stream::Subscription;
use crate::daemon::inbox_service::{Fetched, Follow, InboxService};
use crate::daemon::server::Service;
use tetherd_api::{
    Error, ErrorKind, FeedPlace, InboxFileParams, InboxListParams, ReadParams, Reply, Signature,
    SubscribeParams, SubscribeResult, call,
};

pub(super) async fn subscribe(
    service: &Service,
    SubscribeParams { after, feed }: SubscribeParams,
) -> Result<Handled, Error> {
    let engine = service.engine.clone();
    let start = engine.subscribe().await?;
    if let Some(after) = after.filter(|after| !start.continues(*after, feed)) {
        return Err(renewed(FeedPlace { feed, seq: after }, start.head));
    }
    let follow = match &service.inbox {
        Some(inbox) => inbox.follow(after.unwrap_or(start.head))?,
        None => Follow::nothing(),
    };
    let reply = call::EventsSubscribe::reply(SubscribeResult {
        seq: start.head,
        feed: start.runs.current(),
    });
    Ok(Handled::Subscription(reply, Box::new(Subscription { engine, start, after, follow })))
}

fn renewed(FeedPlace { feed, seq }: FeedPlace, newest: u64) -> Error {
    let sentence = match feed {
        Some(feed) if seq <= newest => {
            format!("`after` is {seq} of feed {feed}, which this feed does not continue")
        }
        Some(_) | None => format!("`after` is {seq}, but the newest number is {newest}"),
    };
    Error::new(ErrorKind::FeedRenewed, sentence).remedy(
        "the state directory was renewed, repaired or restored from a copy, or it is another \
         daemon's number: begin with 0",
    )
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
