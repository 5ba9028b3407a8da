//! The errors: one table of their kinds, and what goes with one.

use serde::{Deserialize, Serialize};

/// Where an error may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorPlace {
    /// Before a method is known, or to no request at all.
    Connection,
    /// By any method.
    Any,
    /// By the methods that list it.
    Method,
}

impl ErrorPlace {
    /// The name in the contract's document.
    pub const fn name(self) -> &'static str {
        match self {
            ErrorPlace::Connection => "connection",
            ErrorPlace::Any => "any",
            ErrorPlace::Method => "method",
        }
    }
}

/// One line a kind: its code, where it is answered, whether `retry_after_ms` may come with
/// it, and what usually helps. The `remedy` of an [`Error`] is made for the case.
macro_rules! error_kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident $code:literal $place:ident, retry $retry:literal, help $help:expr;)*) => {
        /// The stable kinds of errors. Codes never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorKind {
            $($(#[doc = $doc])+ $kind,)*
        }

        impl ErrorKind {
            /// Every kind.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$kind),*];

            /// The JSON-RPC code.
            pub const fn code(self) -> i32 {
                match self { $(ErrorKind::$kind => $code,)* }
            }

            /// Where it is answered.
            pub const fn place(self) -> ErrorPlace {
                match self { $(ErrorKind::$kind => ErrorPlace::$place,)* }
            }

            /// Whether `retry_after_ms` may come with it.
            pub const fn may_retry(self) -> bool {
                match self { $(ErrorKind::$kind => $retry,)* }
            }

            /// What usually helps.
            pub const fn help(self) -> Option<&'static str> {
                match self { $(ErrorKind::$kind => $help,)* }
            }
        }
    };
}

error_kinds! {
    /// The line is not JSON.
    ParseError -32_700 Connection, retry false, help None;
    /// The JSON is not a JSON-RPC 2.0 request.
    InvalidRequest -32_600 Connection, retry false, help None;
    /// No such method.
    MethodNotFound -32_601 Connection, retry false,
        help Some("Where a name was probably misspelt, the error says which was meant.");
    /// The parameters do not fit.
    InvalidParams -32_602 Any, retry false,
        help Some("Where a name was probably misspelt, the error says which was meant.");
    /// A bug in tetherd.
    InternalError -32_603 Any, retry false,
        help Some("Look at the daemon's log, and report it.");
    /// All places are taken.
    QueueFull 1_001 Method, retry true,
        help Some("Wait until a place is free, or make room with `queue.clear`.");
    /// The key belongs to a message with other content.
    KeyConflict 1_002 Method, retry false,
        help Some("Look at the message that has the key, or take another key.");
    /// No such message.
    NotFound 1_003 Method, retry false,
        help Some("List what there is; what is finished stays readable for a while.");
    /// The recipient is neither a number nor a JID, nor the name of one group.
    BadRecipient 1_004 Method, retry false,
        help Some("Write + and 7 to 15 digits with the country code, like +15550100.");
    /// The text is empty or too long.
    BadText 1_005 Method, retry false, help Some("Split a text that is too long.");
    /// The caller's tier is too low.
    Denied 1_006 Any, retry false,
        help Some("Add the user to the group that the error names.");
    /// A phone is already paired.
    AlreadyPaired 1_007 Method, retry false,
        help Some("To pair another phone, log out first: `session.logout`.");
    /// No phone is paired.
    NotPaired 1_008 Method, retry false, help Some("Pair a phone: `session.pair`.");
    /// The pairing could not be started.
    PairingFailed 1_009 Method, retry false, help Some("Begin again: `session.pair`.");
    /// The request does not fit the state that the session, or this connection, is in.
    WrongState 1_010 Method, retry true,
        help Some("The error says what fits the state instead.");
    /// The change may or may not be on disk; the daemon is going down.
    OutcomeUnknown 1_011 Method, retry false,
        help Some("Look once the daemon is back; with a key, send again with the same.");
    /// The daemon is going down.
    ShuttingDown 1_012 Any, retry true, help Some("Try again once the daemon is back.");
    /// Too many connections, in all or of this user; this one closes.
    TooManyConnections 1_013 Connection, retry false,
        help Some("Close one that is not needed.");
    /// The line is longer than a frame may be; the connection closes.
    FrameTooLong 1_014 Connection, retry false,
        help Some("Pass a large file as a descriptor.");
    /// A started line was not finished in time, or nothing was asked for too long; the
    /// connection closes.
    TooSlow 1_015 Connection, retry false, help None;
    /// The file cannot be taken: no descriptor, unreadable, empty, of the wrong kind.
    BadFile 1_016 Method, retry false,
        help Some("Send one that can be read, is not empty, and is what `as` says.");
    /// The file is larger than its kind may be, or than what goes inline.
    FileTooLarge 1_017 Method, retry false,
        help Some("Make it smaller, send it as a document, or pass a descriptor.");
    /// No room for another file: the quota is spent, or the disk is full.
    SpoolFull 1_018 Method, retry false,
        help Some("Wait until some messages with files have left, or make room on the disk.");
    /// The disk of the state directory is full: no new message is taken.
    DiskFull 1_024 Method, retry true,
        help Some("Make room on that disk; listing, cancelling and clearing go on.");
    /// The address is none that files are fetched from.
    BadUrl 1_019 Method, retry false,
        help Some("Give a public `https` address; the error says what is wrong with this one.");
    /// The file cannot be had any more, or not now.
    FileGone 1_020 Method, retry true,
        help Some("Ask again later, if the error says when.");
    /// The network was asked about as many numbers as a day allows.
    CheckBudgetSpent 1_021 Method, retry true,
        help Some("Ask about fewer numbers, or wait.");
    /// The account is locked or banned: pairing would make that worse.
    AccountBarred 1_023 Method, retry false,
        help Some("Look at WhatsApp on the phone; `anyway` pairs all the same.");
    /// `after` is a number of another feed, or one that this feed has not reached.
    FeedRenewed 1_025 Method, retry false,
        help Some("Begin with 0, and take what comes as new.");
    /// What was given is not what a browser makes of a request for a passkey.
    PasskeyMalformed 1_040 Method, retry false,
        help Some("Give the whole object that `PublicKeyCredential.toJSON()` returns.");
    /// The passkey was used on another page than WhatsApp Web's.
    PasskeyWrongOrigin 1_041 Method, retry false,
        help Some("Sign the request on `https://web.whatsapp.com`.");
    /// The passkey answers another request.
    PasskeyWrongChallenge 1_042 Method, retry false,
        help Some("Sign the newest request: `session.pair` answers it.");
    /// The passkey is not one of the account's.
    PasskeyWrongCredential 1_043 Method, retry false,
        help Some("Choose the passkey of the account that is on the phone.");
    /// The server or the phone refused the passkey.
    PasskeyRefused 1_044 Method, retry false,
        help Some("Sign the request again, or begin again: `session.pair`.");
    /// The time for the passkey has run out.
    PasskeyTimedOut 1_045 Method, retry false, help Some("Begin again: `session.pair`.");
    /// The code is not the one of this pairing.
    PasskeyCodeDiffers 1_046 Method, retry false,
        help Some("Compare again; if the phone shows another code, refuse there.");
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
