//! The commands against a daemon that answers from a list.
