//! The media host: HTTPS on loopback, one request a connection. Takes uploads in as they
//! come, whole or from where they broke off, and hands files out. Breaks off, fails and
//! stalls on demand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::media::{FILE_BYTES_MAX, direct_path, token_from};
use super::shared::Shared;

/// Most connections at a time.
const CONNECTIONS_MAX: usize = 64;
/// Longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Taken from a body at a time, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;
/// How long accepting waits after the system refused a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

type Line = TlsStream<TcpStream>;

/// Accepts until dropped.
pub(super) async fn run(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    shared: Arc<Shared>,
) {
    let acceptor = TlsAcceptor::from(tls);
    let mut lines = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept(), if lines.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            Some(_) = lines.join_next() => continue,
        };
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        lines.spawn(async move {
            let Ok(mut line) = acceptor.accept(stream).await else { return };
            if let Err(error) = serve(&mut line, &shared).await {
                tracing::debug!("a request to the media host ended: {error}");
            }
        });
    }
}

/// A request without its body.
#[derive(Default)]
struct Head {
    post: bool,
    path: String,
    query: Vec<(String, String)>,
    length: u64,
    /// The wanted part: its first byte, and the last if it is named.
    range: Option<(usize, Option<usize>)>,
}

impl Head {
    fn parse(text: &str) -> Option<Head> {
        let mut lines = text.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let post = match first.next()? {
            "POST" => true,
            "GET" => false,
            _ => return None,
        };
        let target = first.next()?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        // whatsapp-rust 0.7.0 appends its parameters with `?` to a path that has a query.
        let pairs = query.split(['&', '?']).filter_map(|pair| pair.split_once('='));
        let query = pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
        let mut head = Head { post, path: decoded(path), query, ..Head::default() };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                head.length = value.trim().parse().unwrap_or(0);
            } else if name.eq_ignore_ascii_case("range") {
                head.range = range(value.trim());
            }
        }
        Some(head)
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The file that it is about. None: its name is no hash, or another than the `token` and
    /// `hash` with it.
    fn token(&self) -> Option<String> {
        let token = token_from(self.path.rsplit('/').next()?)?;
        let others = ["token", "hash"].iter().filter_map(|name| self.query(name));
        let same = |written: &str| token_from(written).as_deref() == Some(token.as_str());
        others.into_iter().all(same).then_some(token)
    }
}

/// A text without its percent-encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).filter(|_| *first == b'%');
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A `Range` of one part.
fn range(text: &str) -> Option<(usize, Option<usize>)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()))
}

/// Reads a request's head, and what of its body came with it.
async fn head(line: &mut Line) -> std::io::Result<Option<(Head, Vec<u8>)>> {
    let mut read = Vec::new();
    while read.len() < HEAD_BYTES_MAX {
        if line.read_buf(&mut read).await? == 0 {
            return Ok(None);
        }
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = read.split_off(end + 4);
            let text = String::from_utf8_lossy(&read);
            return Ok(Head::parse(text.trim_end()).map(|head| (head, body)));
        }
    }
    Ok(None)
}

async fn serve(line: &mut Line, shared: &Shared) -> std::io::Result<()> {
    let Some((head, body)) = head(line).await? else { return Ok(()) };
    if head.length > FILE_BYTES_MAX {
        return answer(line, 413, &[]).await;
    }
    let Some(token) = head.token() else {
        drain(line, head.length.saturating_sub(body.len() as u64)).await?;
        return answer(line, 403, &[]).await;
    };
    if !head.post {
        return hand_out(line, shared, &head, &token).await;
    }
    let known = shared.change().await.media.knows(head.query("auth"));
    if !known {
        drain(line, head.length.saturating_sub(body.len() as u64)).await?;
        return answer(line, 401, &[]).await;
    }
    if head.query("resume").is_some() {
        let progress = progress(shared, &token).await;
        return say(line, &progress).await;
    }
    take_in(line, shared, (&head, &token), body).await
}

/// How far a file has come.
async fn progress(shared: &Shared, token: &str) -> Value {
    let world = shared.look().await;
    if world.media.files.get(token).is_some() {
        let mut whole = place(world.media.address, token);
        whole["resume"] = json!("complete");
        return whole;
    }
    json!({ "resume": world.media.part_len(token).to_string() })
}

fn place(address: SocketAddr, token: &str) -> Value {
    let path = direct_path(token);
    json!({ "url": format!("https://{address}{path}"), "direct_path": path })
}

/// What is to happen to one upload.
struct Fate {
    /// The file's beginning, which was there.
    file: Vec<u8>,
    status: Option<u16>,
    break_after: Option<u64>,
}

async fn take_in(
    line: &mut Line,
    shared: &Shared,
    (head, token): (&Head, &str),
    body: Vec<u8>,
) -> std::io::Result<()> {
    let Some(fate) = fate(shared, head, token).await else {
        return answer(line, 416, &[]).await;
    };
    if let Some(status) = fate.status {
        drain(line, head.length.saturating_sub(body.len() as u64)).await?;
        return answer(line, status, &[]).await;
    }
    let mut upload = Arriving { file: fate.file, taken: 0, length: head.length };
    let whole = upload.receive(line, shared, body, fate.break_after).await;
    let mut world = shared.change().await;
    world.media.stats.bytes += upload.taken;
    match whole {
        Ok(true) => {}
        Ok(false) => {
            world.media.keep_part(token, upload.file);
            return Ok(());
        }
        Err(error) => {
            world.media.keep_part(token, upload.file);
            return Err(error);
        }
    }
    let address = world.media.address;
    let fits = world.media.finish(token, upload.file);
    drop(world);
    if fits { say(line, &place(address, token)).await } else { answer(line, 400, &[]).await }
}

async fn fate(shared: &Shared, head: &Head, token: &str) -> Option<Fate> {
    let offset = match head.query("file_offset") {
        Some(offset) => Some(offset.parse::<usize>().ok()?),
        None => None,
    };
    let mut world = shared.change().await;
    let media = &mut world.media;
    media.stats.begun += 1;
    if media.settings.fail_times.take() {
        let status = Some(media.settings.fail_status);
        return Some(Fate { file: Vec::new(), status, break_after: None });
    }
    let mut file = media.take_part(token);
    if offset.is_some_and(|offset| offset > file.len()) {
        return None;
    }
    file.truncate(offset.unwrap_or(0));
    media.stats.resumed += u64::from(!file.is_empty());
    let breaks = media.settings.break_times.take();
    Some(Fate { file, status: None, break_after: breaks.then_some(media.settings.break_after) })
}

/// A file as it comes in.
struct Arriving {
    file: Vec<u8>,
    taken: u64,
    length: u64,
}

impl Arriving {
    /// True when all is there, false when it is to break off.
    async fn receive(
        &mut self,
        line: &mut Line,
        shared: &Shared,
        first: Vec<u8>,
        break_after: Option<u64>,
    ) -> std::io::Result<bool> {
        let mut chunk = first;
        let mut stalled = false;
        loop {
            let wanted = self.length - self.taken;
            let wanted =
                break_after.map_or(wanted, |end| wanted.min(end.saturating_sub(self.taken)));
            let bytes = chunk.len().min(usize::try_from(wanted).unwrap_or(usize::MAX));
            self.file.extend_from_slice(&chunk[..bytes]);
            self.taken += bytes as u64;
            if self.taken >= self.length {
                return Ok(true);
            }
            if break_after.is_some_and(|end| self.taken >= end) {
                return Ok(false);
            }
            if !stalled {
                stalled = self.stand_still(shared).await;
            }
            chunk.clear();
            chunk.reserve(CHUNK_BYTES);
            if line.read_buf(&mut chunk).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Waits while uploads are to stand still here.
    async fn stand_still(&self, shared: &Shared) -> bool {
        let stands = |after: Option<u64>| after.is_some_and(|after| self.taken >= after);
        let mut changes = shared.changes();
        if !stands(shared.look().await.media.settings.stall_after) {
            return false;
        }
        shared.change().await.media.stats.stalled += 1;
        loop {
            changes.borrow_and_update();
            if !stands(shared.look().await.media.settings.stall_after) {
                break;
            }
            if changes.changed().await.is_err() {
                break;
            }
        }
        shared.change().await.media.stats.stalled -= 1;
        true
    }
}

async fn hand_out(
    line: &mut Line,
    shared: &Shared,
    head: &Head,
    token: &str,
) -> std::io::Result<()> {
    let file = {
        let mut world = shared.change().await;
        let known = head.query("auth").is_none_or(|auth| world.media.knows(Some(auth)));
        if !known {
            drop(world);
            return answer(line, 401, &[]).await;
        }
        let file = world.media.files.get(token);
        world.media.stats.downloads += u64::from(file.is_some());
        file
    };
    let Some(file) = file else { return answer(line, 404, &[]).await };
    let Some((first, last)) = head.range else { return answer(line, 200, &file).await };
    let end = last.map_or(file.len(), |last| last.saturating_add(1).min(file.len()));
    match file.get(first..end).filter(|part| !part.is_empty()) {
        Some(part) => {
            let place = format!("content-range: bytes {first}-{}/{}\r\n", end - 1, file.len());
            write(line, 206, &place, part).await
        }
        None => answer(line, 416, &[]).await,
    }
}

/// Reads a body that is not wanted, so that the client reads the answer.
async fn drain(line: &mut Line, mut left: u64) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    while left > 0 {
        let bytes = line.read(&mut chunk).await?;
        if bytes == 0 {
            break;
        }
        left = left.saturating_sub(bytes as u64);
    }
    Ok(())
}

async fn say(line: &mut Line, value: &Value) -> std::io::Result<()> {
    answer(line, 200, value.to_string().as_bytes()).await
}

async fn answer(line: &mut Line, status: u16, body: &[u8]) -> std::io::Result<()> {
    write(line, status, "", body).await
}

/// `more`: further lines of the head.
async fn write(line: &mut Line, status: u16, more: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{more}connection: close\r\n\r\n",
        body.len()
    );
    line.write_all(head.as_bytes()).await?;
    line.write_all(body).await?;
    line.flush().await?;
    line.shutdown().await
}
