//! The configuration as its users meet it.
