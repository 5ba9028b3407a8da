//! What is around the daemon: configuration, state, units, sockets, clock, network.

use std::io;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;

use super::Case;
use crate::doctor::target::{Rule, Target};
use crate::doctor::{clock, configuration, network, service, socket, state};
use tetherd_api::Tier;
use tetherd_config::{Config, Environment};
use tetherd_net::connect::ResolveError;
use tetherd_net::endpoint::EndpointError;
use tetherd_net::reachability::{Reachability, ReachabilityError, TcpFault};
use tetherd_net::tls::TlsFault;
use tetherd_net::trust::TrustError;
use tetherd_state::KeyFileError;
use tetherd_state::inspect::{Filesystem, Format, Holder, Inside, Inspection};

const FILE: &str = "/etc/tetherd/tetherd.toml";

fn configured(text: &str) -> configuration::Facts {
    let env = Environment::system();
    configuration::Facts {
        file: Some(FILE.into()),
        seen: configuration::File::Seen { mode: 0o100_644 },
        loaded: Config::from_text(text, Some(Path::new(FILE)), &env),
        groups: Vec::new(),
        key: None,
        target: Target::System,
        root: true,
        dynamic_user: true,
    }
}

pub(super) fn configuration() -> Vec<Case> {
    use configuration::{Facts, File, GroupSeen, Key, judge};
    let group = |gid| GroupSeen { tier: Tier::Send, name: "tetherd-send".to_owned(), gid };
    let key = |read, mode| Some(Key { path: "/srv/key".into(), read, mode: Some(mode) });
    let length = || Err(KeyFileError::Length { path: "/srv/key".into(), bytes: 3 });
    let no_key = || {
        let source = io::ErrorKind::PermissionDenied.into();
        Err(KeyFileError::Io { path: "/srv/key".into(), source })
    };
    let good = || configured("");
    let pace = "[pacing]\nmessages = 50\n";
    let none = || Facts {
        seen: File::Missing,
        loaded: Config::from_text("", None, &Environment::system()),
        ..good()
    };
    vec![
        ("configuration: good", judge(&good())),
        ("configuration: not the socket's", vec![configuration::unknown()]),
        ("configuration: none", judge(&none())),
        ("configuration: none, and no place for one", judge(&Facts { file: None, ..none() })),
        ("configuration: wrong", judge(&configured("[pacing]\nmesages = 5\nwindow = 3\n"))),
        (
            "configuration: unwise",
            judge(&configured(if cfg!(feature = "sim") {
                "[pacing]\nmessages = 50\n[session]\nendpoint = \"wss://127.0.0.1:1/\"\n"
            } else {
                pace
            })),
        ),
        ("configuration: closed", judge(&Facts { seen: File::Closed, root: false, ..good() })),
        (
            "configuration: closed to the daemon's user",
            judge(&Facts { seen: File::Closed, root: false, target: Target::User, ..good() }),
        ),
        (
            "configuration: others may change it",
            judge(&Facts { seen: File::Seen { mode: 0o664 }, ..good() }),
        ),
        (
            "configuration: closed to the service",
            judge(&Facts { seen: File::Seen { mode: 0o640 }, ..good() }),
        ),
        (
            "configuration: a group that is not there",
            judge(&Facts { groups: vec![group(None), group(Some(7))], ..good() }),
        ),
        ("configuration: a key", judge(&Facts { key: key(Ok(()), 0o600), ..good() })),
        ("configuration: an open key", judge(&Facts { key: key(Ok(()), 0o644), ..good() })),
        ("configuration: no key", judge(&Facts { key: key(length(), 0o600), ..good() })),
        (
            "configuration: a key for others",
            judge(&Facts { key: key(no_key(), 0o600), root: false, ..good() }),
        ),
    ]
    .into_iter()
    // A build with the simulator has a warning of its own.
    .map(|(name, findings)| {
        let own = |what: &str| what.contains("a build with the simulator");
        (name, findings.into_iter().filter(|finding| !own(&finding.what)).collect())
    })
    .collect()
}

fn inspection() -> Inspection {
    let inside = Inside {
        holder: Holder::Process(42),
        format: Format::Known(1),
        copy: false,
        half_made: false,
        blobs: false,
    };
    Inspection {
        is_directory: true,
        owner: 990,
        mode: 0o700,
        free_bytes: 100 << 30,
        too_full_to_start: false,
        takes_files: true,
        filesystem: Filesystem::Disk,
        inside: Some(inside),
    }
}

fn seen(change: impl FnOnce(&mut Inspection, &mut Inside)) -> state::Facts {
    let mut inspection = inspection();
    let mut inside = inspection.inside.take().unwrap();
    change(&mut inspection, &mut inside);
    inspection.inside = Some(inside);
    around(state::Seen::There(inspection))
}

fn around(inspection: state::Seen) -> state::Facts {
    state::Facts {
        dir: "/var/lib/tetherd".into(),
        inspection,
        quota_left: 2 << 30,
        caller: 0,
        target: Target::System,
        installed: true,
        daemon_uid: Some(990),
        daemon: state::Daemon::Process(42),
    }
}

pub(super) fn state() -> Vec<Case> {
    use state::{Daemon, Facts, Seen, judge};
    let idle = |facts| Facts { daemon: Daemon::Silent, daemon_uid: None, ..facts };
    let on = |filesystem| judge(&seen(|inspection, _| inspection.filesystem = filesystem));
    let free = |bytes: u64| {
        judge(&seen(|inspection, _| {
            inspection.free_bytes = bytes;
            inspection.too_full_to_start = bytes < 4 << 20;
        }))
    };
    let format = |format| judge(&seen(|_, inside| inside.format = format));
    let unheld = |_: &mut Inspection, inside: &mut Inside| inside.holder = Holder::Nobody;
    let closed = || Inspection { inside: None, ..inspection() };
    let nfs = || around(Seen::Failed("no answer within 5 s".to_owned()));
    vec![
        ("state: in use", judge(&seen(|_, _| ()))),
        ("state: none yet", judge(&idle(around(Seen::Missing)))),
        ("state: none, and a daemon answers", judge(&around(Seen::Missing))),
        ("state: closed", judge(&around(Seen::Closed))),
        ("state: closed, but for its folder", judge(&around(Seen::There(closed())))),
        ("state: a disk that hangs", judge(&nfs())),
        ("state: a file", judge(&seen(|inspection, _| inspection.is_directory = false))),
        ("state: another's", judge(&seen(|inspection, _| inspection.owner = 0))),
        ("state: open", judge(&seen(|inspection, _| inspection.mode = 0o755))),
        (
            "state: root's by hand, and another's",
            judge(&Facts { installed: false, ..idle(seen(unheld)) }),
        ),
        (
            "state: a user's own, and root's",
            judge(&Facts { target: Target::User, caller: 1000, ..idle(seen(unheld)) }),
        ),
        ("state: nobody uses it", judge(&idle(seen(unheld)))),
        ("state: another daemon answers", judge(&seen(unheld))),
        (
            "state: nobody's as far as can be seen",
            judge(&Facts { daemon: Daemon::Somebody, ..seen(unheld) }),
        ),
        (
            "state: held by another than who answers",
            judge(&Facts { daemon: Daemon::Process(7), ..seen(|_, _| ()) }),
        ),
        (
            "state: held, and systemd listens",
            judge(&Facts { daemon: Daemon::Somebody, ..seen(|_, _| ()) }),
        ),
        (
            "state: held, and nobody answers",
            judge(&Facts { daemon: Daemon::Silent, ..seen(|_, _| ()) }),
        ),
        ("state: on NFS", on(Filesystem::Network("NFS"))),
        ("state: on FUSE", on(Filesystem::Fuse)),
        ("state: in memory", on(Filesystem::Memory)),
        ("state: on an overlay", on(Filesystem::Overlay)),
        ("state: a full disk", free(1 << 20)),
        ("state: a disk without room for a file", judge(&seen(|s, _| s.takes_files = false))),
        ("state: a nearly full disk", free(50 << 20)),
        ("state: a disk that is smaller than the quota", free(1 << 30)),
        ("state: a newer store", format(Format::Newer(2))),
        ("state: a damaged store", format(Format::Garbled)),
        (
            "state: a start that was cut off",
            judge(&idle(seen(|_, inside| {
                inside.holder = Holder::Nobody;
                inside.copy = true;
            }))),
        ),
        ("state: values in files of their own", judge(&seen(|_, inside| inside.blobs = true))),
    ]
}

pub(super) fn service() -> Vec<Case> {
    use service::{Facts, Unit, judge};
    let unit = |more: &str| {
        Unit::parse(&format!(
            "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n\
             ExecMainStatus=0\nMainPID=42\nNRestarts=0\nDynamicUser=yes\n{more}"
        ))
    };
    let both = |service: &str, socket: &str| {
        let (service, socket) = (unit(service), unit(socket));
        judge(Some(&Facts { name: "tetherd".to_owned(), service, socket }))
    };
    let stopped = "ActiveState=inactive\n";
    vec![
        ("service: no systemd", judge(None)),
        ("service: runs", both("", "")),
        ("service: not installed", both("LoadState=not-found\n", "LoadState=not-found\n")),
        ("service: starts with the first call", both(stopped, "")),
        ("service: stopped", both(stopped, stopped)),
        ("service: starts", both("ActiveState=activating\nSubState=start\n", "")),
        ("service: failed", both("ActiveState=failed\nExecMainStatus=78\n", "")),
        (
            "service: fails over and over",
            both("ActiveState=activating\nSubState=auto-restart\nExecMainStatus=9\n", ""),
        ),
        ("service: was restarted", both("NRestarts=3\nExecMainStatus=74\n", "")),
        ("service: without its socket", both("", stopped)),
        ("service: not at boot", both("UnitFileState=disabled\n", "UnitFileState=disabled\n")),
    ]
}

pub(super) fn socket() -> Vec<Case> {
    use socket::{Answer, Facts, File, Knock, Seen, judge};
    let open = File::Socket { mode: 0o666, uid: 0, gid: 0 };
    let seen = |path: &str, rule, file, knock| Seen { path: path.into(), rule, file, knock };
    let system = |file, knock| seen("/run/tetherd/control.sock", Rule::System, file, knock);
    let own = |file, knock| seen("/run/user/1000/tetherd/control.sock", Rule::User, file, knock);
    let facts = |seen: Vec<Seen>| Facts {
        seen,
        target: Target::System,
        configured: Some("/run/tetherd/control.sock".into()),
        groups: vec![(7, "tetherd-send".to_owned())],
        installed: true,
        answer: Some(Answer::Yes),
    };
    let answers = |answer| {
        judge(&Facts { answer: Some(answer), ..facts(vec![system(open, Knock::Listens)]) })
    };
    let by_hand = |seen| Facts { target: Target::User, installed: false, ..facts(seen) };
    let nobody = Knock::Nobody;
    vec![
        ("socket: answers", answers(Answer::Yes)),
        ("socket: hangs", answers(Answer::Late(5))),
        ("socket: speaks something else", answers(Answer::Garbled("no JSON".to_owned()))),
        ("socket: busy", answers(Answer::Busy("64 connections are open".to_owned()))),
        (
            "socket: none",
            judge(&by_hand(vec![own(File::Missing, nobody), system(File::Missing, nobody)])),
        ),
        ("socket: no place for one", judge(&by_hand(Vec::new()))),
        ("socket: stale", judge(&facts(vec![system(open, nobody)]))),
        ("socket: a file", judge(&facts(vec![system(File::Other, nobody)]))),
        (
            "socket: denied",
            judge(&facts(vec![system(
                File::Socket { mode: 0o660, uid: 0, gid: 7 },
                Knock::Denied,
            )])),
        ),
        ("socket: its folder denied", judge(&by_hand(vec![own(File::Closed, Knock::Denied)]))),
        ("socket: fails", judge(&facts(vec![system(open, Knock::Failed(Errno::EMFILE))]))),
        (
            "socket: closed to a group",
            judge(&facts(vec![system(
                File::Socket { mode: 0o600, uid: 0, gid: 0 },
                Knock::Listens,
            )])),
        ),
        (
            "socket: two daemons",
            judge(&Facts {
                configured: None,
                ..by_hand(vec![own(open, Knock::Listens), system(open, Knock::Listens)])
            }),
        ),
        (
            "socket: configured where nobody looks",
            judge(&Facts {
                configured: Some("/srv/s".into()),
                ..facts(vec![
                    system(File::Missing, nobody),
                    seen("/srv/s", Rule::Configured, open, Knock::Listens),
                ])
            }),
        ),
        (
            "socket: named, and not the configured one",
            judge(&facts(vec![seen("/srv/s", Rule::Named, open, Knock::Listens)])),
        ),
    ]
}

pub(super) fn clock() -> Vec<Case> {
    let at = |now_s, synchronised| vec![clock::judge(clock::Facts { now_s, synchronised })];
    let now = 1_780_000_000;
    vec![
        ("clock: good", at(now, Some(true))),
        ("clock: not synchronised", at(now, Some(false))),
        ("clock: unknown", at(now, None)),
        ("clock: behind", at(86_400, Some(true))),
        ("clock: ahead", at(4_000_000_000, None)),
        ("clock: nonsense", at(i64::MAX, None)),
    ]
}

pub(super) fn network() -> Vec<Case> {
    let ms = Duration::from_millis;
    let refused = TcpFault::Failed(io::ErrorKind::ConnectionRefused);
    let good = || Reachability {
        host: "server.example".to_owned(),
        port: 443,
        name: Ok(ms(2)),
        v4: Some(Ok(ms(10))),
        v6: Some(Ok(ms(11))),
        tls: Some(Ok(ms(30))),
    };
    let judge = |reach| network::judge(&Ok(reach), true);
    let name =
        |fault| judge(Reachability { name: Err(fault), v4: None, v6: None, tls: None, ..good() });
    let tcp = |v4, v6, tls| judge(Reachability { v4, v6, tls, ..good() });
    let tls = |fault| judge(Reachability { tls: Some(Err(fault)), ..good() });
    let wrong = |error: ReachabilityError| network::judge(&Err(error), true);
    vec![
        ("network: good", judge(good())),
        ("network: skipped", vec![network::skipped("--offline")]),
        ("network: endpoint", wrong(EndpointError::Scheme("wss").into())),
        ("network: authorities", wrong(TrustError::Empty.into())),
        (
            "network: authorities for others",
            network::judge(&Err(TrustError::Unreadable("x".to_owned()).into()), false),
        ),
        ("network: no such name", name(ResolveError::UnknownHost)),
        ("network: no resolver", name(ResolveError::NoResolver)),
        ("network: a name that leads away", name(ResolveError::OutsideLoopback)),
        ("network: refused", tcp(Some(Err(refused)), None, None)),
        ("network: nowhere", tcp(Some(Err(refused)), Some(Err(TcpFault::TimedOut)), None)),
        ("network: IPv4 only", tcp(Some(Ok(ms(9))), Some(Err(refused)), Some(Ok(ms(30))))),
        (
            "network: IPv6 only",
            tcp(Some(Err(TcpFault::TimedOut)), Some(Ok(ms(9))), Some(Ok(ms(30)))),
        ),
        ("network: not yet valid", tls(TlsFault::NotYetValid)),
        ("network: expired", tls(TlsFault::Expired)),
        ("network: unknown issuer", tls(TlsFault::UnknownIssuer)),
        ("network: wrong name", tls(TlsFault::WrongName)),
        ("network: bad certificate", tls(TlsFault::Certificate)),
        ("network: broken", tls(TlsFault::Protocol)),
        ("network: silent", tls(TlsFault::TimedOut)),
    ]
}
