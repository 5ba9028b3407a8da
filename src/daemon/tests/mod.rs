//! The control socket, in one process: a real socket, a scripted engine.

mod access;
mod limits;
mod methods;
mod paths;
mod subscriptions;
mod support;
