//! Asking the machine what may hang: on a thread of its own, so that the end of the process
//! waits for nothing. And its paths, as a shell takes them.

use std::path::Path;
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

/// A path in a command to be pasted: quoted where that is needed.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_take_it_apart() {
        assert_eq!(quoted(Path::new("/srv/t.toml")), "/srv/t.toml");
        assert_eq!(quoted(Path::new("/srv/my files/t")), "'/srv/my files/t'");
        assert_eq!(quoted(Path::new("/srv/a'b")), r"'/srv/a'\''b'");
    }
}
