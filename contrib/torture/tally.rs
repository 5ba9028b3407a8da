//! What rounds have come to.

use std::fmt;

/// Faults of a kind that a line shows.
const FAULTS_SHOWN: usize = 3;

/// Counts of one round, or of many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// How often something was broken.
    pub(crate) broken: u64,
    /// Messages that were acknowledged.
    pub(crate) acknowledged: u64,
    lost: Vec<String>,
    doubled: Vec<String>,
    wrong: Vec<String>,
    /// More that was measured, each with its name.
    notes: Vec<(&'static str, u64)>,
}

impl Tally {
    /// Something acknowledged is gone.
    pub(crate) fn lost(&mut self, what: String) {
        self.lost.push(what);
    }

    /// Something arrived more than once.
    pub(crate) fn doubled(&mut self, what: String) {
        self.doubled.push(what);
    }

    /// Something else is not as it must be.
    pub(crate) fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// Adds to a named count.
    pub(crate) fn count(&mut self, name: &'static str, by: u64) {
        match self.notes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += by,
            None => self.notes.push((name, by)),
        }
    }

    /// A named figure, of which the largest is kept.
    pub(crate) fn largest(&mut self, name: &'static str, value: u64) {
        match self.notes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, largest)) => *largest = value.max(*largest),
            None => self.notes.push((name, value)),
        }
    }

    pub(crate) fn found(&self) -> usize {
        self.lost.len() + self.doubled.len() + self.wrong.len()
    }

    pub(crate) fn is_bad(&self) -> bool {
        self.found() > 0
    }

    /// The first few of each kind.
    pub(crate) fn first_fault(&self) -> String {
        let kinds = [("lost", &self.lost), ("doubled", &self.doubled), ("wrong", &self.wrong)];
        let some = kinds.iter().filter(|(_, all)| !all.is_empty()).map(|(kind, all)| {
            let few: Vec<&str> = all.iter().take(FAULTS_SHOWN).map(String::as_str).collect();
            format!("{} {kind}: {}", all.len(), few.join("; "))
        });
        some.collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn add(&mut self, other: Tally) {
        self.broken += other.broken;
        self.acknowledged += other.acknowledged;
        self.lost.extend(other.lost);
        self.doubled.extend(other.doubled);
        self.wrong.extend(other.wrong);
        for (name, value) in other.notes {
            if name.starts_with("longest") || name.starts_with("most") {
                self.largest(name, value)
            } else {
                self.count(name, value)
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} times broken, {} acknowledged, {} lost, {} doubled, {} wrong",
            self.broken,
            self.acknowledged,
            self.lost.len(),
            self.doubled.len(),
            self.wrong.len()
        )?;
        for (name, value) in &self.notes {
            write!(f, ", {name} {value}")?;
        }
        Ok(())
    }
}
