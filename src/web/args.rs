//! `tether-web`'s command line. Says what can be asked; carries nothing out.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use tetherd_api::Tier;
use tetherd_api::exit::ExitCode;

const MORE: &str = "The manual: tether-web(8). The daemon's: tetherd(8), tetherd-rpc(7).";

/// Serves tetherd over HTTP: a page for people, REST, events and metrics.
#[derive(Debug, Parser)]
#[command(
    name = "tether-web",
    version,
    long_version = tetherd_version::WITH_REVISION,
    after_help = MORE
)]
pub struct Args {
    /// Read this configuration instead of the usual one.
    ///
    /// Without it: /etc/tetherd/web.toml for a system service and
    /// ~/.config/tetherd/web.toml for a user; no file means the defaults.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What to do; `run` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program can do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve in the foreground (the default).
    Run,
    /// Check the configuration, say where it would listen, and end.
    CheckConfig,
    /// Look after the tokens with which programs and people come in.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Look after the secrets with which webhooks are signed.
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// What can be done with tokens. A running front goes by it at once.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum TokenCommand {
    /// Make a token, and print it. It is shown this once.
    Add {
        /// What it is called, for those who look after the tokens.
        name: String,
        /// What its bearer may do.
        #[arg(long, value_enum)]
        tier: TierName,
    },
    /// List the tokens: name, tier, and when each was made.
    List,
    /// Remove a token. Whoever logged in with it is logged out.
    Remove {
        /// Which.
        name: String,
    },
}

/// What can be done with webhooks here. The rest is done at the page, or over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum WebhookCommand {
    /// Make a secret for a webhook, and print it.
    ///
    /// A running front signs with it at once, and with the one before it too, so that the receiver
    /// can change over. The one before that is no longer used.
    NewSecret {
        /// Of which webhook in the configuration.
        name: String,
    },
}

/// A tier, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TierName {
    /// Look, and follow events.
    Read,
    /// Also send, check numbers, and report about the phone.
    Send,
    /// Everything.
    Admin,
}

impl From<TierName> for Tier {
    fn from(name: TierName) -> Tier {
        match name {
            TierName::Read => Tier::Read,
            TierName::Send => Tier::Send,
            TierName::Admin => Tier::Admin,
        }
    }
}

/// What the shell evaluates to complete this program's arguments.
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    if shell != clap_complete::Shell::Bash {
        clap_complete::generate(shell, &mut Args::command(), "tether-web", &mut script);
        return script;
    }
    // A name with a hyphen completes nothing after a command (clap-rs/clap#6421, 4.6.11): the
    // script is made for a name without, and registered for ours.
    clap_complete::generate(shell, &mut Args::command(), "tetherweb", &mut script);
    let script = String::from_utf8_lossy(&script);
    script.replace("-o default tetherweb", "-o default tether-web").into_bytes()
}

impl Args {
    /// Reads the process's arguments. `Err` is how to end.
    pub fn read() -> Result<Args, ExitCode> {
        Args::try_parse().map_err(|error| {
            // A closed stdout or stderr is no reason to say more.
            let _ = error.print();
            if error.use_stderr() { ExitCode::Usage } else { ExitCode::Ok }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }
}
