//! Descriptors that are passed with lines (SCM_RIGHTS). Owns which line a descriptor
//! belongs to, and that none is ever lost: what is not taken is closed.
//!
//! The kernel hands a descriptor over together with the first byte of what it was sent
//! with, and a read that meets it ends with those bytes. But the read may begin with
//! bytes from before. So each read first looks whether a descriptor lies ahead, and if
//! so, goes no further than the next line's end: a descriptor belongs to the line in
//! which its bytes arrived. One that is sent before its line, with blank space or a
//! blank line, belongs to the line that follows.

use crate::FDS_PER_LINE_MAX;
use std::io;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recv, recvmsg, sendmsg,
};
use tokio::io::{AsyncRead, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// Descriptors with one call of the sender's: the kernel's own limit (SCM_MAX_FD).
const FDS_PER_CALL_MAX: usize = 253;

/// The descriptors that came with a line.
#[derive(Debug, Default)]
pub struct Passed {
    /// In the order in which they were sent.
    pub fds: Vec<OwnedFd>,
    /// There were more than [`crate::FDS_PER_LINE_MAX`]: none of them is here.
    pub too_many: bool,
}

/// The reading half of a socket, and the descriptors that came with what was read.
#[derive(Debug)]
pub struct FdReader {
    half: OwnedReadHalf,
    passed: Passed,
}

impl FdReader {
    /// Reads from this half.
    pub fn new(half: OwnedReadHalf) -> Self {
        FdReader { half, passed: Passed::default() }
    }

    /// The descriptors of the line that was just given back.
    pub fn take_passed(&mut self) -> Passed {
        std::mem::take(&mut self.passed)
    }
}

impl AsyncRead for FdReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let FdReader { half, passed } = &mut *self;
        let stream: &UnixStream = (*half).as_ref();
        loop {
            ready!(stream.poll_read_ready(cx))?;
            let room = into.initialize_unfilled();
            let fd = stream.as_fd();
            match stream.try_io(Interest::READABLE, || receive(fd, room, passed)) {
                Ok(count) => {
                    into.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

fn receive(fd: BorrowedFd<'_>, into: &mut [u8], passed: &mut Passed) -> io::Result<usize> {
    let (ahead, has_fds) = {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let mut slices = [IoSliceMut::new(into)];
        let peeked = recvmsg(fd, &mut slices, &mut RecvAncillaryBuffer::default(), flags)?;
        // Without room for them: that there are some is all that is asked.
        (peeked.bytes, peeked.flags.contains(ReturnFlags::CTRUNC))
    };
    let ahead = into.get_mut(..ahead).unwrap_or_default();
    if ahead.is_empty() {
        return Ok(0);
    }
    if !has_fds {
        return Ok(recv(fd, ahead, RecvFlags::DONTWAIT)?.0);
    }
    let line_end = ahead.iter().position(|byte| *byte == b'\n').map_or(ahead.len(), |at| at + 1);
    let line = ahead.get_mut(..line_end).unwrap_or_default();
    // Room for all that one call can send. Where this process may open no more, the kernel
    // cuts the rest off; those that it did open are here, and closed below.
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(FDS_PER_CALL_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(fd, &mut [IoSliceMut::new(line)], &mut control, flags)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            passed.fds.extend(fds);
        }
    }
    passed.too_many |= received.flags.contains(ReturnFlags::CTRUNC);
    passed.too_many |= passed.fds.len() > FDS_PER_LINE_MAX;
    if passed.too_many {
        passed.fds.clear();
    }
    Ok(received.bytes)
}

/// Writes a line; the descriptors go with its first byte.
pub async fn write_line(to: &mut OwnedWriteHalf, line: &[u8], fds: &[OwnedFd]) -> io::Result<()> {
    let mut rest = line;
    if !fds.is_empty() {
        let sent = send_first(to, line, fds).await?;
        rest = line.get(sent..).unwrap_or_default();
    }
    to.write_all(rest).await
}

async fn send_first(to: &OwnedWriteHalf, line: &[u8], fds: &[OwnedFd]) -> io::Result<usize> {
    let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
    let stream: &UnixStream = to.as_ref();
    let send = || {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(FDS_PER_LINE_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        Ok(sendmsg(stream, &[IoSlice::new(line)], &mut control, flags)?)
    };
    stream.async_io(Interest::WRITABLE, send).await
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::{AsRawFd, RawFd};
    use std::os::unix::net::UnixStream as StdStream;

    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

    use super::*;
    use crate::framing::LineReader;

    fn file(text: &str) -> OwnedFd {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        file.into()
    }

    fn text(fd: OwnedFd) -> String {
        let mut text = String::new();
        File::from(fd).read_to_string(&mut text).unwrap();
        text
    }

    /// Writes each piece by a call of its own, with its descriptors, then reads all lines.
    async fn lines(pieces: &[(&str, &[&str])]) -> Vec<(String, Vec<String>, bool)> {
        let (near, far) = StdStream::pair().unwrap();
        for (piece, files) in pieces {
            let fds: Vec<OwnedFd> = files.iter().map(|name| file(name)).collect();
            let numbers: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
            let rights = [ControlMessage::ScmRights(&numbers)];
            let rights = if fds.is_empty() { &rights[..0] } else { &rights[..] };
            let iov = [IoSlice::new(piece.as_bytes())];
            let fd = near.as_raw_fd();
            let sent = sendmsg::<()>(fd, &iov, rights, MsgFlags::empty(), None).unwrap();
            assert_eq!(sent, piece.len());
        }
        drop(near);
        far.set_nonblocking(true).unwrap();
        let (from, _to) = UnixStream::from_std(far).unwrap().into_split();
        let mut reader = LineReader::new(FdReader::new(from), 1_000_000, None);
        let mut lines = Vec::new();
        while let Some(line) = reader.next().await.unwrap() {
            let Passed { fds, too_many } = reader.source_mut().take_passed();
            let line = String::from_utf8(line).unwrap();
            lines.push((line, fds.into_iter().map(text).collect(), too_many));
        }
        lines
    }

    fn line(line: &str, files: &[&str]) -> (String, Vec<String>, bool) {
        (line.to_owned(), files.iter().map(|name| (*name).to_owned()).collect(), false)
    }

    #[tokio::test]
    async fn each_descriptor_belongs_to_the_line_in_which_its_bytes_arrived() {
        for pieces in [
            // With the first byte; what came before has none.
            &[("a\n", &[][..]), ("b\n", &["1"]), ("c\n", &[]), ("d\n", &["2"])][..],
            // In a call of its own before the line: blank, or a blank line.
            &[("a\n", &[]), (" ", &["1"]), ("b\nc\n", &[]), ("\n", &["2"]), ("d\n", &[])],
            // In the middle of the line.
            &[("a\n{", &[]), ("\"", &["1"]), ("}\nc", &[]), ("\n", &[]), ("d\n", &["2"])],
            // Several lines in one call: the first one.
            &[("a\n", &[]), ("b\nc\n", &["1"]), ("d\n", &["2"])],
        ] {
            let found = lines(pieces).await;
            let passed: Vec<(char, &[String])> = found
                .iter()
                .filter(|(_, fds, _)| !fds.is_empty())
                .map(|(line, fds, _)| (line.trim().chars().next().unwrap(), &fds[..]))
                .collect();
            let second = if found.iter().any(|(line, ..)| line == "{\"}") { '{' } else { 'b' };
            assert_eq!(passed, [(second, &["1".to_owned()][..]), ('d', &["2".to_owned()])]);
        }
    }

    #[tokio::test]
    async fn a_line_longer_than_a_read_keeps_its_descriptors_in_order() {
        let long = "x".repeat(30_000);
        let (first, second) = (format!("{long}\n"), format!("{long}{long}"));
        let found = lines(&[(&first, &["1", "2"]), (&second, &["3"]), ("z\n", &["4"])]).await;
        let expected = [line(&long, &["1", "2"]), line(&format!("{second}z"), &["3", "4"])];
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn a_line_with_too_many_descriptors_has_none() {
        let five = &["1", "2", "3", "4", "5"][..];
        let found = lines(&[("a\n", five), ("b", &five[..4]), ("\n", &["5"]), ("c", &["6"])]).await;
        let too_many = |name: &str| (name.to_owned(), vec![], true);
        assert_eq!(found, [too_many("a"), too_many("b"), line("c", &["6"])]);
    }
}
