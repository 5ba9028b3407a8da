//! Encrypts the session's secrets as they lie in the database, if there is a key: an
//! [`Backend`] around the backend, so that nothing above knows. Never touches the queue's
//! records, never keeps a key on disk.
//!
//! A sealed entry: [`SEALED`] (1 byte), a random nonce (12), then the entry under
//! ChaCha20-Poly1305 (RFC 8439), its tree key as additional data: an entry that was moved
//! or altered does not open. The tree entry `=` holds a known text under the key, so that
//! a wrong key is not taken for damage.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};

use tetherd_state::{KeyFileError, read_key};

use super::backend::{Backend, Pair, Pairs, Writes};
use super::error::BackendError;
use super::record::{TAG_CHUNK, TAG_QUARANTINE, TAG_RECORD, chunk_owner};

/// What every record of the session begins with.
const SECRET: &[u8] = b"session/";
/// The first byte of a sealed entry; a plain one begins with its format.
const SEALED: u8 = 0xE5;
const TAG_KEY: &[u8] = b"=";
const KNOWN: &[u8] = b"the session's secrets are under this key";

/// The key that the session's secrets are encrypted with.
#[derive(Clone)]
pub struct SealKey(Arc<LessSafeKey>);

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(..)")
    }
}

impl SealKey {
    /// The key in this file: all of its bytes count.
    pub fn read(path: &Path) -> Result<SealKey, KeyFileError> {
        let secret = read_key(path)?;
        let bytes = secret.len() as u64;
        let wrong = || KeyFileError::Length { path: path.to_path_buf(), bytes };
        SealKey::from_secret(&secret).ok_or_else(wrong)
    }

    /// The key that follows from this secret.
    pub fn from_secret(secret: &[u8]) -> Option<SealKey> {
        let mut hash = Sha256::new();
        hash.update(b"tetherd store key 1");
        hash.update(secret);
        let key = UnboundKey::new(&CHACHA20_POLY1305, &hash.finalize()).ok()?;
        Some(SealKey(Arc::new(LessSafeKey::new(key))))
    }

    fn seal(&self, tree_key: &[u8], entry: &[u8]) -> Result<Vec<u8>, BackendError> {
        let broken = || BackendError::Inconsistent("an entry cannot be encrypted".into());
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| broken())?;
        let mut sealed = entry.to_vec();
        let at = Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_in_place_append_tag(at, Aad::from(tree_key), &mut sealed)
            .map_err(|_| broken())?;
        let mut out = Vec::with_capacity(1 + NONCE_LEN + sealed.len());
        out.push(SEALED);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    fn open(&self, tree_key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.get(1..)?.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut entry = rest.to_vec();
        let length = self.0.open_in_place(nonce, Aad::from(tree_key), &mut entry).ok()?.len();
        entry.truncate(length);
        Some(entry)
    }
}

/// What a key is to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// There is no key, and nothing needs one.
    Plain,
    /// This is the key.
    Sealed,
    /// The key is new here: what lies there is plain.
    New,
    /// Secrets are sealed, and there is no key.
    Missing,
    /// Secrets are sealed under another key.
    Wrong,
}

/// A backend whose secrets are sealed.
pub(super) struct Sealing<E> {
    backend: E,
    key: Option<SealKey>,
}

impl<E: Backend> Sealing<E> {
    pub(super) fn new(backend: E, key: Option<SealKey>) -> Sealing<E> {
        Sealing { backend, key }
    }

    /// Whether the key, or none, fits what lies there.
    pub(super) fn fit(&self) -> Result<Fit, BackendError> {
        let known = self.backend.get(TAG_KEY)?;
        Ok(match (&self.key, known) {
            (None, None) => Fit::Plain,
            (None, Some(_)) => Fit::Missing,
            (Some(_), None) => Fit::New,
            (Some(key), Some(known)) => match key.open(TAG_KEY, &known) {
                Some(text) if text == KNOWN => Fit::Sealed,
                Some(_) | None => Fit::Wrong,
            },
        })
    }

    /// Seals every secret that lies there plain, in one change.
    pub(super) fn seal_all(&self) -> Result<(), BackendError> {
        let Some(key) = &self.key else { return Ok(()) };
        let mut writes = Writes::new();
        for pair in self.backend.scan(&[]) {
            let (tree_key, raw) = pair?;
            if is_secret(&tree_key) && raw.first() != Some(&SEALED) {
                let sealed = key.seal(&tree_key, &raw)?;
                writes.insert(tree_key, Some(sealed));
            }
        }
        writes.insert(TAG_KEY.to_vec(), Some(key.seal(TAG_KEY, KNOWN)?));
        self.backend.apply(writes)?;
        self.backend.sync()
    }
}

/// Whether an entry belongs to the session, or did before it was quarantined.
fn is_secret(tree_key: &[u8]) -> bool {
    match tree_key.split_first() {
        Some((&TAG_RECORD, key)) => key.starts_with(SECRET),
        Some((&TAG_CHUNK, _)) => {
            chunk_owner(tree_key).is_some_and(|(key, ..)| key.starts_with(SECRET))
        }
        Some((&TAG_QUARANTINE, inner)) => is_secret(inner),
        Some(_) | None => false,
    }
}

/// A sealed entry that does not open is given as it lies: it then does not verify.
fn opened(key: Option<&SealKey>, tree_key: &[u8], raw: Vec<u8>) -> Vec<u8> {
    match key {
        Some(key) if raw.first() == Some(&SEALED) && is_secret(tree_key) => {
            key.open(tree_key, &raw).unwrap_or(raw)
        }
        Some(_) | None => raw,
    }
}

impl<E: Backend> Backend for Sealing<E> {
    fn get(&self, tree_key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        let raw = self.backend.get(tree_key)?;
        Ok(raw.map(|raw| opened(self.key.as_ref(), tree_key, raw)))
    }

    fn scan(&self, prefix: &[u8]) -> Pairs {
        let key = self.key.clone();
        let pairs = self.backend.scan(prefix);
        let open = move |pair: Result<Pair, BackendError>| {
            pair.map(|(tree_key, raw)| {
                let entry = opened(key.as_ref(), &tree_key, raw);
                (tree_key, entry)
            })
        };
        // Its own entry is nobody else's.
        let own =
            |pair: &Result<Pair, BackendError>| !matches!(pair, Ok((key, _)) if key == TAG_KEY);
        Box::new(pairs.filter(own).map(open))
    }

    fn apply(&self, mut writes: Writes) -> Result<(), BackendError> {
        if let Some(key) = &self.key {
            for (tree_key, value) in &mut writes {
                let Some(entry) = value.as_ref().filter(|_| is_secret(tree_key)) else { continue };
                // One that did not open is moved as it lies.
                if entry.first() != Some(&SEALED) {
                    *value = Some(key.seal(tree_key, entry)?);
                }
            }
        }
        self.backend.apply(writes)
    }

    fn sync(&self) -> Result<(), BackendError> {
        self.backend.sync()
    }

    fn is_untidy(&self) -> bool {
        self.backend.is_untidy()
    }

    fn tidy(&self, closing: bool) -> Result<bool, BackendError> {
        self.backend.tidy(closing)
    }
}
