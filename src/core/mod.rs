//! Every decision about messages, pacing and the link. Pure.
