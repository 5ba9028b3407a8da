//! The file of tokens: a line each, `NAME TIER SHA-256 TIME`. Owns how a token is made, kept
//! and recognised. Never keeps or prints a token but once, when it is made.
//!
//! A token is 256 random bits. Nobody can try so many, so a plain SHA-256 of it is as good to
//! keep as a slow hash, which is for secrets that people choose, and it lets every request be
//! checked at no cost that a stranger could make us pay.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tetherd_api::{Tier, Time};

use super::secret;
use crate::limits::{TOKENS_BYTES_MAX, TOKENS_MAX};
use crate::{clock, durable};

/// What every token begins with, so that scanners of leaked secrets can know it.
const PREFIX: &str = "tether_";
/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A token, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub tier: Tier,
    /// When it was made.
    pub made_at: Time,
    pub(crate) digest: [u8; 32],
}

/// A token that was just made.
pub struct NewToken {
    /// What a caller presents. It is shown once, and cannot be had again.
    pub secret: String,
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewToken(..)")
    }
}

/// What can go wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file or its folder.
    #[error("cannot {what} {}: {source}", .path.display())]
    Io {
        /// While doing what.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is none of ours.
    #[error("{}: line {line} is not a token", .path.display())]
    Form {
        /// Where.
        path: PathBuf,
        /// Which, from 1.
        line: usize,
    },
    /// The name is taken.
    #[error("there is a token `{0}` already; remove it first: tether-web token remove {0}")]
    Taken(String),
    /// It is no name.
    #[error("a name has 1 to 64 letters, digits, dots, hyphens and underscores")]
    BadName,
    /// It is not there.
    #[error("there is no token `{0}`; see: tether-web token list")]
    Unknown(String),
    /// There are enough.
    #[error("there are {TOKENS_MAX} tokens already; remove one first")]
    TooMany,
    /// The kernel gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// By what a file is known to be unchanged.
type Stamp = (u64, i64, i64, u64);

/// What was last read.
type Read = (Stamp, Arc<Vec<Token>>);

/// The file, read again whenever it has changed.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    read: Mutex<Option<Read>>,
}

impl TokenFile {
    /// The one at this path. It need not exist: then there are no tokens.
    pub fn new(path: PathBuf) -> TokenFile {
        TokenFile { path, read: Mutex::new(None) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose token this is. Looks at every one, whatever fits, and in constant time.
    pub fn find(&self, secret: &str) -> Option<Token> {
        self.with_digest(&digest(secret))
    }

    pub(super) fn with_digest(&self, digest: &[u8; 32]) -> Option<Token> {
        let mut found = None;
        for token in self.known().iter() {
            if bool::from(token.digest.ct_eq(digest)) {
                found = Some(token.clone());
            }
        }
        found
    }

    /// All tokens; of a file that cannot be read, none.
    fn known(&self) -> Arc<Vec<Token>> {
        self.list().unwrap_or_default()
    }

    /// All tokens.
    pub fn list(&self) -> Result<Arc<Vec<Token>>, TokenError> {
        let stamp = match std::fs::metadata(&self.path) {
            Ok(found) => (found.ino(), found.mtime(), found.mtime_nsec(), found.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Arc::default()),
            Err(source) => return Err(self.io("look at")(source)),
        };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        match &*read {
            Some((known, tokens)) if *known == stamp => Ok(Arc::clone(tokens)),
            Some(_) | None => {
                let tokens = Arc::new(self.parse()?);
                *read = Some((stamp, Arc::clone(&tokens)));
                Ok(tokens)
            }
        }
    }

    fn parse(&self) -> Result<Vec<Token>, TokenError> {
        let mut text = String::new();
        let file = File::open(&self.path).map_err(self.io("open"))?;
        file.take(TOKENS_BYTES_MAX).read_to_string(&mut text).map_err(self.io("read"))?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let parsed = lines.map(|(at, line)| {
            let form = || TokenError::Form { path: self.path.clone(), line: at + 1 };
            token(line).ok_or_else(form)
        });
        parsed.collect()
    }

    /// Makes a token.
    pub fn add(&self, name: &str, tier: Tier) -> Result<NewToken, TokenError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(fits) {
            return Err(TokenError::BadName);
        }
        let mut tokens = self.list()?.to_vec();
        if tokens.iter().any(|token| token.name == name) {
            return Err(TokenError::Taken(name.into()));
        }
        if tokens.len() >= TOKENS_MAX {
            return Err(TokenError::TooMany);
        }
        let secret = format!("{PREFIX}{}", secret()?);
        let (name, made_at, digest) = (name.to_owned(), clock::now(), digest(&secret));
        tokens.push(Token { name, tier, made_at, digest });
        self.write(&tokens)?;
        Ok(NewToken { secret })
    }

    /// Removes one. Its sessions end with it.
    pub fn remove(&self, name: &str) -> Result<(), TokenError> {
        let mut tokens = self.list()?.to_vec();
        let count = tokens.len();
        tokens.retain(|token| token.name != name);
        if tokens.len() == count {
            return Err(TokenError::Unknown(name.into()));
        }
        self.write(&tokens)
    }

    /// Writes it anew, whole or not at all.
    fn write(&self, tokens: &[Token]) -> Result<(), TokenError> {
        let text: String = tokens.iter().map(line).collect();
        durable::replace(&self.path, text.as_bytes()).map_err(self.io("write"))
    }

    fn io(&self, what: &'static str) -> impl FnOnce(io::Error) -> TokenError {
        let path = self.path.clone();
        move |source| TokenError::Io { what, path, source }
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn line(token: &Token) -> String {
    let digest = hex::encode(token.digest);
    format!("{} {} {digest} {}\n", token.name, token.tier.name(), token.made_at)
}

fn token(line: &str) -> Option<Token> {
    let mut words = line.split_whitespace();
    let (name, tier, hex, at) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let tiers = [Tier::Read, Tier::Send, Tier::Admin];
    let tier = tiers.into_iter().find(|known| known.name() == tier)?;
    let mut digest = [0; 32];
    hex::decode_to_slice(hex, &mut digest).ok()?;
    let made_at = at.parse().ok()?;
    words.next().is_none().then(|| Token { name: name.into(), tier, made_at, digest })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_known_by_its_secret_and_the_file_holds_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::new(dir.path().join("deep/tokens"));
        assert!(file.find("").is_none());
        let made = file.add("grafana", Tier::Read).unwrap();
        let other = file.add("shop", Tier::Send).unwrap();
        assert!(made.secret.starts_with(PREFIX) && made.secret.len() == PREFIX.len() + 64);
        assert_ne!(made.secret, other.secret);
        assert_eq!(file.find(&made.secret).unwrap().name, "grafana");
        assert_eq!(file.find(&other.secret).unwrap().tier, Tier::Send);
        assert!(file.find(&made.secret[..made.secret.len() - 1]).is_none());

        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains(&made.secret) && !format!("{made:?}").contains(&made.secret));
        let mode = std::fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Another process sees the same, and what it changes is seen here.
        let elsewhere = TokenFile::new(file.path().to_owned());
        assert_eq!(elsewhere.list().unwrap(), file.list().unwrap());
        elsewhere.remove("grafana").unwrap();
        assert!(file.find(&made.secret).is_none());
    }

    #[test]
    fn names_are_unique_and_plain_and_a_foreign_line_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::new(dir.path().join("tokens"));
        file.add("a", Tier::Admin).unwrap();
        assert!(matches!(file.add("a", Tier::Read), Err(TokenError::Taken(_))));
        for bad in ["", "a b", "a\nb", &"x".repeat(65)] {
            assert!(matches!(file.add(bad, Tier::Read), Err(TokenError::BadName)), "{bad}");
        }
        assert!(matches!(file.remove("b"), Err(TokenError::Unknown(_))));
        std::fs::write(file.path(), "a root 00 2026-01-31T08:30:00Z\n").unwrap();
        assert!(matches!(file.list(), Err(TokenError::Form { line: 1, .. })));
        assert!(file.find("").is_none());
    }
}
