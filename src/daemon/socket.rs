//! The socket's path. Owns its making, its mode, and its removal; never removes what
//! is not ours. The state directory's lock is taken before, by the start-up order; the
//! socket's own is for daemons with other state directories and, by mistake, the same path.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind as bind_to, listen, socket,
};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, chown};

use crate::daemon::auth::Access;
use tetherd_api::SOCKET_PATH_BYTES_MAX;
use tetherd_api::client::knock;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// Comes after the socket's path. The file stays: to remove it could remove another's lock.
const LOCK_SUFFIX: &str = ".lock";
/// Other users cannot take it.
const LOCK_MODE: u32 = 0o600;

/// Only the daemon's own user (and root) may connect.
pub const MODE_OWN_USER: u32 = 0o600;
/// One group is configured, and the socket belongs to it.
pub const MODE_ONE_GROUP: u32 = 0o660;
/// Several groups are configured, or the socket cannot be given to the only one.
/// Everybody may connect; the peer's credentials decide about each call.
pub const MODE_EVERYBODY: u32 = 0o666;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A Unix socket's path is short by nature.
    #[error(
        "the socket path has {bytes} bytes, more than the {SOCKET_PATH_BYTES_MAX} that a Unix \
         socket allows; choose a shorter one"
    )]
    PathTooLong {
        /// How many.
        bytes: usize,
    },
    /// Somebody listens there.
    #[error("another process listens at {}; stop it, or choose another path", .0.display())]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{} is there and is not a socket; move it away, or choose another path", .0.display())]
    NotASocket(PathBuf),
    /// The system refused.
    #[error("cannot {what} the socket {}: {source}", .path.display())]
    Io {
        /// While doing what.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A listening socket at a path of our own.
#[derive(Debug)]
pub struct BoundSocket {
    /// For the server.
    pub listener: UnixListener,
    /// For the end.
    pub path: SocketPath,
}

/// The path as we made it. Dropping it removes the socket, if it is still ours.
#[derive(Debug)]
pub struct SocketPath {
    path: PathBuf,
    identity: (u64, u64),
    _lock: Flock<File>,
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        if identity_of(&self.path).ok() == Some(self.identity) {
            // Nothing to be done about a failure: the next start finds it stale.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl BoundSocket {
    /// Makes the socket, listening, with the mode that the access rules ask for. A
    /// stale socket is replaced; a live one, and anything else, is left alone.
    pub fn bind(path: &Path, access: &Access) -> Result<BoundSocket, SocketError> {
        let bytes = path.as_os_str().as_bytes().len();
        if bytes > SOCKET_PATH_BYTES_MAX {
            return Err(SocketError::PathTooLong { bytes });
        }
        let lock = take_lock(path)?;
        make_way(path)?;
        let failed = |what| {
            move |errno: Errno| SocketError::Io {
                what,
                path: path.to_path_buf(),
                source: errno.into(),
            }
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd =
            socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(failed("create"))?;
        // The path is born with the descriptor's mode, so it is closed to others from
        // its first moment, whatever the umask.
        fchmod(&fd, Mode::from_bits_truncate(MODE_OWN_USER)).map_err(failed("close"))?;
        let address = UnixAddr::new(path).map_err(failed("name"))?;
        bind_to(std::os::fd::AsRawFd::as_raw_fd(&fd), &address).map_err(failed("bind"))?;
        let io_failed =
            |what| move |source| SocketError::Io { what, path: path.to_path_buf(), source };
        let identity = identity_of(path).map_err(io_failed("look at"))?;
        let socket_path = SocketPath { path: path.to_path_buf(), identity, _lock: lock };
        let mode = std::fs::Permissions::from_mode(mode_for(path, access));
        std::fs::set_permissions(path, mode).map_err(io_failed("open up"))?;
        let backlog = Backlog::new(BACKLOG).map_err(failed("listen on"))?;
        listen(&fd, backlog).map_err(failed("listen on"))?;
        Ok(BoundSocket { listener: UnixListener::from(fd), path: socket_path })
    }
}

/// Gives the socket to its group where there is one, and says which mode fits.
fn mode_for(path: &Path, access: &Access) -> u32 {
    match access.gids().as_slice() {
        [] => MODE_OWN_USER,
        [gid] => match chown(path, None, Some(Gid::from_raw(*gid))) {
            Ok(()) => MODE_ONE_GROUP,
            Err(errno) => {
                tracing::warn!(
                    gid,
                    %errno,
                    "the socket cannot be given to its group; everybody may connect, and the \
                     peer's credentials decide"
                );
                MODE_EVERYBODY
            }
        },
        [_, _, ..] => MODE_EVERYBODY,
    }
}

/// Between the look at a stale socket and listening, another start could remove ours.
fn take_lock(path: &Path) -> Result<Flock<File>, SocketError> {
    let mut lock = path.as_os_str().to_owned();
    lock.push(LOCK_SUFFIX);
    let lock = PathBuf::from(lock);
    let failed = |source| SocketError::Io { what: "lock", path: lock.clone(), source };
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(LOCK_MODE)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(&lock)
        .map_err(failed)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, Errno::EWOULDBLOCK)) => Err(SocketError::InUse(path.to_path_buf())),
        Err((_, errno)) => Err(failed(errno.into())),
    }
}

fn make_way(path: &Path) -> Result<(), SocketError> {
    let io_failed = |what| move |source| SocketError::Io { what, path: path.to_path_buf(), source };
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_failed("look at")(error)),
    };
    if !found.file_type().is_socket() {
        return Err(SocketError::NotASocket(path.to_path_buf()));
    }
    match knock(path) {
        Err(Errno::ECONNREFUSED) => std::fs::remove_file(path).map_err(io_failed("replace")),
        Err(Errno::ENOENT) => Ok(()),
        // A full backlog is somebody who listens, too.
        Ok(()) | Err(Errno::EAGAIN) => Err(SocketError::InUse(path.to_path_buf())),
        Err(errno) => Err(io_failed("try")(errno.into())),
    }
}

fn identity_of(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}
