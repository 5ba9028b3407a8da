//! Amounts of bytes, as people write them: `100MiB`, `512KiB`, `1GiB`.

/// A text that is no amount of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount of bytes is a number with B, KiB, MiB or GiB")]
pub struct NotASize;

/// What to write instead.
pub(super) const SIZE_REMEDY: &str =
    "Write a number with a unit, such as \"100MiB\" (B, KiB, MiB, GiB).";

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads an amount.
pub fn parse_size(text: &str) -> Result<u64, NotASize> {
    let found = UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)));
    let (number, unit) = found.ok_or(NotASize)?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotASize);
    }
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(*unit)).ok_or(NotASize)
}

/// Writes an amount in the largest unit that it is a whole number of.
pub fn format_size(bytes: u64) -> String {
    let whole = UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    let (name, unit) = whole.copied().unwrap_or(("B", 1));
    format!("{}{name}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        for bytes in [0, 1, 1_023, 1_024, 100 << 20, 3 << 30, (1 << 30) + 1] {
            assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }
        assert_eq!(format_size(100 << 20), "100MiB");
        for text in
            ["", "B", "5", "-1B", "1.5MiB", "1MB", "99999999999999999999B", "99999999999GiB"]
        {
            assert_eq!(parse_size(text), Err(NotASize), "{text}");
        }
    }
}
