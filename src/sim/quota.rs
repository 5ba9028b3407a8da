//! The quota of new chats: a message to somebody who never wrote to the account is refused
//! with 475 while it is used up. Clients can ask, and are notified. Numbers go as text, as the
//! real server sends them (oxidezap/whatsapp-rust#1251). Forgotten when the simulator ends.

use serde::{Deserialize, Serialize};
use serde_json::json;
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::iq::mex_operations::fetch_new_chat_message_capping_info as capping;
use whatsapp_rust::wacore::time::now_secs;
use whatsapp_rust::wacore_binary::Node;

use super::contacts;
use super::nodes::attr;
use super::world::World;

/// The code of a message that would begin one chat too many.
pub const QUOTA_CODE: u32 = 475;

/// How far the quota is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CappingStatus {
    /// It is no concern.
    #[default]
    None,
    /// The first warning.
    FirstWarning,
    /// The second.
    SecondWarning,
    /// No more new chats.
    Capped,
}

/// The quota as the server has it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// How far it is used.
    pub status: CappingStatus,
    /// New chats of this cycle.
    #[serde(default)]
    pub used: u32,
    /// How many there may be.
    #[serde(default)]
    pub total: u32,
    /// When the cycle ends, in seconds from now.
    #[serde(default)]
    pub ends_in_s: i64,
    /// Whether clients are notified; they can ask either way.
    #[serde(default)]
    pub notify: bool,
}

/// The quota, and when its cycle ends, Unix seconds.
#[derive(Default)]
pub(super) struct QuotaState {
    quota: Quota,
    ends: i64,
}

impl QuotaState {
    fn is_over(&self) -> bool {
        self.ends <= now_secs()
    }

    fn state(&self) -> serde_json::Value {
        let status = if self.is_over() { CappingStatus::None } else { self.quota.status };
        json!({
            "capping_status": status,
            "used_quota": self.quota.used.to_string(),
            "total_quota": self.quota.total.to_string(),
            "cycle_end_timestamp": self.ends.to_string(),
        })
    }

    /// The answer to a client that asks.
    pub(super) fn answer(&self) -> Node {
        let data = json!({ "data": { "xwa2_message_capping_info": self.state() } });
        NodeBuilder::new("result").bytes(data.to_string().into_bytes()).build()
    }
}

/// Whether a request asks about the quota.
pub(super) fn is_asked(iq: &Node) -> bool {
    let query = iq.get_optional_child("query");
    query.and_then(|query| attr(query, "query_id")).as_deref() == Some(capping::DOC_ID)
}

/// Whether the quota refuses a message.
pub(super) fn refuses(world: &World, message: &Node, account: &str) -> bool {
    let capped = world.quota.quota.status == CappingStatus::Capped && !world.quota.is_over();
    capped && contacts::is_new(world, message, account)
}

/// Sets the quota, and tells the clients that are there.
pub(super) fn set(world: &mut World, quota: Quota) {
    world.quota = QuotaState { quota, ends: now_secs().saturating_add(quota.ends_in_s) };
    if quota.notify {
        let state = world.quota.state();
        let body = json!({
            "data": { "xwa2_notify_new_chat_messages_capping_info_update": state }
        });
        contacts::notify(world, "MessageCappingInfoNotification", &body);
    }
}
