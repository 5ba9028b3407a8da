//! The connection behind the screen: made again whenever it is lost, and continued after the last
//! event. Gives up never, and shows nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::connect;
use crate::error::CommandError;
use tetherd_api::client::{Client, ClientError};
use tetherd_api::{EventFrame, FeedPlace};

/// Changes before the first connection that are shown too.
const RECENT_CHANGES: u64 = 1_000;
/// Pause before the first try to connect again; it doubles with each.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What the connection brings.
pub(super) enum News {
    /// A connection, for calls.
    Connected(Arc<Client>),
    /// Something happened.
    Event(Box<EventFrame>),
    /// There is no connection; why, in a sentence.
    Lost(String),
}

/// Where to continue.
pub(super) struct Link {
    sockets: Vec<PathBuf>,
    after: FeedPlace,
}

impl Link {
    /// Fails as every command does where there is no daemon, or none that lets us in.
    pub(super) async fn new(sockets: &[PathBuf]) -> Result<Link, CommandError> {
        let (_, newest) = connect(sockets).await?.subscribe_after(None).await?;
        let after = FeedPlace { seq: newest.seq.saturating_sub(RECENT_CHANGES), ..newest };
        Ok(Link { sockets: sockets.to_vec(), after })
    }

    /// Goes on for as long as somebody listens.
    pub(super) async fn run(mut self, news: mpsc::Sender<News>) {
        let mut pause = PAUSE_MIN;
        loop {
            let connected = self.follow(&news, &mut pause).await;
            let why = connected.sentence().unwrap_or_default();
            if news.send(News::Lost(why)).await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// One connection, to its end.
    async fn follow(&mut self, news: &mpsc::Sender<News>, pause: &mut Duration) -> CommandError {
        match self.try_follow(news, pause).await {
            Ok(()) => CommandError::PipeClosed,
            Err(error) => error,
        }
    }

    async fn try_follow(
        &mut self,
        news: &mpsc::Sender<News>,
        pause: &mut Duration,
    ) -> Result<(), CommandError> {
        let client = Arc::new(connect(&self.sockets).await?);
        let subscribed = client.subscribe_after(Some(self.after)).await;
        if subscribed.as_ref().is_err_and(ClientError::is_feed_renewed) {
            self.after = FeedPlace::START;
        }
        let (mut events, newest) = subscribed?;
        *pause = PAUSE_MIN;
        let mut next = News::Connected(client);
        while news.send(next).await.is_ok() {
            let frame = events.next().await?;
            self.after = self.after.advanced(newest.feed, frame.seq);
            next = News::Event(Box::new(frame));
        }
        Ok(())
    }
}
