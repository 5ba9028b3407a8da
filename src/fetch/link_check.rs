//! Whether the links of texts lead somewhere. Answers are kept for a while in memory, and each
//! address is asked once at a time, so that messages with the same link share one answer.
//!
//! A link is good if one of its readings answers, and broken only if all of them certainly
//! lead nowhere. Never decides what becomes of a message.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::fetch::address::{Schemes, has_private_name};
use crate::fetch::redirects::Ask;
use crate::fetch::text_links::TextLink;
use crate::fetch::{FetchError, Fetcher};

/// Addresses whose answers are kept.
const ANSWERS_MAX: usize = 1_000;
/// For how long a good one is.
const GOOD_TIME: Duration = Duration::from_secs(10 * 60);
/// For how long a doubtful one is.
const DOUBTFUL_TIME: Duration = Duration::from_secs(60);
/// For how long a broken one is.
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
    /// Only no such host, 404 and 410 prove anything: recipients use other resolvers, other
    /// networks, and complete a server's chain of certificates themselves.
    pub(super) fn of(fault: FetchError, url: &Url) -> Verdict {
        match fault {
            FetchError::UnknownHost if has_private_name(url) => Verdict::Doubtful(fault),
            FetchError::UnknownHost | FetchError::Status(404 | 410) => Verdict::Broken(fault),
            // Somebody who is logged in may see it.
            FetchError::Status(401 | 403 | 407) => Verdict::Good,
            FetchError::NoResolver
            | FetchError::Tls
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

    const fn badness(self) -> u8 {
        match self {
            Verdict::Good => 0,
            Verdict::Doubtful(_) => 1,
            Verdict::Broken(_) => 2,
        }
    }
}

/// A verdict, and the address that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What is known.
    pub verdict: Verdict,
    /// The address that was asked, unless all is well.
    pub url: Option<Url>,
}

impl Checked {
    fn good() -> Checked {
        Checked { verdict: Verdict::Good, url: None }
    }

    /// The worse of two, the first of equals.
    fn or(self, other: Checked) -> Checked {
        if other.verdict.badness() > self.verdict.badness() { other } else { self }
    }
}

/// What is kept of addresses.
#[derive(Debug, Default)]
pub(super) struct Answers {
    known: HashMap<String, Answered>,
    /// Held by whoever asks.
    turns: HashMap<String, Weak<tokio::sync::Mutex<()>>>,
}

#[derive(Clone, Copy, Debug)]
struct Answered {
    at: Instant,
    verdict: Verdict,
}

impl Answered {
    fn until(&self) -> Instant {
        self.at + self.verdict.kept_for()
    }
}

impl Answers {
    /// An answer that is not older than this.
    fn get(&self, url: &Url, since: Option<Instant>) -> Option<Verdict> {
        let answered = self.known.get(url.as_str())?;
        let counts = answered.until() > Instant::now() && since.is_none_or(|at| answered.at >= at);
        counts.then_some(answered.verdict)
    }

    fn put(&mut self, url: &Url, verdict: Verdict) {
        let now = Instant::now();
        if self.known.len() >= ANSWERS_MAX {
            self.known.retain(|_, answered| answered.until() > now);
        }
        if self.known.len() >= ANSWERS_MAX
            && let Some(first) = self.known.iter().min_by_key(|(_, answered)| answered.until())
        {
            let first = first.0.clone();
            self.known.remove(&first);
        }
        self.known.insert(url.as_str().to_owned(), Answered { at: now, verdict });
    }

    fn turn(&mut self, url: &Url) -> Arc<tokio::sync::Mutex<()>> {
        self.turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = self.turns.get(url.as_str()).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        self.turns.insert(url.as_str().to_owned(), Arc::downgrade(&turn));
        turn
    }
}

impl Fetcher {
    /// The worst that is known about these links. Answers from before `since` do not count.
    pub async fn check_links(&self, links: &[TextLink], since: Option<Instant>) -> Checked {
        let deadline = Instant::now() + self.limits.links;
        let checks = links.iter().map(|link| self.check_link(link, since, deadline));
        join_all(checks).await.into_iter().fold(Checked::good(), Checked::or)
    }

    async fn check_link(
        &self,
        link: &TextLink,
        since: Option<Instant>,
        deadline: Instant,
    ) -> Checked {
        let mut worst: Option<Checked> = None;
        let mut certain = link.complete;
        for url in &link.readings {
            let verdict = match timeout_at(deadline, self.ask_once(url, since)).await {
                Ok(verdict) => verdict,
                Err(_) => self.note(url, Verdict::Doubtful(FetchError::Timeout)),
            };
            match verdict {
                Verdict::Good => return Checked::good(),
                Verdict::Doubtful(_) => certain = false,
                Verdict::Broken(_) => {}
            }
            worst.get_or_insert(Checked { verdict, url: Some(url.clone()) });
        }
        match worst {
            Some(Checked { verdict: Verdict::Broken(fault), url }) if !certain => {
                Checked { verdict: Verdict::Doubtful(fault), url }
            }
            worst => worst.unwrap_or_else(Checked::good),
        }
    }

    /// Whoever comes second waits for the answer of the first.
    async fn ask_once(&self, url: &Url, since: Option<Instant>) -> Verdict {
        let turn = self.answers.lock().unwrap_or_else(PoisonError::into_inner).turn(url);
        let _turn = turn.lock().await;
        let known = self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(url, since);
        if let Some(known) = known {
            return known;
        }
        let verdict = self.ask_whether_there(url).await;
        self.note(url, verdict)
    }

    fn note(&self, url: &Url, verdict: Verdict) -> Verdict {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).put(url, verdict);
        verdict
    }

    /// HEAD; then, of a server that refuses that or says that nothing is there, since some
    /// say so to HEAD alone, GET for the first byte. Nothing of the content is read, so plain
    /// `http` will do.
    async fn ask_whether_there(&self, url: &Url) -> Verdict {
        let mut verdict = Verdict::Good;
        for ask in [Ask::Head, Ask::FirstByte] {
            let status = match self.ask(url, ask, Schemes::Both, 0).await {
                Ok((answer, _)) => answer.status(),
                Err(fault) => return Verdict::of(fault, url),
            };
            verdict = match status {
                // 416: there is something, and it has no first byte.
                200..=399 | 416 => return Verdict::Good,
                status => Verdict::of(FetchError::Status(status), url),
            };
            if !matches!(status, 400 | 404 | 405 | 410 | 501) {
                break;
            }
        }
        verdict
    }
}
