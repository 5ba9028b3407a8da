//! The client against a small server on loopback, over a network that counts.

mod exchange;
mod refused;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use tetherd_net::connect::{Network, ResolveError};
use tetherd_net::http;

use super::{FetchError, Fetcher, Limits, Piece, Settings};

/// A public address, behind which the test's server is.
pub(super) const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1));

/// Names as the test says, connections as they are, except to [`PUBLIC`]; all counted.
#[derive(Default)]
pub(super) struct TestNetwork {
    pub(super) names: HashMap<&'static str, Vec<IpAddr>>,
    pub(super) server: Option<SocketAddr>,
    pub(super) connects: Mutex<Vec<SocketAddr>>,
}

#[async_trait]
impl Network for TestNetwork {
    async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        match self.names.get(host) {
            Some(addresses) if addresses.is_empty() => Err(ResolveError::NoResolver),
            Some(addresses) => Ok(addresses.clone()),
            None => Err(ResolveError::UnknownHost),
        }
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.connects.lock().unwrap().push(address);
        match self.server {
            Some(server) if address.ip() == PUBLIC => TcpStream::connect(server).await,
            // Nothing leaves the machine, whatever is wrong with the filter.
            _ if !address.ip().is_loopback() => Err(io::ErrorKind::NetworkUnreachable.into()),
            _ => TcpStream::connect(address).await,
        }
    }
}

impl TestNetwork {
    /// `files.example` is public, and this server's.
    pub(super) fn to(server: SocketAddr) -> TestNetwork {
        let names = HashMap::from([("files.example", vec![PUBLIC])]);
        TestNetwork { names, server: Some(server), ..TestNetwork::default() }
    }

    pub(super) fn connects(&self) -> Vec<SocketAddr> {
        self.connects.lock().unwrap().clone()
    }
}

pub(super) fn fetcher(network: &Arc<TestNetwork>) -> Fetcher {
    let settings = Settings { allow_http: true, ..Settings::default() };
    let mut fetcher = Fetcher::over(&settings, network.clone()).unwrap();
    let limits = Limits::default();
    let stall = Duration::from_millis(300);
    fetcher.limits = Limits { hop: http::Limits { stall, ..limits.hop }, ..limits };
    fetcher
}

/// What a fetch gives, whole.
pub(super) async fn fetch(fetcher: &Fetcher, url: &str, max: u64) -> Result<Vec<u8>, FetchError> {
    let (pieces, mut incoming) = mpsc::channel(4);
    let url = url::Url::parse(url).map_err(|_| FetchError::BadAddress)?;
    let fetching = async {
        let fetched = match fetcher.open(&url, max).await {
            Ok(download) => download.pieces(&pieces).await,
            Err(error) => Err(error),
        };
        drop(pieces);
        fetched
    };
    let gathering = async {
        let (mut bytes, mut ended) = (Vec::new(), false);
        while let Some(piece) = incoming.recv().await {
            match piece {
                Piece::Data(data) => bytes.extend_from_slice(&data),
                Piece::End => ended = true,
            }
        }
        (bytes, ended)
    };
    let (fetched, (bytes, ended)) = tokio::join!(fetching, gathering);
    assert_eq!(fetched.is_ok(), ended, "an end is said exactly when all is there");
    fetched.map(|()| bytes)
}

/// Answers each request, given as its first line, and closes. An empty answer never comes.
pub(super) async fn serve(
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (log, answer) = (asked.clone(), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (log, answer) = (log.clone(), answer.clone());
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    request.push(byte);
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let line = request.lines().next().unwrap_or_default().to_owned();
                log.lock().unwrap().push(request);
                let answer = answer(&line);
                let _ = stream.write_all(answer.as_bytes()).await;
                if answer.is_empty() || answer.ends_with("...") {
                    // Until the client gives up.
                    let _ = stream.read_u8().await;
                }
            });
        }
    });
    (address, asked)
}

pub(super) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub(super) fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

pub(super) fn status(code: u16) -> String {
    format!("HTTP/1.1 {code} X\r\ncontent-length: 0\r\n\r\n")
}
