//! Fetches files by their web addresses and checks whether links lead somewhere, for callers
//! who may name any address: so every address that a name resolves to is filtered when it is
//! connected to, on every redirect, and nothing is unbounded.
//!
//! - [`address`]: what a web address may look like. `redirects`: one request and the redirects
//!   that it leads through, over the connector of [`tetherd_net`]. `disposition`: the name that a
//!   server gives a file.
//! - `text_links`: links in texts. `link_check`: whether they lead somewhere.
//!
//! Never decides what becomes of a message.

pub mod address;
mod disposition;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod link_check;
mod redirects;
#[cfg(test)]
mod tests;
mod text_links;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::fetch::address::Schemes;
pub use crate::fetch::link_check::{Checked, Verdict};
use crate::fetch::redirects::{Ask, content_length, content_type, is_encoded};
pub use crate::fetch::text_links::{LINKS_MAX, TextLink, find as find_links};
use ipnet::IpNet;
use tetherd_net::connect::{Connector, Network, System};
use tetherd_net::http::{self, Answer};
use tetherd_net::ip_filter::IpFilter;
use tetherd_net::trust::{Trust, TrustError};

/// A whole file, from the lookup to the last byte.
pub const TOTAL_TIME: Duration = Duration::from_secs(60);
/// Lookup, TCP and TLS of one hop.
const CONNECT_TIME: Duration = Duration::from_secs(10);
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
    pub allow_addresses: Vec<IpNet>,
    /// A PEM file with the only authorities to trust; none: the system's.
    pub ca_file: Option<PathBuf>,
}

/// Times, which tests shorten.
#[derive(Clone, Copy, Debug)]
struct Limits {
    total: Duration,
    links: Duration,
    hop: http::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        let hop = http::Limits {
            connect: CONNECT_TIME,
            stall: STALL_TIME,
            allowance: TOTAL_TIME,
            // Slow servers may use all of the time, and no more.
            bytes_per_s_min: u64::MAX,
            body_bytes_max: 0,
        };
        Limits { total: TOTAL_TIME, links: LINKS_TIME, hop }
    }
}

/// Why something could not be had. Carries no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchError {
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

impl FetchError {
    /// A stable name.
    pub const fn name(self) -> &'static str {
        match self {
            FetchError::UnknownHost => "unknown_host",
            FetchError::NoResolver => "no_resolver",
            FetchError::RefusedAddress => "refused_address",
            FetchError::RefusedPort => "refused_port",
            FetchError::NotHttps => "not_https",
            FetchError::Credentials => "credentials",
            FetchError::BadAddress => "bad_address",
            FetchError::Tls => "tls",
            FetchError::TlsSetup => "tls_setup",
            FetchError::ConnectionRefused => "connection_refused",
            FetchError::Unreachable => "unreachable",
            FetchError::Timeout => "timeout",
            FetchError::Stalled => "stalled",
            FetchError::ConnectionLost => "connection_lost",
            FetchError::NotHttp => "not_http",
            FetchError::TooManyRedirects => "too_many_redirects",
            FetchError::BadRedirect => "bad_redirect",
            FetchError::Status(_) => "status",
            FetchError::Empty => "empty",
            FetchError::Encoded => "encoded",
            FetchError::TooLarge => "too_large",
            FetchError::NotTaken => "not_taken",
        }
    }

    /// The HTTP status, where that is what is wrong.
    pub const fn status(self) -> Option<u16> {
        if let FetchError::Status(status) = self { Some(status) } else { None }
    }

    /// Whether it may be gone in a while by itself.
    pub const fn passes(self) -> bool {
        match self {
            FetchError::NoResolver
            | FetchError::TlsSetup
            | FetchError::ConnectionRefused
            | FetchError::Unreachable
            | FetchError::Timeout
            | FetchError::Stalled
            | FetchError::ConnectionLost
            | FetchError::NotTaken => true,
            FetchError::Status(status) => matches!(status, 408 | 425 | 429 | 500..=599),
            FetchError::UnknownHost
            | FetchError::RefusedAddress
            | FetchError::RefusedPort
            | FetchError::NotHttps
            | FetchError::Credentials
            | FetchError::BadAddress
            | FetchError::Tls
            | FetchError::NotHttp
            | FetchError::TooManyRedirects
            | FetchError::BadRedirect
            | FetchError::Empty
            | FetchError::Encoded
            | FetchError::TooLarge => false,
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
    schemes: Schemes,
    connector: Connector,
    limits: Limits,
    answers: Mutex<link_check::Answers>,
}

impl Fetcher {
    /// Over the system's resolver and network. Reads `ca_file` now, so that a wrong one
    /// stops the start.
    pub fn new(settings: &Settings) -> Result<Fetcher, TrustError> {
        Fetcher::over(settings, Arc::new(System::default()))
    }

    /// Over another network.
    pub fn over(settings: &Settings, network: Arc<dyn Network>) -> Result<Fetcher, TrustError> {
        let trust = Arc::new(Trust::new(settings.ca_file.clone())?);
        let filter = IpFilter::Public(settings.allow_addresses.clone());
        Ok(Fetcher {
            schemes: if settings.allow_http { Schemes::Both } else { Schemes::Https },
            connector: Connector::over(trust, filter, network),
            limits: Limits::default(),
            answers: Mutex::default(),
        })
    }

    /// Which schemes a file may come by.
    pub fn schemes(&self) -> Schemes {
        self.schemes
    }

    /// Asks for a file of at most so many bytes. [`TOTAL_TIME`] runs from here to its end.
    pub async fn open(&self, url: &Url, bytes_max: u64) -> Result<Download, FetchError> {
        let deadline = Instant::now() + self.limits.total;
        let asking = self.ask(url, Ask::Get, self.schemes, bytes_max);
        let (answer, url) =
            timeout_at(deadline, asking).await.map_err(|_| FetchError::Timeout)??;
        let (status, headers) = (answer.status(), &answer.head.headers);
        if !(200..300).contains(&status) {
            return Err(FetchError::Status(status));
        }
        if is_encoded(headers) {
            return Err(FetchError::Encoded);
        }
        if content_length(headers).is_some_and(|length| length > bytes_max) {
            return Err(FetchError::TooLarge);
        }
        let (name, mime) = (disposition::file_name(headers), content_type(headers));
        Ok(Download { answer, deadline, url, name, mime })
    }
}

/// A file whose server has answered.
pub struct Download {
    answer: Answer,
    deadline: Instant,
    /// The address that gave it, after redirects.
    pub url: Url,
    /// The name that the server gives it.
    pub name: Option<String>,
    /// The type that the server names.
    pub mime: Option<String>,
}

impl Download {
    /// Fetches its content, piece by piece.
    pub async fn pieces(mut self, pieces: &mpsc::Sender<Piece>) -> Result<(), FetchError> {
        let deadline = self.deadline;
        timeout_at(deadline, self.all(pieces)).await.unwrap_or(Err(FetchError::Timeout))
    }

    async fn all(&mut self, pieces: &mpsc::Sender<Piece>) -> Result<(), FetchError> {
        let mut is_empty = true;
        while let Some(bytes) = self.answer.next().await? {
            is_empty = false;
            pieces.send(Piece::Data(bytes)).await.map_err(|_| FetchError::NotTaken)?;
        }
        if is_empty {
            return Err(FetchError::Empty);
        }
        pieces.send(Piece::End).await.map_err(|_| FetchError::NotTaken)
    }
}
