//! `tetherd`'s command line. Says what can be asked; carries nothing out.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};

use tetherd_api::exit::{ExitCode, help_table};

const MORE: &str = "\
The manual: tetherd(8), tetherd.toml(5). Its command line: tetherctl(1). Its socket: \
tetherd-rpc(7).";

/// Holds one WhatsApp Web session and sends through it from a durable, paced queue.
#[derive(Debug, Parser)]
#[command(
    name = "tetherd",
    version,
    long_version = tetherd_version::WITH_REVISION,
    after_help = format!("{MORE}\n\n{}", help_table(ExitCode::for_tetherd))
)]
pub struct Args {
    /// Read this configuration instead of the usual one.
    ///
    /// Without it: $TETHERD_CONFIG, else /etc/tetherd/tetherd.toml for a system service
    /// and ~/.config/tetherd/tetherd.toml for a user; no file means the defaults.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What to do; `run` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the daemon's binary can do.
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground (the default).
    Run,
    /// Check the configuration, print every value that is in force, and end.
    CheckConfig,
    /// Look after the store, while no daemon uses it.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Show everything against the simulator, in time lapse. Touches no real account.
    #[cfg(feature = "sim")]
    Demo(DemoArgs),
}

/// What can be done with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum StoreCommand {
    /// Look at every record as a start does, change nothing, and end with 0 or 65.
    Check,
    /// Make a store that is refused as damaged one that opens, with what still reads of it.
    ///
    /// The store is kept as it was, under another name in the state directory. The queue is
    /// paused then: messages may be in it that were already sent or cancelled. A store that is
    /// not damaged is left alone.
    Repair,
}

/// How the demonstration goes.
#[cfg(feature = "sim")]
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct DemoArgs {
    /// Run the scenario to its end, check that every message arrived once and in order,
    /// print one line, and end with 0 or 1.
    #[arg(long)]
    pub once: bool,
    /// The pacer's window in seconds, instead of 120: the time lapse.
    #[arg(long, value_name = "SECONDS", default_value_t = 3,
          value_parser = clap::value_parser!(u64).range(1..=120))]
    pub window: u64,
    /// Keep the state in this folder instead of a fresh one that is removed at the end.
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
}

impl Args {
    /// Reads the process's arguments. `Err` is how to end: help and version are printed
    /// and end with 0, anything wrong is said on stderr and ends with 64.
    pub fn read() -> Result<Args, ExitCode> {
        Args::try_parse().map_err(|error| clap_exit(&error))
    }
}

/// What the shell evaluates to complete this program's arguments.
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "tetherd", &mut script);
    script
}

/// Prints clap's answer and turns it into our exit code.
pub(crate) fn clap_exit(error: &clap::Error) -> ExitCode {
    // A closed stdout or stderr is no reason to say more.
    let _ = error.print();
    if error.use_stderr() { ExitCode::Usage } else { ExitCode::Ok }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_configuration_can_be_named_before_and_after_the_command() {
        for line in [
            ["tetherd", "--config", "/x", "check-config"],
            ["tetherd", "check-config", "--config", "/x"],
        ] {
            let args = Args::try_parse_from(line).unwrap();
            assert_eq!(args.config, Some("/x".into()));
            assert_eq!(args.command, Some(Command::CheckConfig));
        }
        assert_eq!(Args::try_parse_from(["tetherd"]).unwrap().command, None);
    }

    #[test]
    fn help_and_version_end_with_0_and_a_wrong_option_with_64() {
        let code = |line: [&str; 2]| clap_exit(&Args::try_parse_from(line).unwrap_err());
        assert_eq!(code(["tetherd", "--version"]), ExitCode::Ok);
        assert_eq!(code(["tetherd", "--help"]), ExitCode::Ok);
        assert_eq!(code(["tetherd", "--configg"]), ExitCode::Usage);
    }
}
