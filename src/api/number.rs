//! Phone numbers as people write and paste them. Owns which characters are passed over; does
//! not guess a country, and does not know which numbers exist.

use crate::Redacted;

/// Digits of a phone number, shortest and longest (E.164 allows 15).
pub const NUMBER_DIGITS_MIN: usize = 7;
/// See [`NUMBER_DIGITS_MIN`].
pub const NUMBER_DIGITS_MAX: usize = 15;

/// Characters of a username, fewest and most.
pub const USERNAME_CHARS_MIN: usize = 3;
/// See [`USERNAME_CHARS_MIN`].
pub const USERNAME_CHARS_MAX: usize = 35;
/// Digits of the key that a username may demand.
pub const USERNAME_KEY_DIGITS: usize = 4;

/// Whether a text, without its at sign, can be a username.
pub fn is_username(name: &str) -> bool {
    (USERNAME_CHARS_MIN..=USERNAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
        && name.bytes().any(|b| b.is_ascii_alphabetic())
}

/// A username as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Username<'t> {
    /// Without its at sign.
    pub name: Redacted<&'t str>,
    /// The key that its owner demands of whoever asks for it.
    pub key: Option<Redacted<&'t str>>,
}

/// The username of a text that begins with an at sign and is no JID, `@name` or `@name#1234`;
/// none: it is something else.
pub fn parse_username(text: &str) -> Option<Result<Username<'_>, BadNumber>> {
    let text = text.trim().strip_prefix('@')?;
    let (name, key) = match text.split_once('#') {
        Some((name, key)) => (name, Some(key)),
        None => (text, None),
    };
    Some(if !is_username(name) {
        Err(BadNumber::Username)
    } else if !key.is_none_or(is_username_key) {
        Err(BadNumber::UsernameKey)
    } else {
        Ok(Username { name: Redacted(name), key: key.map(Redacted) })
    })
}

fn is_username_key(key: &str) -> bool {
    key.len() == USERNAME_KEY_DIGITS && key.bytes().all(|b| b.is_ascii_digit())
}

/// Why a text is no phone number, and no username.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNumber {
    /// No plus sign.
    #[error("a number begins with + and the country code, like +15550100")]
    NoPlus,
    /// Too short or too long.
    #[error("a number has {NUMBER_DIGITS_MIN} to {NUMBER_DIGITS_MAX} digits with its country code")]
    Length,
    /// The country code begins with 0.
    #[error("no country code begins with 0: write + and the country code, like +15550100")]
    LeadingZero,
    /// `(0)`, which is dialled within a country only.
    #[error(
        "`(0)` is dialled within the country only: write the number as it is dialled from abroad"
    )]
    TrunkZero,
    /// An at sign, and no username behind it.
    #[error(
        "a username is @ and {USERNAME_CHARS_MIN} to {USERNAME_CHARS_MAX} letters, digits, dots \
         and underscores, at least one of them a letter"
    )]
    Username,
    /// A number sign behind a username, and no key behind that.
    #[error(
        "the key of a username is # and exactly {USERNAME_KEY_DIGITS} digits behind it, like \
         @name#1234"
    )]
    UsernameKey,
    /// Another character; it is named, as it may not be visible.
    #[error(
        "U+{:04X} is neither a digit nor passed over, as spaces, dots, slashes, dashes and \
         parentheses are",
        u32::from(*.0)
    )]
    Character(char),
}

/// The digits of a number that is written with its plus sign: `15550100` of
/// `+1 (555) 01-00`.
pub fn parse_number(text: &str) -> Result<String, BadNumber> {
    let text = text.trim_matches(is_passed_over);
    let number = text.strip_prefix('+').ok_or(BadNumber::NoPlus)?;
    number_digits(number)
}

/// The digits of a number without its plus sign.
pub fn number_digits(number: &str) -> Result<String, BadNumber> {
    let mut digits = String::with_capacity(NUMBER_DIGITS_MAX);
    let mut in_parentheses = None;
    for c in number.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '(' => in_parentheses = Some(digits.len()),
            ')' => {
                let from = in_parentheses.take().unwrap_or(digits.len());
                if digits.get(from..) == Some("0") {
                    return Err(BadNumber::TrunkZero);
                }
            }
            c if is_passed_over(c) => {}
            c => return Err(BadNumber::Character(c)),
        }
    }
    if digits.starts_with('0') {
        return Err(BadNumber::LeadingZero);
    }
    if !(NUMBER_DIGITS_MIN..=NUMBER_DIGITS_MAX).contains(&digits.len()) {
        return Err(BadNumber::Length);
    }
    Ok(digits)
}

/// White space, punctuation that people put between digits, and what is invisible: marks of
/// direction and of order, as copied from contact lists and web pages.
fn is_passed_over(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '.' | '-' | '/' | '\u{ad}')
        // Hyphens, dashes and the minus sign.
        || matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}')
        // Zero width spaces and joiners, direction marks, the byte order mark.
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_has_a_letter_and_few_other_characters() {
        let longest = "x".repeat(USERNAME_CHARS_MAX);
        for name in ["bob", "b.o_b7", "123a", longest.as_str()] {
            let name = Redacted(name);
            let bare = Username { name, key: None };
            assert_eq!(parse_username(&format!(" @{}\n", name.0)), Some(Ok(bare)));
            let with_key = Username { name, key: Some(Redacted("0123")) };
            assert_eq!(parse_username(&format!("@{}#0123", name.0)), Some(Ok(with_key)));
        }
        let too_long = "x".repeat(USERNAME_CHARS_MAX + 1);
        for name in ["", "bo", "1234", "bob@lid", "b ob", "b\u{f6}b", too_long.as_str()] {
            let text = format!("@{name}");
            assert_eq!(parse_username(&text), Some(Err(BadNumber::Username)), "{name}");
        }
        for key in ["", "123", "12345", "12a4", "12#4", " 123", "١٢٣٤"] {
            let text = format!("@bob#{key}");
            assert_eq!(parse_username(&text), Some(Err(BadNumber::UsernameKey)), "{key}");
        }
        assert_eq!(parse_username("@bo#1234"), Some(Err(BadNumber::Username)));
        assert_eq!(parse_username("+15550100"), None);
    }

    #[test]
    fn what_people_paste_is_read() {
        for text in [
            "+15550100",
            " +1 555 01 00\n",
            "+1 (555) 01-00",
            "+1.555.01.00",
            "+1 555/0100",
            "\u{202a}+15550100\u{202c}",
            "\u{feff}+15550100",
            "+1\u{2011}555\u{2011}0100",
            "+1\u{202f}555\u{2009}0100",
            "+1\u{a0}555\u{200b}0100",
            "+1\u{2013}555\u{2212}0100",
            "+\u{2068}15550100\u{2069}",
        ] {
            assert_eq!(parse_number(text).as_deref(), Ok("15550100"), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused_with_the_reason() {
        use BadNumber::*;
        for (text, error) in [
            ("", NoPlus),
            ("15550100", NoPlus),
            ("0015550100", NoPlus),
            ("+", Length),
            ("+155501", Length),
            ("+1555010012345678", Length),
            ("+0015550100", LeadingZero),
            ("+015550100", LeadingZero),
            ("+44 (0)20 7031 3000", TrunkZero),
            ("+49 ( 0 ) 30 123456", TrunkZero),
            ("+1 555 01 00 x7", Character('x')),
            ("+1\u{663}5550100", Character('\u{663}')),
            ("++15550100", Character('+')),
        ] {
            assert_eq!(parse_number(text), Err(error), "{text:?}");
        }
        assert_eq!(
            Character('\u{663}').to_string(),
            "U+0663 is neither a digit nor passed over, as spaces, dots, slashes, dashes and \
             parentheses are"
        );
    }

    /// A zero in parentheses with other digits belongs to the number.
    #[test]
    fn an_area_code_in_parentheses_is_no_trunk_zero() {
        assert_eq!(parse_number("+1 (800) 555-0100").as_deref(), Ok("18005550100"));
        assert_eq!(parse_number("+39 06 (0555) 0100").as_deref(), Ok("390605550100"));
    }
}
