//! The exit codes of `tetherd` and `tetherctl`, in one place. Follows sysexits(3)
//! where sysexits has a word for it. Decides nothing: callers map their errors here.

use std::fmt;

/// How a process of this project ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExitCode {
    /// Done.
    Ok,
    /// The answer was no: what was asked for did not come about, and asking again
    /// changes nothing by itself (a message was parked, a pairing failed).
    No,
    /// Wrong arguments.
    Usage,
    /// What was given, or what is stored, makes no sense: a bad recipient or text; for
    /// the daemon: the store cannot be read, and is refused rather than reset.
    DataErr,
    /// What was named is not there.
    NoInput,
    /// Nobody answers: no daemon on the socket.
    Unavailable,
    /// A bug of ours.
    Software,
    /// A file, folder or socket could not be created.
    CantCreate,
    /// A read, a write or a sync failed. The last change may or may not have happened.
    IoErr,
    /// Not now: a full queue, a daemon that is going down, a state directory that
    /// another daemon holds.
    TempFail,
    /// The other side does not speak this contract.
    Protocol,
    /// Not allowed.
    NoPerm,
    /// The configuration is wrong. Trying again without a change is pointless.
    Config,
    /// The time given on the command line was over; what was asked for may still come.
    TimedOut,
}

impl ExitCode {
    /// Every code, by number.
    pub const ALL: [ExitCode; 14] = [
        ExitCode::Ok,
        ExitCode::No,
        ExitCode::Usage,
        ExitCode::DataErr,
        ExitCode::NoInput,
        ExitCode::Unavailable,
        ExitCode::Software,
        ExitCode::CantCreate,
        ExitCode::IoErr,
        ExitCode::TempFail,
        ExitCode::Protocol,
        ExitCode::NoPerm,
        ExitCode::Config,
        ExitCode::TimedOut,
    ];

    /// The number that the process ends with.
    pub const fn number(self) -> u8 {
        match self {
            ExitCode::Ok => 0,
            ExitCode::No => 1,
            ExitCode::Usage => 64,
            ExitCode::DataErr => 65,
            ExitCode::NoInput => 66,
            ExitCode::Unavailable => 69,
            ExitCode::Software => 70,
            ExitCode::CantCreate => 73,
            ExitCode::IoErr => 74,
            ExitCode::TempFail => 75,
            ExitCode::Protocol => 76,
            ExitCode::NoPerm => 77,
            ExitCode::Config => 78,
            ExitCode::TimedOut => 124,
        }
    }

    /// Whether `tetherd` would only fail again until somebody has put something right: the
    /// units' `RestartPreventExitStatus=`.
    pub const fn needs_a_person(self) -> bool {
        match self {
            ExitCode::Usage
            | ExitCode::DataErr
            | ExitCode::Protocol
            | ExitCode::NoPerm
            | ExitCode::Config => true,
            ExitCode::Ok
            | ExitCode::No
            | ExitCode::NoInput
            | ExitCode::Unavailable
            | ExitCode::Software
            | ExitCode::CantCreate
            | ExitCode::IoErr
            | ExitCode::TempFail
            | ExitCode::TimedOut => false,
        }
    }

    /// What it means when `tetherctl` ends with it; empty if it never does.
    pub const fn for_tetherctl(self) -> &'static str {
        match self {
            ExitCode::Ok => "done",
            ExitCode::No => {
                "the answer was no: the message was parked, failed or withdrawn, the pairing \
                 failed, the session is in another state, a number is not on the network, or the \
                 question was answered with no; doctor: there are warnings"
            }
            ExitCode::Usage => "wrong arguments",
            ExitCode::DataErr => {
                "a recipient, text, file or key that makes no sense, or a key that belongs to \
                 another message; doctor: a damaged store"
            }
            ExitCode::NoInput => "no such message",
            ExitCode::Unavailable => {
                "no daemon listens on the socket; doctor: or no way to the server"
            }
            ExitCode::Software => "a bug, here or in the daemon",
            ExitCode::CantCreate => "",
            ExitCode::IoErr => {
                "the connection broke; the last change may or may not be on disk; doctor: no answer, \
                 or a full disk"
            }
            ExitCode::TempFail => {
                "not now: the queue is full, a number could not be asked about, or the daemon is \
                 busy or going down"
            }
            ExitCode::Protocol => {
                "the daemon speaks another version of the contract; doctor: or the store is a newer \
                 version's"
            }
            ExitCode::NoPerm => {
                "not allowed: the socket, or the method; doctor: or the state directory"
            }
            ExitCode::Config => "doctor: the configuration, or the clock, is wrong",
            ExitCode::TimedOut => "--timeout is over; the message stays in the queue",
        }
    }

    /// What it means when `tetherd` ends with it; empty if it never does.
    pub const fn for_tetherd(self) -> &'static str {
        match self {
            ExitCode::Ok => "asked to end, and ended in order",
            ExitCode::No => "demo --once: a message was lost, doubled or out of order",
            ExitCode::Usage => "wrong arguments",
            ExitCode::DataErr => "the store cannot be read; it is left as it is",
            ExitCode::NoInput | ExitCode::Unavailable => "",
            ExitCode::Software => "a bug",
            ExitCode::CantCreate => "the state directory or the socket cannot be created",
            ExitCode::IoErr => "a read, write or sync of the store failed; start again to recover",
            ExitCode::TempFail => {
                "another daemon holds the state directory, or the system gives too few threads"
            }
            ExitCode::Protocol => "the store was written by a newer version",
            ExitCode::NoPerm => "a folder or file is not ours, closed to us, or open to others",
            ExitCode::Config => "the configuration is wrong",
            ExitCode::TimedOut => "",
        }
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code.number())
    }
}

/// The table for `--help`, made of one program's meanings. Broken into lines here, because
/// clap would begin the second one below the number.
pub fn help_table(meaning: fn(ExitCode) -> &'static str) -> String {
    /// With the seven characters before it, a line of a terminal.
    const MEANING_CHARS_MAX: usize = 72;
    let mut table = String::from("Exit codes:\n");
    for code in ExitCode::ALL.into_iter().filter(|code| !meaning(*code).is_empty()) {
        let mut line = format!("  {:>3} ", code.number());
        let mut used = 0;
        for word in meaning(code).split(' ') {
            if used + word.len() >= MEANING_CHARS_MAX {
                line.push_str("\n      ");
                used = 0;
            }
            line.push(' ');
            line.push_str(word);
            used += 1 + word.len();
        }
        table.push_str(&line);
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_distinct_and_ascend() {
        assert!(ExitCode::ALL.windows(2).all(|two| two[0].number() < two[1].number()));
    }

    #[test]
    fn every_code_is_used_by_a_program() {
        for code in ExitCode::ALL {
            assert!(!code.for_tetherctl().is_empty() || !code.for_tetherd().is_empty());
        }
    }

    #[test]
    fn the_units_do_not_restart_what_needs_a_person() {
        let codes = ExitCode::ALL.into_iter().filter(|code| code.needs_a_person());
        let codes: Vec<String> = codes.map(|code| code.to_string()).collect();
        let line = format!("\nRestartPreventExitStatus={}\n", codes.join(" "));
        assert!(include_str!("../../systemd/system/tetherd.service").contains(&line), "{line}");
        assert!(include_str!("../../systemd/system/tetherd@.service").contains(&line), "{line}");
    }

    #[test]
    fn the_readme_lists_every_code_with_its_meanings() {
        let readme = include_str!("../../README.md");
        for code in ExitCode::ALL {
            let row = format!("| {code} | {} | {} |\n", code.for_tetherctl(), code.for_tetherd());
            assert!(readme.contains(&row), "{row}");
        }
    }

    #[test]
    fn the_help_table_names_the_configuration_code() {
        let table = help_table(ExitCode::for_tetherd);
        assert!(table.contains("   78  the configuration is wrong\n"), "{table}");
    }
}
