//! Who calls, and what they may do: by the configured groups, and by the daemon's word.

use nix::unistd::{Gid, Uid, User};

use crate::doctor::configuration::GroupSeen;
use crate::doctor::finding::{Finding, Topic};
use crate::doctor::target::Target;
use tetherd_api::Tier;
use tetherd_api::exit::ExitCode;

const ABOUT: Topic = Topic::Access;

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) user: String,
    pub(crate) uid: u32,
    /// The process's groups.
    pub(crate) groups: Vec<u32>,
    /// The groups that a new login would have.
    pub(crate) listed: Vec<u32>,
    /// What the configuration gives to whom; none: it is not known.
    pub(crate) configured: Option<Vec<GroupSeen>>,
    /// The daemon's user, if it is known.
    pub(crate) daemon_uid: Option<u32>,
    /// The daemon's word; none: it was not asked.
    pub(crate) granted: Option<Option<Tier>>,
    pub(crate) target: Target,
}

impl Facts {
    /// Asks the kernel and the user database who calls.
    pub(crate) fn gather(target: &Target) -> Facts {
        let uid = Uid::effective();
        let own = Gid::effective();
        let mut groups = nix::unistd::getgroups().unwrap_or_default();
        groups.push(own);
        let known = User::from_uid(uid).ok().flatten();
        let listed = known.as_ref().and_then(|user| {
            let name = std::ffi::CString::new(user.name.clone()).ok()?;
            nix::unistd::getgrouplist(&name, user.gid).ok()
        });
        let raw = |gids: Vec<Gid>| gids.into_iter().map(Gid::as_raw).collect();
        Facts {
            user: known.map_or_else(|| format!("user {uid}"), |user| user.name),
            uid: uid.as_raw(),
            groups: raw(groups),
            listed: raw(listed.unwrap_or_default()),
            configured: None,
            daemon_uid: None,
            granted: None,
            target: target.clone(),
        }
    }

    fn tier(&self, gids: &[u32]) -> Option<Tier> {
        if self.uid == 0 || self.daemon_uid == Some(self.uid) {
            return Some(Tier::Admin);
        }
        let groups = self.configured.iter().flatten();
        groups.filter(|g| g.gid.is_some_and(|gid| gids.contains(&gid))).map(|g| g.tier).max()
    }
}

fn has(tier: Option<Tier>) -> &'static str {
    match tier {
        None => "no rights",
        Some(Tier::Read) => "the tier read (look)",
        Some(Tier::Send) => "the tier send (look, and send)",
        Some(Tier::Admin) => "the tier admin (everything)",
    }
}

/// What to say about it.
pub(crate) fn judge(facts: &Facts) -> Vec<Finding> {
    let user = &facts.user;
    let expected = facts.tier(&facts.groups);
    let after_login = facts.tier(&facts.listed);
    let mut findings = Vec::new();
    match facts.granted {
        None if facts.configured.is_none() => {}
        None => {
            let what = format!("By the configuration, the user {user} has {}.", has(expected));
            findings.push(ABOUT.note("access_by_configuration", what));
        }
        Some(None) => findings.push(refused(facts, expected, after_login)),
        Some(tier) => {
            findings.push(ABOUT.ok("access_ok", format!("The user {user} has {}.", has(tier))));
        }
    }
    if after_login > expected && facts.granted != Some(None) {
        let what = format!(
            "The user {user} was added to a group after logging in: a new login has {}, this one {}.",
            has(after_login),
            has(expected)
        );
        findings.push(ABOUT.warning("access_needs_login", what).remedy("log out, and in again"));
    }
    let differs = facts.granted.flatten().is_some_and(|granted| Some(granted) != expected);
    if facts.configured.is_some() && differs {
        let what = format!(
            "The configuration gives the user {user} {}, and the daemon {}: it was started with another one.",
            has(expected),
            has(facts.granted.flatten())
        );
        findings.push(ABOUT.warning("access_differs", what).remedy(facts.target.restart()));
    }
    findings
}

fn refused(facts: &Facts, expected: Option<Tier>, after_login: Option<Tier>) -> Finding {
    let user = &facts.user;
    let what = format!("The daemon refuses the user {user}, who is in none of its groups.");
    let group = facts.configured.iter().flatten().find(|group| group.gid.is_some());
    let remedy = match (after_login, group) {
        // By the file it would not: the daemon was started with another one.
        _ if expected.is_some() => facts.target.restart(),
        (Some(_), _) => "log out, and in again: the login is older than the membership".to_owned(),
        (None, Some(group)) => {
            format!("usermod -aG {} {user}, then log in again", group.name)
        }
        (None, None) if facts.configured.is_some() => {
            format!("name a group under [socket] (group_send, ..), then {}", facts.target.restart())
        }
        (None, None) => "be made a member of a group that [socket] names".to_owned(),
    };
    ABOUT.failure("access_denied", ExitCode::NoPerm, what).remedy(remedy)
}
