//! The files of messages: their preparation and upload, and what lists show of a message
//! that is no text. Never touches a file.

use crate::event::Body;
use tetherd_api::{ContactCard, Kind, Location, PREVIEW_CHARS_MAX};

mod media;
mod preparation;
pub(crate) mod uploads;

pub use media::{MediaMetadata, MediaRef, SpooledFile, Ticket, Upload, UploadFault};
pub(crate) use preparation::Preparations;
pub use preparation::{
    LinkFinding, LinkWarning, Outcome, Preparation, PrepareCommand, Prepared, Source, Trouble,
};
pub use uploads::UPLOADS_AT_ONCE;
pub(crate) use uploads::Uploads;

/// Whether a message with a file can be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is a place.
    Free,
    /// The key belongs to a message that is there already: the file need not be stored.
    KeyKnown,
}

/// A body's length in characters, and what lists show of it: a text's or a caption's
/// beginning, a place's or a person's name.
pub(crate) fn shown(kind: Kind, body: &Body) -> (usize, String) {
    let text = match kind {
        Kind::Text
        | Kind::Image
        | Kind::Video
        | Kind::Audio
        | Kind::Voice
        | Kind::Document
        | Kind::Reaction
        | Kind::Edit
        | Kind::Revoke => {
            let beginning = body.0.chars().take(PREVIEW_CHARS_MAX).collect();
            return (body.0.chars().count(), beginning);
        }
        Kind::Location => serde_json::from_str(&body.0).ok().map(|place| {
            let Location { latitude, longitude, name, .. } = place;
            name.map_or_else(|| format!("{}, {}", latitude.0, longitude.0), |name| name.0)
        }),
        Kind::Contact => serde_json::from_str(&body.0).ok().map(|card: ContactCard| card.name.0),
    };
    (0, text.unwrap_or_default().chars().take(PREVIEW_CHARS_MAX).collect())
}
