//! Incoming messages: subscribing to them, listing them, fetching their files.

use super::{Handled, Reply};
use crate::daemon::mail::{Fetched, Follow, Mail};
use crate::daemon::server::Service;
use crate::rpc::api::{Error, ErrorKind, InboxFileParams, InboxListParams, SubscribeParams};

/// The cursor first: what comes in between is then told, never missed.
pub(super) async fn subscribe(
    service: &Service,
    params: SubscribeParams,
) -> Result<Handled, Error> {
    let follow = match &service.mail {
        Some(mail) => mail.follow(params)?,
        None => Follow::nothing(),
    };
    let subscription = service.engine.subscribe().await?;
    Ok(Handled::Subscription(subscription, follow))
}

pub(super) fn list(service: &Service, params: InboxListParams) -> Result<Reply, Error> {
    mail(service)?.list(params).map(Reply::Inbox)
}

pub(super) async fn file(service: &Service, params: InboxFileParams) -> Result<Reply, Error> {
    if !params.inline {
        let sentence = "this daemon does not pass descriptors yet: ask with `inline`";
        return Err(Error::new(ErrorKind::WrongState, sentence));
    }
    let Fetched { result, file: _ } = mail(service)?.file(params).await?;
    Ok(Reply::File(result))
}

fn mail(service: &Service) -> Result<&Mail, Error> {
    let none = || Error::new(ErrorKind::WrongState, "this daemon keeps no inbox");
    service.mail.as_ref().ok_or_else(none)
}
