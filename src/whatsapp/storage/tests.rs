//! Each method against the library's own in-memory backend.
