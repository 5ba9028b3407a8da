//! The errors: their codes, and what goes with them.

use serde::{Deserialize, Serialize};

/// The stable kinds of errors. Codes never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The line is not JSON.
    ParseError,
    /// The JSON is not a JSON-RPC 2.0 request.
    InvalidRequest,
    /// No such method.
    MethodNotFound,
    /// The parameters do not fit.
    InvalidParams,
    /// A bug in tetherd.
    InternalError,
    /// All places are taken.
    QueueFull,
    /// The key belongs to a message with other content.
    KeyConflict,
    /// No such message.
    NotFound,
    /// The recipient is neither a number nor a JID.
    BadRecipient,
    /// The text is empty or too long.
    BadText,
    /// The caller's tier is too low.
    Denied,
    /// A phone is already paired.
    AlreadyPaired,
    /// No phone is paired.
    NotPaired,
    /// The pairing could not be started.
    PairingFailed,
    /// The request does not fit the state that the session, or this connection, is in.
    WrongState,
    /// The change may or may not be on disk; the daemon is going down.
    OutcomeUnknown,
    /// The daemon is going down.
    ShuttingDown,
    /// Too many connections, in all or of this user; this one closes.
    TooManyConnections,
    /// The line is longer than a frame may be; the connection closes.
    FrameTooLong,
    /// A started line was not finished in time; the connection closes.
    TooSlow,
    /// The file cannot be taken: no descriptor, unreadable, empty, of the wrong kind.
    BadFile,
    /// The file is larger than its kind may be, or than what goes inline.
    FileTooLarge,
    /// No room for another file: the quota is spent, or the disk is full.
    SpoolFull,
    /// The address is none that files are fetched from.
    BadUrl,
    /// The file cannot be had any more, or not now.
    FileGone,
}

impl ErrorKind {
    /// The JSON-RPC code.
    pub const fn code(self) -> i32 {
        match self {
            ErrorKind::ParseError => -32_700,
            ErrorKind::InvalidRequest => -32_600,
            ErrorKind::MethodNotFound => -32_601,
            ErrorKind::InvalidParams => -32_602,
            ErrorKind::InternalError => -32_603,
            ErrorKind::QueueFull => 1_001,
            ErrorKind::KeyConflict => 1_002,
            ErrorKind::NotFound => 1_003,
            ErrorKind::BadRecipient => 1_004,
            ErrorKind::BadText => 1_005,
            ErrorKind::Denied => 1_006,
            ErrorKind::AlreadyPaired => 1_007,
            ErrorKind::NotPaired => 1_008,
            ErrorKind::PairingFailed => 1_009,
            ErrorKind::WrongState => 1_010,
            ErrorKind::OutcomeUnknown => 1_011,
            ErrorKind::ShuttingDown => 1_012,
            ErrorKind::TooManyConnections => 1_013,
            ErrorKind::FrameTooLong => 1_014,
            ErrorKind::TooSlow => 1_015,
            ErrorKind::BadFile => 1_016,
            ErrorKind::FileTooLarge => 1_017,
            ErrorKind::SpoolFull => 1_018,
            ErrorKind::BadUrl => 1_019,
            ErrorKind::FileGone => 1_020,
        }
    }
}

/// An error, as `error` of a reply carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{message}")]
pub struct Error {
    /// The stable code of the kind.
    pub code: i32,
    /// A sentence for people.
    pub message: String,
    /// The rest, for programs.
    pub data: ErrorData,
}

/// The machine-readable part of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorData {
    /// The stable name.
    pub kind: ErrorKind,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// When trying again makes sense, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Error {
    /// An error of this kind with this sentence.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error {
            code: kind.code(),
            message: message.into(),
            data: ErrorData { kind, remedy: None, retry_after_ms: None },
        }
    }

    /// With what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.data.remedy = Some(remedy.into());
        self
    }

    /// With when to try again.
    #[must_use]
    pub fn retry_after_ms(mut self, ms: u64) -> Self {
        self.data.retry_after_ms = Some(ms);
        self
    }
}
