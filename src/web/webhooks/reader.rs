//! Reads the feed of a daemon for one webhook: a page at a time, on a connection that is kept only
//! for the page, so that any number of webhooks takes one of a daemon's connections. Knows when
//! there is something to read by the feed that the front follows anyway.

use std::collections::{BTreeSet, VecDeque};

use tetherd_api::{Event as Fed, FeedId, FeedPlace};

use super::event::{Maker, active};
use super::place::{Event, Place};
use crate::clock;
use crate::daemon::{CallError, Daemon};

/// Events of one page.
const PAGE_EVENTS_MAX: usize = 64;
/// Their bodies, in bytes; the last one may go beyond it.
const PAGE_BYTES_MAX: usize = 512 * 1024;

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// An event to be sent.
    Event(Event),
    /// The webhook begins at this place, where these conditions are the case.
    Begin(FeedPlace, BTreeSet<String>),
    /// Nothing, until something happens at the daemon.
    Nothing,
}

/// What was read and is not dealt with.
#[derive(Debug, Default)]
pub(super) struct Reader {
    page: VecDeque<Event>,
    /// Where the webhook stands once what was handed out is delivered.
    stands: Place,
    /// The feed that was read last. It continues that of the webhook's place.
    feed: Option<FeedId>,
    /// The feed has nothing to send up to here.
    passed: Option<FeedPlace>,
}

impl Reader {
    /// Forgets what was read: it may have changed, or the place has.
    pub(super) fn forget(&mut self) {
        *self = Reader::default();
    }

    /// Up to where the feed was read.
    pub(super) fn passed(&self) -> Option<FeedPlace> {
        self.passed
    }

    /// The feed that was read last.
    pub(super) fn feed(&self) -> Option<FeedId> {
        self.feed
    }

    /// The place was moved up to where the feed was read.
    pub(super) fn moved(&mut self) {
        self.stands.after = self.passed.map(|passed| passed.seq).max(self.stands.after);
    }

    /// The next event for a webhook that stands there.
    pub(super) async fn next(
        &mut self,
        daemon: &Daemon,
        maker: Maker<'_>,
        place: &Place,
    ) -> Result<Next, CallError> {
        if !self.stands.stands_as(place) {
            self.forget();
            self.stands = place.clone();
        }
        if self.page.is_empty() && self.has_more(daemon, maker) {
            match place.in_feed() {
                Some(after) => self.pull(daemon, maker, after).await?,
                None => return begin(daemon).await,
            }
        }
        let Some(event) = self.page.pop_front() else { return Ok(Next::Nothing) };
        self.stands.passed(&event.mark);
        Ok(Next::Event(event))
    }

    /// Whether the daemon has something that was not read yet. One that cannot be reached has
    /// not.
    fn has_more(&self, daemon: &Daemon, maker: Maker<'_>) -> bool {
        if daemon.trouble().is_some() {
            return false;
        }
        let has_changed = || {
            let status = daemon.feed.status();
            status.is_some_and(|status| maker.has_changed(&status, &self.stands))
        };
        self.passed != Some(daemon.feed.place()) || has_changed()
    }

    async fn pull(
        &mut self,
        daemon: &Daemon,
        maker: Maker<'_>,
        after: FeedPlace,
    ) -> Result<(), CallError> {
        let from = self.passed.filter(|passed| passed.seq >= after.seq).unwrap_or(after);
        let mut subscription = match daemon.read(Some(from)).await {
            Err(error) if error.is_feed_renewed() => {
                self.passed = None;
                self.page.push_back(maker.renewed(after.seq, clock::now()));
                return Ok(());
            }
            read => read?,
        };
        self.feed = subscription.newest.feed;
        let (mut ahead, mut bytes) = (self.stands.clone(), 0);
        while self.page.len() < PAGE_EVENTS_MAX && bytes < PAGE_BYTES_MAX {
            let frame = subscription.events.next().await?;
            for event in maker.of_frame(&frame, &ahead) {
                ahead.passed(&event.mark);
                bytes += event.body.len();
                self.page.push_back(event);
            }
            if let Fed::SnapshotEnd {} = frame.event {
                self.passed = Some(FeedPlace { feed: self.feed, seq: frame.seq });
                break;
            }
        }
        Ok(())
    }
}

/// The end of the feed. What is the case now is no news.
async fn begin(daemon: &Daemon) -> Result<Next, CallError> {
    let mut subscription = daemon.read(None).await?;
    loop {
        if let Fed::Status { status } = subscription.events.next().await?.event {
            return Ok(Next::Begin(subscription.newest, active(&status)));
        }
    }
}
