//! What comes out of the core: changes to make durable, then effects to carry out. Plain
//! data, and the buffer that gathers it during a turn and puts it into order. Decides
//! nothing.

use std::collections::BTreeSet;

use crate::contacts::{CheckTicket, KnownNumber, KnownPage, Number, UsernameKey};
use crate::draft::Draft;
use crate::event::{Body, Token};
use crate::facts::Facts;
use crate::files::PrepareCommand;
use crate::files::{MediaRef, Upload};
use crate::groups::{GroupNames, GroupTicket};
use crate::ids::{Attempt, SpoolId};
use crate::pacing::{Pacing, Slot};
use crate::queue::Message;
use crate::queue::Queue;
use tetherd_api::{self as api, MessageId, Redacted};

/// What comes out of one input, in two parts that the shell keeps in this order.
///
/// Among the effects, replies come first, then events in the order in which things
/// happened (a status last), then the commands to the session, then files to remove.
#[derive(Debug, Default)]
pub struct Actions {
    /// To be made durable, as one atomic batch, in this order.
    pub changes: Vec<Change>,
    /// To be carried out once the changes are durable: the replies, then the others, each in
    /// this order.
    pub effects: Vec<Effect>,
}

/// One change of what is on disk.
#[derive(Clone, Debug)]
pub enum Change {
    /// Write this message's record (new, or over its older self).
    PutMessage(Box<Message>),
    /// Write a new message's body. Comes in the same batch as its record.
    PutBody {
        /// Whose.
        id: MessageId,
        /// The text.
        body: Body,
    },
    /// Remove record and body.
    RemoveMessage {
        /// Which.
        id: MessageId,
    },
    /// Write what is known about a number.
    PutNumber(KnownNumber),
    /// Forget a number.
    RemoveNumber {
        /// Which.
        number: Number,
    },
    /// Write the window's spent slots (all of them, few).
    PutSlots(Vec<Slot>),
    /// Write the small facts.
    PutFacts(Box<Facts>),
    /// Write a page of known chats, new or over its older self.
    PutKnown(KnownPage),
    /// Write the names of the account's groups.
    PutGroupNames(GroupNames),
    /// Remove a page of known chats.
    RemoveKnown {
        /// Its number.
        number: u64,
    },
}

/// Something the shell does after the changes are durable.
#[derive(Debug)]
pub enum Effect {
    /// Answer a request.
    Reply {
        /// Which.
        token: Token,
        /// The result, of the method that asked.
        result: Result<api::Reply, api::Error>,
    },
    /// Tell the subscribers.
    Event(api::Event),
    /// Tell the session.
    Session(SessionCommand),
    /// Remove a file from the spool: nothing on disk refers to it any more.
    Unspool(SpoolId),
    /// Prepare a message, or stop it.
    Prepare(PrepareCommand),
}

/// A command to the session. It makes one connection for each `Connect` or `Pair`
/// and never reconnects by itself.
#[derive(Clone, Debug)]
pub enum SessionCommand {
    /// Log in with the stored keys.
    Connect,
    /// Connect without keys and pair.
    Pair {
        /// Digits: by code. None: by QR.
        phone: Option<Redacted<String>>,
    },
    /// Give the server what a browser signed. Answered by `Passkey(Answered)`, unless the run
    /// ends before.
    AnswerPasskey(PasskeyAnswer),
    /// Send the phone the new secret: the code is compared, or needs not to be. Answered by
    /// `Passkey(Confirmed)`, unless the run ends before.
    ConfirmPasskey,
    /// End the run.
    Close,
    /// Unlink this device on the server if connected, then end the run and forget the keys.
    Logout,
    /// Forget all keys. Comes before a `Pair` if they are dead, and in place of `Logout`
    /// while no run is under way. Makes no run and no `Ended`.
    Forget,
    /// Put the keys away. Comes before a `Pair` if they may still work: they come back unless
    /// that pairing succeeds. Makes no run and no `Ended`.
    KeepKeys,
    /// Send one message. Answered by `Written`, `NotSent` or `CutOff`, in bounded time.
    Send(Outgoing),
    /// Bring a message's file to the media host. Answered by `Uploaded` or `UploadFailed`,
    /// before the end of the run at the latest.
    Upload(Upload),
    /// Ask who of these is on the network. Answered by `Checked`, in bounded time, unless
    /// the run ends first.
    CheckNumbers {
        /// Names the question.
        ticket: CheckTicket,
        /// At most `CHECK_BATCH_MAX`.
        numbers: Vec<Number>,
        /// What usernames among them demand.
        keys: Vec<UsernameKey>,
    },
    /// Ask which groups the account is in. Answered by `Groups`, in bounded time, unless the
    /// run ends first.
    ListGroups {
        /// Names the question.
        ticket: GroupTicket,
    },
    /// Ask the phone something that only a phone answers and nobody sees. Answered by
    /// `Probed` unless the run ends before; the phone's answer is a `PhoneActivity`.
    Probe,
}

/// What a browser signed with a passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyAnswer {
    /// Which passkey.
    pub credential_id: Redacted<Vec<u8>>,
    /// The credential, as JSON.
    pub assertion: Redacted<String>,
}

/// One attempt at one message. The shell adds the body.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Which message.
    pub id: MessageId,
    /// Which attempt.
    pub attempt: Attempt,
    /// What is to be sent.
    pub draft: Box<Draft>,
    /// Where its file lies on the media host.
    pub media: Option<Box<MediaRef>>,
    /// What is to be asked for anew.
    pub refresh: Refresh,
}

/// What an attempt must not take from a cache: an earlier one showed it to be out of date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refresh {
    /// The recipient's devices.
    pub devices: bool,
    /// The group's members and how it names them.
    pub group: bool,
}

/// Why the core wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A slot of the window becomes free and something waits for it.
    Slot,
    /// A message that failed in passing has rested long enough.
    Retry,
    /// A file is due to be uploaded, or to be tried again.
    Upload,
    /// The next connection try is due.
    Connect,
    /// A connection or a pairing takes too long.
    RunTimeout,
    /// An attempt has waited long enough for its answer.
    AckTimeout,
    /// A message without an answer has waited long enough on a live connection.
    Resolve,
    /// Numbers are to be asked about, or the answer about them is late.
    Check,
    /// The groups are to be asked about, or the answer about them is late.
    Groups,
    /// A file that could not be fetched is tried again.
    Prepare,
    /// A ban ends.
    BanEnds,
    /// The end of this client's version comes close.
    ClientExpires,
    /// A stanza that the server complained about did not come up again.
    StanzaForgotten,
    /// The session is taken back.
    Takeover,
    /// Messages to new contacts may leave again.
    TimelockEnds,
    /// The quota of new chats begins anew.
    QuotaEnds,
    /// A pause that the server asked for is over.
    RateLimitEnds,
    /// The sending hours begin or end, or the wall clock is to be looked at for that.
    Hours,
    /// The phone is to be asked, or counts as something else.
    Phone,
    /// History is due to be trimmed.
    Trim,
    /// A message that was not to be sent before a time may be sent by now.
    Due,
    /// A message is not to be sent any more.
    Expiry,
    /// A cancelled message can be brought back no more.
    UndoEnds,
}

/// What has gathered so far.
#[derive(Debug, Default)]
pub(crate) struct ActionBuffer {
    /// Messages whose record changed.
    pub(crate) put: BTreeSet<MessageId>,
    /// New bodies.
    pub(crate) bodies: Vec<(MessageId, Body)>,
    /// Messages that are gone.
    pub(crate) removed: Vec<MessageId>,
    /// Whether the window's slots changed.
    pub(crate) slots: bool,
    /// Whether the facts changed.
    pub(crate) facts: bool,
    pub(crate) replies: Vec<Effect>,
    pub(crate) events: Vec<Effect>,
    pub(crate) commands: Vec<SessionCommand>,
    /// Files that no message needs any more.
    pub(crate) unspool: Vec<SpoolId>,
    pub(crate) prepare: Vec<PrepareCommand>,
}

impl ActionBuffer {
    /// Answers a request of the method `M`.
    pub(crate) fn reply<M: api::Signature>(
        &mut self,
        token: Token,
        result: Result<M::Result, api::Error>,
    ) {
        self.replies.push(Effect::Reply { token, result: result.map(M::reply) });
    }

    /// Answers a request of any method with an error.
    pub(crate) fn refuse(&mut self, token: Token, error: api::Error) {
        self.replies.push(Effect::Reply { token, result: Err(error) });
    }

    pub(crate) fn event(&mut self, event: api::Event) {
        self.events.push(Effect::Event(event));
    }

    pub(crate) fn command(&mut self, command: SessionCommand) {
        self.commands.push(command);
    }

    /// The small facts changed.
    pub(crate) fn save_facts(&mut self) {
        self.facts = true;
    }

    /// A record that changed twice is written once, as it stands in the end.
    pub(crate) fn into_actions(
        self,
        queue: &Queue,
        components: impl IntoIterator<Item = Change>,
        pacing: &Pacing,
        facts: &Facts,
    ) -> Actions {
        let mut changes = Vec::new();
        let records = self.put.iter().filter_map(|id| queue.get(*id));
        changes.extend(records.map(|message| Change::PutMessage(Box::new(message.clone()))));
        changes.extend(self.bodies.into_iter().map(|(id, body)| Change::PutBody { id, body }));
        changes.extend(self.removed.into_iter().map(|id| Change::RemoveMessage { id }));
        changes.extend(components);
        if self.slots {
            changes.push(Change::PutSlots(pacing.slots()));
        }
        if self.facts {
            changes.push(Change::PutFacts(Box::new(facts.clone())));
        }
        let mut effects = self.replies;
        effects.extend(self.events);
        effects.extend(self.commands.into_iter().map(Effect::Session));
        effects.extend(self.unspool.into_iter().map(Effect::Unspool));
        effects.extend(self.prepare.into_iter().map(Effect::Prepare));
        Actions { changes, effects }
    }
}
