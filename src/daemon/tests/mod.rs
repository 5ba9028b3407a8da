//! In one process: a real socket with a scripted engine behind it; the engine with its
//! real store and a scripted session behind it.

mod access;
mod engine;
mod feed;
mod limits;
mod methods;
mod paths;
mod played;
mod repeated;
mod subscriptions;
pub(super) mod support;
