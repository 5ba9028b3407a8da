//! What the server says by MEX (JSON in a stanza) about the account: locks for new contacts, the
//! quota of new chats, and that the account is to prove itself.

use whatsapp_rust::ReachoutTimelock;
use whatsapp_rust::types::events::MexNotification;

use crate::whatsapp::events::translate::ConnectionEvent;
use tetherd_core::event::{ChallengeKind, QuotaLevel, QuotaNotice, SessionEvent, TimelockNotice};

/// The name of the notification about the quota of new chats.
const QUOTA_UPDATE: &str = "MessageCappingInfoNotification";
/// The name of the notification about messages to new contacts.
const TIMELOCK_UPDATE: &str = "NotificationUserReachoutTimelockUpdate";

/// What a notification reports, if it is one of these.
pub(super) fn mex_notice(mex: &MexNotification) -> Option<SessionEvent> {
    timelock_notice(mex)
        .map(SessionEvent::Timelock)
        .or_else(|| quota_notice(mex).map(SessionEvent::NewChatQuota))
        .or_else(|| challenge(mex).map(SessionEvent::IntegrityChallenge))
}

/// The notification by which the server says that it refuses messages to new contacts,
/// or takes them again.
fn timelock_notice(mex: &MexNotification) -> Option<TimelockNotice> {
    if mex.op_name != TIMELOCK_UPDATE {
        return None;
    }
    let data = mex.payload.get("data").unwrap_or(&mex.payload);
    let lock = data.get("xwa2_notify_account_reachout_timelock")?;
    let ends = json_number(lock.get("time_enforcement_ends"));
    match lock.get("is_active")?.as_bool()? {
        true => Some(TimelockNotice::Active { until: ends.and_then(wall_ms) }),
        false => Some(TimelockNotice::Lifted),
    }
}

/// The server asks the account to prove itself. Known by its payload: under which name it
/// comes is not known.
fn challenge(mex: &MexNotification) -> Option<ChallengeKind> {
    let data = mex.payload.get("data").unwrap_or(&mex.payload);
    let kind = data.get("xwa2_notify_integrity_challenge")?.get("challenge_type");
    Some(match kind.and_then(|kind| kind.as_str()) {
        Some("PASSKEY") => ChallengeKind::Passkey,
        Some("CAPTCHA") => ChallengeKind::Captcha,
        Some(_) | None => ChallengeKind::Other,
    })
}

/// The answer to our question after a refusal; none: the server knows of no lock.
pub(crate) fn timelock_answer(lock: Option<&ReachoutTimelock>) -> ConnectionEvent {
    let notice = match lock.filter(|lock| lock.is_active == Some(true)) {
        Some(lock) => {
            let ends = lock.time_enforcement_ends.as_deref().and_then(|ends| ends.parse().ok());
            TimelockNotice::Active { until: ends.and_then(wall_ms) }
        }
        None => TimelockNotice::Lifted,
    };
    ConnectionEvent::Report(SessionEvent::Timelock(notice))
}

/// The notification by which the server says how many new chats the account may begin.
fn quota_notice(mex: &MexNotification) -> Option<QuotaNotice> {
    if mex.op_name != QUOTA_UPDATE {
        return None;
    }
    let data = mex.payload.get("data").unwrap_or(&mex.payload);
    quota(data.get("xwa2_notify_new_chat_messages_capping_info_update")?)
}

/// The answer to our question for the same, out of a whole response.
pub(crate) fn quota_answer(data: &serde_json::Value) -> Option<ConnectionEvent> {
    let notice = quota(data.get("xwa2_message_capping_info")?)?;
    Some(ConnectionEvent::Report(SessionEvent::NewChatQuota(notice)))
}

fn quota(info: &serde_json::Value) -> Option<QuotaNotice> {
    let count = |name| json_number(info.get(name)).and_then(|count| u32::try_from(count).ok());
    Some(QuotaNotice {
        level: match info.get("capping_status")?.as_str()? {
            "CAPPED" => QuotaLevel::UsedUp,
            "FIRST_WARNING" | "SECOND_WARNING" => QuotaLevel::Warning,
            _ => QuotaLevel::Fine,
        },
        used: count("used_quota"),
        total: count("total_quota"),
        until: json_number(info.get("cycle_end_timestamp")).and_then(wall_ms),
    })
}

/// Numbers come as such, or as text.
fn json_number(value: Option<&serde_json::Value>) -> Option<i64> {
    let value = value?;
    value.as_str().map_or(value.as_i64(), |text| text.parse().ok())
}

/// Unix seconds; 0 is none.
fn wall_ms(seconds: i64) -> Option<i64> {
    (seconds > 0).then(|| seconds.saturating_mul(1_000))
}
