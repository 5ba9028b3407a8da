//! What the server holds against the account or this client, as it said it: plain data, and
//! which code means what. Decides nothing about what follows.

use std::fmt;

use tetherd_api::Redacted;

/// The reason of a login that is refused for a ban.
const BANNED_CODE: u32 = 402;
/// Longest text of the server that is kept, in characters.
const TEXT_CHARS_MAX: usize = 300;

/// A text that the server gave for people: one line of bounded length, without control
/// characters. It may name the account's owner, so its `Debug` shows the length only.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerText(String);

impl ServerText {
    /// What is fit to be shown of it; none: nothing is.
    pub fn new(text: &str) -> Option<ServerText> {
        // Invisible characters, and those that turn the direction of the text around it.
        let hidden = |c: char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        let visible: String = text.chars().filter(|c| !hidden(*c)).collect();
        let words: Vec<&str> = visible
            .split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|word| !word.is_empty())
            .collect();
        let line: String = words.join(" ").chars().take(TEXT_CHARS_MAX).collect();
        (!line.is_empty()).then_some(ServerText(line))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ServerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerText({} bytes)", self.0.len())
    }
}

/// What the server holds against the account or this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TroubleKind {
    /// The account no longer knows this device: the keys are dead.
    LoggedOut,
    /// The account is locked. The keys may work again.
    Locked,
    /// The account is banned, and nothing says that it ends.
    BannedForGood,
    /// The account is banned for a time.
    Banned,
    /// This client's version is refused.
    Outdated,
    /// The login is refused for what it is: trying again changes nothing.
    Declined,
}

impl TroubleKind {
    /// What a refused login's reason means; none: it passes by itself. The meanings are those
    /// of WhatsApp Web; 406 is its "banned", 403 its "locked".
    pub const fn of_login(reason: u32) -> Option<TroubleKind> {
        match reason {
            401 => Some(TroubleKind::LoggedOut),
            BANNED_CODE => Some(TroubleKind::Banned),
            403 => Some(TroubleKind::Locked),
            405 => Some(TroubleKind::Outdated),
            406 => Some(TroubleKind::BannedForGood),
            400..=499 if reason != 429 => Some(TroubleKind::Declined),
            _ => None,
        }
    }

    /// Whether the account itself is barred: another login or pairing makes it worse.
    pub const fn bars_the_account(self) -> bool {
        match self {
            TroubleKind::Locked | TroubleKind::BannedForGood | TroubleKind::Banned => true,
            TroubleKind::LoggedOut | TroubleKind::Outdated | TroubleKind::Declined => false,
        }
    }
}

/// One such answer of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginTrouble {
    /// What.
    pub kind: TroubleKind,
    /// The server's code, where it gave one; of a ban its own.
    pub code: Option<u32>,
    /// How long a ban lasts, in milliseconds, where that was said.
    pub for_ms: Option<u64>,
    /// What the server said to people.
    pub text: Option<ServerText>,
}

impl LoginTrouble {
    /// Without a text.
    pub const fn new(kind: TroubleKind, code: Option<u32>) -> LoginTrouble {
        LoginTrouble { kind, code, for_ms: None, text: None }
    }
}

/// What is kept of it over restarts. Times are wall milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTrouble {
    /// What.
    pub kind: TroubleKind,
    /// Since when.
    pub since: i64,
    /// The server's code.
    pub code: Option<u32>,
    /// What the server said to people.
    pub text: Option<ServerText>,
    /// Whose login was refused.
    pub account: Option<Redacted<String>>,
    /// Logins that were refused in a row.
    pub refused: u32,
    /// When the last one was.
    pub last: i64,
    /// When the next login is made by itself; none: never.
    pub next: Option<i64>,
    /// Whether the server said that it ends then.
    pub ends: bool,
    /// The server had restricted the account just before.
    pub enforced: bool,
    /// The version that was refused.
    pub version: Option<String>,
}

impl AccountTrouble {
    /// From what was kept before texts were.
    pub fn kept_before(
        logged_out: Option<(i64, Option<u32>)>,
        banned: Option<(i64, i64, u32)>,
        account: Option<&Redacted<String>>,
    ) -> Option<AccountTrouble> {
        let trouble = |kind, since, code, next: Option<i64>| AccountTrouble {
            kind,
            since,
            code,
            text: None,
            account: account.cloned(),
            refused: 1,
            last: since,
            next,
            ends: next.is_some(),
            enforced: false,
            version: None,
        };
        let out =
            logged_out.map(|(since, code)| trouble(TroubleKind::LoggedOut, since, code, None));
        out.or_else(|| {
            banned.map(|(since, until, code)| {
                trouble(TroubleKind::Banned, since, Some(code), Some(until))
            })
        })
    }

    /// Whether the account of this phone may be the one; none: it is not known which is meant.
    pub fn concerns(&self, phone: Option<&Redacted<String>>) -> bool {
        match (&self.account, phone) {
            (Some(account), Some(phone)) => {
                account.split('@').next().is_some_and(|user| *user == **phone)
            }
            (None, _) | (_, None) => true,
        }
    }

    /// A logout, as it was kept then.
    pub fn logged_out_before(&self) -> Option<(i64, Option<u32>)> {
        (self.kind == TroubleKind::LoggedOut).then_some((self.since, self.code))
    }

    /// A ban whose end is known, as it was kept then.
    pub fn banned_before(&self) -> Option<(i64, i64, u32)> {
        let until = self.next.filter(|_| self.ends)?;
        Some((self.since, until, self.code.unwrap_or(BANNED_CODE)))
    }
}

/// Until when the server takes this client's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientExpiry {
    /// Wall milliseconds.
    pub at: i64,
    /// Which version.
    pub version: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_the_server_is_one_bounded_line() {
        let text = ServerText::new(" Look\u{1b}[31m at\n\tyour \u{202e}phone\u{0}. ").unwrap();
        assert_eq!(text.as_str(), "Look [31m at your phone .");
        assert_eq!(ServerText::new("\n\u{7}\u{200b} "), None);
        let long = ServerText::new(&"x".repeat(10_000)).unwrap();
        assert_eq!(long.as_str().len(), TEXT_CHARS_MAX);
        assert_eq!(format!("{long:?}"), "ServerText(300 bytes)");
    }

    #[test]
    fn a_login_is_refused_for_good_or_in_passing() {
        for passing in [0, 429, 500, 501, 503, 599] {
            assert_eq!(TroubleKind::of_login(passing), None);
        }
        for declined in [400, 409, 413, 414, 415, 418] {
            assert_eq!(TroubleKind::of_login(declined), Some(TroubleKind::Declined));
        }
        let barred: Vec<u32> = (400..600)
            .filter(|code| TroubleKind::of_login(*code).is_some_and(TroubleKind::bars_the_account))
            .collect();
        assert_eq!(barred, [402, 403, 406]);
    }
}
