//! Links in texts: finding them, and whether they lead somewhere. What was found out is
//! remembered for a while in memory: after a restart it is cheap to look again.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use futures_util::future::join_all;
use linkify::{LinkFinder, LinkKind};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::fetch::address::Schemes;
use crate::fetch::redirects::Ask;
use crate::fetch::{FetchError, Fetcher};
use tetherd_api::URL_BYTES_MAX;

/// Links of one text that are looked at.
pub const LINKS_MAX: usize = 3;
/// Links that are remembered.
const SEEN_MAX: usize = 1_000;
/// For how long one that leads somewhere is.
const GOOD_TIME: Duration = Duration::from_secs(10 * 60);
/// For how long one that could not be judged is.
const DOUBTFUL_TIME: Duration = Duration::from_secs(60);
/// For how long one that leads nowhere is.
const BROKEN_TIME: Duration = Duration::from_secs(5 * 60);

/// What is known about a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It leads somewhere.
    Good,
    /// It could not be found out, which says nothing about what a recipient would see.
    Doubtful(FetchError),
    /// It leads nowhere: a recipient would see an error.
    Broken(FetchError),
}

impl Verdict {
    fn of(fault: FetchError) -> Verdict {
        match fault {
            FetchError::UnknownHost | FetchError::Tls | FetchError::Status(404 | 410) => {
                Verdict::Broken(fault)
            }
            // Somebody who is logged in may see it.
            FetchError::Status(401 | 403 | 407) => Verdict::Good,
            FetchError::NoResolver
            | FetchError::RefusedAddress
            | FetchError::RefusedPort
            | FetchError::NotHttps
            | FetchError::Credentials
            | FetchError::BadAddress
            | FetchError::TlsSetup
            | FetchError::ConnectionRefused
            | FetchError::Unreachable
            | FetchError::Timeout
            | FetchError::Stalled
            | FetchError::ConnectionLost
            | FetchError::NotHttp
            | FetchError::TooManyRedirects
            | FetchError::BadRedirect
            | FetchError::Status(_)
            | FetchError::Empty
            | FetchError::Encoded
            | FetchError::TooLarge
            | FetchError::NotTaken => Verdict::Doubtful(fault),
        }
    }

    const fn kept_for(self) -> Duration {
        match self {
            Verdict::Good => GOOD_TIME,
            Verdict::Doubtful(_) => DOUBTFUL_TIME,
            Verdict::Broken(_) => BROKEN_TIME,
        }
    }

    /// The worse of two.
    #[must_use]
    pub const fn or(self, other: Verdict) -> Verdict {
        match (self, other) {
            (Verdict::Broken(_), _) | (Verdict::Doubtful(_), Verdict::Good) => self,
            (Verdict::Doubtful(_), Verdict::Doubtful(_)) => self,
            (Verdict::Doubtful(_), Verdict::Broken(_)) | (Verdict::Good, _) => other,
        }
    }
}

/// The first few links of a text, each once.
pub fn find(text: &str) -> Vec<Url> {
    // Almost every text is done here.
    if !text.contains("://") {
        return Vec::new();
    }
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    let mut found: Vec<Url> = Vec::new();
    for link in finder.links(text).filter(|link| link.as_str().len() <= URL_BYTES_MAX) {
        let Ok(mut url) = Url::parse(link.as_str()) else { continue };
        // What follows it is the browser's, not the server's.
        url.set_fragment(None);
        if matches!(url.scheme(), "http" | "https") && !found.contains(&url) {
            found.push(url);
        }
        if found.len() == LINKS_MAX {
            break;
        }
    }
    found
}

/// What is remembered of links: until when, and what.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<String, (Instant, Verdict)>);

impl Seen {
    fn get(&self, url: &Url) -> Option<Verdict> {
        let (until, verdict) = self.0.get(url.as_str())?;
        (*until > Instant::now()).then_some(*verdict)
    }

    fn put(&mut self, url: &Url, verdict: Verdict) {
        let now = Instant::now();
        if self.0.len() >= SEEN_MAX {
            self.0.retain(|_, (until, _)| *until > now);
        }
        if self.0.len() >= SEEN_MAX
            && let Some(first) = self.0.iter().min_by_key(|(_, (until, _))| *until)
        {
            let first = first.0.clone();
            self.0.remove(&first);
        }
        self.0.insert(url.as_str().to_owned(), (now + verdict.kept_for(), verdict));
    }
}

impl Fetcher {
    /// The worst that is to be said about these links. `afresh`: whatever is remembered.
    pub async fn check_links(&self, links: &[Url], afresh: bool) -> Verdict {
        let checks = links.iter().map(|link| self.check_link(link, afresh));
        join_all(checks).await.into_iter().fold(Verdict::Good, Verdict::or)
    }

    async fn check_link(&self, link: &Url, afresh: bool) -> Verdict {
        if !afresh
            && let Some(known) = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(link)
        {
            return known;
        }
        let verdict = match timeout(self.limits.links, self.look(link)).await {
            Ok(verdict) => verdict,
            Err(_) => Verdict::Doubtful(FetchError::Timeout),
        };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).put(link, verdict);
        verdict
    }

    /// Asks for the head; what a server refuses to say about that, it may say about the
    /// first byte. Nothing of the content is read, so plain `http` will do.
    async fn look(&self, link: &Url) -> Verdict {
        let mut verdict = Verdict::Good;
        for ask in [Ask::Head, Ask::FirstByte] {
            let status = match self.ask(link, ask, Schemes::Both, 0).await {
                Ok(answer) => answer.status(),
                Err(fault) => return Verdict::of(fault),
            };
            verdict = match status {
                // 416: there is something, and it has no first byte.
                200..=399 | 416 => return Verdict::Good,
                status => Verdict::of(FetchError::Status(status)),
            };
            if !matches!(status, 400 | 404 | 405 | 410 | 501) {
                break;
            }
        }
        verdict
    }
}
