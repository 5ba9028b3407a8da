//! Where a command's output goes, and what may be put there: colour, JSON, a clock.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde::Serialize;

use crate::error::CommandError;
use crate::render::Clock;
use crate::time::system_zone;

/// Whether the environment leaves colour to us (`NO_COLOR`, `TERM=dumb`).
pub fn colour_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

/// A command's standard output.
pub struct Output {
    sink: Box<dyn Write + Send>,
    json: bool,
    terminal: bool,
    colour: bool,
    clock: Option<Clock>,
    zone_noted: AtomicBool,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Output(json: {}, terminal: {})", self.json, self.terminal)
    }
}

impl Output {
    /// The process's.
    pub fn stdout(json: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        Output {
            sink: Box::new(io::BufWriter::new(io::stdout())),
            json,
            terminal,
            colour: terminal && colour_wanted(),
            clock: None,
            zone_noted: AtomicBool::new(false),
        }
    }

    /// Into anything else, plain, with the time standing still.
    pub fn fixed(sink: Box<dyn Write + Send>, json: bool, clock: Clock) -> Self {
        Output {
            sink,
            json,
            terminal: false,
            colour: false,
            clock: Some(clock),
            zone_noted: AtomicBool::new(false),
        }
    }

    /// Whether the wire's JSON is wanted.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Whether a person looks at a terminal.
    pub fn terminal(&self) -> bool {
        self.terminal
    }

    /// Whether colour is welcome.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// What time it is, and where, for times that are read.
    pub fn input_clock(&self) -> Clock {
        self.clock.clone().unwrap_or_else(|| Clock {
            now_ms: jiff::Timestamp::now().as_millisecond(),
            zone: system_zone(),
        })
    }

    /// The same for times that are shown. Says once on stderr if their zone is not known.
    pub fn clock(&self) -> Clock {
        let clock = self.input_clock();
        if clock.zone.is_unknown() && !self.json && !self.zone_noted.swap(true, Relaxed) {
            let note = "tetherctl: TZ names a time zone that is not known here; times are in UTC";
            // The note is no reason to fail.
            let _ = writeln!(io::stderr(), "{note}");
        }
        clock
    }

    /// Writes text for people as it is.
    pub fn text(&mut self, text: &str) -> Result<(), CommandError> {
        Ok(self.sink.write_all(text.as_bytes())?)
    }

    /// Writes content as it is.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        Ok(self.sink.write_all(bytes)?)
    }

    /// Writes a line for people.
    pub fn line(&mut self, line: &str) -> Result<(), CommandError> {
        self.text(line)?;
        self.text("\n")
    }

    /// Writes one JSON object on a line.
    pub fn json_line(&mut self, value: &impl Serialize) -> Result<(), CommandError> {
        let line = serde_json::to_string(value).map_err(io::Error::from)?;
        self.line(&line)
    }

    /// Hands everything to the reader now.
    pub fn flush(&mut self) -> Result<(), CommandError> {
        Ok(self.sink.flush()?)
    }
}
