//! Taking files in, and what is left when that fails.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use futures_util::FutureExt as _;
use nix::unistd::pipe2;

use super::source::{BadSource, Changed, Source};
use super::*;

pub(crate) const LIMITS: Limits = Limits {
    quota: 100_000,
    image_max: 20_000,
    video_max: 50_000,
    audio_max: 50_000,
    document_max: 90_000,
};

fn spool() -> (Spool, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Spool::open(dir.path(), LIMITS).unwrap(), dir)
}

fn files(spool: &Spool) -> Vec<String> {
    let entries = fs::read_dir(&spool.shared.folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn nothing_is_left(spool: &Spool) {
    assert_eq!(files(spool), Vec::<String>::new());
    assert_eq!(spool.used(), 0);
}

/// Fails after it has given some.
struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.0.min(into.len());
        self.0 -= count;
        into[..count].fill(7);
        if count == 0 { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(count) }
    }
}

#[tokio::test]
async fn a_file_lies_under_its_name_for_its_owner_only_and_is_hashed() {
    let (spool, dir) = spool();
    let taken = spool.take(&b"abc"[..], 3).await.unwrap();
    assert_eq!(
        taken.sha256_hex(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!((taken.bytes, spool.used()), (3, 3));
    let path = spool.path(&taken.id);
    assert_eq!(path, dir.path().join("spool").join(&taken.id.0));
    assert_eq!(fs::read(&path).unwrap(), b"abc");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let folder = fs::metadata(dir.path().join("spool")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o7777, 0o700);

    let id = taken.keep();
    assert!(path.exists());
    spool.remove(&id);
    spool.remove(&id);
    nothing_is_left(&spool);
}

#[tokio::test]
async fn what_nobody_keeps_is_removed() {
    let (spool, _dir) = spool();
    drop(spool.take(&b"abc"[..], 3).await.unwrap());
    nothing_is_left(&spool);
}

#[tokio::test]
async fn a_failure_leaves_nothing() {
    let (spool, _dir) = spool();
    assert!(matches!(spool.take(&b""[..], 3).await, Err(TakeError::Empty)));
    assert!(matches!(spool.take(&b"abcd"[..], 3).await, Err(TakeError::TooLarge { max: 3, .. })));
    assert!(matches!(spool.take(Broken(1_000), 2_000).await, Err(TakeError::Read(_))));
    let endless = spool.take(io::repeat(1), u64::MAX).await;
    assert!(matches!(endless, Err(TakeError::QuotaSpent { quota: 100_000 })));
    let endless = spool.take_async(tokio::io::repeat(1), 90_000).await;
    assert!(matches!(endless, Err(TakeError::TooLarge { max: 90_000, .. })));
    nothing_is_left(&spool);
}

#[tokio::test]
async fn invariant_10_files_that_are_copied_at_the_same_time_share_one_quota() {
    let (spool, _dir) = spool();
    let many = (0..8).map(|_| spool.take(Read::take(io::repeat(1), 30_000), 30_000));
    let taken: Vec<Taken> =
        futures_util::future::join_all(many).await.into_iter().flatten().collect();
    assert!(taken.len() <= 3, "{}", taken.len());
    assert_eq!(spool.used(), 30_000 * taken.len() as u64);
    drop(taken);
    nothing_is_left(&spool);
    assert!(spool.take(Read::take(io::repeat(1), 100_000), 100_000).await.is_ok());
}

#[tokio::test]
async fn invariant_10_a_kinds_limit_holds_whatever_the_length_that_was_announced() {
    let (spool, _dir) = spool();
    let jpeg = |bytes: u64| Read::take(Read::chain(&b"\xff\xd8\xff\xe0"[..], io::repeat(1)), bytes);
    for announced in [None, Some(20_001)] {
        let asked = Asked { bytes: announced, ..Asked::default() };
        let refused = spool.accept(jpeg(20_001), asked, 0).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the file has more than 20000 bytes, the most that an image may have"
        );
    }
    let asked = Asked { bytes: Some(90_001), ..Asked::default() };
    assert!(matches!(
        spool.accept(Read::take(io::repeat(1), 90_001), asked, 0).await,
        Err(TakeError::TooLarge { max: 90_000, kind: Some(Kind::Document) })
    ));
    nothing_is_left(&spool);

    let asked = Asked { kind: Some(Kind::Document), ..Asked::default() };
    let document = spool.accept(jpeg(20_001), asked, 0).await.unwrap();
    assert_eq!((document.kind, document.info.mime.as_str()), (Kind::Document, "image/jpeg"));
    // Announced longer than it is: what is over is free again.
    let asked = Asked { bytes: Some(15_000), name: Some("a.jpg".into()), ..Asked::default() };
    let image = spool.accept_async(&b"\xff\xd8\xff\xe0 small"[..], asked).await.unwrap();
    assert_eq!((image.kind, image.info.name.as_deref()), (Kind::Image, Some("a.jpg")));
    assert_eq!(spool.used(), document.info.bytes + image.info.bytes);
}

#[tokio::test]
async fn the_sweep_leaves_what_is_referred_to_and_says_what_is_missing() {
    let (spool, dir) = spool();
    let keep = spool.take(&b"keep"[..], 10).await.unwrap().keep();
    let _orphan = spool.take(&b"orphan"[..], 10).await.unwrap().keep();
    fs::write(spool.shared.folder.join(format!("new-{}", "a".repeat(32))), b"half").unwrap();
    fs::write(spool.shared.folder.join("notes"), b"somebody's").unwrap();

    let spool = Spool::open(dir.path(), LIMITS).unwrap();
    let gone = SpoolId("0".repeat(32));
    let swept = spool.sweep([keep.clone(), gone]).unwrap();
    assert_eq!(swept, Swept { removed: 2, missing: 1 });
    let mut left = [keep.0.clone(), "notes".to_owned()];
    left.sort();
    assert_eq!(files(&spool), left);
    assert_eq!(spool.used(), 4 + 10);
    // A name from a damaged record reaches nothing else.
    spool.remove(&SpoolId("../spool/notes".into()));
    spool.remove(&SpoolId("notes".into()));
    assert_eq!(files(&spool), left);
}

#[tokio::test]
async fn a_regular_file_is_read_from_its_beginning_and_a_change_is_noticed() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"whole").unwrap();
    let fd: OwnedFd = file.try_clone().unwrap().into();
    let mut source = Source::new(fd).unwrap();
    assert_eq!(source.length(), Some(5));
    let mut text = String::new();
    source.read_to_string(&mut text).unwrap();
    assert_eq!(text, "whole");

    for change in [6, 2] {
        let mut source = Source::new(file.try_clone().unwrap().into()).unwrap();
        file.set_len(change).unwrap();
        let error = source.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(error.get_ref().is_some_and(|error| error.is::<Changed>()), "{error}");
    }
}

#[tokio::test]
async fn pipes_and_sockets_are_read_to_their_end() {
    let content = vec![5; 50_000];
    let (spool, _dir) = spool();
    let (read, write) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    let (near, far) = UnixStream::pair().unwrap();
    for (mut to, from) in [(File::from(write), read), (File::from(OwnedFd::from(near)), far.into())]
    {
        let written = content.clone();
        let writing = std::thread::spawn(move || to.write_all(&written));
        let taken = spool.take(Source::new(from).unwrap(), 50_000).await.unwrap();
        writing.join().unwrap().unwrap();
        assert_eq!(fs::read(spool.path(&taken.id)).unwrap(), content);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pipe_that_gives_nothing_takes_no_thread() {
    let silent = || {
        let (read, write) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
        (Source::new(read).unwrap(), File::from(write))
    };
    let (source, mut write) = silent();
    assert!(source.ready().now_or_never().is_none());
    write.write_all(b"x").unwrap();
    source.ready().await.unwrap();
    let (source, write) = silent();
    drop(write);
    source.ready().await.unwrap();
    let (source, _write) = silent();
    assert!(matches!(source.ready().await, Err(TakeError::TooSlow)));
    let regular = Source::new(tempfile::tempfile().unwrap().into()).unwrap();
    regular.ready().await.unwrap();
}

#[tokio::test]
async fn a_pipe_that_gives_nothing_is_let_go_of_when_nobody_waits_for_it() {
    let (spool, _dir) = spool();
    let (read, write) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    let mut write = File::from(write);
    write.write_all(b"a beginning").unwrap();
    {
        let taking = spool.take(Source::new(read).unwrap(), 100);
        let noticed = async {
            while spool.used() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            taken = taking => panic!("{taken:?}"),
            () = noticed => {}
        }
    }
    // Its thread closes the only reader: a writer gets EPIPE.
    let gone = spawn_blocking(move || {
        while write.write(b"x").is_ok() {
            std::thread::yield_now();
        }
    });
    timeout(Duration::from_secs(20), gone).await.unwrap().unwrap();
    nothing_is_left(&spool);
}

#[test]
fn folders_devices_and_what_cannot_be_read_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder: OwnedFd = File::open(dir.path()).unwrap().into();
    assert!(matches!(Source::new(folder), Err(BadSource::NotAFile("a folder"))));
    let device: OwnedFd = File::open("/dev/zero").unwrap().into();
    assert!(matches!(Source::new(device), Err(BadSource::NotAFile("a device"))));
    let only_written: OwnedFd = File::create(dir.path().join("x")).unwrap().into();
    assert!(matches!(Source::new(only_written), Err(BadSource::NotReadable)));
}

#[tokio::test]
async fn a_file_that_is_only_examined_takes_neither_quota_nor_disk() {
    let (spool, _dir) = spool();
    // All but a little of the quota is spent.
    let most = spool.take(Read::take(io::repeat(1), 90_000), 90_000).await.unwrap();
    let asked = || Asked { name: Some("a.bin".into()), bytes: Some(80_000), ..Asked::default() };
    let source = || Read::take(io::repeat(1), 80_000);
    let refused = spool.accept(source(), asked(), 0).await.unwrap_err();
    assert!(matches!(refused, TakeError::QuotaSpent { .. }));
    let (kind, info) = spool.examine(source(), asked(), 0).await.unwrap();
    assert_eq!((kind, info.bytes, info.name.as_deref()), (Kind::Document, 80_000, Some("a.bin")));
    assert_eq!((spool.used(), files(&spool).len()), (90_000, 1));
    drop(most);
    let accepted = spool.accept(source(), asked(), 0).await.unwrap();
    assert_eq!(accepted.info, info, "both say the same of it");
}

/// Reads nothing and returns from no read, like a file on a filesystem that hangs, until the
/// other end is dropped.
struct Hanging(std::sync::mpsc::Receiver<()>);

impl Read for Hanging {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        assert!(self.0.recv().is_err());
        Ok(0)
    }
}

#[tokio::test]
async fn a_user_whose_files_hang_holds_up_nobody_else() {
    let (spool, _dir) = spool();
    let asked = Asked::default;
    let mut ends = Vec::new();
    let mut copies = Vec::new();
    for _ in 0..2 * COPIES_MAX {
        let (end, hanging) = std::sync::mpsc::sync_channel(1);
        ends.push(end);
        let spool = spool.clone();
        copies.push(tokio::spawn(async move {
            spool.accept(Hanging(hanging), asked(), 1).await.unwrap_err()
        }));
    }
    while spool.shared.copies.held_by(1) < COPIES_PER_USER_MAX {
        tokio::task::yield_now().await;
    }
    spool.accept(&b"abc"[..], asked(), 2).await.unwrap();
    drop(ends);
    for copy in copies {
        assert!(matches!(copy.await.unwrap(), TakeError::Empty));
    }
}
