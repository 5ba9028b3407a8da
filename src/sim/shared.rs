//! The world behind its lock, and the signal that it has changed. Locks nothing for
//! longer than one stanza takes.

use std::ops::{Deref, DerefMut};

use tokio::sync::{Mutex, MutexGuard, watch};

use super::world::World;

/// What the simulator's tasks share.
pub(super) struct Shared {
    world: Mutex<World>,
    changes: watch::Sender<u64>,
    stall: watch::Sender<bool>,
}

/// The world, locked for a change. Everyone who waits is notified when it is released.
pub(super) struct Change<'a> {
    world: MutexGuard<'a, World>,
    shared: &'a Shared,
}

impl Deref for Change<'_> {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Change<'_> {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        let stall = self.world.settings.stall;
        self.shared.stall.send_if_modified(|now| std::mem::replace(now, stall) != stall);
        self.shared.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Shared {
    /// Around a world.
    pub(super) fn new(world: World) -> Self {
        Shared {
            world: Mutex::new(world),
            changes: watch::Sender::new(0),
            stall: watch::Sender::new(false),
        }
    }

    /// Locks the world for a change.
    pub(super) async fn change(&self) -> Change<'_> {
        Change { world: self.world.lock().await, shared: self }
    }

    /// Locks the world for a look.
    pub(super) async fn look(&self) -> impl Deref<Target = World> + '_ {
        self.world.lock().await
    }

    /// Tells when something has changed.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Tells whether the server answers nothing.
    pub(super) fn stall(&self) -> watch::Receiver<bool> {
        self.stall.subscribe()
    }
}
