//! How messages are selected on the command line, and the commands that do nothing else:
//! list, withdraw, bring back, put back.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use tetherd_api::{Filter, MessageId, ReasonKind, State};
use tetherd_config::value::parse_duration;

/// What conditions are called in the help of the commands that take them.
const CONDITIONS: &str = "Conditions, all of which must hold";

/// What selects messages. Given conditions must all hold.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct FilterArgs {
    /// Those to this number, username, JID or group's name.
    #[arg(long, value_name = "TO", help_heading = CONDITIONS)]
    pub to: Option<String>,
    /// Those with this reason.
    #[arg(long, value_name = "REASON", value_parser = reason(), help_heading = CONDITIONS)]
    pub reason: Option<ReasonKind>,
    /// Those with a key that begins so.
    #[arg(long, value_name = "PREFIX", help_heading = CONDITIONS)]
    pub key_prefix: Option<String>,
    /// Those accepted at least this long ago (90s, 2h, 3d).
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = CONDITIONS)]
    pub older_than: Option<Duration>,
}

/// `queue`.
#[derive(Debug, clap::Args)]
pub struct QueueArgs {
    /// Those in this state; can be given more than once. `all` lists finished ones too.
    #[arg(long, short, value_name = "STATE", value_parser = states(),
        help_heading = CONDITIONS)]
    pub state: Vec<States>,
    /// Conditions.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// List at most this many.
    #[arg(long, short = 'n', value_name = "COUNT")]
    pub limit: Option<usize>,
}

/// `clear`.
#[derive(Debug, clap::Args)]
pub struct ClearArgs {
    /// Those in this state; can be given more than once. Without it: preparing, queued and
    /// parked.
    #[arg(long, short, value_name = "STATE", value_parser = states(),
        help_heading = CONDITIONS)]
    pub state: Vec<States>,
    /// Conditions.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Those with this id, such as m42; can be given more than once.
    #[arg(long, value_name = "ID", value_parser = message_id, help_heading = CONDITIONS)]
    pub id: Vec<MessageId>,
    /// Say what would be withdrawn, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask for a confirmation. Needed where there is no terminal to ask on.
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
    /// Those in this state; can be given more than once.
    #[arg(long, short, value_name = "STATE", value_parser = states(),
        help_heading = CONDITIONS)]
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
    /// Those withdrawn in this state; can be given more than once.
    #[arg(long, short, value_name = "STATE", value_parser = states(),
        help_heading = CONDITIONS)]
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
    /// Send it in spite of a link in its text that leads nowhere: its links are not checked
    /// again.
    #[arg(long, requires = "ids")]
    pub anyway: bool,
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
            to: self.to.clone().map(Into::into),
            reason: self.reason,
            older_than_s: self.older_than.map(whole_seconds),
            key_prefix: self.key_prefix.clone().map(Into::into),
            ids: ids.to_vec(),
        }
    }
}

/// Rounded up: a filter must not catch younger messages than asked for.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

pub(super) fn message_id(text: &str) -> Result<MessageId, String> {
    text.parse().map_err(|error: tetherd_api::NotAMessageId| error.to_string())
}

/// Reads one of these names. Listed in the help, completed by shells, and suggested
/// after a slip.
pub(super) fn one_of<T>(values: Vec<(&'static str, T)>) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    let names: Vec<&'static str> = values.iter().map(|(name, _)| *name).collect();
    PossibleValuesParser::new(names).try_map(move |given| {
        let found = values.iter().find(|(name, _)| *name == given);
        found.map(|(_, value)| *value).ok_or_else(|| format!("{given:?} is not one of them"))
    })
}

fn states() -> impl TypedValueParser<Value = States> {
    let each = State::ALL.map(|state| (state.name(), States::One(state)));
    one_of(each.into_iter().chain([("all", States::All)]).collect())
}

fn reason() -> impl TypedValueParser<Value = ReasonKind> {
    one_of(ReasonKind::ALL.map(|reason| (reason.name(), reason)).into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Args, Command};

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split(' '))
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
    fn cancel_wants_ids_or_conditions() {
        assert!(parse("tetherctl cancel m1 m2").is_ok());
        assert!(parse("tetherctl cancel --key-prefix bulk- --dry-run").is_ok());
        assert!(parse("tetherctl cancel").is_err());
        assert!(parse("tetherctl cancel --dry-run").is_err());
        assert!(parse("tetherctl restore").is_ok());
    }
}
