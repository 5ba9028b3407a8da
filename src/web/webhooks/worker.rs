//! One webhook at work: reads the next event, keeps it, and sends it until it is delivered; then
//! the next. One delivery at a time, in the order of the feed. A failure holds up this webhook
//! only. Never drops an event, and never sends one that is not on disk.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tetherd_api::Time;
use tetherd_metrics::WebhookCounts;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::attempt::{Outcome, Poster};
use super::event::Maker;
use super::place::{Pending, Place, Switch, Trouble};
use super::reader::{Next, Reader};
use super::schedule;
use super::secret::Secrets;
use super::settings::Settings;
use crate::clock;
use crate::daemon::Daemon;

/// The wait when something of our own is amiss: the disk, the secret, the daemon.
const TROUBLE_WAIT: Duration = Duration::from_secs(10);

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
    pub(super) passed: Option<u64>,
    /// When the next attempt is made, while one has failed.
    pub(super) next_at: Option<Time>,
    /// What is amiss here, in a sentence.
    pub(super) trouble: Option<String>,
}

/// What to do after a step.
#[derive(Debug)]
enum Step {
    Again,
    /// Wait for as long.
    Wait(Duration),
    /// Wait until something happens at the daemon.
    Feed,
    /// Wait until something happens, or for a while.
    Amiss,
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
    pub(super) async fn change(&self, change: impl FnOnce(&mut Place)) -> io::Result<()> {
        let _turn = self.writing.lock().await;
        let mut place = self.place();
        change(&mut place);
        let (path, new) = (self.path.clone(), place.clone());
        let write = tokio::task::spawn_blocking(move || new.write(&path));
        write.await.map_err(io::Error::other)??;
        self.known().place = place;
        Ok(())
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
                Step::Amiss
            });
            self.known().passed = reader.passed();
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
            Step::Amiss => tokio::select! {
                () = self.wake.notified() => {}
                () = happens => {}
                () = sleep(TROUBLE_WAIT) => {}
            },
        }
    }

    async fn step(&self, reader: &mut Reader) -> Result<Step, String> {
        let place = self.place();
        if self.settings.paused || place.switch != Switch::On {
            reader.forget();
            return Ok(Step::Off);
        }
        let Some(pending) = place.pending else { return self.read(reader, &place).await };
        let secrets = Secrets::read(&self.secret).map_err(|error| error.to_string())?;
        self.known().trouble = None;
        let outcome = self.poster.post(&pending.event, &secrets, clock::now()).await;
        let step = match outcome {
            Outcome::Delivered => self.delivered(&pending).await,
            Outcome::Gone(trouble) => self.gone(&pending, trouble).await,
            Outcome::Failed(trouble, asked) => {
                // What comes after it may be newer by then.
                reader.forget();
                self.failed(&pending, trouble, asked).await
            }
        };
        step.map_err(not_kept)
    }

    /// Makes the next event the one that is sent.
    async fn read(&self, reader: &mut Reader, place: &Place) -> Result<Step, String> {
        let maker = Maker { daemon: &self.daemon.name, wanted: &self.settings.events };
        let next = reader.next(&self.daemon, maker, place).await;
        let next = next.map_err(|error| error.to_string())?;
        self.known().trouble = None;
        let kept = match next {
            Next::Nothing => return Ok(Step::Feed),
            Next::Event(event) => {
                self.change(|now| {
                    // Somebody may have moved it meanwhile: then this event is not the next.
                    if now.stands_as(place) {
                        now.pending = Some(Pending::new(event));
                    }
                })
                .await
            }
            Next::Begin(after, conditions) => {
                self.change(|now| {
                    if now.stands_as(place) {
                        now.begin(after, conditions);
                    }
                })
                .await
            }
        };
        kept.map_err(not_kept)?;
        Ok(Step::Again)
    }

    async fn delivered(&self, sent: &Pending) -> io::Result<Step> {
        self.counts.delivered();
        self.change(|place| {
            // Somebody may have moved it meanwhile.
            if place.pending.as_ref().is_some_and(|pending| pending.event.id == sent.event.id) {
                place.pending = None;
                place.passed(&sent.event.mark);
            }
        })
        .await?;
        Ok(Step::Again)
    }

    async fn failed(
        &self,
        sent: &Pending,
        trouble: Trouble,
        asked: Option<Duration>,
    ) -> io::Result<Step> {
        self.counts.failed();
        self.note(sent, &trouble, |_| {}).await?;
        let wait = schedule::wait(sent.failures.saturating_add(1), asked, random());
        let ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        self.known().next_at = Some(Time(trouble.at.0.saturating_add(ms)));
        Ok(Step::Wait(wait))
    }

    async fn gone(&self, sent: &Pending, trouble: Trouble) -> io::Result<Step> {
        self.counts.failed();
        let at = trouble.at;
        self.note(sent, &trouble, |place| place.switch = Switch::Gone(at)).await?;
        Ok(Step::Again)
    }

    /// Keeps what was wrong with an attempt.
    async fn note(
        &self,
        sent: &Pending,
        trouble: &Trouble,
        more: impl FnOnce(&mut Place),
    ) -> io::Result<()> {
        self.change(|place| {
            let pending = place.pending.as_mut();
            if let Some(pending) = pending.filter(|pending| pending.event.id == sent.event.id) {
                pending.failures = pending.failures.saturating_add(1);
                pending.since = pending.since.or(Some(trouble.at));
                pending.last = Some(trouble.clone());
                more(place);
            }
        })
        .await
    }
}

fn not_kept(error: io::Error) -> String {
    format!("its place in the feed cannot be kept: {error}")
}

/// For the jitter. Without random numbers there is none.
fn random() -> u32 {
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}
