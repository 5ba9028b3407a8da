//! What must hold for the content of any file. Entrances for contrib/fuzz; part of no program.

use tetherd_api::{Kind, Redacted};

use super::kind::{Asked, Served, decide, depends_on_tracks};
use super::tracks::Tracks;

const KINDS: [Kind; 5] = [Kind::Image, Kind::Video, Kind::Audio, Kind::Voice, Kind::Document];
const NAMES: [&str; 4] = ["a.pdf", "b.mp4", "c.docx", "d"];
const TYPES: [&str; 4] = ["text/html", "application/octet-stream", "image/jpeg; q=1", ""];

/// The first byte says what is asked, the second in pieces of what length the file comes.
pub fn files(data: &[u8]) {
    let Some(([asked, piece], content)) = data.split_first_chunk::<2>() else { return };
    let asked = asked_of(*asked);
    let tracks = tracks(content, usize::from(*piece).max(1));
    let found = decide(content, &tracks, &asked);
    let whole = self::tracks(content, content.len().max(1));
    assert_eq!(found, decide(content, &whole, &asked), "the pieces change what it is");
    if let Ok(found) = found {
        assert!(KINDS.contains(&found.kind));
        assert!(asked.kind.is_none_or(|kind| kind == found.kind));
        let (family, name) = found.mime.split_once('/').unwrap_or_default();
        assert!(!family.is_empty() && !name.is_empty() && found.mime.is_ascii());
    }
    let may_be = depends_on_tracks(content);
    assert!(may_be.is_none_or(|kinds| kinds.iter().all(|kind| KINDS.contains(kind))));
    media(content);
}

fn asked_of(byte: u8) -> Asked {
    let bits = usize::from(byte);
    Asked {
        kind: KINDS.get(bits % 8).copied(),
        name: NAMES.get((bits >> 3) % 8).map(|name| Redacted((*name).to_owned())),
        served: (bits >= 128).then(|| Served {
            mime: TYPES.get((bits >> 5) % 4).map(|mime| (*mime).to_owned()),
            ..Served::default()
        }),
        ..Asked::default()
    }
}

fn tracks(content: &[u8], piece: usize) -> Tracks {
    let mut tracks = Tracks::default();
    content.chunks(piece).for_each(|piece| tracks.push(piece));
    tracks
}

/// What is read from it for those who see it is within what makes sense.
fn media(content: &[u8]) {
    for kind in KINDS {
        let seen = crate::whatsapp::fuzzing::media_metadata(kind, content);
        assert!(seen.pixels.is_none_or(|(x, y)| (1..=1 << 16).contains(&x.min(y).max(x))));
        assert!(seen.seconds.is_none_or(|seconds| (1..=7 * 24 * 60 * 60).contains(&seconds)));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn kept_inputs_hold() {
        crate::replay::replay("files", super::files);
    }
}
