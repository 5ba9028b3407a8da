//! Speaks to a Unix socket in lines, where no socat is at hand: writes stdin to it all
//! at once, and prints as many lines as it has written.
//!
//! `cargo run --example lines -- /run/tetherd/control.sock < requests.jsonl`
//!
//! Standard library only: the contract of the control socket is nothing but lines.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

fn main() -> io::Result<()> {
    let Some(path) = std::env::args_os().nth(1) else {
        return Err(io::Error::other("usage: lines SOCKET < REQUESTS"));
    };
    let mut requests = Vec::new();
    io::stdin().read_to_end(&mut requests)?;
    let expected = requests.iter().filter(|byte| **byte == b'\n').count();

    let mut socket = UnixStream::connect(path)?;
    let replies = BufReader::new(socket.try_clone()?);
    // The daemon reads no further while its replies are not taken.
    let writing = thread::spawn(move || socket.write_all(&requests));
    let mut out = io::stdout().lock();
    for reply in replies.lines().take(expected) {
        writeln!(out, "{}", reply?)?;
    }
    writing.join().unwrap_or_else(|_| Err(io::Error::other("the writer broke off")))
}
