//! The limits of the control socket, in one place. They are part of the contract.

use std::time::Duration;

/// Longest line in either direction, in bytes, its newline included.
///
/// A text of [`TEXT_CHARS_MAX`] characters takes twelve bytes a character when a
/// client escapes everything outside ASCII as surrogate pairs, as Python does.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Deepest nesting of a request's JSON.
pub const JSON_DEPTH_MAX: usize = 32;
/// Longest id of a request, in bytes. It comes back in the reply.
pub const ID_BYTES_MAX: usize = 256;
/// Connections in all.
pub const CONNECTIONS_MAX: usize = 64;
/// Of these, the ones that only root and the daemon's own user may take.
pub const CONNECTIONS_KEPT: usize = 4;
/// Connections of one user.
pub const CONNECTIONS_PER_USER_MAX: usize = 8;
/// Requests of one connection that are worked on or whose replies wait to be written.
/// Further ones wait in the socket.
pub const IN_FLIGHT_MAX: usize = 32;
/// Time to finish a started line.
pub const LINE_TIME_MAX: Duration = Duration::from_secs(10);
/// Time for which a connection without a subscription may ask nothing; then it closes.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(15 * 60);
/// Time for a peer to take one reply. A subscriber may take any time for its events.
pub const WRITE_TIME_MAX: Duration = Duration::from_secs(30);
/// Descriptors with one line. If there are more, all are closed at once.
pub const FDS_PER_LINE_MAX: usize = 4;
/// Longest text of a message, in Unicode scalar values.
pub const TEXT_CHARS_MAX: usize = 65_536;
/// Longest preview of a text in lists, events and examples, in characters.
pub const PREVIEW_CHARS_MAX: usize = 80;
/// Longest caption, in Unicode scalar values.
pub const CAPTION_CHARS_MAX: usize = 1_024;
/// Longest idempotency key, in bytes.
pub const KEY_BYTES_MAX: usize = 128;
/// Longest name of a file, in bytes.
pub const FILE_NAME_BYTES_MAX: usize = 255;
/// Largest file given as base64, in bytes after decoding: it must fit into one line.
pub const INLINE_FILE_BYTES_MAX: usize = 512 * 1024;
/// Longest address of a file, in bytes.
pub const URL_BYTES_MAX: usize = 4_096;
/// Longest request for a passkey, and longest answer to one, as JSON, in bytes.
pub const PASSKEY_BYTES_MAX: usize = 32 * 1024;
/// Most messages that one `queue.list` answers.
pub const LIST_ENTRIES_MAX: usize = 400;
/// Most messages that one `inbox.list` answers.
pub const INBOX_LIST_MAX: usize = 200;
/// Most texts that `queue.clear` answers as examples.
pub const CLEAR_EXAMPLES_MAX: usize = 100;
/// Most ids in one request.
pub const IDS_MAX: usize = 1_000;
/// Most ids that one condition names.
pub const CONDITION_IDS_MAX: usize = 100;
/// Most numbers in one `phone.check`.
pub const CHECK_NUMBERS_MAX: usize = 100;
/// Most persons that one message mentions.
pub const MENTIONS_MAX: usize = 256;
/// Longest reaction, in bytes: an emoji can be made of several.
pub const EMOJI_BYTES_MAX: usize = 64;
/// Most groups that one `group.list` answers.
pub const GROUPS_MAX: usize = 1_000;
/// Longest name of a group, in characters; a longer one is cut.
pub const GROUP_NAME_CHARS_MAX: usize = 100;
/// Longest name of a heartbeat's source or network, in bytes.
pub const HEARTBEAT_NAME_BYTES_MAX: usize = 64;

const _: () = assert!(GROUPS_MAX * (GROUP_NAME_CHARS_MAX * 6 + 400) <= FRAME_BYTES_MAX);
const _: () = assert!(TEXT_CHARS_MAX * 12 + 64 * 1024 <= FRAME_BYTES_MAX);
/// Longest path of a Unix socket, in bytes (`sun_path` of unix(7) without its end).
pub const SOCKET_PATH_BYTES_MAX: usize = 107;
