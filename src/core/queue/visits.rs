//! Counts looks at messages, in tests only: a step of one message's way must not look at more of
//! them the more there are.

/// How often a message was looked at.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    #[cfg(test)]
    count: std::cell::Cell<u64>,
}

impl Visits {
    /// One more.
    #[inline]
    pub(crate) fn count(&self) {
        #[cfg(test)]
        self.count.set(self.count.get() + 1);
    }

    /// So many since this was last asked.
    #[cfg(test)]
    pub(crate) fn take(&self) -> u64 {
        self.count.take()
    }
}
