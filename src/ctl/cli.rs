//! The definition of the command line: help, completions and parsing come from here.

use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::doctor;
pub use crate::doctor::DoctorArgs;
pub use crate::filters::{
    CancelArgs, ClearArgs, FilterArgs, QueueArgs, RestoreArgs, RetryArgs, States,
};
use crate::filters::{message_id, one_of};
use crate::time::TimeSpec;
use tetherd_api::exit::{ExitCode, help_table};
use tetherd_api::{FeedPlace, MessageId, Priority, Time};

mod send;

pub use send::{EditArgs, ReactArgs, RevokeArgs, SendArgs, Until};

const MORE: &str = "\
`tetherctl COMMAND --help` lists the options of a command; tetherctl(1) has all of this, \
and examples. Of the daemon: tetherd(8), tetherd.toml(5), tetherd-rpc(7).";

const JSON_HELP: &str = "\
With --json, stdout carries the daemon's own JSON, one object a line. An error is one \
line {\"error\":{\"code\",\"message\",\"data\":{\"kind\",..}}}: the daemon's, or one of this \
program without a code (kind no_daemon, socket_denied, closed, ..). The sentence on \
stderr and the exit code are the same either way.";

/// What goes with every command, in its help.
const EVERYWHERE: &str = "Options of every command";
/// Below a command's own options.
const EVERYWHERE_ORDER: usize = 900;

/// Talks to tetherd: sends, lists, clears, pairs, and says why messages wait.
#[derive(Debug, Parser)]
#[command(
    name = "tetherctl",
    version,
    long_version = tetherd_version::WITH_REVISION,
    after_help = format!("{MORE}\n\n{JSON_HELP}\n\n{}", help_table(ExitCode::for_tetherctl))
)]
pub struct Args {
    /// The daemon's socket. Without it: the user's own daemon's, else the system's.
    #[arg(long, global = true, value_name = "PATH", env = "TETHERD_SOCKET",
        hide_env_values = true, help_heading = EVERYWHERE, display_order = EVERYWHERE_ORDER)]
    pub socket: Option<PathBuf>,
    /// Print the daemon's JSON instead of text for people.
    #[arg(long, global = true, help_heading = EVERYWHERE, display_order = EVERYWHERE_ORDER)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the session, the phone, the queue and the pace at a glance.
    Status,
    /// Say why messages wait, what to do about it, and when the next one leaves.
    Why {
        /// Also name every condition that is not the case, with what that is known from.
        #[arg(long, short)]
        all: bool,
    },
    /// Show all of that live on a screen, with keys for what to do about it; ? lists them.
    ///
    /// What is the case and why, the session, the phone, the pace, the queue, and what happens.
    /// Keys pause and resume, withdraw (after a preview) and bring back, put parked messages
    /// back, and link a phone; the line at the bottom names the command that does the same. It
    /// outlives restarts of the daemon.
    Top,
    /// Put a message into the queue; answers when it is on disk.
    Send(Box<SendArgs>),
    /// React to a message with an emoji; the reaction takes its turn like a message.
    React(ReactArgs),
    /// Give a text another wording: in its place while it waits, by an edit within 15 minutes
    /// after it was sent.
    Edit(EditArgs),
    /// Take a message back: it is withdrawn while it waits, and revoked within two days after
    /// it was sent.
    Revoke(RevokeArgs),
    /// Mark messages that came in as read, which their senders see.
    Read {
        /// Their cursors, as `inbox` lists them: 17, or i17.
        #[arg(value_name = "CURSOR", required = true, value_parser = cursor)]
        cursors: Vec<u64>,
    },
    /// Show one message, with its whole text.
    Show(ShowArgs),
    /// List the messages that wait, are on their way, or are parked; with --state, others too.
    Queue(QueueArgs),
    /// Withdraw waiting and parked messages in bulk; `restore` brings them back.
    Clear(ClearArgs),
    /// Withdraw messages by their ids or by conditions; `restore` brings them back.
    Cancel(CancelArgs),
    /// Bring back what `clear` and `cancel` withdrew lately, each to its old place.
    Restore(RestoreArgs),
    /// Put parked messages back into the queue; without ids and conditions, all of them.
    Retry(RetryArgs),
    /// Ask which numbers are on the network; nothing is sent to them.
    ///
    /// Ends with 0 if all are, with 1 if any is not, with 75 if some are unknown.
    Check(CheckArgs),
    /// List the groups that the account is in, and whether it may send to them.
    Groups {
        /// Ask the network even where its last answer is still good.
        #[arg(long)]
        fresh: bool,
    },
    /// Let nothing leave until `resume`; messages are still accepted.
    Pause,
    /// Let messages leave again after `pause`.
    Resume,
    /// Let a backlog leave that was held for longer than `confirm_after` allows.
    Release,
    /// Report the state of the phone's battery, which the network does not report.
    Heartbeat(HeartbeatArgs),
    /// Link a phone: shows a QR code, or with --code what to type on the phone.
    ///
    /// A phone may ask for a passkey. Then this says what to paste into the console of a
    /// browser on web.whatsapp.com, and takes what that prints, on stdin or from
    /// another terminal with --passkey-answer. If the phone shows a code, compare it and type
    /// yes, or use --passkey-confirm.
    Pair(PairArgs),
    /// Try to connect now instead of waiting for the next try.
    Reconnect,
    /// Take the session back after another WhatsApp Web session took over.
    Takeover,
    /// Unlink this device from the phone; waiting messages stay in the queue.
    Logout {
        /// Do not ask for a confirmation.
        #[arg(long, short)]
        yes: bool,
    },
    /// Print what happens as it happens, after the state as it is now. A line begins with the
    /// number to continue after.
    Events {
        /// Continue after this number: every message that changed later, as it is now, and
        /// every message that came in later. 0: everything that is kept. With the feed that it is
        /// of (`store.feed` of the status), like 9f3c0a1b2c3d4e5f:104, it is refused if the state
        /// directory was renewed or restored since.
        #[arg(long, value_name = "[FEED:]N")]
        after: Option<FeedPlace>,
    },
    /// List the messages that came in; `inbox file` fetches the file of one.
    #[command(args_conflicts_with_subcommands = true)]
    Inbox(InboxArgs),
    /// Check the installation: configuration, rights, socket, state, clock, network.
    #[command(after_help = doctor::HELP)]
    Doctor(DoctorArgs),
    /// Print what the daemon says of itself as OpenMetrics, for node_exporter's textfile collector.
    ///
    /// A daemon that does not answer is said to be down, which is no failure of this command.
    Metrics {
        /// What the daemon is called in the label of each metric.
        #[arg(long, value_name = "NAME", default_value = "main")]
        daemon: String,
    },
    /// Show the versions of this program and of the daemon.
    Version,
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// `pair`.
#[derive(Debug, clap::Args)]
pub struct PairArgs {
    /// Show a code to type on the phone with this number (+ and digits), not a QR code.
    #[arg(long, value_name = "PHONE")]
    pub code: Option<String>,
    /// Pair although the account is locked or banned, which can make that worse. The
    /// present keys are kept until the new pairing has succeeded.
    #[arg(long)]
    pub anyway: bool,
    /// Go on with a pairing that waits for a passkey: what the browser's console printed is
    /// in this file (- is stdin).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["code", "passkey_confirm"])]
    pub passkey_answer: Option<PathBuf>,
    /// Go on with a pairing whose code the phone shows: it shows this one.
    #[arg(long, value_name = "CODE", conflicts_with = "code")]
    pub passkey_confirm: Option<String>,
}

/// `heartbeat`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("report").required(true).multiple(true)
    .args(["battery", "charging", "not_charging", "network"]))]
pub struct HeartbeatArgs {
    /// The battery's charge in percent, 0 to 100.
    #[arg(long, value_name = "PERCENT",
        value_parser = clap::value_parser!(u8).range(0..=100))]
    pub battery: Option<u8>,
    /// The phone is being charged.
    #[arg(long, conflicts_with = "not_charging")]
    pub charging: bool,
    /// The phone is not being charged.
    #[arg(long)]
    pub not_charging: bool,
    /// What the phone is connected to: wifi, cellular, none, ...
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,
    /// When that was measured: seconds since 1970, or as in 2026-01-02T03:04:05Z.
    /// Without it: now. A report that is older than the last one changes nothing.
    #[arg(long, value_name = "TIME", value_parser = report_time)]
    pub at: Option<Time>,
    /// Who reports, such as termux.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
}

/// `show`.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct ShowArgs {
    /// The message's id, such as m42.
    #[arg(value_name = "ID", value_parser = message_id)]
    pub id: Option<MessageId>,
    /// Find it by the key that it was sent with.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Find it by its id on the network.
    #[arg(long, value_name = "ID")]
    pub wa_id: Option<String>,
}

/// `check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Numbers (+ and digits) or usernames (@name, @name#1234). Without any, or with -: one on each line of stdin; empty
    /// lines and those that begin with # are skipped.
    #[arg(value_name = "NUMBER")]
    pub numbers: Vec<String>,
    /// Ask the network even where an answer is remembered.
    #[arg(long)]
    pub fresh: bool,
}

/// `inbox`.
#[derive(Debug, clap::Args)]
pub struct InboxArgs {
    /// List those after this cursor, the oldest first. Without it: the newest.
    #[arg(long, value_name = "CURSOR", value_parser = cursor)]
    pub after: Option<u64>,
    /// List at most this many. Without it: all after the cursor, or the newest 20.
    #[arg(long, short = 'n', value_name = "COUNT")]
    pub limit: Option<usize>,
    /// What else.
    #[command(subcommand)]
    pub command: Option<InboxCommand>,
}

/// What else can be done with the inbox.
#[derive(Debug, Subcommand)]
pub enum InboxCommand {
    /// Fetch the file of a message: to stdout, or to a new file.
    File {
        /// The message's cursor, as `inbox` lists it: 17, or i17.
        #[arg(value_name = "CURSOR", value_parser = cursor)]
        cursor: u64,
        /// Write it to this new file; one that is there already is not overwritten.
        #[arg(long, short, value_name = "PATH")]
        output: Option<PathBuf>,
    },
}

/// A cursor of the inbox, also as the name of its message.
fn cursor(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix('i').unwrap_or(text);
    let cursor = digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
    cursor.ok_or_else(|| "a cursor is a number, as `tetherctl inbox` lists it: 17, or i17".into())
}

/// What the shell evaluates to complete this program's arguments.
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "tetherctl", &mut script);
    script
}

fn report_time(text: &str) -> Result<Time, String> {
    let ms = match text.parse::<i64>() {
        Ok(seconds) => seconds.checked_mul(1_000),
        Err(_) => text.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond()),
    };
    ms.map(Time)
        .ok_or_else(|| "neither seconds since 1970 nor like 2026-01-02T03:04:05Z".to_owned())
}

fn time_spec(text: &str) -> Result<TimeSpec, String> {
    text.parse().map_err(|error: crate::time::TimeSpecError| error.to_string())
}

fn priority() -> impl TypedValueParser<Value = Priority> {
    one_of(Priority::ALL.map(|priority| (priority.name(), priority)).into())
}

#[cfg(test)]
mod tests {
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
    fn send_takes_exactly_one_content_and_what_goes_with_it() {
        for line in [
            "hi",
            "--file a.jpg --caption c --as document --name b.jpg",
            "--file -",
            "--location 48.85,-2.35 --place home",
            "--contact Ann --phone +15550111 --phone +15550112",
        ] {
            parse(&format!("tetherctl send +15550100 {line}")).unwrap();
        }
        for line in [
            "",
            "hi --file a.jpg",
            "hi --caption c",
            "--file a.jpg --location 1,2",
            "--file a.jpg --as text",
            "--location 48.85",
            "--location 1,2 --name x",
            "--contact Ann",
            "--phone +15550111",
        ] {
            assert!(parse(format!("tetherctl send +15550100 {line}").trim()).is_err(), "{line}");
        }
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

    #[test]
    fn an_incoming_message_is_named_by_its_cursor_or_as_where_it_is_answered() {
        let wrong = ["m17", "ii17", "i", "i+17", "18446744073709551616"].map(|name| (name, None));
        for (name, known) in [("17", Some(17)), ("i17", Some(17))].into_iter().chain(wrong) {
            let args = Args::try_parse_from(["tetherctl", "read", name]);
            let Ok(Args { command: Command::Read { cursors }, .. }) = args else {
                assert_eq!(known, None, "{name}");
                continue;
            };
            assert_eq!(cursors, Vec::from_iter(known), "{name}");
        }
    }
}
