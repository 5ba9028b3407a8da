//! `Debug` of the core's types that carry a number, an account or a caller's key: it
//! shows the rest. Decides nothing.

use std::fmt;

use crate::action::SessionCommand;
use crate::event::{Request, SessionEvent, Submission};
use crate::facts::Facts;
use crate::queue::Message;

macro_rules! redacted {
    ($($name:ident { $($shown:ident),* })*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($shown), &self.$shown))*
                    .finish_non_exhaustive()
            }
        }
    )*};
}

redacted! {
    Facts { last_id, paused_since, replaced_since, logged_out, banned, keys_void, uptime_ms, network }
    Submission { to, kind, body, file, source, has_links, priority, not_before, expires_at, wa_id }
    Message {
        id, wa_id, to, kind, file, source, has_links, link_warning, priority, not_before,
        expires_at, chars, state, order, attempts, accepted_at, changed_at, changed_uptime_ms
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Submit(submission) => f.debug_tuple("Submit").field(submission).finish(),
            Request::Cancel { ids, .. } => {
                f.debug_struct("Cancel").field("ids", ids).finish_non_exhaustive()
            }
            Request::Clear { filter, dry_run } => {
                f.debug_struct("Clear").field("filter", filter).field("dry_run", dry_run).finish()
            }
            Request::Retry { filter, dry_run } => {
                f.debug_struct("Retry").field("filter", filter).field("dry_run", dry_run).finish()
            }
            Request::Restore { filter, dry_run } => {
                f.debug_struct("Restore").field("filter", filter).field("dry_run", dry_run).finish()
            }
            Request::Check { numbers, fresh } => f
                .debug_struct("Check")
                .field("count", &numbers.len())
                .field("fresh", fresh)
                .finish(),
            Request::Pause => f.write_str("Pause"),
            Request::Resume => f.write_str("Resume"),
            Request::Pair { phone: Some(_) } => f.write_str("Pair(by code)"),
            Request::Pair { phone: None } => f.write_str("Pair(by QR)"),
            Request::Reconnect => f.write_str("Reconnect"),
            Request::Takeover => f.write_str("Takeover"),
            Request::Logout => f.write_str("Logout"),
            Request::Heartbeat(_) => f.write_str("Heartbeat(..)"),
            Request::Release => f.write_str("Release"),
        }
    }
}

impl fmt::Debug for SessionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionEvent::Offer(offer) => f.debug_tuple("Offer").field(offer).finish(),
            SessionEvent::Paired { .. } => f.write_str("Paired(..)"),
            SessionEvent::Connected { .. } => f.write_str("Connected(..)"),
            SessionEvent::Written { id, attempt } => {
                f.debug_tuple("Written").field(id).field(attempt).finish()
            }
            SessionEvent::NotSent { id, attempt, why } => {
                f.debug_tuple("NotSent").field(id).field(attempt).field(why).finish()
            }
            SessionEvent::CutOff { id, attempt } => {
                f.debug_tuple("CutOff").field(id).field(attempt).finish()
            }
            SessionEvent::Ack { wa_id, error } => {
                f.debug_tuple("Ack").field(wa_id).field(error).finish()
            }
            SessionEvent::Receipt { wa_ids, kind } => {
                f.debug_tuple("Receipt").field(wa_ids).field(kind).finish()
            }
            SessionEvent::Uploaded { id, ticket, media } => {
                f.debug_tuple("Uploaded").field(id).field(ticket).field(media).finish()
            }
            SessionEvent::UploadFailed { id, ticket, why } => {
                f.debug_tuple("UploadFailed").field(id).field(ticket).field(why).finish()
            }
            SessionEvent::Checked { ticket, outcome } => {
                f.debug_tuple("Checked").field(ticket).field(outcome).finish()
            }
            SessionEvent::Timelock(notice) => f.debug_tuple("Timelock").field(notice).finish(),
            SessionEvent::ChatActivity { chats } => {
                f.debug_tuple("ChatActivity").field(chats).finish()
            }
            SessionEvent::PhoneActivity { activity, at_ms } => f
                .debug_struct("PhoneActivity")
                .field("activity", activity)
                .field("at_ms", at_ms)
                .finish(),
            SessionEvent::Probed { left } => f.debug_tuple("Probed").field(left).finish(),
            SessionEvent::Ended { reason, roll } => {
                f.debug_tuple("Ended").field(reason).field(roll).finish()
            }
        }
    }
}

impl fmt::Debug for SessionCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionCommand::Connect => f.write_str("Connect"),
            SessionCommand::Pair { phone: Some(_) } => f.write_str("Pair(by code)"),
            SessionCommand::Pair { phone: None } => f.write_str("Pair(by QR)"),
            SessionCommand::Close => f.write_str("Close"),
            SessionCommand::Logout => f.write_str("Logout"),
            SessionCommand::Forget => f.write_str("Forget"),
            SessionCommand::CheckNumbers { ticket, numbers } => {
                f.debug_tuple("CheckNumbers").field(ticket).field(&numbers.len()).finish()
            }
            SessionCommand::Probe => f.write_str("Probe"),
            SessionCommand::Send(outgoing) => f.debug_tuple("Send").field(outgoing).finish(),
            SessionCommand::Upload(upload) => f.debug_tuple("Upload").field(upload).finish(),
        }
    }
}
