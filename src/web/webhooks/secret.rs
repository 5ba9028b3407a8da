//! Secrets and signatures of Standard Webhooks 1.0.0: `whsec_` and base64, HMAC-SHA256 over the
//! id, the time and the body. A file holds the present secret and, while receivers change over,
//! the one before it; a request is signed with both. Never prints a secret but once, when it is
//! made.

use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::durable;

/// What every secret begins with.
const PREFIX: &str = "whsec_";
/// A key's length that the specification allows, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Secrets of one file: the present one, and the one before it.
const SECRETS_MAX: usize = 2;
/// The file, in bytes.
const FILE_BYTES_MAX: u64 = 4_096;

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is no file, or nothing in it.
    #[error("there is no secret: tether-web webhook new-secret NAME")]
    Missing,
    /// The file is none of secrets.
    #[error(
        "the file of the secret holds something else than `{PREFIX}` and base64 of 24 to 64 bytes"
    )]
    Form,
    /// There is no file to write it to.
    #[error(
        "`secret_file` does not exist and lies outside the state directory: create it empty, so \
         that the service may read it"
    )]
    Outside,
    /// The file cannot be read or written.
    #[error("the file of the secret: {0}")]
    Io(#[from] io::Error),
    /// The kernel gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// The secrets of one webhook.
pub(super) struct Secrets(Vec<hmac::Key>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Secrets {
    /// Reads a file: each request goes by what it holds then.
    pub(super) fn read(path: &Path) -> Result<Secrets, SecretError> {
        let lines = lines(path)?;
        let keys = lines.iter().map(|line| key(line).ok_or(SecretError::Form));
        let keys: Vec<hmac::Key> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(SecretError::Missing) } else { Ok(Secrets(keys)) }
    }

    /// The value of `webhook-signature`.
    pub(super) fn sign(&self, id: &str, seconds: i64, body: &str) -> String {
        let content = format!("{id}.{seconds}.{body}");
        let signed = self.0.iter().map(|key| hmac::sign(key, content.as_bytes()));
        let each: Vec<String> =
            signed.map(|signature| format!("v1,{}", STANDARD.encode(signature))).collect();
        each.join(" ")
    }
}

fn lines(path: &Path) -> Result<Vec<String>, SecretError> {
    let content = durable::read(path, FILE_BYTES_MAX)?.unwrap_or_default();
    let text = String::from_utf8(content).map_err(|_| SecretError::Form)?;
    let lines: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if lines.len() > SECRETS_MAX { Err(SecretError::Form) } else { Ok(lines) }
}

fn key(line: &str) -> Option<hmac::Key> {
    let bytes = STANDARD.decode(line.strip_prefix(PREFIX)?).ok()?;
    KEY_BYTES.contains(&bytes.len()).then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// Makes a secret and writes it to the file; the present one becomes the one before it.
pub fn renew(path: &Path) -> Result<String, SecretError> {
    let before = lines(path)?.into_iter().next().filter(|line| key(line).is_some());
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    let secret = format!("{PREFIX}{}", STANDARD.encode(bytes));
    let before = before.map(|line| line + "\n").unwrap_or_default();
    durable::replace(path, format!("{secret}\n{before}").as_bytes())?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use standardwebhooks::Webhook as Reference;

    use super::*;

    fn headers(id: &str, seconds: i64, signature: &str) -> axum::http::HeaderMap {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("webhook-id", id.parse().unwrap());
        headers.insert("webhook-timestamp", seconds.into());
        headers.insert("webhook-signature", signature.parse().unwrap());
        headers
    }

    #[test]
    fn the_specification_s_own_library_verifies_a_signature() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/secret");
        assert!(matches!(Secrets::read(&path), Err(SecretError::Missing)));
        let first = renew(&path).unwrap();
        let seconds = crate::clock::now().0 / 1_000;
        let body = r#"{"type":"message.incoming","data":"ü"}"#;
        let signature = Secrets::read(&path).unwrap().sign("msg_1", seconds, body);
        let verify = |secret: &str, body: &str, signature: &str| {
            let reference = Reference::new(secret).unwrap();
            reference.verify(body.as_bytes(), &headers("msg_1", seconds, signature)).is_ok()
        };
        assert!(verify(&first, body, &signature));
        assert!(!verify(&first, "{}", &signature));

        // While receivers change over, both secrets verify it; the one before those, no more.
        let second = renew(&path).unwrap();
        let signature = Secrets::read(&path).unwrap().sign("msg_1", seconds, body);
        assert!(verify(&first, body, &signature) && verify(&second, body, &signature));
        let third = renew(&path).unwrap();
        let signature = Secrets::read(&path).unwrap().sign("msg_1", seconds, body);
        assert!(!verify(&first, body, &signature) && verify(&third, body, &signature));
        let known = Reference::new(&third).unwrap().sign("msg_1", seconds, body.as_bytes());
        assert!(signature.starts_with(&known.unwrap()));
    }

    #[test]
    fn a_file_of_something_else_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let short = format!("whsec_{}", STANDARD.encode([1; 23]));
        for wrong in ["x", "whsec_", "whsec_!", &short, "\u{0}"] {
            std::fs::write(&path, wrong).unwrap();
            assert!(matches!(Secrets::read(&path), Err(SecretError::Form)), "{wrong}");
        }
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(Secrets::read(&path), Err(SecretError::Missing)));
        assert_eq!(format!("{:?}", Secrets(Vec::new())), "Secrets(..)");
    }
}
