//! What becomes of those who wait on the service manager's socket when the daemon cannot
//! start until somebody has put something right. Left there they would wait in vain, and
//! have the manager try the same start again for as long as they do. Never says what is
//! wrong: that is for the administrator's eyes, and in the log.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};

use tetherd_api::frame::{Id, encode_error};
use tetherd_api::{Error, ErrorKind};

/// Most callers that get an answer. The listener's queue holds fewer.
const CALLERS_MAX: usize = 1_024;
/// What is read of a request before its caller gets the answer: closed over unread data, the
/// connection would look broken.
const REQUEST_BYTES_MAX: usize = 64 * 1_024;
/// When trying again makes sense: a person has to come first.
const RETRY_AFTER_MS: u64 = 60_000;

/// Tells everybody who has connected so far, and closes. Waits for nobody.
pub(super) fn refuse_callers(listener: &UnixListener) {
    let error = Error::new(
        ErrorKind::ShuttingDown,
        "the daemon cannot start: something has to be put right",
    )
    .remedy("ask an administrator; `systemctl status` and the journal name what is wrong")
    .retry_after_ms(RETRY_AFTER_MS);
    let line = encode_error(&Id::Null, &error);
    if listener.set_nonblocking(true).is_err() {
        return;
    }
    for _ in 0..CALLERS_MAX {
        let Ok((caller, _)) = listener.accept() else { return };
        tell(caller, &line);
    }
}

fn tell(mut caller: UnixStream, line: &[u8]) {
    // A fresh socket takes a line at once. A caller who is gone needs none.
    if caller.set_nonblocking(true).is_ok() {
        let _ = caller.read(&mut vec![0; REQUEST_BYTES_MAX]);
        let _ = caller.write_all(line);
    }
}
