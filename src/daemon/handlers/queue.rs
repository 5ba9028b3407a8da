//! The parameters of the queue's methods, checked. Decides nothing about messages.

use crate::daemon::engine_handle::{EngineHandle, Query};
use crate::daemon::handlers::checks::{invalid, selection};
use tetherd_api::{
    CancelParams, ClearParams, Error, Filter, LIST_ENTRIES_MAX, ListParams, RestoreParams,
    RetryParams, State,
};
use tetherd_core::event::Request;

pub(super) async fn list(engine: &EngineHandle, params: ListParams) -> Result<Query, Error> {
    let ListParams { filter, after, limit } = params;
    let limit = limit.unwrap_or(LIST_ENTRIES_MAX);
    if limit == 0 || limit > LIST_ENTRIES_MAX {
        return Err(invalid(format!("`limit` is 1 to {LIST_ENTRIES_MAX}; page with `after`")));
    }
    let mut selection = selection(engine, filter).await?;
    if selection.states.is_empty() {
        selection.states = State::ALL.into_iter().filter(|state| state.is_live()).collect();
    }
    Ok(Query::List { selection, after, limit })
}

pub(super) async fn clear(engine: &EngineHandle, params: ClearParams) -> Result<Request, Error> {
    let ClearParams { filter, dry_run } = params;
    Ok(Request::Clear { filter: selection(engine, filter).await?, dry_run })
}

/// A call that names nothing is a slip, and must not withdraw everything.
pub(super) async fn cancel(engine: &EngineHandle, params: CancelParams) -> Result<Request, Error> {
    let CancelParams { ids, filter, dry_run } = params;
    if ids.is_empty() && filter.is_empty() {
        let sentence = "give `ids`, a `filter`, or both";
        return Err(invalid(sentence).remedy("`queue.clear` withdraws all that wait"));
    }
    let named = selection(engine, Filter { ids, ..Filter::default() }).await?;
    Ok(Request::Cancel { ids: named.ids, filter: selection(engine, filter).await?, dry_run })
}

pub(super) async fn retry(engine: &EngineHandle, params: RetryParams) -> Result<Request, Error> {
    let RetryParams { filter, anyway, dry_run } = params;
    Ok(Request::Retry { filter: selection(engine, filter).await?, anyway, dry_run })
}

pub(super) async fn restore(
    engine: &EngineHandle,
    params: RestoreParams,
) -> Result<Request, Error> {
    let RestoreParams { filter, dry_run } = params;
    Ok(Request::Restore { filter: selection(engine, filter).await?, dry_run })
}
