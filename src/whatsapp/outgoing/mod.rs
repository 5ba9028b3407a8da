//! Messages on their way out: what a message looks like on the network, one attempt to send
//! it, and all attempts that are under way on a connection. Never chooses what to send.

mod about;
pub(crate) mod content;
mod group_keys;
mod mentions;
pub(crate) mod send;
pub(crate) mod sends;
pub(crate) mod sent_stanzas;
