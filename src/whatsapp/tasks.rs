//! Tasks of one connection, each of which is reported exactly once: when it ends, when it is
//! aborted, and when it panics.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, timeout_at};

/// Tasks, and what each is about.
pub(crate) struct Tasks<K, T> {
    running: JoinSet<T>,
    open: HashMap<Id, K>,
}

impl<K, T: Send + 'static> Tasks<K, T> {
    pub(crate) fn new() -> Tasks<K, T> {
        Tasks { running: JoinSet::new(), open: HashMap::new() }
    }

    /// Those that are not reported yet.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn spawn(&mut self, about: K, work: impl Future<Output = T> + Send + 'static) {
        self.open.insert(self.running.spawn(work).id(), about);
    }

    /// The next that has ended, and its result, unless it was aborted or panicked. None: no task
    /// is open. Cancelling the wait loses nothing.
    pub(crate) async fn next(&mut self) -> Option<(K, Option<T>)> {
        loop {
            let (id, result) = match self.running.join_next_with_id().await? {
                Ok((id, result)) => (id, Some(result)),
                // A panic is reported by its hook.
                Err(error) => (error.id(), None),
            };
            if let Some(about) = self.open.remove(&id) {
                return Some((about, result));
            }
        }
    }

    /// All that are open, after the connection's end. Those that do not end by themselves
    /// within `grace` are aborted.
    pub(crate) async fn drain(&mut self, grace: Duration) -> Vec<(K, Option<T>)> {
        let deadline = Instant::now() + grace;
        let mut ended = Vec::with_capacity(self.open.len());
        while let Ok(Some(one)) = timeout_at(deadline, self.next()).await {
            ended.push(one);
        }
        self.running.abort_all();
        while let Some(one) = self.next().await {
            ended.push(one);
        }
        ended
    }
}
