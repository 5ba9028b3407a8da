//! The daemon and the caller: rights, versions, what holds messages back.

use serde_json::{Value, json};

use super::Case;
use crate::doctor::access;
use crate::doctor::configuration::GroupSeen;
use crate::doctor::contact::Contact;
use crate::doctor::daemon::{Own, judge_messages, judge_version};
use crate::doctor::socket::Answer;
use crate::doctor::target::Target;
use crate::test_server;
use tetherd_api::{ConditionKind, Tier, Version};

const SEND: u32 = 7;
const ADMIN: u32 = 8;

pub(super) fn access() -> Vec<Case> {
    use access::{Facts, judge};
    let group = |tier, name: &str, gid| GroupSeen { tier, name: name.to_owned(), gid: Some(gid) };
    let groups =
        vec![group(Tier::Send, "tetherd-send", SEND), group(Tier::Admin, "tetherd-admin", ADMIN)];
    let ada = |in_groups: &[u32], listed: &[u32], granted| Facts {
        user: "ada".to_owned(),
        uid: 1000,
        groups: in_groups.to_vec(),
        listed: listed.to_vec(),
        configured: Some(groups.clone()),
        daemon_uid: Some(990),
        granted,
        target: Target::System,
    };
    let root =
        Facts { user: "root".to_owned(), uid: 0, ..ada(&[0], &[0], Some(Some(Tier::Admin))) };
    let send = Some(Some(Tier::Send));
    let unknown = |granted| Facts { configured: None, ..ada(&[100], &[100], granted) };
    let no_groups = Facts { configured: Some(Vec::new()), ..ada(&[100], &[100], Some(None)) };
    vec![
        ("access: root", judge(&root)),
        ("access: a member", judge(&ada(&[100, SEND], &[100, SEND], send))),
        ("access: no member", judge(&ada(&[100], &[100], Some(None)))),
        ("access: no member, no groups", judge(&no_groups)),
        ("access: no member, configuration unknown", judge(&unknown(Some(None)))),
        ("access: a member since after the login", judge(&ada(&[100], &[100, SEND], Some(None)))),
        ("access: more after a new login", judge(&ada(&[SEND], &[SEND, ADMIN], send))),
        ("access: the daemon has other groups", judge(&ada(&[ADMIN], &[ADMIN], send))),
        ("access: the daemon knows other groups only", judge(&ada(&[ADMIN], &[ADMIN], Some(None)))),
        ("access: no daemon", judge(&ada(&[SEND], &[SEND], None))),
        ("access: no daemon, configuration unknown", judge(&unknown(None))),
    ]
}

fn contact() -> Contact {
    Contact {
        peer: None,
        answer: Answer::Yes,
        tier: Some(Tier::Read),
        version: None,
        status: None,
        explanation: None,
        unread: None,
    }
}

pub(super) fn version() -> Vec<Case> {
    let own = Own { version: "1.2.0".to_owned(), protocol: 1, sim: false, revision: None };
    let daemon = |version: &str, protocol, sim| {
        let version: Value =
            json!({ "name": "tetherd", "version": version, "protocol": protocol, "sim": sim });
        let version: Version = serde_json::from_value(version).unwrap();
        Contact { version: Some(version), ..contact() }
    };
    let judge = |contact: &Contact| judge_version(&own, contact, false, &Target::System);
    let sim = Own { sim: true, ..own.clone() };
    let of = |revision: &str| Own { revision: Some(revision.to_owned()), ..own.clone() };
    let from = |revision: &str| {
        let plain = daemon("1.2.0", 1, false);
        let revision = Some(revision.to_owned());
        Contact {
            version: plain.version.map(|version| Version { revision, ..version }),
            ..contact()
        }
    };
    let odd = Contact { unread: Some("missing field `queue`".to_owned()), ..contact() };
    vec![
        ("version: the same", judge(&daemon("1.2.0", 1, false))),
        ("version: another", judge(&daemon("1.1.0", 1, false))),
        (
            "version: from other sources",
            judge_version(&of("aaaa"), &from("bbbb"), false, &Target::System),
        ),
        (
            "version: from the same sources",
            judge_version(&of("aaaa"), &from("aaaa"), false, &Target::System),
        ),
        ("version: a newer contract", judge(&daemon("2.0.0", 2, false))),
        ("version: an answer that does not read", judge(&odd)),
        (
            "version: replaced on disk",
            judge_version(&own, &daemon("1.2.0", 1, false), true, &Target::User),
        ),
        ("version: with the simulator", judge(&daemon("1.2.0", 1, true))),
        (
            "version: both with the simulator",
            judge_version(&sim, &daemon("1.2.0", 1, true), false, &Target::User),
        ),
    ]
}

fn explained(conditions: &Value) -> Contact {
    let explanation = json!({ "summary": "s", "waiting": 0, "conditions": conditions });
    Contact {
        explanation: Some(serde_json::from_value(explanation).unwrap()),
        status: Some(serde_json::from_value(test_server::status()).unwrap()),
        ..contact()
    }
}

fn condition(kind: ConditionKind, active: bool) -> Value {
    json!({ "kind": kind.name(), "active": active, "holds": "all",
        "ends_by_itself": true, "why": format!("{} holds.", kind.name()),
        "evidence": [], "affected": { "count": 0, "ids": [] }, "by_itself": "Nothing." })
}

pub(super) fn messages() -> Vec<Case> {
    let quiet: Vec<Value> = ConditionKind::ALL.iter().map(|kind| condition(*kind, false)).collect();
    let all: Vec<Value> = ConditionKind::ALL.iter().map(|kind| condition(*kind, true)).collect();
    let sealed = {
        let status = test_server::with(
            test_server::status(),
            json!({ "store": { "sealed": true, "quarantined": 0 } }),
        );
        Contact { status: Some(serde_json::from_value(status).unwrap()), ..contact() }
    };
    vec![
        ("messages: quiet", judge_messages(&explained(&json!(quiet)), &Target::User)),
        ("messages: everything", judge_messages(&explained(&json!(all)), &Target::System)),
        ("messages: encrypted secrets", judge_messages(&sealed, &Target::System)),
        ("messages: not for this caller", judge_messages(&contact(), &Target::System)),
    ]
}
