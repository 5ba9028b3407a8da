//! The method table: one declaration a method, with its name, alias, tier, parameters,
//! result, descriptors and errors. [`Method`], [`Call`], [`Reply`], the types in [`call`] and
//! the contract's documents are made from it. Decides nothing about what a method does.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::params::decode;
use crate::suggest::{clipped, closest};
use crate::{
    CancelParams, CancelResult, CheckParams, CheckResult, ClearParams, ClearResult, EditParams,
    Error, ErrorKind, Explanation, GetParams, GroupListParams, GroupListResult, HeartbeatParams,
    InboxFileParams, InboxFileResult, InboxListParams, InboxListResult, ListParams, ListResult,
    Message, NoParams, PairParams, PairResult, PasskeyConfirmParams, PasskeyParams, PhoneStatus,
    ReactParams, ReadParams, ReadResult, RestoreParams, RestoreResult, RetryParams, RetryResult,
    RevokeParams, SendParams, SendResult, Status, SubscribeParams, SubscribeResult, Version,
};

/// Who may call a method. Each tier includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Look.
    Read,
    /// Also send.
    Send,
    /// Everything.
    Admin,
}

impl Tier {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Read => "read",
            Tier::Send => "send",
            Tier::Admin => "admin",
        }
    }
}

/// Ties a method to its parameters and its result, for callers that know which they call.
pub trait Signature {
    /// The method.
    const METHOD: Method;
    /// What it takes.
    type Params: Serialize + DeserializeOwned;
    /// What it answers.
    type Result: Serialize + DeserializeOwned;

    /// The result as a reply of this method.
    fn reply(result: Self::Result) -> Reply;
}

/// Something that is done with the types of a method.
#[cfg(feature = "schema")]
pub trait SignatureVisitor {
    /// What comes of it.
    type Out;

    /// Visits one method.
    fn visit<S: Signature>(&mut self) -> Self::Out
    where
        S::Params: schemars::JsonSchema,
        S::Result: schemars::JsonSchema;
}

/// `Name "wire.name" | "alias" Tier: Params => Result, descriptors "how", errors [..];`
macro_rules! methods {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident $wire:literal $(| $alias:literal)? $tier:ident:
        $params:ty => $result:ty, $(descriptors $descriptors:literal,)? errors [$($error:ident),*];
    )*) => {
        /// A method of the socket.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Method {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Method {
            /// Every method.
            pub const ALL: &'static [Method] = &[$(Method::$name),*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Method::$name => $wire,)* }
            }

            /// The old service's name, where it had one.
            pub fn alias(self) -> Option<&'static str> {
                match self { $(Method::$name => [$($alias)?].first().copied(),)* }
            }

            /// The tier that a caller needs.
            pub const fn tier(self) -> Tier {
                match self { $(Method::$name => Tier::$tier,)* }
            }

            /// The errors that are its own; any method answers those of [`crate::ErrorPlace::Any`] too.
            pub const fn errors(self) -> &'static [ErrorKind] {
                match self { $(Method::$name => &[$(ErrorKind::$error),*],)* }
            }

            /// How descriptors go with its request or its reply.
            pub fn descriptors(self) -> Option<&'static str> {
                match self { $(Method::$name => [$($descriptors)?].first().copied(),)* }
            }

            /// What it does.
            pub const fn about(self) -> &'static str {
                match self { $(Method::$name => concat!($($doc, "\n"),+),)* }
            }

            /// Visits the types of this method.
            #[cfg(feature = "schema")]
            pub fn visit<V: SignatureVisitor>(self, visitor: &mut V) -> V::Out {
                match self { $(Method::$name => visitor.visit::<call::$name>(),)* }
            }
        }

        /// A request: the method with its parameters, checked as far as their types go.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Call {
            $(#[doc = concat!("`", $wire, "`")] $name(Box<$params>),)*
        }

        impl Call {
            /// Decodes the parameters of a method.
            pub fn decode(method: Method, params: Map<String, Value>) -> Result<Call, Error> {
                Ok(match method { $(Method::$name => Call::$name(Box::new(decode(params)?)),)* })
            }

            /// The parameters as they are written.
            #[cfg(any(test, fuzzing))]
            pub fn params(&self) -> serde_json::Result<Value> {
                match self { $(Call::$name(params) => serde_json::to_value(params),)* }
            }
        }

        /// A result, on its whole way from where it is made to the wire.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Reply {
            $(#[doc = concat!("Of `", $wire, "`.")] $name(Box<$result>),)*
        }

        /// The methods as types: `client.call(call::Status, &NoParams {})`.
        pub mod call {
            $(
                #[doc = concat!("`", $wire, "`")]
                #[derive(Clone, Copy, Debug)]
                pub struct $name;
            )*
        }

        $(impl Signature for call::$name {
            const METHOD: Method = Method::$name;
            type Params = $params;
            type Result = $result;

            fn reply(result: $result) -> Reply {
                Reply::$name(Box::new(result))
            }
        })*
    };
}

methods! {
    /// Which daemon this is, and which version of this contract it speaks.
    Version "version" Read: NoParams => Version, errors [];
    /// The whole state: the session, the queue, the pacer, the store, the phone, and what holds
    /// the queue.
    Status "status" Read: NoParams => Status, errors [];
    /// Why messages wait: every condition with its evidence, the messages that it touches, what
    /// happens by itself, and what helps.
    Explain "explain" Read: NoParams => Explanation, errors [];
    /// Accepts one message. The reply comes when the message is on disk; it leaves when its turn
    /// comes, and `message.get` and events report its states.
    ///
    /// A caller that gives a `key` may repeat the call when no reply came: the message is
    /// accepted once.
    MessageSend "message.send" | "sendMessage" Send: SendParams => SendResult,
        descriptors "With `file.fd`, the file's descriptor comes with the request's line.",
        errors [
            QueueFull, DiskFull, KeyConflict, BadRecipient, NotFound, BadText, BadFile, FileTooLarge, SpoolFull, BadUrl,
            WrongState, OutcomeUnknown
        ];
    /// Reacts to a message with an emoji. The reaction is a message of its own, with a state and a
    /// turn at the pace, in the order of its chat.
    MessageReact "message.react" Send: ReactParams => SendResult,
        errors [QueueFull, DiskFull, KeyConflict, NotFound, WrongState, OutcomeUnknown];
    /// Gives a text that the daemon has sent, or is to send, another wording. One that has not
    /// left is changed in its place, and is the answer; else the edit is a message of its own.
    /// The network takes it for 15 minutes after the text was sent; it expires then.
    MessageEdit "message.edit" Send: EditParams => SendResult,
        errors [QueueFull, DiskFull, KeyConflict, NotFound, BadText, WrongState, OutcomeUnknown];
    /// Takes a message of the daemon's back. One that has not left is withdrawn, as by
    /// `queue.cancel`, and is the answer; else the revocation is a message of its own. The network
    /// takes it for two days after the message was sent; it expires then.
    MessageRevoke "message.revoke" Send: RevokeParams => SendResult,
        errors [QueueFull, DiskFull, KeyConflict, NotFound, WrongState, OutcomeUnknown];
    /// Marks incoming messages as read, which their senders see unless the account hides that.
    /// Nothing else marks them. It takes no slot of the pace, and is not remembered: without a
    /// connection it is refused, and can be repeated.
    MessageRead "message.read" Send: ReadParams => ReadResult, errors [NotFound, WrongState];
    /// One message, with its whole text: a live one, or a finished one that is still in the
    /// history.
    MessageGet "message.get" Read: GetParams => Message, errors [NotFound];
    /// The messages that wait, are under way or are parked, in the order of acceptance; with
    /// a filter by state, finished ones too.
    QueueList "queue.list" | "showMessagesQueue" Read: ListParams => ListResult,
        errors [BadRecipient];
    /// Withdraws all messages that wait or are parked and are not under way, or those that a
    /// filter selects. `queue.restore` takes it back for a while.
    QueueClear "queue.clear" | "clearMessagesQueue" Admin: ClearParams => ClearResult,
        errors [BadRecipient, OutcomeUnknown];
    /// Withdraws single messages, each with an answer of its own. `queue.restore` takes it back
    /// for a while.
    QueueCancel "queue.cancel" Admin: CancelParams => CancelResult,
        errors [BadRecipient, OutcomeUnknown];
    /// Stops sending. Messages are still accepted, and wait; it holds over restarts, until
    /// `queue.resume`.
    QueuePause "queue.pause" Admin: NoParams => Status, errors [OutcomeUnknown];
    /// Ends what `queue.pause` began.
    QueueResume "queue.resume" Admin: NoParams => Status, errors [OutcomeUnknown];
    /// Puts parked messages back into the queue, under their old ids.
    QueueRetry "queue.retry" Admin: RetryParams => RetryResult,
        errors [BadRecipient, OutcomeUnknown];
    /// Pairs with a phone: answers what to scan with it, or what to type on it. A pairing that
    /// runs already, in the same way, answers its code again; in another way, it is replaced.
    SessionPair "session.pair" Admin: PairParams => PairResult,
        errors [AlreadyPaired, AccountBarred, PairingFailed, WrongState, OutcomeUnknown];
    /// Gives what a browser made of the phone's request for a passkey. The reply comes with the
    /// server's answer; the phone's follows as a `pairing` event.
    SessionPasskey "session.passkey" Admin: PasskeyParams => Status,
        errors [
            PasskeyMalformed, PasskeyWrongOrigin, PasskeyWrongChallenge, PasskeyWrongCredential,
            PasskeyRefused, PasskeyTimedOut, PairingFailed, WrongState, OutcomeUnknown
        ];
    /// Confirms that the phone shows the same code.
    SessionPasskeyConfirm "session.passkey_confirm" Admin: PasskeyConfirmParams => Status,
        errors [
            PasskeyCodeDiffers, PasskeyRefused, PasskeyWrongCredential, PasskeyTimedOut,
            PairingFailed, WrongState, OutcomeUnknown
        ];
    /// Connects now: ends a wait between tries, or replaces a connection that seems dead.
    SessionReconnect "session.reconnect" Admin: NoParams => Status,
        errors [NotPaired, WrongState, OutcomeUnknown];
    /// Takes the session back from another WhatsApp Web session that took over.
    SessionTakeover "session.takeover" | "takeover" Admin: NoParams => Status,
        errors [WrongState, OutcomeUnknown];
    /// Unlinks this device from the account. The queue stays.
    SessionLogout "session.logout" | "logout" Admin: NoParams => Status,
        errors [NotPaired, OutcomeUnknown];
    /// Asks whether numbers are on the network. Answers are remembered.
    PhoneCheck "phone.check" | "checkPhone" Send: CheckParams => CheckResult,
        errors [BadRecipient, CheckBudgetSpent, OutcomeUnknown];
    /// The groups that the account is in. One question to the network for all of them; its
    /// answer is good until the network reports a change, or the connection ends.
    GroupList "group.list" Read: GroupListParams => GroupListResult, errors [WrongState];
    /// Takes a report about the account's own phone, and answers what is known of it then.
    PhoneHeartbeat "phone.heartbeat" Send: HeartbeatParams => PhoneStatus, errors [OutcomeUnknown];
    /// Brings back what `queue.clear` and `queue.cancel` withdrew, while that can be done.
    QueueRestore "queue.restore" Admin: RestoreParams => RestoreResult,
        errors [BadRecipient, OutcomeUnknown];
    /// Confirms that a backlog which waited for long (the hold `stale_backlog`) may leave.
    QueueRelease "queue.release" Admin: NoParams => Status, errors [OutcomeUnknown];
    /// Messages that came in, the oldest first, by cursor.
    InboxList "inbox.list" Read: InboxListParams => InboxListResult, errors [WrongState];
    /// The file of a message that came in: as a descriptor with the reply, or inline.
    InboxFile "inbox.file" Read: InboxFileParams => InboxFileResult,
        descriptors "Without `inline`, a descriptor of the file goes with the reply's line.",
        errors [NotFound, FileGone, FileTooLarge, SpoolFull, WrongState];
    /// From here on, events report on this connection what happens. Once a connection.
    EventsSubscribe "events.subscribe" Read: SubscribeParams => SubscribeResult,
        errors [WrongState, FeedRenewed];
    /// This contract as an OpenRPC document, made from the same types as the daemon.
    RpcDiscover "rpc.discover" Read: NoParams => Value, errors [];
}

impl Method {
    /// Finds a method by its name or alias.
    pub fn find(name: &str) -> Result<Method, Error> {
        let mut all = Method::ALL.iter().copied();
        all.find(|m| m.name() == name || m.alias() == Some(name)).ok_or_else(|| {
            let names = Method::ALL.iter().flat_map(|m| [Some(m.name()), m.alias()]);
            let sentence = format!("there is no method `{}`", clipped(name));
            let error = Error::new(ErrorKind::MethodNotFound, sentence);
            match closest(name, names.flatten()) {
                Some(close) => error.remedy(format!("did you mean `{close}`?")),
                None => error,
            }
        })
    }
}
