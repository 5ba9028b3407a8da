//! Fetches files by their web addresses and looks whether links lead somewhere, for
//! callers who may name any address: so every address that a name resolves to is judged
//! at the moment of connecting, on every redirect, and nothing is unbounded.
//!
//! - [`guard`]: which addresses may be connected to. [`address`]: what a web address may
//!   look like. [`wire`]: the resolver and the network below both.
//! - `exchange`: one request and its redirects. `links`: links in texts.
//!
//! Keeps no connection open, no cookie, no credentials; uses no proxy; never decides what
//! becomes of a message.

pub mod address;
mod exchange;
pub mod guard;
mod links;
#[cfg(test)]
mod tests;
pub mod wire;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;
use url::Url;

use crate::fetch::address::Schemes;
use crate::fetch::exchange::{Ask, content_length, is_encoded};
use crate::fetch::guard::{Guard, Network};
pub use crate::fetch::links::{LINKS_MAX, Verdict, find as find_links};
use crate::fetch::wire::{System, Wire};
use crate::whatsapp::{TlsError, Trust};

/// A whole file, from the lookup to the last byte.
pub const TOTAL_TIME: Duration = Duration::from_secs(60);
/// Lookup, TCP and TLS of one hop.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// TCP to one of a name's addresses.
const ADDRESS_TIME: Duration = Duration::from_secs(4);
/// Without a byte for so long, an exchange is given up.
const STALL_TIME: Duration = Duration::from_secs(15);
/// All the links of one text.
pub const LINKS_TIME: Duration = Duration::from_secs(10);
/// Redirects that are followed.
const REDIRECTS_MAX: usize = 3;

/// What is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Files may come over `http` too.
    pub allow_http: bool,
    /// Addresses besides the public ones.
    pub allow_addresses: Vec<Network>,
    /// A PEM file with the only authorities to trust; none: the system's.
    pub ca_file: Option<PathBuf>,
}

/// Times, which tests shorten.
#[derive(Clone, Copy, Debug)]
struct Limits {
    total: Duration,
    connect: Duration,
    stall: Duration,
    links: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { total: TOTAL_TIME, connect: CONNECT_TIME, stall: STALL_TIME, links: LINKS_TIME }
    }
}

/// Why something could not be had. Carries no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no such name.
    UnknownHost,
    /// No name server answers.
    NoResolver,
    /// The name has addresses, and none of them may be connected to.
    RefusedAddress,
    /// A port of another protocol.
    RefusedPort,
    /// A redirect to what is not encrypted.
    NotHttps,
    /// A redirect to an address with a user name in it.
    Credentials,
    /// A redirect to what is no web address.
    BadAddress,
    /// The server does not prove to be who it should be, or speaks no TLS.
    Tls,
    /// The authorities to trust cannot be read.
    TlsSetup,
    /// Nothing listens there.
    ConnectionRefused,
    /// There is no way to it.
    Unreachable,
    /// It took too long altogether.
    Timeout,
    /// No byte came for too long.
    Stalled,
    /// It broke off.
    ConnectionLost,
    /// What answers does not speak HTTP.
    NotHttp,
    /// More redirects than are followed.
    TooManyRedirects,
    /// A redirect that leads nowhere.
    BadRedirect,
    /// This status.
    Status(u16),
    /// There is nothing in it.
    Empty,
    /// Compressed, although that was not asked for.
    Encoded,
    /// Larger than was allowed.
    TooLarge,
    /// Whoever took the bytes stopped taking them.
    NotTaken,
}

impl Fault {
    /// A stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Fault::UnknownHost => "unknown_host",
            Fault::NoResolver => "no_resolver",
            Fault::RefusedAddress => "refused_address",
            Fault::RefusedPort => "refused_port",
            Fault::NotHttps => "not_https",
            Fault::Credentials => "credentials",
            Fault::BadAddress => "bad_address",
            Fault::Tls => "tls",
            Fault::TlsSetup => "tls_setup",
            Fault::ConnectionRefused => "connection_refused",
            Fault::Unreachable => "unreachable",
            Fault::Timeout => "timeout",
            Fault::Stalled => "stalled",
            Fault::ConnectionLost => "connection_lost",
            Fault::NotHttp => "not_http",
            Fault::TooManyRedirects => "too_many_redirects",
            Fault::BadRedirect => "bad_redirect",
            Fault::Status(_) => "status",
            Fault::Empty => "empty",
            Fault::Encoded => "encoded",
            Fault::TooLarge => "too_large",
            Fault::NotTaken => "not_taken",
        }
    }

    /// The HTTP status, where that is what is wrong.
    pub const fn status(self) -> Option<u16> {
        if let Fault::Status(status) = self { Some(status) } else { None }
    }

    /// Whether it may be gone in a while by itself.
    pub const fn passes(self) -> bool {
        match self {
            Fault::NoResolver
            | Fault::TlsSetup
            | Fault::ConnectionRefused
            | Fault::Unreachable
            | Fault::Timeout
            | Fault::Stalled
            | Fault::ConnectionLost
            | Fault::NotTaken => true,
            Fault::Status(status) => matches!(status, 408 | 425 | 429 | 500..=599),
            Fault::UnknownHost
            | Fault::RefusedAddress
            | Fault::RefusedPort
            | Fault::NotHttps
            | Fault::Credentials
            | Fault::BadAddress
            | Fault::Tls
            | Fault::NotHttp
            | Fault::TooManyRedirects
            | Fault::BadRedirect
            | Fault::Empty
            | Fault::Encoded
            | Fault::TooLarge => false,
        }
    }
}

/// A piece of a file.
#[derive(Debug)]
pub enum Piece {
    /// The next bytes.
    Data(Bytes),
    /// That was all of it. A channel that closes without it broke off.
    End,
}

/// Fetches and looks.
pub struct Fetcher {
    guard: Guard,
    schemes: Schemes,
    trust: Arc<Trust>,
    wire: Arc<dyn Wire>,
    limits: Limits,
    seen: Mutex<links::Seen>,
}

impl Fetcher {
    /// Over the system's resolver and network. Reads `ca_file` now, so that a wrong one
    /// stops the start.
    pub fn new(settings: &Settings) -> Result<Fetcher, TlsError> {
        Fetcher::over(settings, Arc::new(System::default()))
    }

    /// Over another network.
    pub fn over(settings: &Settings, wire: Arc<dyn Wire>) -> Result<Fetcher, TlsError> {
        Ok(Fetcher {
            guard: Guard::new(settings.allow_addresses.clone()),
            schemes: if settings.allow_http { Schemes::Both } else { Schemes::Https },
            trust: Arc::new(Trust::new(settings.ca_file.clone())?),
            wire,
            limits: Limits::default(),
            seen: Mutex::default(),
        })
    }

    /// Which schemes a file may come by.
    pub fn schemes(&self) -> Schemes {
        self.schemes
    }

    /// Fetches a file of at most so many bytes, piece by piece.
    pub async fn fetch(
        &self,
        url: &Url,
        bytes_max: u64,
        pieces: &mpsc::Sender<Piece>,
    ) -> Result<(), Fault> {
        let whole = self.fetch_untimed(url, bytes_max, pieces);
        timeout(self.limits.total, whole).await.unwrap_or(Err(Fault::Timeout))
    }

    async fn fetch_untimed(
        &self,
        url: &Url,
        bytes_max: u64,
        pieces: &mpsc::Sender<Piece>,
    ) -> Result<(), Fault> {
        let mut answer = self.ask(url, Ask::Get, self.schemes).await?;
        let status = answer.head.status.as_u16();
        if !(200..300).contains(&status) {
            return Err(Fault::Status(status));
        }
        if is_encoded(&answer.head.headers) {
            return Err(Fault::Encoded);
        }
        if content_length(&answer.head.headers).is_some_and(|length| length > bytes_max) {
            return Err(Fault::TooLarge);
        }
        let mut read: u64 = 0;
        while let Some(bytes) = answer.next(self.limits.stall).await? {
            read = read.saturating_add(bytes.len() as u64);
            if read > bytes_max {
                return Err(Fault::TooLarge);
            }
            pieces.send(Piece::Data(bytes)).await.map_err(|_| Fault::NotTaken)?;
        }
        if read == 0 {
            return Err(Fault::Empty);
        }
        pieces.send(Piece::End).await.map_err(|_| Fault::NotTaken)
    }
}
