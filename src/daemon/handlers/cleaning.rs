//! The parameters of `queue.cancel`, `queue.retry` and `queue.restore`, checked. Decides
//! nothing about messages.

use crate::daemon::handlers::{invalid, selection};
use tetherd_api::{CancelParams, Error, Filter, RestoreParams, RetryParams};
use tetherd_core::event::Request;

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
    let RetryParams { filter, dry_run } = params;
    Ok(Request::Retry { filter: selection(filter)?, dry_run })
}

pub(super) fn restore(params: RestoreParams) -> Result<Request, Error> {
    let RestoreParams { filter, dry_run } = params;
    Ok(Request::Restore { filter: selection(filter)?, dry_run })
}
