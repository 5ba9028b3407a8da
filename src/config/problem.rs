//! What can be wrong with a configuration, and how it is said: where, what, remedy.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong, or (as a warning) unwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file; none if it comes from the environment or the defaults.
    pub file: Option<PathBuf>,
    /// Line and column, counted from 1, columns in characters.
    pub at: Option<(usize, usize)>,
    /// What is wrong, in a sentence.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
            if let Some((line, column)) = self.at {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.what)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, " {}", self.remedy) }
    }
}

/// A configuration that cannot be used: all that is wrong with it, a line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

/// Knows where in a file a byte is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a Path,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    /// A problem at this byte of the file.
    pub(crate) fn problem(&self, byte: usize, what: String, remedy: String) -> Problem {
        let at = position(self.text, byte);
        Problem { file: Some(self.file.into()), at: Some(at), what, remedy }
    }
}

/// The line and the column (in characters) of this byte, both from 1.
pub fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
