//! How a command fails: one sentence with its remedy, and an exit code.

use std::io;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::render::span;
use tetherd_api::client::ClientError;
use tetherd_api::exit::ExitCode;
use tetherd_api::{Error, ErrorKind};

/// Why a command did not come about.
#[derive(Debug)]
pub enum CommandError {
    /// None of these sockets has a daemon.
    NoDaemon(Vec<PathBuf>),
    /// The socket is not ours to open.
    SocketDenied(PathBuf),
    /// The socket cannot be reached for another reason.
    Connect {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The daemon, or the way to it.
    Client(ClientError),
    /// What was given on the command line or on stdin makes no sense.
    BadInput(String),
    /// The command would ask, and nobody can be asked; the sentence says what to do.
    NeedsYes(&'static str),
    /// A screen is wanted, and there is no terminal for it; the sentence says what to do.
    NoTerminal(&'static str),
    /// Nothing was given to work on; the sentence says what is wanted.
    NeedsInput(&'static str),
    /// The answer was no; the sentence says to what.
    No(String),
    /// Something named is not there; the sentence says what.
    NotFound(String),
    /// Nothing wrong, but not now; the sentence says what.
    NotNow(String),
    /// The time given was over.
    TimedOut(String),
    /// The doctor has printed what is wrong; only the exit code is left.
    Diagnosed(ExitCode),
    /// Nobody reads our output any more: no failure to speak of.
    PipeClosed,
    /// Our output cannot be written, or our input not read.
    Output(io::Error),
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        CommandError::Client(error)
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            CommandError::PipeClosed
        } else {
            CommandError::Output(error)
        }
    }
}

impl CommandError {
    /// What to say on stderr; none where silence is right.
    pub fn sentence(&self) -> Option<String> {
        Some(match self {
            CommandError::NoDaemon(tried) => no_daemon(tried),
            CommandError::SocketDenied(path) => format!(
                "no permission to open {}; ask for membership in the group that may (see \
                 [socket] in the configuration), or use sudo",
                path.display()
            ),
            CommandError::Connect { path, source } => {
                format!("cannot connect to {}: {source}", path.display())
            }
            CommandError::Client(ClientError::Rpc(error)) => rpc_sentence(error),
            CommandError::Client(ClientError::Timeout(after)) => format!(
                "the daemon did not answer within {} s; it may still do what was asked: look with \
                 `tetherctl status`, and send with --key so that repeating is safe",
                after.as_secs()
            ),
            CommandError::Client(ClientError::Closed) => String::from(
                "the daemon ended the connection; what was asked may or may not have happened: \
                 look with `tetherctl status`, and send with --key so that repeating is safe",
            ),
            CommandError::Client(ClientError::Encode(error)) => format!("the request {error}"),
            CommandError::Client(ClientError::Descriptor(error)) => {
                format!("the file cannot be passed to the daemon: {error}")
            }
            CommandError::Client(ClientError::Decode(error)) => format!(
                "the daemon's answer is not understood ({error}); compare the versions with \
                 `tetherctl version`"
            ),
            CommandError::NeedsYes(remedy) => {
                format!("nobody can be asked here (no terminal, or --json); {remedy}")
            }
            CommandError::NeedsInput(sentence) | CommandError::NoTerminal(sentence) => {
                (*sentence).to_owned()
            }
            CommandError::BadInput(sentence)
            | CommandError::No(sentence)
            | CommandError::NotFound(sentence)
            | CommandError::NotNow(sentence)
            | CommandError::TimedOut(sentence) => sentence.clone(),
            CommandError::Diagnosed(_) | CommandError::PipeClosed => return None,
            CommandError::Output(error) => format!("cannot read or write: {error}"),
        })
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            CommandError::NoDaemon(_) | CommandError::Connect { .. } => ExitCode::Unavailable,
            CommandError::SocketDenied(_) => ExitCode::NoPerm,
            CommandError::Client(error) => client_code(error),
            CommandError::NotNow(_) => ExitCode::TempFail,
            CommandError::BadInput(_) => ExitCode::DataErr,
            CommandError::NeedsYes(_)
            | CommandError::NeedsInput(_)
            | CommandError::NoTerminal(_) => ExitCode::Usage,
            CommandError::No(_) => ExitCode::No,
            CommandError::NotFound(_) => ExitCode::NoInput,
            CommandError::TimedOut(_) => ExitCode::TimedOut,
            CommandError::Diagnosed(code) => *code,
            CommandError::PipeClosed => ExitCode::Ok,
            CommandError::Output(_) => ExitCode::IoErr,
        }
    }

    /// The error object for `--json`: the daemon's own, or ours without a code.
    pub fn json(&self) -> Value {
        if let CommandError::Client(ClientError::Rpc(error)) = self {
            return json!({ "error": error });
        }
        let message = self.sentence().unwrap_or_default();
        json!({ "error": { "message": message, "data": { "kind": self.kind() } } })
    }

    fn kind(&self) -> &'static str {
        match self {
            CommandError::NoDaemon(_) => "no_daemon",
            CommandError::SocketDenied(_) => "socket_denied",
            CommandError::Connect { .. } => "cannot_connect",
            CommandError::Client(ClientError::Rpc(_)) => "daemon",
            CommandError::Client(ClientError::Timeout(_)) => "no_answer",
            CommandError::Client(ClientError::Closed) => "closed",
            CommandError::Client(ClientError::Encode(_)) => "request_too_long",
            CommandError::Client(ClientError::Descriptor(_)) => "input_output",
            CommandError::Client(ClientError::Decode(_)) => "not_understood",
            CommandError::BadInput(_) => "bad_input",
            CommandError::NeedsYes(_) => "needs_yes",
            CommandError::NeedsInput(_) => "needs_input",
            CommandError::NoTerminal(_) => "no_terminal",
            CommandError::No(_) => "no",
            CommandError::NotFound(_) => "not_found",
            CommandError::NotNow(_) => "not_now",
            CommandError::TimedOut(_) => "timed_out",
            CommandError::Diagnosed(_) => "diagnosed",
            CommandError::PipeClosed => "pipe_closed",
            CommandError::Output(_) => "input_output",
        }
    }
}

fn no_daemon(tried: &[PathBuf]) -> String {
    let paths: Vec<String> = tried.iter().map(|path| path.display().to_string()).collect();
    format!(
        "no daemon listens at {}; start `tetherd`, or name its socket with --socket",
        paths.join(" or ")
    )
}

/// The daemon's sentence, its remedy and its hint in one.
fn rpc_sentence(error: &Error) -> String {
    let mut sentence = error.message.trim_end_matches('.').to_owned();
    if let Some(remedy) = &error.data.remedy {
        sentence = format!("{sentence}; {}", within_a_sentence(remedy));
    }
    if let Some(ms) = error.data.retry_after_ms {
        sentence = format!("{sentence} (try again in {})", span(ms));
    }
    sentence
}

/// A remedy is a command to run, or a sentence.
fn within_a_sentence(remedy: &str) -> String {
    if remedy.starts_with("tetherctl ") {
        return format!("run `{remedy}`");
    }
    let mut chars = remedy.trim_end_matches('.').chars();
    let first = chars.next().map(char::to_lowercase);
    first.into_iter().flatten().chain(chars).collect()
}

fn client_code(error: &ClientError) -> ExitCode {
    match error {
        ClientError::Rpc(error) => rpc_code(error.data.kind),
        ClientError::Timeout(_) | ClientError::Closed | ClientError::Descriptor(_) => {
            ExitCode::IoErr
        }
        ClientError::Encode(_) => ExitCode::DataErr,
        ClientError::Decode(_) => ExitCode::Protocol,
    }
}

/// The exit code for each kind of error on the wire.
pub fn rpc_code(kind: ErrorKind) -> ExitCode {
    match kind {
        ErrorKind::QueueFull
        | ErrorKind::ShuttingDown
        | ErrorKind::TooManyConnections
        | ErrorKind::SpoolFull
        | ErrorKind::DiskFull
        | ErrorKind::CheckBudgetSpent
        | ErrorKind::TooSlow => ExitCode::TempFail,
        ErrorKind::KeyConflict
        | ErrorKind::BadRecipient
        | ErrorKind::BadText
        | ErrorKind::BadFile
        | ErrorKind::BadUrl
        | ErrorKind::FileTooLarge
        | ErrorKind::FrameTooLong
        | ErrorKind::PasskeyMalformed
        | ErrorKind::PasskeyWrongOrigin
        | ErrorKind::PasskeyWrongChallenge
        | ErrorKind::PasskeyWrongCredential
        | ErrorKind::PasskeyCodeDiffers
        | ErrorKind::FeedRenewed
        // What this program sends is well-formed: a value that a person gave is not.
        | ErrorKind::InvalidParams => ExitCode::DataErr,
        ErrorKind::NotFound | ErrorKind::FileGone => ExitCode::NoInput,
        ErrorKind::Denied => ExitCode::NoPerm,
        ErrorKind::AlreadyPaired
        | ErrorKind::AccountBarred
        | ErrorKind::NotPaired
        | ErrorKind::PairingFailed
        | ErrorKind::PasskeyRefused
        | ErrorKind::PasskeyTimedOut
        | ErrorKind::WrongState => ExitCode::No,
        ErrorKind::OutcomeUnknown => ExitCode::IoErr,
        ErrorKind::ParseError
        | ErrorKind::InvalidRequest
        | ErrorKind::MethodNotFound => ExitCode::Protocol,
        ErrorKind::InternalError => ExitCode::Software,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_daemon_is_one_sentence_with_the_remedy() {
        let error = CommandError::NoDaemon(vec!["/run/tetherd/control.sock".into()]);
        assert_eq!(
            error.sentence().unwrap(),
            "no daemon listens at /run/tetherd/control.sock; start `tetherd`, or name its socket \
             with --socket"
        );
        assert_eq!(error.exit_code(), ExitCode::Unavailable);
        assert_eq!(error.json()["error"]["data"]["kind"], "no_daemon");
    }

    #[test]
    fn a_full_queue_says_when_to_come_back() {
        let error = Error::new(ErrorKind::QueueFull, "all 400 places of the queue are taken")
            .remedy("wait, or make room with `tetherctl clear`")
            .retry_after_ms(80_000);
        let error = CommandError::Client(ClientError::Rpc(error));
        assert_eq!(
            error.sentence().unwrap(),
            "all 400 places of the queue are taken; wait, or make room with `tetherctl clear` \
             (try again in 1 min 20 s)"
        );
        assert_eq!(error.exit_code(), ExitCode::TempFail);
        assert_eq!(error.json()["error"]["code"], 1_001);
    }

    #[test]
    fn a_remedy_reads_on_in_the_sentence() {
        for (remedy, said) in [
            ("tetherctl pair", "No phone is paired; run `tetherctl pair`"),
            ("Wait: it comes back.", "No phone is paired; wait: it comes back"),
        ] {
            let error = Error::new(ErrorKind::NotPaired, "No phone is paired.").remedy(remedy);
            assert_eq!(CommandError::Client(ClientError::Rpc(error)).sentence().unwrap(), said);
        }
    }

    #[test]
    fn a_closed_pipe_is_quiet_and_no_failure() {
        let error = CommandError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(error.sentence(), None);
        assert_eq!(error.exit_code(), ExitCode::Ok);
    }

    #[test]
    fn every_exit_code_of_a_failure_is_documented_for_tetherctl() {
        let failures = [
            CommandError::NoDaemon(Vec::new()),
            CommandError::SocketDenied("/s".into()),
            CommandError::Client(ClientError::Closed),
            CommandError::BadInput(String::new()),
            CommandError::NeedsYes("add --yes"),
            CommandError::No(String::new()),
            CommandError::NotFound(String::new()),
            CommandError::TimedOut(String::new()),
        ];
        for error in failures {
            assert!(!error.exit_code().for_tetherctl().is_empty(), "{error:?}");
        }
    }
}
