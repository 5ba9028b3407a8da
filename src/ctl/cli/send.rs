//! `send`: what can be sent, and what goes with it.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::{ArgGroup, ValueEnum};

use super::{message_id, one_of, priority, time_spec};
use crate::time::TimeSpec;
use tetherd_api::{Kind, Location, MessageId, MessageRef, Priority, Redacted, Replace};
use tetherd_config::value::parse_duration;

/// How it is typed; clap would put the content before the recipient.
const USAGE: &str = "\
tetherctl send [OPTIONS] <TO> <TEXT|->
       tetherctl send [OPTIONS] <TO> --file <PATH|->
       tetherctl send [OPTIONS] <TO> --url <URL>
       tetherctl send [OPTIONS] <TO> --location <LAT,LON>
       tetherctl send [OPTIONS] <TO> --contact <NAME> --phone <NUMBER>";

/// `send`.
#[derive(Debug, clap::Args)]
#[command(override_usage = USAGE)]
#[command(group = ArgGroup::new("content").required(true).args(["text", "file", "url", "location", "contact"]))]
pub struct SendArgs {
    /// A number (+ and digits), a username (@name, or @name#1234 where it demands a key), a JID, or the exact name of a group.
    #[arg(value_name = "TO", allow_hyphen_values = false)]
    pub to: String,
    /// The text; - reads it from stdin, without its last newline. One that is also an option,
    /// such as --help, goes behind a --: tetherctl send +15550100 -- --help
    #[arg(value_name = "TEXT|-", allow_hyphen_values = true)]
    pub text: Option<String>,
    /// A file; - is stdin. The daemon has copied it when it answers: it can go away then.
    #[arg(long, short, value_name = "PATH|-")]
    pub file: Option<PathBuf>,
    /// A file by its address: https://... The daemon fetches it once, in the background.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// With --file or --url: a text under the image, video or document.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["text", "location", "contact"])]
    pub caption: Option<String>,
    /// With --file or --url: what to send it as. Without it the content decides.
    #[arg(long = "as", value_name = "KIND", conflicts_with_all = ["text", "location", "contact"], value_parser = one_of(file_kinds()))]
    pub kind: Option<Kind>,
    /// With --file or --url: the name that it is shown under. Without it: the file's own.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["text", "location", "contact"])]
    pub name: Option<String>,
    /// With --file or --url: a document's MIME type, such as text/csv. Without it the content,
    /// then the name decides.
    #[arg(long, value_name = "TYPE", conflicts_with_all = ["text", "location", "contact"])]
    pub mime: Option<String>,
    /// A place: degrees north and east, such as 48.8584,2.2945.
    #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true, value_parser = location)]
    pub location: Option<Location>,
    /// With --location: the name of the place.
    #[arg(long, value_name = "NAME", requires = "location", conflicts_with_all = ["text", "file", "contact"])]
    pub place: Option<String>,
    /// A contact's card with this name, which needs --phone.
    #[arg(long, value_name = "NAME", requires = "phone")]
    pub contact: Option<String>,
    /// With --contact: its number (+ and digits); can be given more than once.
    #[arg(long, value_name = "NUMBER", requires = "contact", conflicts_with_all = ["text", "file", "location"])]
    pub phone: Vec<String>,
    /// The message that this one answers: m42, or i17 of the inbox.
    #[arg(long, value_name = "MESSAGE", value_parser = message_ref)]
    pub reply_to: Option<MessageRef>,
    /// A person who is mentioned; the text names each as @ and the digits. Can be given more
    /// than once.
    #[arg(long, value_name = "NUMBER")]
    pub mention: Vec<String>,
    /// With --key: the newest content wins. While the message that has the key waits, it gets
    /// this content in its place. If it has left: send a new one (the default), or edit it.
    #[arg(long, value_name = "HOW", value_parser = replace(), num_args = 0..=1,
        require_equals = true, default_missing_value = "new", requires = "key")]
    pub replace: Option<Replace>,
    /// Idempotency key: the same key with the same content is the same message.
    #[arg(long, short, value_name = "KEY")]
    pub key: Option<String>,
    /// Never send it after this: 2h, 14:30, "2026-01-31 14:30", or RFC 3339.
    ///
    /// It reads `expired` then. 2h is two hours from now; a time without a date is the next
    /// such time, on this machine's clock and in its time zone.
    #[arg(long, value_name = "TIME", value_parser = time_spec)]
    pub expires: Option<TimeSpec>,
    /// Do not send it before this, written as for --expires; holds no other message back.
    #[arg(long, value_name = "TIME", value_parser = time_spec, conflicts_with = "after")]
    pub at: Option<TimeSpec>,
    /// Do not send it for so long (90s, 10m, 2h).
    #[arg(long = "in", id = "after", value_name = "TIME", value_parser = parse_duration)]
    pub after: Option<Duration>,
    /// Which of those that wait goes first; within a chat and a priority, they keep their order.
    #[arg(long, short, value_name = "PRIORITY", value_parser = priority(), default_value = "normal")]
    pub priority: Priority,
    /// Wait until the message is sent, or delivered.
    ///
    /// Ends with 0 once it is, with 1 if it is parked, fails, expires or is withdrawn.
    /// With --json, a second line holds the message as it then stands.
    #[arg(long, short, value_name = "UNTIL")]
    pub wait: Option<Until>,
    /// With --wait: give up after this time (120s, 10m) and end with 124; the message
    /// stays in the queue.
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

/// `react`.
#[derive(Debug, clap::Args)]
pub struct ReactArgs {
    /// The message: m42, or i17 of the inbox.
    #[arg(value_name = "MESSAGE", value_parser = message_ref)]
    pub message: MessageRef,
    /// One emoji. Without it: an earlier reaction is taken back.
    #[arg(value_name = "EMOJI", default_value = "")]
    pub emoji: String,
    /// Idempotency key, as of `send`.
    #[arg(long, short, value_name = "KEY")]
    pub key: Option<String>,
}

/// `edit`.
#[derive(Debug, clap::Args)]
pub struct EditArgs {
    /// The text's id, such as m42.
    #[arg(value_name = "ID", value_parser = message_id)]
    pub id: MessageId,
    /// What it is to say; - reads it from stdin, without its last newline.
    #[arg(value_name = "TEXT|-", allow_hyphen_values = true)]
    pub text: String,
    /// Idempotency key, as of `send`.
    #[arg(long, short, value_name = "KEY")]
    pub key: Option<String>,
}

/// `revoke`.
#[derive(Debug, clap::Args)]
pub struct RevokeArgs {
    /// The message's id, such as m42.
    #[arg(value_name = "ID", value_parser = message_id)]
    pub id: MessageId,
    /// Idempotency key, as of `send`.
    #[arg(long, short, value_name = "KEY")]
    pub key: Option<String>,
}

fn replace() -> impl TypedValueParser<Value = Replace> {
    one_of(Replace::ALL.map(|replace| (replace.name(), replace)).into())
}

fn message_ref(text: &str) -> Result<MessageRef, String> {
    text.parse().map_err(|error: tetherd_api::NotAMessageRef| error.to_string())
}

/// What `send --wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// The server has taken it.
    Sent,
    /// A device of the recipient has it.
    Delivered,
    /// The recipient has read it, and shows that.
    Read,
}

fn file_kinds() -> Vec<(&'static str, Kind)> {
    let kinds = Kind::ALL.into_iter().filter(|kind| kind.has_file());
    kinds.map(|kind| (kind.name(), kind)).collect()
}

fn location(text: &str) -> Result<Location, String> {
    let parts =
        text.split_once(',').map(|(north, east)| (north.trim().parse(), east.trim().parse()));
    match parts {
        Some((Ok(latitude), Ok(longitude))) => Ok(Location {
            latitude: Redacted(latitude),
            longitude: Redacted(longitude),
            ..Location::default()
        }),
        Some(_) | None => Err("two numbers with a comma between them, like 48.8584,2.2945".into()),
    }
}
