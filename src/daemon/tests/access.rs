//! Tiers, and the error of a denied caller.

use serde_json::json;
use tokio::net::UnixStream;

use super::support::{Fixture, Requests, stranger};
use crate::daemon::auth::{Access, AccessError, AccessGroups, KernelPeers, Peer, Peers};
use tetherd_api::{CONNECTIONS_MAX, Method, Tier};

fn grouped() -> Access {
    Access::resolve(&AccessGroups::from_names(Some("40001"), Some("40002"), Some("40003"))).unwrap()
}

fn peer(uid: u32, gid: u32, groups: &[u32]) -> Peer {
    Peer { uid, gid, groups: groups.to_vec() }
}

#[test]
fn the_highest_of_a_peers_groups_decides() {
    let access = grouped();
    assert_eq!(access.tier(&peer(stranger(0), 1_000, &[])), None);
    assert_eq!(access.tier(&peer(stranger(0), 40_001, &[])), Some(Tier::Read));
    assert_eq!(access.tier(&peer(stranger(0), 1_000, &[7, 40_002, 40_001])), Some(Tier::Send));
    assert_eq!(access.tier(&peer(stranger(0), 40_001, &[40_003])), Some(Tier::Admin));
}

#[test]
fn root_and_the_daemons_own_user_are_administrators() {
    let own = nix::unistd::Uid::effective().as_raw();
    for access in [Access::own_user_only(), grouped()] {
        assert_eq!(access.tier(&peer(0, 0, &[])), Some(Tier::Admin));
        assert_eq!(access.tier(&peer(own, 1, &[])), Some(Tier::Admin));
    }
}

#[test]
fn a_group_that_is_not_there_is_an_error() {
    let groups = AccessGroups::from_names(None, Some("no-such-group-here"), None);
    let error = Access::resolve(&groups).unwrap_err();
    assert!(matches!(error, AccessError::NoSuchGroup(name) if name == "no-such-group-here"));
}

#[test]
fn a_group_is_found_by_its_name() {
    let access = Access::resolve(&AccessGroups::from_names(None, None, Some("root"))).unwrap();
    assert_eq!(access.gids(), [0]);
}

#[test]
fn each_method_is_open_to_its_tier_and_above_only() {
    let access = grouped();
    for &method in Method::ALL {
        for caller in [None, Some(Tier::Read), Some(Tier::Send), Some(Tier::Admin)] {
            let allowed = access.check(caller, method).is_ok();
            assert_eq!(allowed, caller >= Some(method.tier()), "{caller:?} {method:?}");
        }
    }
}

#[tokio::test]
async fn a_denied_call_says_what_it_needs_what_the_caller_has_and_what_to_do() {
    let (fixture, _calls) = Fixture::with_access(grouped());
    fixture.peers.are(stranger(0), 1_000, &[40_001]);
    let mut raw = fixture.connect().await;
    let reply = raw.call("message.send", json!({"to": "+15550100", "text": "x"})).await;
    assert_eq!(reply["error"]["data"]["kind"], "denied");
    assert_eq!(reply["error"]["message"], "message.send needs the tier send; yours is read");
    assert_eq!(reply["error"]["data"]["remedy"], "add the user to group 40002");

    let (fixture, _calls) = Fixture::with_access(Access::own_user_only());
    fixture.peers.are(stranger(0), 1_000, &[40_001]);
    let mut raw = fixture.connect().await;
    // Said at once, and nothing is listened to.
    let reply = raw.read().await.unwrap();
    assert_eq!((&reply["id"], &reply["error"]["data"]["kind"]), (&json!(null), &json!("denied")));
    assert_eq!(reply["error"]["message"], "you have no access to this tetherd");
    assert_eq!(raw.read().await, None);
    let remedy = reply["error"]["data"]["remedy"].as_str().unwrap();
    assert!(remedy.contains("no group is configured"), "{remedy}");
}

#[tokio::test]
async fn the_kernel_tells_who_calls() {
    let (one, _other) = UnixStream::pair().unwrap();
    let peer = KernelPeers.peer(&one).unwrap();
    assert_eq!(peer.uid, nix::unistd::Uid::effective().as_raw());
    assert_eq!(peer.gid, nix::unistd::Gid::effective().as_raw());
    let mut own: Vec<u32> =
        nix::unistd::getgroups().unwrap().into_iter().map(nix::unistd::Gid::as_raw).collect();
    let mut groups = peer.groups;
    own.sort_unstable();
    groups.sort_unstable();
    assert_eq!(groups, own);
}

#[tokio::test]
async fn peers_without_a_tier_keep_no_places() {
    let (fixture, calls) = Fixture::with_access(Access::own_user_only());
    let _requests = Requests::answering(calls);
    let mut refused = Vec::new();
    for n in 0..u32::try_from(CONNECTIONS_MAX).unwrap() {
        fixture.peers.are(stranger(n / 8), 1_000, &[]);
        let mut raw = fixture.connect().await;
        assert_eq!(raw.read().await.unwrap()["error"]["data"]["kind"], "denied");
        // Whether they go or stay is the same.
        if n % 4 == 0 {
            refused.push(raw);
        }
    }
    fixture.peers.are(0, 0, &[]);
    let mut root = fixture.connect().await;
    assert!(root.call("status", json!({})).await["result"].is_object());
}
