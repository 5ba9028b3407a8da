//! What must hold for whatever is posted to the front. Entrances for contrib/fuzz; part of no
//! program.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use tetherd_api::Tier;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use crate::auth::TokenFile;
use crate::config::Config;
use crate::front;
use crate::listen::serve_stream;

pub use crate::compat::fuzzing::fields;
pub use crate::receivers::fuzzing::posts;

/// What of a request stands for the token's secret, and for the front's name.
const TOKEN: &str = "TOKEN";
const HOST: &str = "web.example";
/// More than an answer to a few bytes has.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a connection, which then ends: the front answers, and finds no fault of its own.
pub fn requests(data: &[u8]) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    let folder = Folder::new();
    let tokens = TokenFile::new(folder.0.join("tokens"));
    let Ok(token) = tokens.add("all", Tier::Admin) else { unreachable!("a token can be made") };
    let mut config = Config::default();
    config.tokens.file = Some(folder.0.join("tokens"));
    config.uploads.dir = Some(folder.0.clone());
    config.daemons.insert("main".into(), folder.0.join("control.sock"));
    config.listen.origins.extend(format!("https://{HOST}").parse().ok());
    let text = String::from_utf8_lossy(data).replace(TOKEN, &token.secret);
    // What is not UTF-8 is tried as it is, without the token.
    let bytes = if std::str::from_utf8(data).is_ok() { text.into_bytes() } else { data.to_vec() };
    let answer = runtime.block_on(answer(config, &bytes));
    for line in answer.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"HTTP/1.1 ")) {
        let status = line.get(9..12).unwrap_or_default();
        assert!(status != b"500", "a fault of the front's own");
    }
    let secret = token.secret.as_bytes();
    assert!(!answer.windows(secret.len()).any(|window| window == secret), "the token is shown");
}

async fn answer(config: Config, bytes: &[u8]) -> Vec<u8> {
    let Ok(router) = front::routes(config) else { unreachable!("a configuration that holds") };
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (_stop, stopped) = watch::channel(false);
    let serving = serve_stream(far, router, stopped);
    let asking = async move {
        let (mut read, mut write) = tokio::io::split(near);
        let mut answer = Vec::new();
        let asked = async {
            let _ = write.write_all(bytes).await;
            let _ = write.shutdown().await;
        };
        let mut read = (&mut read).take(ANSWER_BYTES_MAX as u64);
        let (_, _) = tokio::join!(asked, read.read_to_end(&mut answer));
        answer
    };
    tokio::join!(serving, asking).1
}

/// A folder that is gone with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let name = format!("front-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        assert!(std::fs::create_dir_all(&path).is_ok());
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
#[path = "../../contrib/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::replay::replay;

    #[test]
    fn kept_inputs_hold() {
        replay("fields", super::fields);
        replay("posts", super::posts);
        replay("requests", super::requests);
    }
}
