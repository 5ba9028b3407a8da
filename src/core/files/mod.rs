//! The files of messages: which of them the spool still needs, their preparation and
//! upload, and what lists show of a message that is no text. Never touches a file.

use std::collections::BTreeMap;

use crate::event::Body;
use crate::ids::SpoolId;
use crate::queue::{Message, Queue};
use tetherd_api::{ContactCard, Kind, Location, MessageId, PREVIEW_CHARS_MAX, State};

mod media;
mod preparation;
pub(crate) mod uploads;

pub use media::{MediaMetadata, MediaRef, SentFile, StoredFile, Ticket, Upload, UploadFault};
pub(crate) use preparation::Preparations;
pub use preparation::{
    LinkFinding, LinkWarning, Outcome, Preparation, PrepareCommand, Prepared, Source, Trouble,
};
pub use uploads::UPLOADS_AT_ONCE;
pub(crate) use uploads::Uploads;

/// Whether a message still needs its file: until it is sent, or will never be. One that
/// was cancelled needs it while it can be restored.
pub fn needs_file(message: &Message) -> bool {
    match message.state() {
        State::Preparing | State::Queued | State::Sending | State::Unknown | State::Parked => true,
        State::Cancelled => message.undo().is_some(),
        State::Sent | State::Delivered | State::Read | State::Failed | State::Expired => false,
    }
}

/// Whether a message with a file can be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is a place.
    Free,
    /// The key belongs to a message that is there already: the file need not be stored.
    KeyKnown,
}

/// Files in the spool, each with the message that needs it.
#[derive(Debug, Default)]
pub(crate) struct SpoolRefs(BTreeMap<MessageId, SpoolId>);

impl SpoolRefs {
    pub(crate) fn new(queue: &Queue) -> SpoolRefs {
        let mut refs = SpoolRefs::default();
        for message in queue.iter() {
            refs.update(message.id, Some(message));
        }
        refs
    }

    /// The message is as it is now, or gone. The file that nothing needs any more.
    pub(crate) fn update(&mut self, id: MessageId, message: Option<&Message>) -> Option<SpoolId> {
        let needed = message.filter(|message| needs_file(message));
        match needed.and_then(|message| message.file.as_ref()) {
            Some(StoredFile { spool, .. }) => {
                self.0.insert(id, spool.clone()).filter(|old| old != spool)
            }
            None => self.0.remove(&id),
        }
    }
}

/// A body's length in characters, and what lists show of it: a text's or a caption's
/// beginning, a place's or a person's name.
pub(crate) fn shown(kind: Kind, body: &Body) -> (usize, String) {
    let text = match kind {
        Kind::Text | Kind::Image | Kind::Video | Kind::Audio | Kind::Voice | Kind::Document => {
            let beginning = body.0.chars().take(PREVIEW_CHARS_MAX).collect();
            return (body.0.chars().count(), beginning);
        }
        Kind::Location => serde_json::from_str(&body.0).ok().map(|place| {
            let Location { latitude, longitude, name, .. } = place;
            name.unwrap_or_else(|| format!("{latitude}, {longitude}"))
        }),
        Kind::Contact => serde_json::from_str(&body.0).ok().map(|card: ContactCard| card.name),
    };
    (0, text.unwrap_or_default().chars().take(PREVIEW_CHARS_MAX).collect())
}
