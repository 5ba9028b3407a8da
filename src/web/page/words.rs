//! Times, sizes and sentences of the daemon, as people read them.

use maud::{Markup, html};
use tetherd_api::Time;

use crate::clock;

/// A point in time: how far from now, and when. A script shows it in the reader's zone.
pub(super) fn when(time: Time) -> Markup {
    let ms = time.0.saturating_sub(clock::now().0);
    let far = span(ms.unsigned_abs());
    let far = match ms {
        -999..=999 => String::from("now"),
        1_000.. => format!("in {far}"),
        ..=-1_000 => format!("{far} ago"),
    };
    html! { (far) " (" (at(time)) ")" }
}

/// The clock at a point in time.
pub(super) fn at(time: Time) -> Markup {
    let utc = |format: &str| {
        let stamp = jiff::Timestamp::from_millisecond(time.0).unwrap_or_default();
        stamp.strftime(format).to_string()
    };
    let today = utc("%F") == jiff::Timestamp::now().strftime("%F").to_string();
    let text = utc(if today { "%H:%M:%S UTC" } else { "%F %H:%M UTC" });
    html! { time datetime=(time) { (text) } }
}

/// A length of time in its two largest units.
pub(super) fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (1.., _, _) => format!("{days} d {} h", hours % 24),
        (0, 1.., _) => format!("{hours} h {:02} min", minutes % 60),
        (0, 0, 1..) => format!("{minutes} min {} s", seconds % 60),
        (0, 0, 0) => format!("{seconds} s"),
    }
}

/// A sentence of the daemon, with its times as the reader's clock shows them.
pub(super) fn said(sentence: &str) -> Markup {
    html! {
        @for (place, word) in sentence.split(' ').enumerate() {
            @if place > 0 { " " }
            @let bare = word.trim_end_matches(['.', ',', ';', ':', ')']);
            @match bare.parse::<Time>() {
                Ok(time) if bare.contains('T') => { (at(time)) (&word[bare.len()..]) }
                Ok(_) | Err(_) => (word),
            }
        }
    }
}

/// A stable name, as people read it.
pub(super) fn label(name: &str) -> String {
    name.replace('_', " ")
}

/// With a capital at its beginning.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// A chat as people write it: a number for a person.
pub(super) fn chat(jid: &str) -> Markup {
    let number = jid.strip_suffix("@s.whatsapp.net");
    let number = number.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    html! { bdi { @match number { Some(digits) => { "+" (digits) }, None => (jid) } } }
}

/// `512 B`, `1.5 MiB`.
pub(super) fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, power)| bytes >> power > 0) {
        Some((unit, power)) => {
            let tenths = bytes.saturating_mul(10) >> power;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

/// `1 message`, `2 messages`.
pub(super) fn messages(count: usize) -> String {
    if count == 1 { String::from("1 message") } else { format!("{count} messages") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_keep_their_words_and_get_clocks() {
        let markup = said("It ends at 2026-01-31T08:30:00.000Z, <b>not</b> before.").into_string();
        assert!(markup.contains("<time datetime=\"2026-01-31T08:30:00.000Z\">"), "{markup}");
        assert!(markup.contains("</time>, &lt;b&gt;not&lt;/b&gt; before."), "{markup}");
        assert_eq!(said("2 of 5").into_string(), "2 of 5");
    }

    #[test]
    fn spans_and_sizes_are_short() {
        assert_eq!(span(273_600_000), "3 d 4 h");
        assert_eq!(span(80_000), "1 min 20 s");
        assert_eq!(size(1_600_000), "1.5 MiB");
    }
}
