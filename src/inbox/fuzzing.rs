//! What must hold for any record of an incoming message. Entrances for contrib/fuzz; part of no
//! program.

use super::NewMessage;
use super::stored::Kept;

/// What was read is written in a form that reads as the same.
pub fn kept(data: &[u8]) {
    let Some(kept) = Kept::decode(data) else { return };
    let written = kept.clone().encode();
    let read = written.ok().and_then(|written| Kept::decode(&written));
    assert_eq!(read, Some(kept));
}

/// A message that came in reads from its record as it was.
pub(crate) fn is_kept(new: NewMessage) {
    let kept = Kept { seq: 1, uptime_ms: Some(1), incoming: new.incoming, remote: new.remote };
    let written = kept.clone().encode();
    assert_eq!(written.ok().and_then(|written| Kept::decode(&written)), Some(kept));
}

#[cfg(test)]
mod tests {
    #[test]
    fn kept_inputs_hold() {
        crate::replay::replay("kept", super::kept);
    }
}
