//! Who may do what. Owns the way from a connection's peer to its tier. Credentials
//! are the kernel's, taken once when the connection is accepted; never a password,
//! never what the caller says of themselves.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::libc;
use nix::unistd::{Gid, Group, Uid};
use tokio::net::UnixStream;

use tetherd_api::{Error, ErrorKind, Method, Tier};
use tetherd_config::value::GroupRef;

/// Supplementary groups asked for at first.
const GROUPS_USUAL: usize = 64;
/// The kernel's own bound (NGROUPS_MAX).
const GROUPS_MAX: usize = 65_536;

/// Which groups have which tier, as configured. None: nobody but root and the
/// daemon's own user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessGroups {
    /// May read.
    pub read: Option<GroupRef>,
    /// May also send.
    pub send: Option<GroupRef>,
    /// May do everything.
    pub admin: Option<GroupRef>,
}

impl AccessGroups {
    /// From what the configuration says.
    pub fn from_names(read: Option<&str>, send: Option<&str>, admin: Option<&str>) -> Self {
        let [read, send, admin] = [read, send, admin].map(|group| group.map(GroupRef::from_text));
        AccessGroups { read, send, admin }
    }
}

/// Why the configured groups cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The name is not in the group database.
    #[error("there is no group `{0}`")]
    NoSuchGroup(String),
    /// The database could not be asked.
    #[error("cannot look up the group `{name}`: {source}")]
    Lookup {
        /// Which group.
        name: String,
        /// Why.
        source: nix::Error,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct KnownGroup {
    tier: Tier,
    gid: u32,
    name: String,
}

/// The rules, with names resolved.
#[derive(Clone, Debug)]
pub struct Access {
    own_uid: u32,
    /// Lowest tier first.
    groups: Vec<KnownGroup>,
}

impl Access {
    /// Only root and the daemon's own user.
    pub fn own_user_only() -> Self {
        Access { own_uid: Uid::effective().as_raw(), groups: Vec::new() }
    }

    /// Looks the groups up. Asks the system's group database, so at start only.
    pub fn resolve(groups: &AccessGroups) -> Result<Self, AccessError> {
        let mut access = Access::own_user_only();
        let tiers =
            [(Tier::Read, &groups.read), (Tier::Send, &groups.send), (Tier::Admin, &groups.admin)];
        for (tier, group) in tiers {
            if let Some(group) = group {
                access.groups.push(look_up(tier, group)?);
            }
        }
        Ok(access)
    }

    /// The groups that may connect, each once.
    pub fn gids(&self) -> Vec<u32> {
        let mut gids: Vec<u32> = self.groups.iter().map(|group| group.gid).collect();
        gids.sort_unstable();
        gids.dedup();
        gids
    }

    /// The peer's tier. None: no call is allowed.
    pub fn tier(&self, peer: &Peer) -> Option<Tier> {
        if peer.uid == 0 || peer.uid == self.own_uid {
            return Some(Tier::Admin);
        }
        let is_in = |gid| peer.gid == gid || peer.groups.contains(&gid);
        self.groups.iter().filter(|group| is_in(group.gid)).map(|group| group.tier).max()
    }

    /// Who calls, if they may call anything; if not, the error for them.
    pub(crate) fn caller(&self, peer: &Peer) -> Result<Caller, Error> {
        match self.tier(peer) {
            Some(tier) => Ok(Caller { uid: peer.uid, tier }),
            None => Err(self.denied("you have no access to this tetherd".to_owned(), Tier::Read)),
        }
    }

    /// Whether places are kept for this user: root, or the daemon's own.
    pub(crate) fn keeps_places_for(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own_uid
    }

    /// Whether a caller of this tier may call the method; if not, the error.
    pub fn check(&self, caller: Option<Tier>, method: Method) -> Result<(), Error> {
        let needed = method.tier();
        if caller >= Some(needed) {
            return Ok(());
        }
        let has = match caller {
            Some(tier) => format!("yours is {}", tier.name()),
            None => "you have none".to_string(),
        };
        Err(self
            .denied(format!("{} needs the tier {}; {has}", method.name(), needed.name()), needed))
    }

    fn denied(&self, sentence: String, needed: Tier) -> Error {
        let remedy = match self.groups.iter().find(|group| group.tier >= needed) {
            Some(group) => format!("add the user to group {}", group.name),
            None => format!(
                "ask an administrator; no group is configured for the tier {}",
                needed.name()
            ),
        };
        Error::new(ErrorKind::Denied, sentence).remedy(remedy)
    }
}

fn look_up(tier: Tier, group: &GroupRef) -> Result<KnownGroup, AccessError> {
    let failed = |name: &str, source| AccessError::Lookup { name: name.to_string(), source };
    match group {
        // A number needs no entry in the database; its name is for people only.
        GroupRef::Gid(gid) => {
            let found = Group::from_gid(Gid::from_raw(*gid)).ok().flatten();
            let name = found.map_or_else(|| gid.to_string(), |group| group.name);
            Ok(KnownGroup { tier, gid: *gid, name })
        }
        GroupRef::Name(name) => {
            let found = Group::from_name(name).map_err(|source| failed(name, source))?;
            let found = found.ok_or_else(|| AccessError::NoSuchGroup(name.clone()))?;
            Ok(KnownGroup { tier, gid: found.gid.as_raw(), name: found.name })
        }
    }
}

/// Who calls, as far as their calls are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Their user.
    pub(crate) uid: u32,
    /// What they may call.
    pub(crate) tier: Tier,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Their user.
    pub uid: u32,
    /// Their group.
    pub gid: u32,
    /// Their supplementary groups.
    pub groups: Vec<u32>,
}

/// Tells who is at the other end of a connection.
pub trait Peers: Send + Sync + fmt::Debug {
    /// The peer of this connection, as it was when it connected.
    fn peer(&self, stream: &UnixStream) -> io::Result<Peer>;
}

/// Asks the kernel: SO_PEERCRED and SO_PEERGROUPS.
#[derive(Clone, Copy, Debug)]
pub struct KernelPeers;

impl Peers for KernelPeers {
    fn peer(&self, stream: &UnixStream) -> io::Result<Peer> {
        let credentials = stream.peer_cred()?;
        let groups = peer_groups(stream.as_fd())?;
        Ok(Peer { uid: credentials.uid(), gid: credentials.gid(), groups })
    }
}

/// The supplementary groups that the peer's process really has. The user database
/// would not tell: it knows nothing of a unit's `SupplementaryGroups=`, and asking it
/// may block.
fn peer_groups(fd: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut groups = vec![0_u32; GROUPS_USUAL];
    loop {
        match read_peer_groups(fd, &mut groups) {
            Ok(count) => {
                groups.truncate(count);
                return Ok(groups);
            }
            Err((error, needed)) => {
                let grows = needed > groups.len() && needed <= GROUPS_MAX;
                // A kernel without this option: the peer's own group is all that is known.
                if error.raw_os_error() == Some(libc::ENOPROTOOPT) {
                    return Ok(Vec::new());
                }
                if error.raw_os_error() != Some(libc::ERANGE) || !grows {
                    return Err(error);
                }
                groups.resize(needed, 0);
            }
        }
    }
}

/// How many groups were written; or the error, and how many there are.
#[expect(unsafe_code, reason = "no safe wrapper of SO_PEERGROUPS exists in our dependencies")]
fn read_peer_groups(fd: BorrowedFd<'_>, groups: &mut [u32]) -> Result<usize, (io::Error, usize)> {
    let bytes = size_of_val(groups);
    let mut len = libc::socklen_t::try_from(bytes).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: the descriptor is open for the borrow's lifetime; `groups` is valid for
    // writes of `len` bytes, and any bytes are valid `u32`s; `len` outlives the call.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    let count = usize::try_from(len).unwrap_or(0) / size_of::<u32>();
    if result == 0 { Ok(count) } else { Err((io::Error::last_os_error(), count)) }
}
