//! Figures as tables in Markdown, and the middle of several.

use std::time::Duration;

/// A table of so many columns.
pub(crate) struct Table<const N: usize>;

impl<const N: usize> Table<N> {
    pub(crate) fn begin(head: [&str; N]) -> Table<N> {
        let table = Table;
        table.row(head);
        table.row(["---"; N]);
        table
    }

    pub(crate) fn row(&self, cells: [&str; N]) {
        println!("| {} |", cells.join(" | "));
    }
}

/// The middle of these.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// Seconds, as people read them.
pub(crate) fn micros(seconds: f64) -> String {
    format!("{:.1?}", Duration::from_secs_f64(seconds))
}
