//! The inbox on a real store.
