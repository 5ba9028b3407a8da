//! The parameters of the queue's methods, checked. Decides nothing about messages.

use crate::daemon::engine_handle::Query;
use crate::daemon::handlers::checks::{invalid, selection};
use tetherd_api::{
    CancelParams, ClearParams, Error, Filter, LIST_ENTRIES_MAX, ListParams, RestoreParams,
    RetryParams, State,
};
use tetherd_core::event::Request;

pub(super) fn list(params: ListParams) -> Result<Query, Error> {
    let ListParams { filter, after, limit } = params;
    let limit = limit.unwrap_or(LIST_ENTRIES_MAX);
    if limit == 0 || limit > LIST_ENTRIES_MAX {
        return Err(invalid(format!("`limit` is 1 to {LIST_ENTRIES_MAX}; page with `after`")));
    }
    let mut selection = selection(filter)?;
    if selection.states.is_empty() {
        selection.states = State::ALL.into_iter().filter(|state| state.is_live()).collect();
    }
    Ok(Query::List { selection, after, limit })
}

pub(super) fn clear(params: ClearParams) -> Result<Request, Error> {
    let ClearParams { filter, dry_run } = params;
    Ok(Request::Clear { filter: selection(filter)?, dry_run })
}

/// A call that names nothing is a slip, and must not withdraw everything.
pub(super) fn cancel(params: CancelParams) -> Result<Request, Error> {
    let CancelParams { ids, filter, dry_run } = params;
    if ids.is_empty() && filter.is_empty() {
        let sentence = "give `ids`, a `filter`, or both";
        return Err(invalid(sentence).remedy("`queue.clear` withdraws all that wait"));
    }
    let named = selection(Filter { ids, ..Filter::default() })?;
    Ok(Request::Cancel { ids: named.ids, filter: selection(filter)?, dry_run })
}

pub(super) fn retry(params: RetryParams) -> Result<Request, Error> {
    let RetryParams { filter, anyway, dry_run } = params;
    Ok(Request::Retry { filter: selection(filter)?, anyway, dry_run })
}

pub(super) fn restore(params: RestoreParams) -> Result<Request, Error> {
    let RestoreParams { filter, dry_run } = params;
    Ok(Request::Restore { filter: selection(filter)?, dry_run })
}
