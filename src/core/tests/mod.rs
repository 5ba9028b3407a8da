//! The core, by its sentences.
