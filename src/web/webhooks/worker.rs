//! One webhook at work: reads the next event, keeps it, and sends it until it is delivered; then
//! the next. One delivery at a time, in the order of the feed. A failure holds up this webhook
//! only. Never drops an event, never sends one that is not on disk, and never makes an attempt
//! while the outcome of the last one could not be written.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tetherd_api::{FeedPlace, Time};
use tetherd_metrics::WebhookCounts;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::attempt::{Outcome, Poster};
use super::event::Maker;
use super::place::{Event, Pending, Place, Switch, Trouble};
use super::reader::{Next, Reader};
use super::schedule;
use super::secret::Secrets;
use super::settings::Settings;
use crate::clock;
use crate::daemon::Daemon;

/// The wait while something of our own prevents attempts: the disk, the secret, the daemon.
const TROUBLE_WAIT: Duration = Duration::from_secs(10);
/// How often a place is written that only what is not sent has moved.
const PASSED_INTERVAL: Duration = Duration::from_secs(60);

/// A webhook.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(super) settings: Settings,
    pub(super) daemon: Arc<Daemon>,
    pub(super) poster: Poster,
    /// Where its place is kept.
    pub(super) path: PathBuf,
    pub(super) secret: PathBuf,
    pub(super) counts: WebhookCounts,
    pub(super) known: Mutex<Known>,
    /// Held while the place is written.
    pub(super) writing: tokio::sync::Mutex<()>,
    /// Somebody has done something: look again.
    pub(super) wake: Notify,
}

/// How it stands.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) place: Place,
    /// Up to where the feed was read and has nothing more to send.
    pub(super) passed: Option<FeedPlace>,
    /// When `passed` was last written.
    pub(super) passed_written: Option<Instant>,
    /// When the next attempt is made, while one has failed.
    pub(super) next_at: Option<Time>,
    /// What prevents attempts here, in a sentence.
    pub(super) trouble: Option<String>,
    /// Why the place is not on disk as it is here, in a sentence.
    pub(super) unwritten: Option<String>,
}

/// What becomes of a change that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unwritten {
    /// It is not made.
    Dropped,
    /// It stays in memory: it has happened already.
    Kept,
}

/// What to do after a step.
#[derive(Debug)]
enum Step {
    Again,
    /// Wait for as long.
    Wait(Duration),
    /// Wait until something happens at the daemon.
    Feed,
    /// Wait until something happens at the daemon, or for a while.
    Blocked,
    /// Wait until somebody switches it on.
    Off,
}

impl Worker {
    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn place(&self) -> Place {
        self.known().place.clone()
    }

    /// Changes the place, on disk first.
    pub(super) async fn change(
        self: &Arc<Worker>,
        change: impl FnOnce(&mut Place) + Send + 'static,
    ) -> io::Result<()> {
        self.store(Unwritten::Dropped, change).await
    }

    /// Changes the place in a task of its own, so that a caller who goes away interrupts neither
    /// the write nor the update of what is known.
    async fn store(
        self: &Arc<Worker>,
        unwritten: Unwritten,
        change: impl FnOnce(&mut Place) + Send + 'static,
    ) -> io::Result<()> {
        let worker = Arc::clone(self);
        let stored = tokio::spawn(async move {
            let _turn = worker.writing.lock().await;
            let mut place = worker.place();
            change(&mut place);
            let (path, new) = (worker.path.clone(), place.clone());
            let write = tokio::task::spawn_blocking(move || new.write(&path));
            let written = write.await.map_err(io::Error::other).flatten();
            let mut known = worker.known();
            if written.is_ok() {
                known.unwritten = None;
            }
            if written.is_ok() || unwritten == Unwritten::Kept {
                known.place = place;
            }
            written
        });
        stored.await.map_err(io::Error::other).flatten()
    }

    /// Takes over what has happened. Without a disk it is kept in memory, and written later.
    async fn settle(self: &Arc<Worker>, change: impl FnOnce(&mut Place) + Send + 'static) {
        if let Err(error) = self.store(Unwritten::Kept, change).await {
            self.known().unwritten = Some(not_kept(&error));
        }
    }

    /// Works until it is dropped.
    pub(super) async fn run(self: Arc<Worker>) {
        let mut reader = Reader::default();
        let mut version = self.daemon.feed.watch();
        loop {
            version.mark_unchanged();
            let step = self.step(&mut reader).await.unwrap_or_else(|trouble| {
                reader.forget();
                self.known().trouble = Some(trouble);
                Step::Blocked
            });
            self.known().passed = reader.passed();
            if !matches!(step, Step::Again) {
                self.poster.rest();
            }
            self.rest(step, &mut version).await;
            self.known().next_at = None;
        }
    }

    async fn rest(&self, step: Step, version: &mut watch::Receiver<u64>) {
        let happens = async {
            // Its sender is the daemon's, which is kept here.
            let _ = version.changed().await;
        };
        match step {
            Step::Again => {}
            Step::Off => self.wake.notified().await,
            Step::Wait(time) => {
                let _ = timeout(time, self.wake.notified()).await;
            }
            Step::Feed => tokio::select! {
                () = self.wake.notified() => {}
                () = happens => {}
            },
            Step::Blocked => tokio::select! {
                () = self.wake.notified() => {}
                () = happens => {}
                () = sleep(TROUBLE_WAIT) => {}
            },
        }
    }

    async fn step(self: &Arc<Worker>, reader: &mut Reader) -> Result<Step, String> {
        if self.known().unwritten.is_some() {
            self.settle(|_| {}).await;
            if self.known().unwritten.is_some() {
                return Ok(Step::Wait(TROUBLE_WAIT));
            }
        }
        let place = self.place();
        if self.settings.paused || place.switch != Switch::On {
            reader.forget();
            return Ok(Step::Off);
        }
        let Some(pending) = place.pending else { return self.read(reader, &place).await };
        let secrets = Secrets::read(&self.secret).map_err(|error| error.to_string())?;
        self.known().trouble = None;
        let outcome = self.poster.post(&pending.event, &secrets, clock::now()).await;
        Ok(match outcome {
            Outcome::Delivered => self.delivered(pending.event).await,
            Outcome::Gone(trouble) => {
                let at = trouble.at;
                self.failed(&pending, trouble, move |place| place.switch = Switch::Gone(at)).await;
                Step::Again
            }
            Outcome::Failed(trouble, asked) => {
                // What comes after it may be newer by then.
                reader.forget();
                let at = trouble.at;
                self.failed(&pending, trouble, |_| {}).await;
                self.wait(&pending, at, asked)
            }
        })
    }

    /// Makes the next event the one that is sent.
    async fn read(self: &Arc<Worker>, reader: &mut Reader, place: &Place) -> Result<Step, String> {
        let maker = Maker { daemon: &self.daemon.name, wanted: &self.settings.events };
        let next = reader.next(&self.daemon, maker, place).await;
        let next = next.map_err(|error| error.to_string())?;
        self.known().trouble = None;
        let (before, feed) = (place.clone(), reader.feed());
        let kept = match next {
            Next::Nothing => match self.unsent(reader, place) {
                None => return Ok(Step::Feed),
                Some(passed) => {
                    reader.moved();
                    self.change(move |now| {
                        if now.stands_as(&before) {
                            (now.after, now.feed) = (Some(passed.seq), passed.feed);
                        }
                    })
                    .await
                }
            },
            Next::Event(event) => {
                self.change(move |now| {
                    // Somebody may have moved it meanwhile: then this event is not the next.
                    if now.stands_as(&before) {
                        (now.pending, now.feed) = (Some(Pending::new(event)), feed.or(now.feed));
                    }
                })
                .await
            }
            Next::Begin(at, conditions) => {
                self.change(move |now| {
                    if now.stands_as(&before) {
                        now.begin(at, conditions);
                    }
                })
                .await
            }
        };
        if let Err(error) = kept {
            reader.forget();
            self.known().unwritten = Some(not_kept(&error));
            return Ok(Step::Wait(TROUBLE_WAIT));
        }
        Ok(Step::Again)
    }

    /// How far the feed has moved without anything to send, if that is to be written now.
    fn unsent(&self, reader: &Reader, place: &Place) -> Option<FeedPlace> {
        let is_new = |passed: &FeedPlace| {
            place.after <= Some(passed.seq) && place.in_feed() != Some(*passed)
        };
        let passed = reader.passed().filter(is_new)?;
        let mut known = self.known();
        let is_due = known.passed_written.is_none_or(|at| at.elapsed() >= PASSED_INTERVAL);
        if is_due {
            known.passed_written = Some(Instant::now());
        }
        is_due.then_some(passed)
    }

    async fn delivered(self: &Arc<Worker>, sent: Event) -> Step {
        self.counts.delivered();
        self.settle(move |place| {
            // Somebody may have moved it meanwhile.
            if place.pending.as_ref().is_some_and(|pending| pending.event.id == sent.id) {
                place.pending = None;
                place.passed(&sent.mark);
            }
        })
        .await;
        Step::Again
    }

    /// Keeps what was wrong with an attempt.
    async fn failed(
        self: &Arc<Worker>,
        sent: &Pending,
        trouble: Trouble,
        more: impl FnOnce(&mut Place) + Send + 'static,
    ) {
        self.counts.failed();
        let id = sent.event.id.clone();
        self.settle(move |place| {
            let pending = place.pending.as_mut();
            if let Some(pending) = pending.filter(|pending| pending.event.id == id) {
                pending.failures = pending.failures.saturating_add(1);
                pending.since = pending.since.or(Some(trouble.at));
                pending.last = Some(trouble);
                more(place);
            }
        })
        .await;
    }

    fn wait(&self, sent: &Pending, failed_at: Time, asked: Option<Duration>) -> Step {
        let wait = schedule::wait(sent.failures.saturating_add(1), asked, random());
        let ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        self.known().next_at = Some(Time(failed_at.0.saturating_add(ms)));
        Step::Wait(wait)
    }
}

/// The sentence of a place that cannot be written.
pub(super) fn not_kept(error: &io::Error) -> String {
    format!("its place in the feed cannot be kept: {error}")
}

/// For the jitter. Without random numbers there is none.
fn random() -> u32 {
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}
