//! The files of messages: how long a message needs its own, when one is let go of, and
//! what lists show of a message that is no text.

use crate::Core;
use crate::event::Body;
use crate::queue::Message;
use crate::queue::shutting_down;
use tetherd_api::{ContactCard, Error, Kind, Location, MessageId, PREVIEW_CHARS_MAX, State};

mod media;
mod preparation;
pub(crate) mod uploads;

pub use media::{MediaRef, Seen, SentFile, StoredFile, Ticket, Upload, UploadFault};
pub(crate) use preparation::Under;
pub use preparation::{
    LinkFinding, LinkWarning, Outcome, Preparation, PrepareCommand, Prepared, Source, Trouble,
};
pub use uploads::UPLOADS_AT_ONCE;
pub(crate) use uploads::Uploads;

/// Whether a message still needs its file: until it is sent, or will never be. One that
/// was cancelled needs it as long as it can be brought back.
pub fn needs_file(message: &Message) -> bool {
    match message.state() {
        State::Preparing | State::Queued | State::Sending | State::Unknown | State::Parked => true,
        State::Cancelled => message.undo().is_some(),
        State::Sent | State::Delivered | State::Read | State::Failed | State::Expired => false,
    }
}

impl Core {
    /// Whether there is a place for one more message, before its file is copied. A key
    /// that is known already needs none.
    pub fn room(&self, key: Option<&str>) -> Result<(), Error> {
        if key.is_some_and(|key| self.queue.find_key(key).is_some()) {
            return Ok(());
        }
        if self.draining {
            return Err(shutting_down());
        }
        if self.queue.taken() >= self.config.capacity {
            return Err(self.queue_full(self.now));
        }
        Ok(())
    }

    /// Notes which file a message refers to, and lets go of it once it does no more.
    pub(crate) fn track_file(&mut self, id: MessageId) {
        let needed = self.queue.get(id).filter(|message| needs_file(message));
        let file = needed.and_then(|message| message.file.as_ref());
        let before = match file.map(|file| file.spool.clone()) {
            Some(spool) => self.spooled.insert(id, spool.clone()).filter(|old| *old != spool),
            None => self.spooled.remove(&id),
        };
        self.out.unspool.extend(before);
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
