//! Carries out what the core wants prepared: fetches files into the spool and looks at
//! links, a few at a time, and reports each. Decides nothing about a message.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::fetch::address::{self, file_name};
use crate::fetch::{Checked, FetchError, Fetcher, Piece, TextLink, Verdict, find_links};
use crate::spool::kind::BadKind;
use crate::spool::{Accepted, Asked, Served, Spool, TakeError};
use tetherd_api::{Kind, MessageId, Reason, ReasonKind, Redacted};
use tetherd_core::files::{
    LinkFinding, Outcome, Preparation, PrepareCommand, Prepared, Source, Trouble,
};

/// Files that are fetched at a time.
const FETCHES_MAX: usize = 4;
/// Texts whose links are looked at at a time.
const CHECKS_MAX: usize = 4;
/// Reports that wait for the engine.
const REPORTS_MAX: usize = 64;
/// Pieces of a file that wait for the disk.
const PIECES_MAX: usize = 8;

/// Prepares. Dropped, it stops everything.
pub(super) struct Preparer {
    shared: Arc<Shared>,
    running: HashMap<MessageId, (u64, AbortHandle)>,
}

struct Shared {
    fetcher: Arc<Fetcher>,
    spool: Spool,
    reports: mpsc::Sender<Prepared>,
    fetches: Semaphore,
    checks: Semaphore,
}

impl Preparer {
    /// And where its reports come out.
    pub(super) fn new(fetcher: Arc<Fetcher>, spool: Spool) -> (Preparer, mpsc::Receiver<Prepared>) {
        let (reports, outcomes) = mpsc::channel(REPORTS_MAX);
        let shared = Shared {
            fetcher,
            spool,
            reports,
            fetches: Semaphore::new(FETCHES_MAX),
            checks: Semaphore::new(CHECKS_MAX),
        };
        (Preparer { shared: Arc::new(shared), running: HashMap::new() }, outcomes)
    }

    /// Obeys the core. `text` is the message's, if its links are to be looked at.
    pub(super) fn obey(&mut self, command: PrepareCommand, text: Option<&str>) {
        match command {
            PrepareCommand::Start(preparation) => {
                let links = text.map(find_links).unwrap_or_default();
                let (id, round) = (preparation.id, preparation.round);
                let task = tokio::spawn(prepare(Arc::clone(&self.shared), preparation, links));
                self.replace(id, Some((round, task.abort_handle())));
            }
            PrepareCommand::Stop(id) => self.replace(id, None),
        }
    }

    /// The report of this one has come in.
    pub(super) fn reported(&mut self, prepared: &Prepared) {
        if self.running.get(&prepared.id).is_some_and(|(round, _)| *round == prepared.round) {
            self.running.remove(&prepared.id);
        }
    }

    fn replace(&mut self, id: MessageId, by: Option<(u64, AbortHandle)>) {
        let old = match by {
            Some(task) => self.running.insert(id, task),
            None => self.running.remove(&id),
        };
        if let Some((_, task)) = old {
            task.abort();
        }
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        for (_, task) in self.running.values() {
            task.abort();
        }
    }
}

async fn prepare(shared: Arc<Shared>, preparation: Preparation, links: Vec<TextLink>) {
    let Preparation { id, round, source, afresh, .. } = preparation;
    let since = afresh.then(Instant::now);
    let work = AssertUnwindSafe(work(&shared, source, &links, since)).catch_unwind();
    // The panic hook has logged where.
    let done =
        work.await.unwrap_or_else(|_| Err(trouble(true, ReasonKind::LinkBroken, "internal")));
    let Ok(report) = shared.reports.reserve().await else { return };
    // From here on nothing is waited for: a file that is kept is reported.
    let outcome = match done {
        Ok((file, link)) => {
            Outcome::Ready { file: file.map(|file| (file.kind, file.keep())), link }
        }
        Err(trouble) => Outcome::Failed(trouble),
    };
    report.send(Prepared { id, round, outcome });
}

async fn work(
    shared: &Shared,
    source: Option<Source>,
    links: &[TextLink],
    since: Option<Instant>,
) -> Result<(Option<Accepted>, Option<LinkFinding>), Trouble> {
    let file = match source {
        Some(source) => Some(fetch(shared, source).await?),
        None => None,
    };
    if links.is_empty() {
        return Ok((file, None));
    }
    // Closed never: then nothing is limited.
    let _turn = shared.checks.acquire().await;
    let Checked { verdict, url } = shared.fetcher.check_links(links, since).await;
    let finding = |broken, fault: FetchError| LinkFinding {
        broken,
        code: fault.status().map(u32::from),
        detail: fault.name().to_owned(),
        url: url.map(|url| String::from(url).into()),
    };
    let link = match verdict {
        Verdict::Good => None,
        Verdict::Doubtful(fault) => Some(finding(false, fault)),
        Verdict::Broken(fault) => Some(finding(true, fault)),
    };
    Ok((file, link))
}

async fn fetch(shared: &Shared, source: Source) -> Result<Accepted, Trouble> {
    let asked_url = source.url.clone();
    fetch_file(shared, source).await.map_err(|trouble| Trouble {
        reason: Reason { url: Some(asked_url), ..trouble.reason },
        ..trouble
    })
}

async fn fetch_file(shared: &Shared, source: Source) -> Result<Accepted, Trouble> {
    let Source { url, kind, name, mime } = source;
    // It was checked when the message was accepted, perhaps under another configuration.
    let url = address::parse(&url, shared.fetcher.schemes()).map_err(|bad| broken(bad.into()))?;
    let _turn = shared.fetches.acquire().await;
    let download = shared.fetcher.open(&url, bytes_max(&shared.spool, kind)).await;
    let mut download = download.map_err(broken)?;
    let given = name.or_else(|| download.name.take().map(Redacted));
    let served = Served {
        mime: download.mime.take(),
        asked_name: file_name(&url).map(Redacted),
        name_is_of_address: given.is_none(),
    };
    let name = given.or_else(|| file_name(&download.url).map(Redacted));
    let asked = Asked { kind, mime, name, bytes: None, served: Some(served) };
    let (pieces, incoming) = mpsc::channel(PIECES_MAX);
    let fetching = async {
        let fetched = download.pieces(&pieces).await;
        drop(pieces);
        fetched
    };
    let reader = Pieces { incoming, rest: Bytes::new(), ended: false };
    let (fetched, taken) = tokio::join!(fetching, shared.spool.accept_async(reader, asked));
    match (fetched, taken) {
        (Ok(()), Ok(file)) => Ok(file),
        // Whoever gave up first knows why.
        (Err(FetchError::NotTaken) | Ok(()), Err(error)) => Err(not_taken(&error)),
        (Err(FetchError::NotTaken), Ok(_)) => Err(broken(FetchError::ConnectionLost)),
        (Err(fault), _) => Err(broken(fault)),
    }
}

fn bytes_max(spool: &Spool, kind: Option<Kind>) -> u64 {
    let of = |kind| spool.limits().of(kind);
    kind.map_or_else(|| Kind::ALL.into_iter().map(of).max().unwrap_or(0), of)
}

fn trouble(passes: bool, kind: ReasonKind, detail: &str) -> Trouble {
    Trouble { passes, reason: Reason::new(kind).detail(detail) }
}

fn broken(fault: FetchError) -> Trouble {
    if fault == FetchError::TooLarge {
        return Trouble { passes: false, reason: Reason::new(ReasonKind::TooLarge) };
    }
    let kind = ReasonKind::LinkBroken;
    let code = fault.status().map(u32::from);
    let reason = Reason { kind, code, detail: Some(fault.name().to_owned()), url: None };
    Trouble { passes: fault.passes(), reason }
}

fn not_taken(error: &TakeError) -> Trouble {
    match error {
        TakeError::Empty => broken(FetchError::Empty),
        TakeError::TooLarge { .. } => broken(FetchError::TooLarge),
        TakeError::TooSlow => broken(FetchError::Timeout),
        TakeError::Read(_) => broken(FetchError::ConnectionLost),
        TakeError::Kind(BadKind::Page) => trouble(false, ReasonKind::LinkBroken, "page"),
        TakeError::Kind(BadKind::NotTheFile) => {
            trouble(false, ReasonKind::LinkBroken, "not_the_file")
        }
        TakeError::Kind(
            BadKind::Mismatch { .. } | BadKind::NotShown { .. } | BadKind::NoFile(_),
        ) => trouble(false, ReasonKind::FileUnreadable, "wrong_kind"),
        TakeError::QuotaSpent { .. } | TakeError::DiskFull => {
            trouble(true, ReasonKind::FileUnreadable, "spool_full")
        }
        TakeError::Write(_) | TakeError::NoRandom | TakeError::Stopped | TakeError::Broken => {
            tracing::warn!(%error, "a file that was fetched cannot be kept");
            trouble(true, ReasonKind::FileUnreadable, "spool_failed")
        }
    }
}

/// The pieces as something to read. One that breaks off reads as an error, never as the
/// end.
struct Pieces {
    incoming: mpsc::Receiver<Piece>,
    rest: Bytes,
    ended: bool,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        while self.rest.is_empty() && !self.ended {
            match std::task::ready!(self.incoming.poll_recv(context)) {
                Some(Piece::Data(bytes)) => self.rest = bytes,
                Some(Piece::End) => self.ended = true,
                None => return Poll::Ready(Err(std::io::ErrorKind::UnexpectedEof.into())),
            }
        }
        let count = self.rest.len().min(buffer.remaining());
        buffer.put_slice(self.rest.get(..count).unwrap_or_default());
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}
