//! How much memory callers can make the daemon hold: one budget in bytes for requests that
//! are worked on and their replies, shared fairly among users. A request waits for its
//! part before it is decoded. Never looks into a request.

use crate::shares::{Share, Shares};
use tetherd_api::{CONNECTIONS_MAX, FRAME_BYTES_MAX, Method};

const MIB: usize = 1024 * 1024;
/// `MemoryMax=` of the service's unit.
const MEMORY_MAX: usize = 512 * MIB;
/// Requests that are worked on, with their replies, of all users.
const CALL_BYTES_MAX: u32 = 128 * 1024 * 1024;
/// Those of one user.
const CALL_BYTES_PER_USER_MAX: u32 = 32 * 1024 * 1024;
/// Lines that are being read: one in the buffer of each connection, one taken out of it.
const READ_BYTES_MAX: usize = CONNECTIONS_MAX * 2 * FRAME_BYTES_MAX;
/// A decoded request takes at most this many times its line: its own texts, and a file's
/// bytes as well.
const DECODED_FACTOR: usize = 2;
/// The reply of a method that lists nothing and carries no content.
const SMALL_REPLY_BYTES: usize = 64 * 1024;

// Half of the memory is left for the queue, the session and the store.
const _: () = assert!(READ_BYTES_MAX + CALL_BYTES_MAX as usize <= MEMORY_MAX / 2);
// The largest request fits into one user's share.
const _: () =
    assert!(DECODED_FACTOR * FRAME_BYTES_MAX + FRAME_BYTES_MAX <= CALL_BYTES_PER_USER_MAX as usize);

/// The budget.
#[derive(Clone, Debug)]
pub(crate) struct CallMemory(Shares);

impl Default for CallMemory {
    fn default() -> CallMemory {
        CallMemory(Shares::new(CALL_BYTES_MAX, CALL_BYTES_PER_USER_MAX))
    }
}

impl CallMemory {
    /// Waits for the part of one request of this user: its line and its reply.
    pub(crate) async fn take(&self, uid: u32, line_bytes: usize, method: Method) -> Option<Share> {
        let bytes = DECODED_FACTOR.saturating_mul(line_bytes).saturating_add(reply_bytes(method));
        self.0.take(uid, u32::try_from(bytes).unwrap_or(u32::MAX)).await
    }
}

/// The most that a reply takes.
fn reply_bytes(method: Method) -> usize {
    let large = matches!(
        method,
        Method::GroupList
            | Method::MessageGet
            | Method::QueueList
            | Method::QueueClear
            | Method::InboxList
            | Method::InboxFile
            | Method::Explain
            | Method::RpcDiscover
    );
    if large { FRAME_BYTES_MAX } else { SMALL_REPLY_BYTES }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_units_say_the_limit_that_the_budget_is_made_for() {
        for unit in [
            include_str!("../../systemd/system/tetherd.service"),
            include_str!("../../systemd/system/tetherd@.service"),
        ] {
            let limit = format!("MemoryMax={}M", MEMORY_MAX / MIB);
            assert!(unit.lines().any(|line| line == limit), "{limit}");
        }
    }

    #[tokio::test]
    async fn invariant_10_a_users_requests_wait_for_memory_and_hold_up_nobody_else() {
        let memory = CallMemory::default();
        let line = FRAME_BYTES_MAX;
        let mut held = Vec::new();
        while let Some(share) = memory.take(1, line, Method::MessageSend).now_or_never() {
            held.push(share.unwrap());
        }
        let bytes = held.len() * (DECODED_FACTOR * line + SMALL_REPLY_BYTES);
        assert!(bytes <= CALL_BYTES_PER_USER_MAX as usize && held.len() > 8, "{bytes}");
        assert!(memory.take(2, line, Method::MessageSend).now_or_never().is_some());
        held.pop();
        assert!(memory.take(1, line, Method::MessageSend).now_or_never().is_some());
    }
}
