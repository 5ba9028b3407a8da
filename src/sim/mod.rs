//! A simulator of the WhatsApp Web server, the phone and the recipients.

mod adv;
mod compose;
pub mod device;
pub mod groups;
mod hex;
pub mod inbox;
mod keys;
pub mod people;
mod person;
pub mod receive;
mod stanza;
