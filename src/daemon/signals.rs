//! Signals as a stream: the handlers only write a byte into a socket.

use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::low_level::pipe;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: drain and leave.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The process's signals.
pub struct Signals {
    stop: UnixStream,
    reload: UnixStream,
}

impl Signals {
    /// Takes over SIGTERM, SIGINT and SIGHUP, and leaves SIGPIPE ignored, as Rust
    /// programs find it. SIGXFSZ is caught and comes to nothing, so that a write past
    /// the limit on file sizes fails as one on a full disk does. Call it before anything that a signal should not cut short.
    pub fn register() -> io::Result<Signals> {
        let (stop, stop_handler) = StdStream::pair()?;
        let (reload, reload_handler) = StdStream::pair()?;
        pipe::register(SIGTERM, stop_handler.try_clone()?)?;
        pipe::register(SIGINT, stop_handler)?;
        pipe::register(SIGHUP, reload_handler)?;
        signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        Ok(Signals { stop: readable(stop)?, reload: readable(reload)? })
    }

    /// The next signal. Several of one kind at once count as one.
    pub async fn next(&mut self) -> Signal {
        let (mut stop, mut reload) = ([0u8; 64], [0u8; 64]);
        tokio::select! {
            _ = self.stop.read(&mut stop) => Signal::Stop,
            _ = self.reload.read(&mut reload) => Signal::Reload,
        }
    }
}

fn readable(stream: StdStream) -> io::Result<UnixStream> {
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}
