//! The configuration of the component.

/// What is asked, and how often. Durations in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactsConfig {
    /// Whether a message waits until the network has said that its recipient is there.
    pub check_recipients: bool,
    /// How long a yes of the network counts.
    pub yes_for_ms: u64,
    /// How long a no does.
    pub no_for_ms: u64,
    /// The least time between two questions about numbers, but for a few at once.
    pub every_ms: u64,
    /// Numbers that callers may have the network asked about in a day.
    pub per_day: usize,
    /// The pause after the first such question that failed; it doubles.
    pub backoff_first_ms: u64,
    /// The longest of these pauses.
    pub backoff_cap_ms: u64,
}

/// What tests begin with.
#[cfg(test)]
impl Default for ContactsConfig {
    fn default() -> ContactsConfig {
        ContactsConfig {
            // Without it, a core needs nobody who answers checks.
            check_recipients: false,
            yes_for_ms: 30 * 24 * 60 * 60 * 1_000,
            no_for_ms: 24 * 60 * 60 * 1_000,
            every_ms: 2_000,
            per_day: 300,
            backoff_first_ms: 1_000,
            backoff_cap_ms: 300_000,
        }
    }
}
