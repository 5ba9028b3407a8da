//! The wall clock. The only place that reads it.

use tetherd_api::Time;

/// What time it is.
pub(crate) fn now() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}
