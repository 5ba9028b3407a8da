//! What the daemon says of itself: its version, and what holds messages back.

use crate::doctor::contact::Contact;
use crate::doctor::finding::{Finding, Severity, Topic};
use crate::doctor::target::Target;
use tetherd_api::exit::ExitCode;
use tetherd_api::{
    Condition, ConditionKind, Explanation, PROTOCOL_VERSION, SessionState, Status, Version,
};
use tetherd_version as version;

/// What this program is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) version: String,
    pub(crate) protocol: u32,
    pub(crate) sim: bool,
    /// What its sources were, if the build knew it.
    pub(crate) revision: Option<String>,
}

impl Own {
    pub(crate) fn this() -> Own {
        Own {
            version: version::NUMBER.to_owned(),
            protocol: PROTOCOL_VERSION,
            sim: cfg!(feature = "sim"),
            revision: version::revision(),
        }
    }
}

/// What to say about the versions.
pub(crate) fn judge_version(
    own: &Own,
    contact: &Contact,
    replaced: bool,
    target: &Target,
) -> Vec<Finding> {
    const ABOUT: Topic = Topic::Version;
    let mut findings = Vec::new();
    if let Some(unread) = &contact.unread {
        let what = format!("An answer of the daemon is not understood: {unread}.");
        let remedy = format!("install one version of both programs; then {}", target.restart());
        findings
            .push(ABOUT.failure("answer_not_understood", ExitCode::Protocol, what).remedy(remedy));
    }
    findings.extend(contact.version.as_ref().map(|daemon| compared(own, daemon, target)));
    if replaced {
        let what = "The daemon runs a program that has been replaced on disk since.";
        findings.push(ABOUT.note("daemon_replaced", what).remedy(target.restart()));
    }
    if let Some(daemon) = &contact.version
        && daemon.sim
    {
        let what = "The daemon is a build with the simulator: it connects to this machine only.";
        // Both of one build: somebody tries it out.
        findings.push(if own.sim {
            ABOUT.note("simulator_build", what)
        } else {
            ABOUT.warning("simulator_build", what).remedy("install a build without the feature sim")
        });
    }
    findings
}

fn compared(own: &Own, daemon: &Version, target: &Target) -> Finding {
    const ABOUT: Topic = Topic::Version;
    let revision = daemon.revision.as_deref();
    let named = |version: &str, revision: Option<&str>| match revision {
        Some(revision) => format!("{version} ({revision})"),
        None => version.to_owned(),
    };
    let both = format!(
        "tetherd {}, tetherctl {}",
        named(&daemon.version, revision),
        named(&own.version, own.revision.as_deref())
    );
    if daemon.protocol != own.protocol {
        let what = format!(
            "The daemon speaks version {} of the contract, this program {} ({both}).",
            daemon.protocol, own.protocol
        );
        let remedy = format!("install one version of both programs; then {}", target.restart());
        return ABOUT.failure("contract_differs", ExitCode::Protocol, what).remedy(remedy);
    }
    // A build from a tarball knows no revision: then the numbers have to do.
    let other_sources = revision.zip(own.revision.as_deref()).is_some_and(|(a, b)| a != b);
    if daemon.version != own.version || other_sources {
        let what = format!("The versions differ: {both}. They understand each other.");
        return ABOUT.note("version_differs", what).remedy(target.restart());
    }
    ABOUT.ok("version_ok", format!("{both}, of one contract ({}).", own.protocol))
}

/// What to say about messages.
pub(crate) fn judge_messages(contact: &Contact, target: &Target) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(contact.status.as_ref().and_then(connected));
    if let Some(explanation) = &contact.explanation {
        findings.extend(held(explanation));
    }
    findings.extend(contact.status.as_ref().map(|status| secrets(status, target)));
    findings
}

fn connected(status: &Status) -> Option<Finding> {
    // What else it may be is among the conditions.
    (status.session.state == SessionState::Connected)
        .then(|| Topic::Messages.ok("session_connected", "The session is connected."))
}

fn held(explanation: &Explanation) -> Vec<Finding> {
    const ABOUT: Topic = Topic::Messages;
    let active = explanation.conditions.iter().filter(|condition| condition.active);
    let mut findings: Vec<Finding> = active.map(one_condition).collect();
    if findings.is_empty() {
        findings.push(ABOUT.ok("nothing_held", "Nothing holds messages back."));
    }
    findings
}

fn one_condition(condition: &Condition) -> Finding {
    let finding = match severity(condition.kind) {
        Severity::Ok => Topic::Messages.ok(condition.kind.name(), condition.why.clone()),
        Severity::Note => Topic::Messages.note(condition.kind.name(), condition.why.clone()),
        Severity::Warning | Severity::Failure => {
            Topic::Messages.warning(condition.kind.name(), condition.why.clone())
        }
    };
    finding.remedy("tetherctl why")
}

/// What passes by itself is a note; what waits for somebody is a warning. None is a failure:
/// the machine is well, and so is the program.
fn severity(kind: ConditionKind) -> Severity {
    match kind {
        ConditionKind::StoreTrouble
        | ConditionKind::DiskFull
        | ConditionKind::NotPaired
        | ConditionKind::LoggedOut
        | ConditionKind::Locked
        | ConditionKind::BannedForGood
        | ConditionKind::Banned
        | ConditionKind::ClientOutdated
        | ConditionKind::LoginDeclined
        | ConditionKind::ClientExpiresSoon
        | ConditionKind::IntegrityChallenge
        | ConditionKind::OtherSession
        | ConditionKind::LoginLimited
        | ConditionKind::StanzaUnacknowledged
        | ConditionKind::Disconnected
        | ConditionKind::PhoneOffline
        | ConditionKind::BatteryCritical
        | ConditionKind::Paused
        | ConditionKind::StaleBacklog
        | ConditionKind::AccountChanged
        | ConditionKind::ReachoutTimelock
        | ConditionKind::NewChatQuota
        | ConditionKind::RateLimited
        | ConditionKind::ClockJumped => Severity::Warning,
        ConditionKind::PhoneSilent
        | ConditionKind::OutsideHours
        | ConditionKind::BatteryLow
        | ConditionKind::NotOnNetwork
        | ConditionKind::TokenMissing
        | ConditionKind::NoDevice
        | ConditionKind::NumberUnchecked
        | ConditionKind::GroupTrouble
        | ConditionKind::GroupUnchecked
        | ConditionKind::LinkBroken
        | ConditionKind::LinkDoubtful
        | ConditionKind::FileTrouble
        | ConditionKind::FileUnderway
        | ConditionKind::Refused
        | ConditionKind::NotSendable
        | ConditionKind::NoAnswer
        | ConditionKind::NotBefore
        | ConditionKind::ShuttingDown
        | ConditionKind::Pacing => Severity::Note,
    }
}

fn secrets(status: &Status, target: &Target) -> Finding {
    const ABOUT: Topic = Topic::State;
    if status.store.sealed {
        return ABOUT.ok("secrets_sealed", "The session's secrets lie encrypted in the store.");
    }
    let what = "The session's secrets lie plain in the store: who copies it can be the account.";
    // Where the units look for the key.
    let credential = match target {
        Target::System => Some("tetherd".to_owned()),
        Target::Instance(name) => Some(format!("tetherd-{name}")),
        Target::User => None,
    };
    let remedy = match credential {
        Some(name) => format!(
            "head -c 32 /dev/urandom | install -D -m 600 /dev/stdin /etc/credstore/{name}.key; \
             then {}",
            target.restart()
        ),
        None => {
            "set key_file under [state] to a file of 32 random bytes, kept elsewhere".to_owned()
        }
    };
    ABOUT.note("secrets_plain", what).remedy(remedy)
}
