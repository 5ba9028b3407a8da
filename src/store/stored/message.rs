//! A message's record.

use serde::{Deserialize, Serialize};

use crate::store::convert::{
    Convert, StoredFileInfo, is_zero, stored_enum, stored_newtype, stored_structs, stored_text,
};
use tetherd_api::{Kind, LinkPreview, MessageId, Priority, Reason, ReasonKind, State};
use tetherd_core::draft::Target;
use tetherd_core::files::{LinkWarning, MediaMetadata, MediaRef, Source, SpooledFile};
use tetherd_core::ids::{ChatId, Digest, SpoolId, WaMessageId};

mod state;

stored_enum!(StoredState = State {
    Preparing = "preparing",
    Queued = "queued",
    Sending = "sending",
    Unknown = "unknown",
    Parked = "parked",
    Sent = "sent",
    Delivered = "delivered",
    Read = "read",
    Failed = "failed",
    Expired = "expired",
    Cancelled = "cancelled",
});

stored_enum!(StoredReasonKind = ReasonKind {
    Refused = "refused",
    ReachoutTimelock = "reachout_timelock",
    NotOnNetwork = "not_on_network",
    NotSendable = "not_sendable",
    NoAnswer = "no_answer",
    AccountChanged = "account_changed",
    ShelfFull = "shelf_full",
    LinkBroken = "link_broken",
    FileUnreadable = "file_unreadable",
    TooLarge = "too_large",
    UploadFailed = "upload_failed",
    TokenMissing = "token_missing",
    NewChatQuota = "new_chat_quota",
    NoDevice = "no_device",
    NotAdmin = "not_admin",
    NotInGroup = "not_in_group",
    GroupSuspended = "group_suspended",
    TargetNotSent = "target_not_sent",
});

stored_enum!(StoredKind = Kind {
    Text = "text",
    Image = "image",
    Video = "video",
    Audio = "audio",
    Voice = "voice",
    Document = "document",
    Location = "location",
    Contact = "contact",
    Reaction = "reaction",
    Edit = "edit",
    Revoke = "revoke",
});

stored_enum!(StoredPriority = Priority {
    High = "high",
    Normal = "normal",
    Low = "low",
});

impl StoredPriority {
    fn normal() -> StoredPriority {
        StoredPriority::Normal
    }

    fn is_normal(&self) -> bool {
        matches!(self, StoredPriority::Normal)
    }
}

/// The order of the fields is that on disk. Times are wall milliseconds unless their name
/// says otherwise.
#[derive(Serialize, Deserialize)]
pub(in crate::store) struct StoredMessage {
    id: StoredId,
    wa_id: String,
    to: StoredChat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<StoredChat>,
    kind: StoredKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<StoredSpoolFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media: Option<StoredMedia>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<StoredSource>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    has_links: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    links_asked: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    token_retried: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account_lid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link_warning: Option<StoredLinkWarning>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<StoredLinkPreview>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<StoredTarget>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<StoredChat>,
    #[serde(default = "StoredPriority::normal", skip_serializing_if = "StoredPriority::is_normal")]
    priority: StoredPriority,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    edit_until: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    digest: [u8; 32],
    chars: usize,
    preview: String,
    state: StoredState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<StoredReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    undo: Option<StoredUndo>,
    order: u64,
    attempts: u32,
    streak: u32,
    maybe_out: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    limited: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resent: Option<u32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    reached_nobody: bool,
    accepted_at: i64,
    changed_at: i64,
    #[serde(default, alias = "changed_lived_ms")]
    changed_uptime_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivered_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_at: Option<i64>,
}

stored_structs! {
    struct StoredReason = Reason {
        kind: StoredReasonKind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    }
}

#[derive(Serialize, Deserialize)]
struct StoredUndo {
    #[serde(alias = "until_lived_ms")]
    until_uptime_ms: u64,
    state: StoredState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<StoredReason>,
}

stored_structs! {
    struct StoredSpoolFile = SpooledFile {
        spool: String,
        info: StoredFileInfo,
    }

    struct StoredTarget = Target {
        wa_id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<StoredId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender: Option<StoredChat>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quote: Option<String>,
    }

    struct StoredMedia = MediaRef {
        url: String,
        direct_path: String,
        media_key: [u8; 32],
        key_made_s: i64,
        sha256: [u8; 32],
        enc_sha256: [u8; 32],
        bytes: u64,
        #[serde(default)]
        seen: StoredMediaMetadata,
        #[serde(default)]
        uploaded_at: i64,
    }

    #[derive(Default)]
    #[serde(default)]
    struct StoredMediaMetadata = MediaMetadata {
        pixels: Option<(u32, u32)>,
        seconds: Option<u32>,
    }

    struct StoredSource = Source {
        url: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<StoredKind>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mime: Option<String>,
    }

    struct StoredLinkWarning = LinkWarning {
        detail: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        at: i64,
    }

    struct StoredLinkPreview = LinkPreview {
        url: String,
        title: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thumbnail: Option<String>,
    }
}

stored_newtype!(WaMessageId(String), Digest([u8; 32]), SpoolId(String));
stored_text!(StoredId = MessageId, |id| id.to_string(), |text| text.parse().ok());
stored_text!(StoredChat = ChatId, |chat| chat.as_str().to_owned(), |text| text.parse().ok());
