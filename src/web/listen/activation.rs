//! The socket that the service manager passes: one, TCP or Unix, named `web`.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::socket::{AddressFamily, SockaddrLike as _, SockaddrStorage, getsockname};
use tetherd_api::activation::{self, ActivationError};
use tokio::net::{TcpListener, UnixListener};

use super::Listener;

/// The name of the descriptor (`FileDescriptorName=`).
pub const LISTENER_NAME: &str = "web";
/// What it must be.
const LISTENER_IS: &str = "a listening stream socket; set ListenStream=";

/// The listener that was passed to this process, if one was.
pub(super) fn passed() -> Result<Option<Listener>, ActivationError> {
    activation::passed(LISTENER_NAME, LISTENER_IS)?.map(listener).transpose()
}

fn listener(fd: OwnedFd) -> Result<Listener, ActivationError> {
    let name = getsockname::<SockaddrStorage>(fd.as_raw_fd()).map_err(io::Error::from)?;
    match name.family() {
        Some(AddressFamily::Unix) => {
            let listener = std::os::unix::net::UnixListener::from(fd);
            listener.set_nonblocking(true)?;
            Ok(Listener::Unix(UnixListener::from_std(listener)?, None))
        }
        Some(AddressFamily::Inet | AddressFamily::Inet6) => {
            let listener = std::net::TcpListener::from(fd);
            listener.set_nonblocking(true)?;
            Ok(Listener::Tcp(TcpListener::from_std(listener)?))
        }
        Some(_) | None => {
            Err(ActivationError::NotAListener { name: LISTENER_NAME, wanted: LISTENER_IS })
        }
    }
}
