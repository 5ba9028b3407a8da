//! The definitions of the programs' command lines, as a package has them.

use clap::{Arg, Command, CommandFactory as _};
use tetherctl::cli::FilterArgs;

/// `tetherctl`'s definition, complete.
pub(super) fn tetherctl() -> Command {
    built(tetherctl::cli::Args::command())
}

/// `tetherd`'s, as a build without the feature `sim` has it.
pub(super) fn tetherd() -> Command {
    let demo = |command: &Command| command.get_name() == "demo";
    built(tetherd::daemon::args::Args::command().mut_subcommands(|command| {
        let hidden = demo(&command);
        command.hide(hidden)
    }))
}

/// `tether-web`'s.
pub(super) fn tether_web() -> Command {
    built(tether_web::args::Args::command())
}

/// The options that select messages, which several commands take.
pub(super) fn filters() -> Command {
    built(<FilterArgs as clap::Args>::augment_args(Command::new("filters").disable_help_flag(true)))
}

/// Whether it is one of [`filters`].
pub(super) fn is_filter(arg: &Arg) -> bool {
    filters().get_opts().any(|filter| filter.get_id() == arg.get_id())
}

fn built(mut command: Command) -> Command {
    command = command.subcommand_value_name("COMMAND");
    command.build();
    command
}
