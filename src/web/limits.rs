//! Every bound of the front, in one place, and the one budget of memory. Never waits for
//! anybody for longer than is said here.

use std::sync::Arc;
use std::time::Duration;

use tetherd_api::FRAME_BYTES_MAX;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Connections at a time; further ones wait to be accepted.
pub const CONNECTIONS_MAX: usize = 128;
/// Connections that wait to be accepted.
pub const BACKLOG: i32 = 128;
/// Time for the head of a request, and for which a connection may ask nothing.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Lines in the head of a request.
pub const HEADERS_MAX: usize = 64;
/// The head of a request, and what of a connection is kept in memory otherwise, in bytes.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Time for a body that is no file.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(20);
/// Time for a client to take anything of an answer.
pub const WRITE_TIME_MAX: Duration = Duration::from_secs(30);
/// Time for a client to take all that is in memory for it, or [`TAKE_BYTES_MIN`] of it.
pub const TAKE_TIME_MAX: Duration = Duration::from_secs(60);
/// Bytes that a client takes within [`TAKE_TIME_MAX`], if there are so many: about 4 KiB a second.
pub const TAKE_BYTES_MIN: usize = 256 * 1024;
/// Time for the next part of a file that is sent to us.
pub const CHUNK_TIME_MAX: Duration = Duration::from_secs(20);
/// Time for a whole file.
pub const UPLOAD_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// Files that are received at a time. They lie on disk, without a name.
pub const UPLOADS_MAX: usize = 2;
/// Largest file, in bytes, if the configuration names no other: the contract's largest.
pub const UPLOAD_BYTES_MAX: u64 = 2_000 * 1024 * 1024;
/// Parts of a body that comes in parts.
pub const PARTS_MAX: usize = 64;
/// The head of a part, or what lies before the first part, in bytes.
pub const PART_HEAD_BYTES_MAX: usize = 64 * 1024;
/// A form of the page, in bytes: a text with all of its characters escaped.
pub const FORM_BYTES_MAX: usize = FRAME_BYTES_MAX;
/// Bytes of bodies that are in memory at a time: those that come in, and the answers to calls.
/// A page is bounded by itself, and each connection makes one at a time.
pub const BUDGET_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of messages' texts in one answer. What has no room is cut to its beginning, or left out.
pub const TEXT_BYTES_MAX: usize = FRAME_BYTES_MAX;
/// How much larger JSON can be in memory than it was as text.
pub const PARSED_FACTOR: usize = 16;
/// Programs that post alerts.
pub const RECEIVERS_MAX: usize = 64;
/// A template for what they post, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 16 * 1024;
/// Steps of a template, each of which can make 64 bytes: milliseconds, and 6 MiB.
pub const TEMPLATE_FUEL: u64 = 100_000;
/// The message that it makes, in characters.
pub const RECEIVED_TEXT_CHARS_MAX: usize = 4_096;
/// Chats that the name of a receiver's group has meant, one after the other, while the daemon
/// remembers what was sent to them.
pub const CHATS_OF_A_NAME_MAX: u32 = 9;
/// Time to wait for a part of the budget.
pub const BUDGET_TIME_MAX: Duration = Duration::from_secs(10);
/// Calls to one daemon that are under way at a time: fewer than the contract's 32.
pub const CALLS_MAX: usize = 24;
/// Connections to one daemon for events, besides the one for calls. The contract allows 8 a user.
pub const STREAMS_MAX: usize = 5;
/// Connections to one daemon on which a webhook reads a page of its feed, besides those.
pub const READERS_MAX: usize = 1;
/// Pages that follow one daemon live.
pub const LIVE_MAX: usize = 64;
/// Sessions of people.
pub const SESSIONS_MAX: usize = 256;
/// Sessions of people with one token.
pub const SESSIONS_PER_TOKEN_MAX: usize = 16;
/// A session that nobody uses ends after this.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// A session ends after this.
pub const SESSION_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Tokens in the file.
pub const TOKENS_MAX: usize = 256;
/// The file of tokens, in bytes.
pub const TOKENS_BYTES_MAX: u64 = 64 * 1024;
/// Wrong tokens of one peer within [`FAILURES_WINDOW`]; then another one is asked to wait.
pub const FAILURES_MAX: usize = 20;
/// For which wrong tokens are remembered.
pub const FAILURES_WINDOW: Duration = Duration::from_secs(60);
/// Peers whose wrong tokens are remembered.
pub const FAILURE_PEERS_MAX: usize = 4_096;
/// Time for what is under way when the front ends.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

const _: () = assert!(STREAMS_MAX + READERS_MAX + 1 < tetherd_api::CONNECTIONS_PER_USER_MAX);
const _: () = assert!(CALLS_MAX < tetherd_api::IN_FLIGHT_MAX);
const _: () = assert!(BUDGET_BYTES >= 4 * FRAME_BYTES_MAX);

/// The memory that those bodies may take, in all.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Semaphore>);

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    _permit: OwnedSemaphorePermit,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget(Arc::new(Semaphore::new(BUDGET_BYTES / 1024)))
    }
}

impl Budget {
    /// Room for as many bytes; none when none became free in time.
    pub async fn take(&self, bytes: usize) -> Option<Share> {
        let kib = u32::try_from(bytes.min(BUDGET_BYTES).div_ceil(1024)).unwrap_or(u32::MAX);
        let taken = timeout(BUDGET_TIME_MAX, Arc::clone(&self.0).acquire_many_owned(kib)).await;
        taken.ok()?.ok().map(|permit| Share { _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_budget_is_one_and_comes_back() {
        let budget = Budget::default();
        let all = budget.take(usize::MAX).await.unwrap();
        assert!(budget.take(1).await.is_none());
        drop(all);
        assert!(budget.take(BUDGET_BYTES).await.is_some());
    }
}
