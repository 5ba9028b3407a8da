//! Where the front listens, and each connection's bounds: how many there are, how large and
//! how slow a head may be, how long a client may take to read. Never looks at a request.

mod activation;
mod timed;

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::Address;
use crate::limits::{
    BACKLOG, CONNECTIONS_MAX, DRAIN_TIME_MAX, HEAD_BYTES_MAX, HEAD_TIME_MAX, HEADERS_MAX,
};
pub use activation::LISTENER_NAME;
use activation::passed;
pub use tetherd_api::activation::ActivationError;
use timed::Timed;

/// Who is at the other end, as far as limits are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Peer(Option<IpAddr>);

impl Peer {
    /// By an address. Of IPv6, the network that one customer has: 64 bits.
    pub fn of(address: IpAddr) -> Peer {
        Peer(Some(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(whole) => match whole.to_ipv4_mapped() {
                Some(mapped) => IpAddr::V4(mapped),
                None => {
                    let bits = u128::from(whole) & (u128::MAX << 64);
                    IpAddr::V6(Ipv6Addr::from(bits))
                }
            },
        }))
    }
}

/// A socket that listens.
#[derive(Debug)]
pub enum Listener {
    /// On an address.
    Tcp(TcpListener),
    /// On a path, which goes when the front ends, if it made it.
    Unix(UnixListener, Option<OwnPath>),
}

/// A path of our own.
#[derive(Debug)]
pub struct OwnPath(PathBuf);

impl Drop for OwnPath {
    fn drop(&mut self) {
        // A failure is mended by the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Which.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// What the service manager passed cannot be used.
    #[error(transparent)]
    Activation(#[from] ActivationError),
}

impl Listener {
    /// The socket that the service manager passed, or else a new one.
    pub fn open(address: &Address) -> Result<Listener, ListenError> {
        match passed()? {
            Some(listener) => Ok(listener),
            None => Listener::bind(address)
                .map_err(|source| ListenError::Bind { address: address.clone(), source }),
        }
    }

    /// A new one. A socket at the path that nobody listens on is replaced.
    pub fn bind(address: &Address) -> io::Result<Listener> {
        match address {
            Address::Tcp(address) => {
                let socket =
                    if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
                socket.set_reuseaddr(true)?;
                socket.bind(*address)?;
                Ok(Listener::Tcp(socket.listen(BACKLOG.unsigned_abs())?))
            }
            Address::Unix(path) => {
                make_way(path)?;
                let listener = UnixListener::bind(path)?;
                // For the proxy in front, which runs as somebody else. A token is asked for
                // all the same.
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
                Ok(Listener::Unix(listener, Some(OwnPath(path.clone()))))
            }
        }
    }

    /// Its address, if it has one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }

    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Small answers are not held back for more.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), Peer::of(address.ip())))
            }
            Listener::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), Peer::default()))
            }
        }
    }
}

fn make_way(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else is there"))
        }
        Ok(_) => match tetherd_api::client::knock(path) {
            Err(nix::errno::Errno::ECONNREFUSED) => std::fs::remove_file(path),
            Ok(()) | Err(_) => Err(io::ErrorKind::AddrInUse.into()),
        },
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Serves until `stop` says so; then what is under way has a little time.
pub async fn serve(listener: Listener, router: Router, stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut ends = stop.clone();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            Some(_) = connections.join_next() => continue,
            () = stopped(&mut ends) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // Too many descriptors, or a client that is gone again. Others go on.
            Err(_) => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let (router, stop) = (router.clone(), stop.clone());
        connections.spawn(async move {
            match stream {
                Stream::Tcp(stream) => one(stream, peer, router, stop).await,
                Stream::Unix(stream) => one(stream, peer, router, stop).await,
            }
            drop(place);
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // What is not done by then is cut off.
    let _ = timeout(DRAIN_TIME_MAX, all).await;
}

/// Until the front ends.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Nobody is left who could say so: that is an end, too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// One connection that did not come by a listener.
#[cfg(any(test, fuzzing))]
pub(crate) async fn serve_stream<S>(stream: S, router: Router, stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    one(stream, Peer::default(), router, stop).await;
}

/// One connection, to its end.
async fn one<S>(stream: S, peer: Peer, router: Router, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router.layer(axum::Extension(peer)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(Timed::new(stream)), service);
    tokio::pin!(connection);
    // A client that breaks off is none of our errors.
    let _ = tokio::select! {
        ended = &mut connection => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_one_customer() {
        let peer = |text: &str| Peer::of(text.parse().unwrap());
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:1"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.2"), peer("192.0.2.1"));
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.sock");
        let address = Address::Unix(path.clone());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let listener = Listener::bind(&address).unwrap();
        assert_eq!(Listener::bind(&address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        assert!(!path.exists());
        std::fs::write(&path, "a file").unwrap();
        assert_eq!(Listener::bind(&address).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
