//! A network that fails: a proxy in front of the simulator. Owns its connections and how they
//! fail at the moment; never looks at what passes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// How often a connection looks at how the network is.
const LOOK: Duration = Duration::from_millis(20);
const CHUNK_BYTES: usize = 16 * 1024;
const SECOND: Duration = Duration::from_secs(1);

/// How the network is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Network {
    Good,
    /// Connections break, and new ones are closed.
    Resets,
    /// Nothing passes, and nobody says so.
    BlackHole,
    /// What the daemon says passes, and no answer.
    HalfOpen,
    /// One byte in a second.
    Trickle,
    /// Everything takes this much longer, in milliseconds.
    Latency(u64),
    /// Each connection breaks in the middle of a frame, after so many bytes from the server.
    CutAfter(usize),
}

struct Shared {
    network: Mutex<Network>,
    changed: Condvar,
    /// Connections that somebody began.
    begun: AtomicU64,
}

impl Shared {
    fn network(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap()
    }

    /// Waits while the network is as it was, at most this long.
    fn pass(&self, time: Duration) {
        let network = self.network();
        let was = *network;
        drop(self.changed.wait_timeout_while(network, time, |now| *now == was).unwrap());
    }
}

/// The proxy; it ends with the process.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Proxy {
    pub(crate) fn start(server: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let network = Mutex::new(Network::Good);
        let shared =
            Arc::new(Shared { network, changed: Condvar::new(), begun: AtomicU64::new(0) });
        let (of_all, server) = (Arc::clone(&shared), server.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                of_all.begun.fetch_add(1, Ordering::Relaxed);
                if *of_all.network() == Network::Resets {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&server) else { continue };
                join(&of_all, &client, &server);
            }
        });
        Proxy { shared, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that somebody began so far.
    pub(crate) fn begun(&self) -> u64 {
        self.shared.begun.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, network: Network) {
        *self.shared.network() = network;
        self.shared.changed.notify_all();
    }
}

fn join(shared: &Arc<Shared>, client: &TcpStream, server: &TcpStream) {
    for (from, to, from_server) in [(client, server, false), (server, client, true)] {
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            let _ = pump(&shared, &from, &to, from_server);
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
}

/// Passes bytes on in one direction until the connection breaks.
fn pump(
    shared: &Shared,
    mut from: &TcpStream,
    mut to: &TcpStream,
    from_server: bool,
) -> std::io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut passed = 0;
    from.set_read_timeout(Some(LOOK))?;
    loop {
        let network = *shared.network();
        let room = match network {
            Network::Good | Network::Latency(_) => CHUNK_BYTES,
            Network::Trickle => 1,
            Network::Resets => return Ok(()),
            Network::HalfOpen if !from_server => CHUNK_BYTES,
            Network::BlackHole | Network::HalfOpen => {
                shared.pass(SECOND);
                continue;
            }
            Network::CutAfter(bytes) if !from_server => bytes.max(CHUNK_BYTES),
            Network::CutAfter(bytes) if passed >= bytes => return Ok(()),
            Network::CutAfter(bytes) => (bytes - passed).min(CHUNK_BYTES),
        };
        let count = match from.read(&mut buffer[..room.min(CHUNK_BYTES)]) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                continue;
            }
            Err(error) => return Err(error),
        };
        match network {
            Network::Latency(ms) => shared.pass(Duration::from_millis(ms)),
            Network::Trickle => shared.pass(SECOND),
            Network::Good
            | Network::Resets
            | Network::BlackHole
            | Network::HalfOpen
            | Network::CutAfter(_) => {}
        }
        to.write_all(&buffer[..count])?;
        passed += count;
    }
}
