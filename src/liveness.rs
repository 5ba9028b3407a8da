//! Liveness check for the watchdog: a loop answers a ping. Asked only while somebody watches;
//! knows nothing of who asks, or how often.

use std::fmt;
use std::future::pending;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

/// The loops that the watchdog checks, in addition to the engine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loop {
    /// The store's one writing thread.
    Committer,
    /// The session's task, connected or not.
    Session,
    /// The one that accepts connections on the control socket.
    Accept,
}

impl Loop {
    /// Every one of them.
    pub const ALL: [Loop; 3] = [Loop::Committer, Loop::Session, Loop::Accept];

    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Loop::Committer => "committer",
            Loop::Session => "session",
            Loop::Accept => "accept",
        }
    }
}

/// The loop's end. A loop waits for [`Liveness::asked`] among its other work, and then calls
/// [`Liveness::answer`].
pub struct Liveness(Option<Watched>);

struct Watched {
    of: Loop,
    asked: Arc<Notify>,
    answers: mpsc::Sender<Loop>,
}

impl Liveness {
    /// Of a loop that nobody watches: never asked.
    pub const fn unwatched() -> Liveness {
        Liveness(None)
    }

    /// Of a watched loop. Its answers go to `answers`, and the other half asks.
    pub fn watched(of: Loop, answers: mpsc::Sender<Loop>) -> (Liveness, LivenessProbe) {
        let asked = Arc::new(Notify::new());
        let asker = LivenessProbe(Arc::clone(&asked));
        (Liveness(Some(Watched { of, asked, answers })), asker)
    }

    /// Returns when somebody asks. A question outlives a future that is dropped.
    pub async fn asked(&self) {
        match &self.0 {
            Some(watched) => watched.asked.notified().await,
            None => pending().await,
        }
    }

    /// Answers. Not from within [`Liveness::asked`]: only a loop that has come round to its
    /// next step is known to move.
    pub async fn answer(&self) {
        let Some(watched) = &self.0 else { return };
        #[cfg(feature = "sim")]
        if stall::is_due(watched.of.name()) {
            return pending().await;
        }
        // Whoever asks takes one answer to each question: there is room for it, or
        // nobody asks any more.
        let _ = watched.answers.try_send(watched.of);
    }
}

impl fmt::Debug for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = self.0.as_ref().map_or("unwatched", |watched| watched.of.name());
        write!(f, "Liveness({of})")
    }
}

/// The watcher's end.
#[derive(Debug)]
pub struct LivenessProbe(Arc<Notify>);

impl LivenessProbe {
    /// Asks. A second question before the answer counts as one.
    pub fn ask(&self) {
        self.0.notify_one();
    }
}

/// For the tests of the watchdog: a loop that hangs when it is asked to. Compiled only for
/// the simulator: a normal build knows none of this.
#[cfg(feature = "sim")]
pub(crate) mod stall {
    use std::path::Path;

    /// Names a folder. The first time that a loop comes round while a file of its name
    /// (`committer`, `session`, `accept`, `engine`) lies in it, it stays where it is, and
    /// does nothing more.
    const VARIABLE: &str = "TETHERD_SIM_STALL";

    /// The engine's loop, which asks the others.
    pub(crate) const ENGINE: &str = "engine";

    /// Whether this loop is to hang now; then the log says so.
    pub(crate) fn is_due(name: &str) -> bool {
        let due =
            std::env::var_os(VARIABLE).is_some_and(|folder| Path::new(&folder).join(name).exists());
        if due {
            tracing::warn!(of = name, "a loop stands still, as it was asked");
        }
        due
    }

    /// Stays here, thread and all.
    pub(crate) fn stand_still() -> ! {
        loop {
            std::thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_question_outlives_a_dropped_future_and_is_answered_once() {
        let (answers, mut answered) = mpsc::channel(Loop::ALL.len());
        let (liveness, asker) = Liveness::watched(Loop::Session, answers);
        asker.ask();
        drop(liveness.asked());
        liveness.asked().await;
        liveness.answer().await;
        assert_eq!(answered.recv().await, Some(Loop::Session));
        assert!(answered.try_recv().is_err());
    }
}
