//! Stanzas for whose acknowledgement the server ends streams. It names one when it does, and
//! sends it again at the next login: once that is routine, twice it is a fault. Counts them;
//! acknowledges nothing.

use crate::condition::Condition;
use crate::time::Now;

/// Stanzas that are remembered; beyond it the one that was named longest ago is forgotten.
const STANZAS_MAX: usize = 16;
/// From so many times on it is a fault.
const TIMES_FAULTY: u32 = 2;
/// A connection that holds so long without a complaint has nothing left to acknowledge: the
/// server was seen to end streams for it after 45 to 50 minutes.
const QUIET_MS: u64 = 60 * 60 * 1_000;

/// A stanza that the server named. Times are wall milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnackedStanza {
    /// Its id, which says nothing about anybody.
    pub id: String,
    /// How often the server named it.
    pub count: u32,
    /// When first.
    pub first: i64,
    /// When last.
    pub last: i64,
    /// It did not come up again.
    pub over: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Unacked {
    stanzas: Vec<UnackedStanza>,
    /// One was named on the connection that runs.
    named: bool,
}

impl Unacked {
    /// Takes over what was stored.
    pub(super) fn new(stanzas: Vec<UnackedStanza>) -> Unacked {
        Unacked { stanzas, named: false }
    }

    /// Another account: nothing is known of it.
    pub(super) fn reset(&mut self) {
        self.stanzas.clear();
    }

    /// The server names a stanza.
    pub(super) fn on_named(&mut self, id: String, now: Now) {
        self.named = true;
        if let Some(known) = self.stanzas.iter_mut().find(|known| known.id == id) {
            known.count = known.count.saturating_add(1);
            known.last = now.wall_ms;
            known.over = false;
            return;
        }
        if self.stanzas.len() >= STANZAS_MAX {
            let oldest = self.stanzas.iter().enumerate().min_by_key(|(_, known)| known.last);
            if let Some((index, _)) = oldest {
                self.stanzas.remove(index);
            }
        }
        let (first, last) = (now.wall_ms, now.wall_ms);
        self.stanzas.push(UnackedStanza { id, count: 1, first, last, over: false });
    }

    /// A connection stands.
    pub(super) fn on_connected(&mut self) {
        self.named = false;
    }

    /// The server ended a stream. True if it has nothing more to complain about.
    pub(super) fn on_stream_ended(&mut self) -> bool {
        !self.named && self.end()
    }

    /// A connection stands since then, monotonic. True if it held long enough.
    pub(super) fn on_time(&mut self, live_since: Option<u64>, now: Now) -> bool {
        self.quiet_at(live_since).is_some_and(|at| at <= now.mono_ms) && self.end()
    }

    fn end(&mut self) -> bool {
        let before = self.faulty().is_some();
        for stanza in &mut self.stanzas {
            stanza.over = true;
        }
        before
    }

    /// When the connection that stands has held long enough, monotonic.
    pub(super) fn quiet_at(&self, live_since: Option<u64>) -> Option<u64> {
        let since = live_since.filter(|_| !self.named && self.faulty().is_some())?;
        Some(since.saturating_add(QUIET_MS))
    }

    fn faulty(&self) -> Option<&UnackedStanza> {
        let faulty = |known: &&UnackedStanza| known.count >= TIMES_FAULTY && !known.over;
        self.stanzas.iter().filter(faulty).max_by_key(|known| known.last)
    }

    pub(super) fn condition(&self) -> Option<Condition> {
        self.faulty().map(|stanza| Condition::StanzaUnacked { stanza: stanza.clone() })
    }

    /// What is to be stored.
    pub(super) fn stanzas(&self) -> &[UnackedStanza] {
        &self.stanzas
    }
}
