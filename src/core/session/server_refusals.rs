//! How often the server refused messages, by code. Decides nothing.

use crate::time::Now;

/// Codes whose counts are kept; beyond it the one that was seen longest ago is forgotten.
const REFUSAL_CODES_MAX: usize = 16;

/// How often the server refused messages with one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The server's code.
    pub code: u32,
    /// How often.
    pub count: u64,
    /// When last, wall milliseconds.
    pub last: i64,
}

/// Counts a refusal by its code.
pub(super) fn count(refusals: &mut Vec<Refusal>, code: u32, now: Now) {
    if let Some(known) = refusals.iter_mut().find(|refusal| refusal.code == code) {
        known.count = known.count.saturating_add(1);
        known.last = now.wall_ms;
        return;
    }
    if refusals.len() >= REFUSAL_CODES_MAX {
        let oldest = refusals.iter().enumerate().min_by_key(|(_, refusal)| refusal.last);
        if let Some((index, _)) = oldest {
            refusals.remove(index);
        }
    }
    refusals.push(Refusal { code, count: 1, last: now.wall_ms });
}
