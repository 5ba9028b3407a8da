//! What the media host holds and how it behaves: encrypted files by the hash of what
//! they are, whole or in part. Never opens one; in memory, bounded, gone with the
//! simulator.

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore_binary::Node;

use super::settings::Times;
use super::world::random;

/// The largest file, in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// All files together, in bytes; the oldest go first.
const FILES_BYTES_MAX: usize = 512 * 1024 * 1024;
/// How long a client may use the answer to `media_conn`, in seconds.
const TTL_S: u32 = 3_600;
/// Bytes of a SHA-256.
const HASH_BYTES: usize = 32;

/// How the host behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MediaSettings {
    /// Uploads that are answered with this status, and how often.
    pub fail_status: u16,
    /// See [`MediaSettings::fail_status`].
    pub fail_times: Times,
    /// Uploads that break off after so many bytes of their body, and how often.
    pub break_after: u64,
    /// See [`MediaSettings::break_after`].
    pub break_times: Times,
    /// Uploads stand still after so many bytes of their body, until that is changed.
    pub stall_after: Option<u64>,
}

/// A change of [`MediaSettings`]: what is absent stays.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaChange {
    /// See [`MediaSettings::fail_status`].
    pub fail_status: Option<u16>,
    /// `true`, `false`, or how often.
    pub fail_times: Option<Times>,
    /// See [`MediaSettings::break_after`].
    pub break_after: Option<u64>,
    /// `true`, `false`, or how often.
    pub break_times: Option<Times>,
    /// See [`MediaSettings::stall_after`]; 0 and more.
    pub stall_after: Option<u64>,
    /// Uploads move again.
    #[serde(default)]
    pub go_on: bool,
    /// Earlier answers to `media_conn` are invalid.
    #[serde(default)]
    pub expire_auth: bool,
}

/// What has happened at the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MediaStats {
    /// Answers to `media_conn`.
    pub conns: u64,
    /// Uploads that were begun: bodies that arrived, however far.
    pub begun: u64,
    /// Of those, the ones that went on where an earlier one broke off.
    pub resumed: u64,
    /// Of those, the ones that were brought to their end.
    pub uploads: u64,
    /// Bytes of bodies that were taken in.
    pub bytes: u64,
    /// Uploads that stand still now.
    pub stalled: u64,
    /// Requests whose authorisation had expired.
    pub expired: u64,
    /// Files that were handed out.
    pub downloads: u64,
}

/// Whole files, shared with the people who open them.
#[derive(Clone, Default)]
pub(super) struct Files(Arc<Mutex<Store>>);

#[derive(Default)]
struct Store {
    files: HashMap<String, Arc<Vec<u8>>>,
    order: VecDeque<String>,
    bytes: usize,
}

impl Files {
    pub(super) fn get(&self, token: &str) -> Option<Arc<Vec<u8>>> {
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        store.files.get(token).cloned()
    }

    pub(super) fn put(&self, token: &str, file: Vec<u8>) {
        let mut store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        store.bytes += file.len();
        if let Some(old) = store.files.insert(token.to_owned(), Arc::new(file)) {
            store.bytes = store.bytes.saturating_sub(old.len());
        } else {
            store.order.push_back(token.to_owned());
        }
        while store.bytes > FILES_BYTES_MAX
            && let Some(oldest) = store.order.pop_front()
        {
            let gone = store.files.remove(&oldest).map_or(0, |file| file.len());
            store.bytes = store.bytes.saturating_sub(gone);
        }
    }
}

/// The host's state.
pub(super) struct Media {
    /// Where it listens.
    pub(super) address: SocketAddr,
    auth: String,
    pub(super) files: Files,
    /// What arrived of files that broke off. A handful: each is a file on its way.
    parts: VecDeque<(String, Vec<u8>)>,
    pub(super) settings: MediaSettings,
    pub(super) stats: MediaStats,
}

/// Files that are there in part, at most.
const PARTS_MAX: usize = 8;

impl Media {
    pub(super) fn new(files: Files) -> Media {
        Media {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            auth: fresh_auth(),
            files,
            parts: VecDeque::new(),
            settings: MediaSettings::default(),
            stats: MediaStats::default(),
        }
    }

    /// Answers `media_conn`.
    pub(super) fn conn(&mut self) -> Node {
        self.stats.conns += 1;
        let host = NodeBuilder::new("host")
            .attr("hostname", self.address.to_string())
            .attr("type", "primary")
            .build();
        NodeBuilder::new("media_conn")
            .attr("auth", self.auth.clone())
            .attr("ttl", TTL_S)
            .attr("auth_ttl", TTL_S)
            .attr("max_buckets", 12)
            .children([host])
            .build()
    }

    /// Whether a request's authorisation holds.
    pub(super) fn knows(&mut self, auth: Option<&str>) -> bool {
        let known = auth == Some(self.auth.as_str());
        self.stats.expired += u64::from(!known);
        known
    }

    /// Applies a change.
    pub(super) fn apply(&mut self, change: MediaChange) {
        let settings = &mut self.settings;
        settings.fail_status = change.fail_status.unwrap_or(settings.fail_status);
        settings.fail_times = change.fail_times.unwrap_or(settings.fail_times);
        settings.break_after = change.break_after.unwrap_or(settings.break_after);
        settings.break_times = change.break_times.unwrap_or(settings.break_times);
        settings.stall_after = change.stall_after.or(settings.stall_after);
        if change.go_on {
            settings.stall_after = None;
        }
        if change.expire_auth {
            self.auth = fresh_auth();
        }
    }

    /// How much of a file is there.
    pub(super) fn part_len(&self, token: &str) -> usize {
        self.parts.iter().find(|(name, _)| name == token).map_or(0, |(_, part)| part.len())
    }

    /// Takes out the beginning of a file that is there.
    pub(super) fn take_part(&mut self, token: &str) -> Vec<u8> {
        let at = self.parts.iter().position(|(name, _)| name == token);
        at.and_then(|at| self.parts.remove(at)).map(|(_, part)| part).unwrap_or_default()
    }

    /// Keeps the beginning of a file.
    pub(super) fn keep_part(&mut self, token: &str, part: Vec<u8>) {
        if self.parts.len() >= PARTS_MAX {
            self.parts.pop_front();
        }
        self.parts.push_back((token.to_owned(), part));
    }

    /// Takes a file in that needs no key, and returns its name.
    pub(super) fn keep(&mut self, file: Vec<u8>) -> String {
        let token = token_of(&Sha256::digest(&file));
        self.files.put(&token, file);
        token
    }

    /// Takes a whole file in, if it is what its name says.
    pub(super) fn finish(&mut self, token: &str, file: Vec<u8>) -> bool {
        if token_of(&Sha256::digest(&file)) != token {
            return false;
        }
        self.files.put(token, file);
        self.stats.uploads += 1;
        true
    }
}

/// The name of an encrypted file with this hash.
pub(super) fn token_of(enc_sha256: &[u8]) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(enc_sha256)
}

/// The name of a file as a client writes it: in either alphabet of base64, padded or not.
/// Baileys 7.0.0 drops the padding, whatsmeow (upload.go) keeps it.
pub(super) fn token_from(written: &str) -> Option<String> {
    let plain = written.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let hash = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(plain).ok()?;
    (hash.len() == HASH_BYTES).then(|| token_of(&hash))
}

/// Where a file lies on the host. With a query, as on the real one: whatsmeow (download.go)
/// appends its own parameters with `&`.
pub(super) fn direct_path(token: &str) -> String {
    format!("/v/t62.7118-24/{token}?ccb=11-4&oh=sim&oe=FFFFFFFF")
}

fn fresh_auth() -> String {
    hex::encode(random::<16>())
}
