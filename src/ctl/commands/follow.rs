//! A subscription that outlives its connection: a lost one is made again, and continues
//! after the last event. Gives up only on what does not pass by itself.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::connect;
use crate::error::CommandError;
use crate::output::Output;
use crate::render;
use tetherd_api::client::{Client, ClientError, Events};
use tetherd_api::exit::ExitCode;
use tetherd_api::{Event, EventFrame, FeedPlace};

/// Pause before the first try to connect again; it doubles with each.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// `events`: a line for each.
pub(super) async fn events(
    after: Option<FeedPlace>,
    client: &Client,
    sockets: &[PathBuf],
    out: &mut Output,
) -> Result<(), CommandError> {
    let mut events = Follower::new(client, sockets, after).await?;
    loop {
        let frame = events.next().await?;
        if out.json() {
            out.json_line(&frame)?;
        } else {
            let clock = out.clock();
            out.line(&render::event(&frame, &clock))?;
        }
        out.flush()?;
    }
}

pub(super) struct Follower<'a> {
    sockets: &'a [PathBuf],
    /// Of the events, once the first connection was lost.
    client: Option<Client>,
    pub(super) events: Events,
    /// The feed, and its newest number when the subscription was made.
    newest: FeedPlace,
    /// To continue after; none: with a snapshot, because the last one was not complete.
    after: Option<FeedPlace>,
}

impl<'a> Follower<'a> {
    pub(super) async fn new(
        client: &Client,
        sockets: &'a [PathBuf],
        after: Option<FeedPlace>,
    ) -> Result<Follower<'a>, CommandError> {
        let (events, newest) = client.subscribe_after(after).await?;
        Ok(Follower { sockets, client: None, events, newest, after })
    }

    /// Needs nothing that was there before the subscription.
    pub(super) fn skipping_snapshot(mut self) -> Follower<'a> {
        self.after = Some(self.newest);
        self
    }

    /// The next event.
    pub(super) async fn next(&mut self) -> Result<EventFrame, CommandError> {
        loop {
            match self.events.next().await {
                Ok(frame) => {
                    if self.after.is_some() || matches!(frame.event, Event::SnapshotEnd {}) {
                        let after = self.after.unwrap_or_default();
                        self.after = Some(after.advanced(self.newest.feed, frame.seq));
                    }
                    return Ok(frame);
                }
                Err(error) => self.reconnect(error).await?,
            }
        }
    }

    async fn reconnect(&mut self, lost: ClientError) -> Result<(), CommandError> {
        let mut error = CommandError::from(lost);
        let mut pause = PAUSE_MIN;
        let notice = "tetherctl: the connection was lost; waiting for the daemon";
        // Nobody who reads it: no reason to stop.
        let _ = writeln!(std::io::stderr(), "{notice}");
        while passes(&error) {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
            match self.subscribe().await {
                Ok(()) => return Ok(()),
                Err(again) => error = again,
            }
        }
        Err(error)
    }

    async fn subscribe(&mut self) -> Result<(), CommandError> {
        let client = connect(self.sockets).await?;
        (self.events, self.newest) = client.subscribe_after(self.after).await?;
        self.client = Some(client);
        Ok(())
    }
}

/// Whether it passes by itself: the daemon is away, busy, or was asked while it was stopping.
fn passes(error: &CommandError) -> bool {
    let code = error.exit_code();
    code == ExitCode::Unavailable
        || code == ExitCode::TempFail
        || matches!(error, CommandError::Client(ClientError::Closed | ClientError::Timeout(_)))
}
