//! Whom a message is for: a number, a JID, or the name of a group, which the account's groups
//! are asked for. Decides nothing about a message.

use super::checks::unwritten;
use crate::daemon::engine_handle::EngineHandle;
use tetherd_api::{Error, ErrorKind, GroupListParams, GroupListResult, Reply};
use tetherd_core::event::Request;
use tetherd_core::groups::{Wanted, find_by_name};
use tetherd_core::ids::{ChatId, Recipient};

/// The chat that a recipient's text names.
pub(super) async fn recipient(engine: &EngineHandle, text: &str) -> Result<ChatId, Error> {
    match Recipient::parse(text).map_err(unwritten)? {
        Recipient::Chat(chat) => Ok(chat),
        Recipient::GroupName(name) => group(engine, name).await,
    }
}

/// A name that the last answer does not have may be new: the network is asked once more. Before
/// there is an answer on this connection, or any connection, those that were known count.
async fn group(engine: &EngineHandle, name: &str) -> Result<ChatId, Error> {
    let known = groups(engine, false).await.map_err(not_known_yet)?;
    match find_by_name(&known, name) {
        Ok(chat) => Ok(chat),
        Err(error) if known.current => Err(error),
        Err(_) => find_by_name(&groups(engine, true).await?, name),
    }
}

/// Whoever wrote a number without its plus sign, or a person's name, meant no group.
fn not_known_yet(error: Error) -> Error {
    if error.data.kind != ErrorKind::WrongState {
        return error;
    }
    let message = "a recipient is + and digits with the country code, like +15550100, a JID, or the \
                   name of a group; which groups there are is not known yet";
    Error { message: message.to_owned(), ..error }
}

async fn groups(engine: &EngineHandle, fresh: bool) -> Result<GroupListResult, Error> {
    let request = Request::ListGroups { fresh, wants: Wanted::Names };
    let reply = engine.change(request).await?;
    let Reply::GroupList(groups) = reply else {
        tracing::error!("another reply than the one to `group.list`");
        return Err(Error::new(ErrorKind::InternalError, "a bug in tetherd: a foreign reply"));
    };
    Ok(*groups)
}

/// `group.list`.
pub(super) fn list(GroupListParams { fresh }: GroupListParams) -> Request {
    Request::ListGroups { fresh, wants: Wanted::Page }
}
