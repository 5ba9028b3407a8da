//! The names of [`crate::event`], [`crate::action`], [`crate::facts`] and [`crate::time`] in
//! one place, until every caller names their module.

pub use crate::action::*;
pub use crate::event::*;
pub use crate::facts::*;
pub use crate::files::{
    LinkFinding, LinkWarning, Outcome, Preparation, PrepareCommand, Prepared, Source, Trouble,
};
pub use crate::files::{MediaRef, Seen, SentFile, Ticket, Upload, UploadFault};
pub use crate::phone::Sign;
pub use crate::time::{BootId, Now};
