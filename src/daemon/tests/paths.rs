//! The socket's path: what is replaced, what is left alone, its mode, its removal.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use crate::daemon::auth::{Access, AccessGroups};
use crate::daemon::socket::{
    BoundSocket, MODE_EVERYBODY, MODE_ONE_GROUP, MODE_OWN_USER, SocketError,
};

use tetherd_api::SOCKET_PATH_BYTES_MAX;

fn bind(path: &Path) -> Result<BoundSocket, SocketError> {
    BoundSocket::bind(path, &Access::own_user_only())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_stale_socket_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a listener leaves its path behind");
    bind(&path).unwrap();
}

#[test]
fn of_many_starts_at_once_on_a_stale_socket_one_has_it_and_is_reached() {
    for _ in 0..50 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        drop(UnixListener::bind(&path).unwrap());
        let together = std::sync::Barrier::new(20);
        let bound: Vec<_> = std::thread::scope(|scope| {
            let start = || {
                together.wait();
                bind(&path)
            };
            let starts: Vec<_> = (0..20).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        let (ours, refused): (Vec<_>, Vec<_>) = bound.into_iter().partition(Result::is_ok);
        assert_eq!(ours.len(), 1);
        assert!(refused.iter().all(|other| matches!(other, Err(SocketError::InUse(_)))));
        let _caller = UnixStream::connect(&path).unwrap();
        ours[0].as_ref().unwrap().listener.accept().unwrap();
    }
}

#[test]
fn a_live_socket_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let _live = UnixListener::bind(&path).unwrap();
    assert!(matches!(bind(&path), Err(SocketError::InUse(_))));
    assert!(path.exists());
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    for path in [&file, &link, &dir.path().to_path_buf()] {
        assert!(matches!(bind(path), Err(SocketError::NotASocket(_))), "{}", path.display());
    }
    assert_eq!(std::fs::read_to_string(&link).unwrap(), "mine");
}

#[test]
fn too_long_a_path_is_refused_and_the_longest_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let room = SOCKET_PATH_BYTES_MAX - dir.path().as_os_str().len() - 1;
    bind(&dir.path().join("x".repeat(room))).unwrap();
    let error = bind(&dir.path().join("x".repeat(room + 1))).unwrap_err();
    assert!(matches!(error, SocketError::PathTooLong { bytes: 108 }), "{error}");
}

#[test]
fn a_missing_folder_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let error = bind(&dir.path().join("no").join("s")).unwrap_err();
    assert!(matches!(error, SocketError::Io { what: "lock", .. }), "{error}");
}

#[test]
fn the_mode_follows_the_groups() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let alone = bind(&path).unwrap();
    assert_eq!(mode(&path), MODE_OWN_USER);
    drop(alone);

    let own = nix::unistd::Gid::effective().as_raw().to_string();
    let groups = AccessGroups::from_names(Some(&own), None, Some(&own));
    let one = BoundSocket::bind(&path, &Access::resolve(&groups).unwrap()).unwrap();
    assert_eq!(mode(&path), MODE_ONE_GROUP);
    assert_eq!(std::fs::metadata(&path).unwrap().gid().to_string(), own);
    drop(one);

    let groups = AccessGroups::from_names(Some("40001"), Some("40002"), None);
    let _two = BoundSocket::bind(&path, &Access::resolve(&groups).unwrap()).unwrap();
    assert_eq!(mode(&path), MODE_EVERYBODY);
}

#[test]
fn the_path_is_removed_at_the_end_only_if_it_is_ours() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    drop(bind(&path).unwrap());
    assert!(!path.exists());

    let ours = bind(&path).unwrap();
    // Made before ours goes, so that it cannot get the same inode.
    let other = dir.path().join("other");
    let _theirs = UnixListener::bind(&other).unwrap();
    std::fs::rename(&other, &path).unwrap();
    drop(ours);
    assert!(path.exists(), "somebody else's socket stays");
}
