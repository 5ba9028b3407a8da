//! The way to the server: its name, TCP, TLS. From where the doctor runs, and as who calls:
//! a service's own rules may be stricter.

use std::io::ErrorKind;
use std::time::Duration;

use crate::doctor::finding::{Finding, Topic};
use tetherd_api::exit::ExitCode;
use tetherd_config::Config;
use tetherd_net::connect::ResolveError;
use tetherd_net::reachability::{Reachability, ReachabilityError, TcpFault, measure};
use tetherd_net::tls::TlsFault;
use tetherd_net::trust::TrustError;

const ABOUT: Topic = Topic::Network;

/// What became of it.
pub(crate) type Facts = Result<Reachability, ReachabilityError>;

/// Goes the way, with this much time for each step.
pub(crate) async fn gather(config: &Config, limit: Duration) -> Facts {
    measure(&config.session.endpoint, config.session.ca_file.as_deref(), limit).await
}

/// Where the way is not to be tried, or not known.
pub(crate) fn skipped(why: &str) -> Finding {
    ABOUT.note("network_not_checked", format!("The way to the server was not tried: {why}."))
}

/// What to say about it.
/// `is_daemons`: whether what the caller may read, the daemon may.
pub(crate) fn judge(facts: &Facts, is_daemons: bool) -> Vec<Finding> {
    let reach = match facts {
        Err(ReachabilityError::Trust(TrustError::Unreadable(_))) if !is_daemons => {
            let finding = skipped("ca_file is not for this user to read");
            return vec![finding.remedy("sudo tetherctl doctor")];
        }
        Ok(reach) => reach,
        Err(ReachabilityError::Endpoint(error)) => {
            let what = format!("[session] endpoint: {error}.");
            let finding = ABOUT.failure("endpoint_unusable", ExitCode::Config, what);
            return vec![finding.remedy("correct endpoint under [session], or leave it out")];
        }
        Err(ReachabilityError::Trust(error)) => {
            let what = format!("[session] ca_file: {error}.");
            let remedy = "correct ca_file, or make the file readable";
            return vec![ABOUT.failure("ca_file", ExitCode::Config, what).remedy(remedy)];
        }
    };
    let took = match reach.name {
        Ok(took) => took,
        Err(fault) => return vec![no_name(reach, fault)],
    };
    let connected =
        [&reach.v4, &reach.v6].into_iter().flatten().filter_map(|tcp| tcp.as_ref().ok());
    let Some(tcp) = connected.min() else { return vec![no_connection(reach)] };
    let mut findings = vec![match reach.tls {
        Some(Ok(tls)) => {
            let [name, tcp, tls] = [took, *tcp, tls].map(|took| took.as_millis());
            let what = format!(
                "{} answers, and its certificate verifies (name {name} ms, TCP {tcp} ms, TLS {tls} \
                 ms).",
                reach.host
            );
            ABOUT.ok("network_ok", what)
        }
        Some(Err(fault)) => no_tls(reach, fault),
        // Somebody answered on TCP, so it was tried.
        None => ABOUT.note("network_not_checked", "TLS was not tried."),
    }];
    for (name, id, family) in [("IPv4", "ipv4_fails", &reach.v4), ("IPv6", "ipv6_fails", &reach.v6)]
    {
        if let Some(Err(fault)) = family {
            let what = format!(
                "{} is not reachable over {name} ({}); the other way works.",
                reach.host,
                why(*fault)
            );
            findings.push(ABOUT.note(id, what));
        }
    }
    findings
}

fn no_name(reach: &Reachability, fault: ResolveError) -> Finding {
    let host = &reach.host;
    match fault {
        ResolveError::UnknownHost => {
            let what = format!("There is no such name as {host}, says the resolver.");
            let remedy = format!("getent ahosts {host}; then correct /etc/resolv.conf or endpoint");
            ABOUT.failure("name_unknown", ExitCode::Unavailable, what).remedy(remedy)
        }
        ResolveError::NoResolver => {
            let what = format!("The resolver does not answer for {host}: no network, or no DNS.");
            let remedy = format!("ip route; then getent ahosts {host}");
            ABOUT.failure("no_resolver", ExitCode::Unavailable, what).remedy(remedy)
        }
        ResolveError::OutsideLoopback => {
            let what = format!("{host} leads out of this machine, where this build may not go.");
            ABOUT
                .failure("endpoint_unusable", ExitCode::Config, what)
                .remedy("use a build without the feature sim for the real network")
        }
    }
}

fn no_connection(reach: &Reachability) -> Finding {
    let (host, port) = (&reach.host, reach.port);
    let families = [("IPv4", &reach.v4), ("IPv6", &reach.v6)];
    let whys: Vec<String> = families
        .into_iter()
        .filter_map(|(name, tcp)| Some((name, tcp.as_ref()?.err()?)))
        .map(|(name, fault)| format!("{name}: {}", why(fault)))
        .collect();
    let what = format!("{host} takes no connection on port {port} ({}).", whys.join("; "));
    let remedy = format!("let TCP port {port} out in the firewall; the daemon uses no proxy");
    ABOUT.failure("no_connection", ExitCode::Unavailable, what).remedy(remedy)
}

fn why(fault: TcpFault) -> String {
    match fault {
        TcpFault::Failed(ErrorKind::ConnectionRefused) => "refused".to_owned(),
        TcpFault::Failed(kind) => kind.to_string(),
        TcpFault::TimedOut => "no answer".to_owned(),
    }
}

fn no_tls(reach: &Reachability, fault: TlsFault) -> Finding {
    let host = &reach.host;
    let (id, what, remedy) = match fault {
        TlsFault::NotYetValid => (
            "certificate_not_yet_valid",
            format!("The certificate of {host} begins in the future: the clock is behind."),
            "timedatectl set-ntp true",
        ),
        TlsFault::Expired => (
            "certificate_expired",
            format!("The certificate of {host} has expired, or the clock is ahead."),
            "date; then timedatectl set-ntp true",
        ),
        TlsFault::UnknownIssuer => (
            "certificate_unknown_issuer",
            format!("Nobody who is trusted has signed the certificate of {host}."),
            "apt install ca-certificates; if something between looks into TLS, take the daemon out",
        ),
        TlsFault::WrongName => (
            "certificate_wrong_name",
            format!("The certificate that comes for {host} is somebody else's."),
            "see whom the name leads to: getent ahosts, and what stands between",
        ),
        TlsFault::Certificate => (
            "certificate_bad",
            format!("The certificate of {host} does not verify."),
            "see whom the name leads to: getent ahosts, and what stands between",
        ),
        TlsFault::Refused(_) | TlsFault::Protocol | TlsFault::Broken(_) => (
            "tls_broken",
            format!("{host} takes connections, and TLS breaks off."),
            "something between may not let TLS through: look at the firewall",
        ),
        TlsFault::TimedOut => (
            "tls_silent",
            format!("{host} takes connections, and does not answer in TLS."),
            "something between may not let TLS through: look at the firewall, and the MTU",
        ),
    };
    ABOUT.failure(id, ExitCode::Unavailable, what).remedy(remedy)
}

/// How long each step may take.
pub(crate) const STEP_LIMIT: Duration = Duration::from_secs(5);
