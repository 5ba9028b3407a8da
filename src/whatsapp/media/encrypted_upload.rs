//! A file of the spool, encrypted for the media host as it is read. Nothing encrypted is
//! kept: the key is the message's own, so that every try gives the same bytes, and an
//! upload goes on where the last one broke off.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use whatsapp_rust::anyhow;
use whatsapp_rust::wacore::crypto::hkdf_sha256_into;
use whatsapp_rust::wacore::download::MediaType;
use whatsapp_rust::wacore::upload::{
    EncryptedMediaInfo, MediaEncryptor, UploadSource, encrypted_len,
};

use crate::whatsapp::media::metadata;
use tetherd_api::Kind;
use tetherd_core::files::MediaMetadata;
use tetherd_core::files::SpooledFile;

/// Read and encrypted at a time, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;
/// The end of a sound's file that names its length lies in this many last bytes.
const TAIL_BYTES: u64 = 64 * 1024;
/// What the media keys are derived for.
const KEY_PURPOSE: &[u8] = b"tetherd media key 1";

/// Why a file cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncryptError {
    #[error("the file cannot be read ({0})")]
    Unreadable(io::ErrorKind),
    #[error("the file is not what it was")]
    Changed,
    #[error("no more files can be opened now")]
    Busy,
    #[error("the connection has ended")]
    Halted,
    #[error("the file cannot be encrypted")]
    Crypto,
}

impl From<io::Error> for EncryptError {
    fn from(error: io::Error) -> EncryptError {
        // EMFILE, ENFILE, ENOMEM: it is not about this file.
        match error.raw_os_error() {
            Some(12 | 23 | 24) => EncryptError::Busy,
            _ => EncryptError::Unreadable(error.kind()),
        }
    }
}

/// A file, its key, and what it is encrypted.
pub(crate) struct EncryptedUpload {
    path: PathBuf,
    key: [u8; 32],
    media: MediaType,
    length: u64,
    enc_sha256: [u8; 32],
}

impl EncryptedUpload {
    /// Reads the file once: whether it is what it was when it was accepted, and what its
    /// encrypted form is. Blocks; `halted` ends it early.
    pub(crate) fn new(
        path: &Path,
        file: &SpooledFile,
        kind: Kind,
        secret: &[u8],
        halted: impl Fn() -> bool,
    ) -> Result<(EncryptedUpload, EncryptedMediaInfo, MediaMetadata), EncryptError> {
        let media = media_type(kind).ok_or(EncryptError::Crypto)?;
        let key = media_key(secret, file)?;
        let crypto = |_: anyhow::Error| EncryptError::Crypto;
        let mut source = File::open(path)?;
        let mut encryptor = MediaEncryptor::with_key(key, media).map_err(crypto)?;
        let (mut chunk, mut head, mut sink) = (vec![0; CHUNK_BYTES], Vec::new(), io::sink());
        loop {
            if halted() {
                return Err(EncryptError::Halted);
            }
            let bytes = fill(&mut source, &mut chunk)?;
            if head.is_empty() {
                head = chunk[..bytes].to_vec();
            }
            encryptor.update_to_writer(&chunk[..bytes], &mut sink)?;
            if bytes < chunk.len() {
                break;
            }
        }
        let info = encryptor.finalize_to_writer(&mut sink).map_err(crypto)?;
        if info.file_length != file.info.bytes || file.info.sha256 != hex::encode(info.file_sha256)
        {
            return Err(EncryptError::Changed);
        }
        let seen = metadata::read(kind, &head, &tail(&mut source, info.file_length)?);
        let plain = usize::try_from(info.file_length).map_err(|_| EncryptError::Crypto)?;
        let length = encrypted_len(plain) as u64;
        let enc_sha256 = info.file_enc_sha256;
        Ok((EncryptedUpload { path: path.to_owned(), key, media, length, enc_sha256 }, info, seen))
    }

    /// How the media host calls what it is.
    pub(crate) fn media_type(&self) -> MediaType {
        self.media
    }
}

/// How the media host calls a kind.
fn media_type(kind: Kind) -> Option<MediaType> {
    match kind {
        Kind::Image => Some(MediaType::Image),
        Kind::Video => Some(MediaType::Video),
        Kind::Audio | Kind::Voice => Some(MediaType::Audio),
        Kind::Document => Some(MediaType::Document),
        Kind::Text
        | Kind::Location
        | Kind::Contact
        | Kind::Reaction
        | Kind::Edit
        | Kind::Revoke => None,
    }
}

/// The same for every try at the same file of the same message, and for nothing else: the
/// spool's name is drawn once, and the content's hash stands for the content.
fn media_key(secret: &[u8], file: &SpooledFile) -> Result<[u8; 32], EncryptError> {
    let purpose =
        [KEY_PURPOSE, file.spool.0.as_bytes(), b"/", file.info.sha256.as_bytes()].concat();
    let mut key = [0; 32];
    hkdf_sha256_into(secret, None, &purpose, &mut key).map_err(|_| EncryptError::Crypto)?;
    Ok(key)
}

fn tail(file: &mut File, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    Ok(tail)
}

/// Reads until the buffer is full or the source ends.
fn fill(source: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

impl UploadSource for EncryptedUpload {
    fn len(&self) -> u64 {
        self.length
    }

    fn reader_from(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let encryptor = MediaEncryptor::with_key(self.key, self.media).map_err(io::Error::other)?;
        let mut reader = EncryptingReader {
            file: File::open(&self.path)?,
            encryptor: Some(encryptor),
            chunk: vec![0; CHUNK_BYTES],
            ready: Vec::new(),
            taken: 0,
            enc_sha256: self.enc_sha256,
        };
        // Each block depends on the one before: what was sent is encrypted again.
        io::copy(&mut (&mut reader).take(offset), &mut io::sink())?;
        Ok(Box::new(reader))
    }
}

/// One pass over the file.
struct EncryptingReader {
    file: File,
    encryptor: Option<MediaEncryptor>,
    chunk: Vec<u8>,
    ready: Vec<u8>,
    taken: usize,
    enc_sha256: [u8; 32],
}

impl EncryptingReader {
    fn refill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.taken = 0;
        while self.ready.is_empty() {
            let Some(mut encryptor) = self.encryptor.take() else { return Ok(()) };
            let bytes = fill(&mut self.file, &mut self.chunk)?;
            encryptor.update(&self.chunk[..bytes], &mut self.ready);
            if bytes == self.chunk.len() {
                self.encryptor = Some(encryptor);
                continue;
            }
            let info = encryptor.finalize(&mut self.ready).map_err(io::Error::other)?;
            // The host must not have under this name what nobody could open.
            if info.file_enc_sha256 != self.enc_sha256 {
                self.ready.clear();
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(())
    }
}

impl Read for EncryptingReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.ready.len() {
            self.refill()?;
        }
        let ready = &self.ready[self.taken..];
        let bytes = ready.len().min(buf.len());
        buf[..bytes].copy_from_slice(&ready[..bytes]);
        self.taken += bytes;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use sha2::{Digest as _, Sha256};
    use whatsapp_rust::wacore::download::DownloadUtils;

    use super::*;
    use tetherd_api::FileInfo;
    use tetherd_core::ids::SpoolId;

    fn spooled(content: &[u8]) -> (tempfile::NamedTempFile, SpooledFile) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let info = FileInfo {
            bytes: content.len() as u64,
            mime: "x/y".to_owned(),
            sha256: hex::encode(Sha256::digest(content)).into(),
            name: None,
        };
        (file, SpooledFile { spool: SpoolId("5".repeat(32)), info })
    }

    fn encrypted(
        path: &Path,
        file: &SpooledFile,
    ) -> Result<(EncryptedUpload, EncryptedMediaInfo), EncryptError> {
        EncryptedUpload::new(path, file, Kind::Document, &[7; 32], || false)
            .map(|(source, info, _)| (source, info))
    }

    #[test]
    fn what_is_read_from_any_offset_opens_to_the_file() {
        for length in [0, 1, 15, 16, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 300_000] {
            let content: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let (file, stored) = spooled(&content);
            let (source, info) = encrypted(file.path(), &stored).unwrap();
            let mut whole = Vec::new();
            source.reader_from(0).unwrap().read_to_end(&mut whole).unwrap();
            assert_eq!(whole.len() as u64, source.len());
            assert_eq!(Sha256::digest(&whole)[..], info.file_enc_sha256);
            let opened =
                DownloadUtils::verify_and_decrypt(&whole, &info.media_key, MediaType::Document);
            assert!(opened.unwrap() == content);
            for offset in [1, 17, CHUNK_BYTES, whole.len()] {
                let mut rest = Vec::new();
                let offset = offset.min(whole.len());
                source.reader_from(offset as u64).unwrap().read_to_end(&mut rest).unwrap();
                assert!(rest == whole[offset..], "{length} from {offset}");
            }
        }
    }

    #[test]
    fn every_try_has_the_same_key_and_every_file_another() {
        let (file, stored) = spooled(b"content");
        let (_, first) = encrypted(file.path(), &stored).unwrap();
        let (_, again) = encrypted(file.path(), &stored).unwrap();
        assert_eq!(first.file_enc_sha256, again.file_enc_sha256);
        let other = SpooledFile { spool: SpoolId("6".repeat(32)), ..stored.clone() };
        let (_, other) = encrypted(file.path(), &other).unwrap();
        assert_ne!(first.media_key, other.media_key);
    }

    #[test]
    fn a_file_that_is_not_what_it_was_is_not_encrypted() {
        let (mut file, stored) = spooled(b"content");
        file.write_all(b"more").unwrap();
        assert!(matches!(encrypted(file.path(), &stored), Err(EncryptError::Changed)));
        let gone = Path::new("/nonexistent/file");
        assert!(matches!(
            encrypted(gone, &stored),
            Err(EncryptError::Unreadable(io::ErrorKind::NotFound))
        ));
        assert!(matches!(encrypted(Path::new("/"), &stored), Err(EncryptError::Unreadable(_))));
    }

    #[test]
    fn a_file_that_changes_while_it_is_sent_breaks_the_upload() {
        let (mut file, stored) = spooled(&[1; 1000]);
        let (source, _) = encrypted(file.path(), &stored).unwrap();
        file.write_all(b"more").unwrap();
        let mut sent = Vec::new();
        assert!(source.reader_from(0).unwrap().read_to_end(&mut sent).is_err());
        assert!((sent.len() as u64) < source.len());
    }

    #[test]
    fn encrypting_ends_with_the_connection() {
        let (file, stored) = spooled(b"content");
        let halted = EncryptedUpload::new(file.path(), &stored, Kind::Image, &[7; 32], || true);
        assert!(matches!(halted, Err(EncryptError::Halted)));
    }
}
