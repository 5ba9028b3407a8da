//! The definition of the command line: help, completions and parsing come from here.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum};

use crate::config::value::parse_duration;
use crate::ctl::time::Moment;
use crate::exit::{ExitCode, help_table};
use crate::rpc::api::{Filter, Kind, MessageId, Priority, ReasonKind, State};

const JSON_HELP: &str = "\
With --json, stdout carries the daemon's own JSON, one object a line. An error is one \
line {\"error\":{\"code\",\"message\",\"data\":{\"kind\",..}}}: the daemon's, or one of this \
program without a code (kind no_daemon, socket_denied, closed, ..). The sentence on \
stderr and the exit code are the same either way.";

/// Talks to tetherd: sends, lists, clears, pairs, and says why messages wait.
#[derive(Debug, Parser)]
#[command(
    name = "tetherctl",
    version,
    after_help = format!("{JSON_HELP}\n\n{}", help_table(ExitCode::for_tetherctl))
)]
pub struct Args {
    /// The daemon's socket. Without it: the user's own daemon's, else the system's.
    #[arg(long, global = true, value_name = "PATH", env = "TETHERD_SOCKET")]
    pub socket: Option<PathBuf>,
    /// Print the daemon's JSON instead of text for people.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The session, the queue and the pace at a glance.
    Status,
    /// Why messages wait, what to do about it, and when the next one leaves.
    Why {
        /// Also name every cause that does not hold, with what that is known from.
        #[arg(long, short)]
        all: bool,
    },
    /// Put a message into the queue; answers when it is on disk.
    Send(SendArgs),
    /// One message, with its whole text.
    Show(ShowArgs),
    /// List the messages that wait, are on their way, or are parked.
    Queue(QueueArgs),
    /// Withdraw waiting and parked messages in bulk; `restore` brings them back.
    Clear(ClearArgs),
    /// Withdraw messages by their ids or by conditions; `restore` brings them back.
    Cancel(CancelArgs),
    /// Bring back what `clear` and `cancel` withdrew lately, each to its old place.
    Restore(RestoreArgs),
    /// Put parked messages back into the queue; without ids and filters, all of them.
    Retry(RetryArgs),
    /// Let nothing leave until `resume`. Messages are still accepted.
    Pause,
    /// Let messages leave again.
    Resume,
    /// Link a phone: shows a QR code, or with --code what to type on the phone.
    Pair {
        /// Pair by a code typed on the phone with this number (+ and digits).
        #[arg(long, value_name = "PHONE")]
        code: Option<String>,
    },
    /// Try to connect now instead of waiting for the next try.
    Reconnect,
    /// Take the session back after another WhatsApp Web session took over.
    Takeover,
    /// Unlink this device from the phone. Waiting messages stay in the queue.
    Logout {
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// Print what happens as it happens, after the state as it is now.
    Events,
    /// The versions of this program and of the daemon.
    Version,
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// `send`.
#[derive(Debug, clap::Args)]
pub struct SendArgs {
    /// A number (+ and digits), or a JID of a person or group.
    #[arg(value_name = "TO", allow_hyphen_values = false)]
    pub to: String,
    /// The text; - reads it from stdin, without its last newline.
    #[arg(
        value_name = "TEXT|-",
        allow_hyphen_values = true,
        required_unless_present = "url",
        conflicts_with = "url"
    )]
    pub text: Option<String>,
    /// A file instead of a text, by its address: https://… It is fetched in the background.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// With a file: the text under it.
    #[arg(long, value_name = "TEXT", requires = "url")]
    pub caption: Option<String>,
    /// With a file: what to send it as; without it the content decides.
    #[arg(long = "as", value_name = "KIND", requires = "url", value_parser = file_kind())]
    pub kind: Option<Kind>,
    /// Idempotency key: the same key with the same content is the same message.
    #[arg(long, short, value_name = "KEY")]
    pub key: Option<String>,
    /// Never send it after this: 2h, 14:30, "2026-01-31 14:30", or RFC 3339.
    ///
    /// It reads `expired` then. A time without a date is the next such time, on this
    /// machine's clock and in its time zone.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub expires: Option<Moment>,
    /// Do not send it before this; holds no other message back. As for --expires.
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "after")]
    pub at: Option<Moment>,
    /// Do not send it for so long (90s, 10m, 2h).
    #[arg(long = "in", id = "after", value_name = "TIME", value_parser = parse_duration)]
    pub after: Option<Duration>,
    /// Which of those that wait goes first; within a chat and a priority the order is kept.
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

/// What `send --wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// The server has taken it.
    Sent,
    /// A device of the recipient has it.
    Delivered,
}

/// `show`.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct ShowArgs {
    /// The message's id, such as m42.
    #[arg(value_name = "ID", value_parser = message_id)]
    pub id: Option<MessageId>,
    /// By the key that it was sent with.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// By its id on the network.
    #[arg(long, value_name = "ID")]
    pub wa_id: Option<String>,
}

/// What selects messages. Given conditions must all hold.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct FilterArgs {
    /// To this number or JID.
    #[arg(long, value_name = "TO")]
    pub to: Option<String>,
    /// With this reason, such as not_on_network.
    #[arg(long, value_name = "REASON", value_parser = reason())]
    pub reason: Option<ReasonKind>,
    /// With a key that begins so.
    #[arg(long, value_name = "PREFIX")]
    pub key_prefix: Option<String>,
    /// Accepted at least this long ago (90s, 2h, 3d).
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub older_than: Option<Duration>,
}

/// `queue`.
#[derive(Debug, clap::Args)]
pub struct QueueArgs {
    /// In this state; can be given more than once. `all` lists finished ones too.
    #[arg(long, short, value_name = "STATE", value_parser = states())]
    pub state: Vec<States>,
    /// Conditions.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// At most this many.
    #[arg(long, short = 'n', value_name = "COUNT")]
    pub limit: Option<usize>,
}

/// `clear`.
#[derive(Debug, clap::Args)]
pub struct ClearArgs {
    /// In this state; can be given more than once. Without it: queued and parked.
    #[arg(long, short, value_name = "STATE", value_parser = states())]
    pub state: Vec<States>,
    /// Conditions.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// One of these; can be given more than once.
    #[arg(long, value_name = "ID", value_parser = message_id)]
    pub id: Vec<MessageId>,
    /// Say what would be withdrawn, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask. Needed where no terminal is there to ask on.
    #[arg(long, short)]
    pub yes: bool,
}

/// `cancel`.
#[derive(Debug, clap::Args)]
pub struct CancelArgs {
    /// Their ids, such as m42; with conditions, those of them that match.
    #[arg(
        value_name = "ID", value_parser = message_id,
        required_unless_present_any = ["to", "reason", "key_prefix", "older_than", "state"]
    )]
    pub ids: Vec<MessageId>,
    /// In this state; can be given more than once.
    #[arg(long, short, value_name = "STATE", value_parser = states())]
    pub state: Vec<States>,
    /// Conditions.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Say what would be withdrawn, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `restore`.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// Only these, such as m42; without ids and conditions, all that can be brought back.
    #[arg(value_name = "ID", value_parser = message_id)]
    pub ids: Vec<MessageId>,
    /// Withdrawn in this state; can be given more than once.
    #[arg(long, short, value_name = "STATE", value_parser = states())]
    pub state: Vec<States>,
    /// Conditions.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Say what would come back, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `retry`.
#[derive(Debug, clap::Args)]
pub struct RetryArgs {
    /// Only these, such as m42.
    #[arg(value_name = "ID", value_parser = message_id)]
    pub ids: Vec<MessageId>,
    /// Conditions.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Say what would be put back, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// One value of `--state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum States {
    /// Every state.
    All,
    /// This one.
    One(State),
}

impl FilterArgs {
    /// As the wire wants it.
    pub fn to_filter(&self, states: &[States], ids: &[MessageId]) -> Filter {
        let mut wanted: Vec<State> = Vec::new();
        for states in states {
            match states {
                States::All => wanted.extend(State::ALL),
                States::One(state) => wanted.push(*state),
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        Filter {
            states: wanted,
            to: self.to.clone(),
            reason: self.reason,
            older_than_s: self.older_than.map(whole_seconds),
            key_prefix: self.key_prefix.clone(),
            ids: ids.to_vec(),
        }
    }
}

/// Rounded up: a filter must not catch younger messages than asked for.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

fn message_id(text: &str) -> Result<MessageId, String> {
    text.parse().map_err(|error: crate::rpc::api::NotAMessageId| error.to_string())
}

/// Reads one of these names. Listed in the help, completed by shells, and suggested
/// after a slip.
fn one_of<T>(values: Vec<(&'static str, T)>) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    let names: Vec<&'static str> = values.iter().map(|(name, _)| *name).collect();
    PossibleValuesParser::new(names).try_map(move |given| {
        let found = values.iter().find(|(name, _)| *name == given);
        found.map(|(_, value)| *value).ok_or_else(|| format!("{given:?} is not one of them"))
    })
}

fn moment(text: &str) -> Result<Moment, String> {
    text.parse().map_err(|error: crate::ctl::time::NotAMoment| error.to_string())
}

fn priority() -> impl TypedValueParser<Value = Priority> {
    one_of(Priority::ALL.map(|priority| (priority.name(), priority)).into())
}

fn states() -> impl TypedValueParser<Value = States> {
    let each = State::ALL.map(|state| (state.name(), States::One(state)));
    one_of(each.into_iter().chain([("all", States::All)]).collect())
}

fn file_kind() -> impl TypedValueParser<Value = Kind> {
    let kinds = Kind::ALL.into_iter().filter(|kind| kind.has_file());
    one_of(kinds.map(|kind| (kind.name(), kind)).collect())
}

fn reason() -> impl TypedValueParser<Value = ReasonKind> {
    one_of(ReasonKind::ALL.map(|reason| (reason.name(), reason)).into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn help_documents_every_exit_code_and_what_json_does() {
        let help = Args::command().render_help().to_string();
        for code in ExitCode::ALL.into_iter().filter(|code| !code.for_tetherctl().is_empty()) {
            assert!(help.contains(&format!("{:>5}  ", code.number())), "{code}: {help}");
        }
        assert!(help.contains("--json"), "{help}");
    }

    #[test]
    fn filters_become_the_wire_s() {
        let Command::Clear(clear) =
            parse("tetherctl clear --state parked --state queued --to +15550100 --older-than 1500ms --id m2 --key-prefix inv-")
                .unwrap()
                .command
        else {
            panic!("not clear")
        };
        let filter = clear.filter.to_filter(&clear.state, &clear.id);
        assert_eq!(
            filter,
            Filter {
                states: vec![State::Queued, State::Parked],
                to: Some("+15550100".into()),
                reason: None,
                older_than_s: Some(2),
                key_prefix: Some("inv-".into()),
                ids: vec![MessageId(2)],
            }
        );
    }

    #[test]
    fn a_misspelt_state_or_reason_is_refused_with_a_suggestion() {
        let said = parse("tetherctl queue --state prked").unwrap_err().to_string();
        assert!(said.contains("a similar value exists: 'parked'"), "{said}");
        let said = parse("tetherctl clear --reason not_on_netwrok").unwrap_err().to_string();
        assert!(said.contains("a similar value exists: 'not_on_network'"), "{said}");
    }

    #[test]
    fn a_text_may_begin_with_a_hyphen_or_be_stdin() {
        for text in ["-", "-x", "--"] {
            let line = ["tetherctl", "send", "+15550100", "--", text];
            assert!(Args::try_parse_from(line).is_ok(), "{text}");
        }
        assert!(parse("tetherctl send +15550100 -").is_ok());
        assert!(parse("tetherctl send +15550100 hi --wait sent --timeout 2m").is_ok());
        assert!(parse("tetherctl send +15550100 hi --timeout 2m").is_err());
    }

    #[test]
    fn cancel_wants_ids_or_conditions() {
        assert!(parse("tetherctl cancel m1 m2").is_ok());
        assert!(parse("tetherctl cancel --key-prefix bulk- --dry-run").is_ok());
        assert!(parse("tetherctl cancel").is_err());
        assert!(parse("tetherctl cancel --dry-run").is_err());
        assert!(parse("tetherctl restore").is_ok());
    }

    #[test]
    fn a_message_is_put_off_by_a_time_or_for_a_time() {
        assert!(parse("tetherctl send +15550100 hi --expires 2h --at 14:30").is_ok());
        assert!(parse("tetherctl send +15550100 hi --in 10m --priority high").is_ok());
        assert!(parse("tetherctl send +15550100 hi --in 10m --at 14:30").is_err());
        assert!(parse("tetherctl send +15550100 hi --priority urgent").is_err());
        assert!(parse("tetherctl send +15550100 hi --expires soon").is_err());
    }

    #[test]
    fn show_wants_exactly_one_name() {
        assert!(parse("tetherctl show m1").is_ok());
        assert!(parse("tetherctl show --key k").is_ok());
        assert!(parse("tetherctl show").is_err());
        assert!(parse("tetherctl show m1 --key k").is_err());
        assert!(parse("tetherctl show x1").is_err());
    }

    /// A line of a shell script, without its comment, cut into words.
    fn words(line: &str) -> Vec<String> {
        let line = line.split(" #").next().unwrap();
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.trim().chars() {
            match c {
                '"' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        words
    }

    #[test]
    fn every_command_in_the_readme_is_one() {
        let mut commands = 0;
        for line in include_str!("../../README.md").lines() {
            let blocks = line
                .split(['|', ';'])
                .map(|part| part.trim().trim_start_matches("./target/release/").to_owned());
            for part in blocks.filter(|part| part.starts_with("tetherctl ")) {
                if line.starts_with('|') || part.contains("COMMAND") || part.contains('`') {
                    continue;
                }
                Args::try_parse_from(words(&part)).unwrap();
                commands += 1;
            }
        }
        assert!(commands >= 14, "{commands}");
    }
}
