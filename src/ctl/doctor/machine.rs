//! Asking the machine what may hang: on a thread of its own, so that the end of the process
//! waits for nothing.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

/// What `ask` answers; none if it takes longer.
pub(crate) async fn with_limit<T: Send + 'static>(
    limit: Duration,
    ask: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    let thread = std::thread::Builder::new().name("doctor".to_owned()).spawn(move || {
        // Nobody may wait any more.
        let _ = reply.send(ask());
    });
    thread.ok()?;
    timeout(limit, answer).await.ok()?.ok()
}
