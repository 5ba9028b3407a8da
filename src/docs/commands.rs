//! clap's definitions as roff: usage, arguments and options of each command. Changes
//! nothing of what they say.

use clap::{Arg, Command, CommandFactory as _};
use roff::{Inline, Roff, bold, roman};

use super::page::{inlines, sentences, set, term};
use tetherctl::cli::FilterArgs;

/// `tetherctl`'s definition, with everything worked out.
pub(super) fn tetherctl() -> Command {
    built(tetherctl::cli::Args::command())
}

/// `tetherd`'s, as a build without the feature `sim` has it.
pub(super) fn tetherd() -> Command {
    let whole = tetherd::daemon::args::Args::command();
    let mut without = Command::new("tetherd").version(env!("CARGO_PKG_VERSION"));
    if let Some(about) = whole.get_about() {
        without = without.about(about.clone());
    }
    let commands = whole.get_subcommands().filter(|command| command.get_name() != "demo");
    built(without.args(whole.get_arguments()).subcommands(commands))
}

fn built(mut command: Command) -> Command {
    command.build();
    command
}

/// The options that go with every command, and `--help` and `--version`.
pub(super) fn options(roff: &mut Roff, program: &Command) {
    arguments(roff, program.get_arguments().filter(|option| !option.is_positional()));
}

/// What selects messages; told once, for all commands that take it.
pub(super) fn conditions(roff: &mut Roff) {
    arguments(roff, built(filters()).get_opts().filter(|option| !is_help(option)));
}

fn filters() -> Command {
    <FilterArgs as clap::Args>::augment_args(Command::new("filters"))
}

/// Each command, under a heading of its own.
pub(super) fn commands(roff: &mut Roff, program: &Command) {
    for command in program.get_subcommands() {
        if command.get_name() == "help" {
            continue;
        }
        one(roff, command, command.get_name());
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            one(roff, below, &format!("{} {}", command.get_name(), below.get_name()));
        }
    }
}

fn one(roff: &mut Roff, command: &Command, heading: &str) {
    roff.control("SS", [heading]);
    for line in usage(command) {
        roff.text(synopsis(&line)).control("br", []);
    }
    if let Some(about) = command.get_long_about().or_else(|| command.get_about()) {
        set(roff, &closed(&about.to_string()), &|part, _| panic!("no part {part}"));
    }
    let filters = filters();
    let is_filter = |arg: &Arg| filters.get_opts().any(|other| other.get_long() == arg.get_long());
    let is_filter = |arg: &Arg| !arg.is_positional() && is_filter(arg);
    let own = |arg: &&Arg| !arg.is_global_set() && !is_help(arg) && !is_filter(arg);
    arguments(roff, command.get_positionals().filter(own));
    arguments(roff, command.get_arguments().filter(|arg| !arg.is_positional()).filter(own));
    if command.get_arguments().any(is_filter) {
        let named = filters.get_opts().filter_map(Arg::get_long);
        let named: Vec<String> = named.map(|name| format!("`--{name}`")).collect();
        roff.control("PP", []);
        sentences(roff, &format!("Also takes {}: see CONDITIONS.", named.join(", ")));
    }
}

fn is_help(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

/// The forms in which a command is typed, as its help says them.
fn usage(command: &Command) -> Vec<String> {
    let text = command.clone().render_usage().to_string();
    let text = text.strip_prefix("Usage: ").unwrap_or(&text);
    text.lines().map(|line| line.trim().to_owned()).collect()
}

/// The words that are typed as they are in bold.
fn synopsis(usage: &str) -> Vec<Inline> {
    let typed = usage.find(['[', '<']).unwrap_or(usage.len());
    let (typed, rest) = usage.split_at(typed);
    [bold(typed.trim_end()), roman(format!(" {rest}").trim_end())].into()
}

fn arguments<'a>(roff: &mut Roff, arguments: impl Iterator<Item = &'a Arg>) {
    for argument in arguments.filter(|argument| !argument.is_hide_set()) {
        term(roff, &[name(argument)]);
        let help = argument.get_long_help().or_else(|| argument.get_help());
        let help = closed(&help.map(ToString::to_string).unwrap_or_default());
        for (at, paragraph) in help.split("\n\n").enumerate() {
            if at > 0 {
                roff.control("IP", []);
            }
            sentences(roff, &paragraph.replace('\n', " "));
        }
        for said in values(argument) {
            roff.text(inlines(&said));
        }
    }
}

/// `-s`, `--state` STATE
fn name(argument: &Arg) -> String {
    let short = argument.get_short().map(|short| format!("`-{short}`"));
    let long = argument.get_long().map(|long| format!("`--{long}`"));
    let named: Vec<String> = short.into_iter().chain(long).collect();
    let values: Vec<String> = match argument.get_value_names() {
        Some(names) if takes_value(argument) => {
            names.iter().map(|name| format!("<{name}>")).collect()
        }
        Some(_) | None => Vec::new(),
    };
    let more = if argument.is_positional() && repeats(argument) { "..." } else { "" };
    format!("{} {}{more}", named.join(", "), values.join(" ")).trim().to_owned()
}

fn takes_value(argument: &Arg) -> bool {
    argument.get_action().takes_values()
}

fn repeats(argument: &Arg) -> bool {
    argument.get_num_args().is_some_and(|range| range.max_values() > 1)
}

/// The values that it takes, the one that it has without being given, its variable.
fn values(argument: &Arg) -> Vec<String> {
    let mut said = Vec::new();
    if !takes_value(argument) {
        return said;
    }
    let values = argument.get_possible_values();
    let explained = values.iter().any(|value| value.get_help().is_some());
    if !values.is_empty() {
        let named = values.iter().map(|value| match value.get_help() {
            Some(help) => format!("`{}` ({})", value.get_name(), lower(&help.to_string())),
            None => format!("`{}`", value.get_name()),
        });
        let named: Vec<String> = named.collect();
        let between = if explained { "; " } else { ", " };
        let value = argument.get_value_names().and_then(|names| names.first());
        let value = value.map_or("It", |name| name.as_str());
        said.push(format!("{value} is one of {}.", named.join(between)));
    }
    if let [default] = argument.get_default_values() {
        said.push(format!("Without it: `{}`.", default.to_string_lossy()));
    }
    if let Some(variable) = argument.get_env() {
        said.push(format!("Also from the variable `{}`.", variable.to_string_lossy()));
    }
    said
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// With the full stop that clap takes from the end of a help.
fn closed(text: &str) -> String {
    let text = text.trim_end();
    if text.is_empty() || text.ends_with(['.', ':']) { text.into() } else { format!("{text}.") }
}
