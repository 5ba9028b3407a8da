//! The parameters of the control socket's methods.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::Stats;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scan {
    pub(super) qr: String,
    pub(super) account: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnterCode {
    pub(super) code: String,
    pub(super) account: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PhoneSet {
    pub(super) online: bool,
    pub(super) account: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PhoneSend {
    pub(super) to: String,
    pub(super) text: String,
    pub(super) account: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unlink {
    pub(super) account: Option<String>,
    pub(super) device: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecipientAdd {
    pub(super) number: String,
    #[serde(default = "yes")]
    pub(super) on_network: bool,
    #[serde(default)]
    pub(super) companions: u8,
    /// Other ways to write the number.
    #[serde(default)]
    pub(super) spellings: Vec<String>,
    /// What it calls itself.
    pub(super) name: Option<String>,
    /// Its username, without the at sign.
    pub(super) username: Option<String>,
    /// The key that its username demands.
    pub(super) key: Option<String>,
    /// Nobody sees the number.
    #[serde(default)]
    pub(super) hidden: bool,
    /// Whether messages to it have to carry a valid privacy token.
    pub(super) token_required: Option<bool>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupAdd {
    pub(super) subject: String,
    pub(super) members: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct GroupSet {
    pub(super) jid: String,
    #[serde(flatten)]
    pub(super) change: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inbox {
    pub(super) number: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    pub(super) number: String,
    pub(super) to: Option<String>,
    pub(super) text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    pub(super) account: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamError {
    pub(super) account: Option<String>,
    pub(super) code: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flood {
    pub(super) count: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    #[serde(default)]
    pub(super) messages: u64,
    /// Messages that clients have tried to send, taken or not.
    #[serde(default)]
    pub(super) attempts: usize,
    #[serde(default)]
    pub(super) keepalives: u64,
    #[serde(default)]
    pub(super) received: u64,
    #[serde(default)]
    pub(super) key_uploads: u64,
    #[serde(default)]
    pub(super) cleaned: u64,
    #[serde(default)]
    pub(super) reads: usize,
    #[serde(default)]
    pub(super) notified: BTreeMap<String, u64>,
    #[serde(default)]
    pub(super) patches: u64,
    #[serde(default)]
    pub(super) snapshots: u64,
    #[serde(default = "a_minute")]
    pub(super) within_s: u64,
}

impl Wait {
    /// Whether so much has happened.
    pub(super) fn is_over(&self, stats: &Stats) -> bool {
        let notified = |(kind, count)| stats.notified.get(kind).unwrap_or(&0) >= count;
        stats.messages >= self.messages
            && stats.attempts.len() >= self.attempts
            && stats.keepalives >= self.keepalives
            && stats.received >= self.received
            && stats.key_uploads >= self.key_uploads
            && stats.cleaned >= self.cleaned
            && stats.reads.len() >= self.reads
            && self.notified.iter().all(notified)
            && stats.patches >= self.patches
            && stats.snapshots >= self.snapshots
    }
}

fn a_minute() -> u64 {
    60
}
