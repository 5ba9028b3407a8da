//! A network that fails under load: nothing is lost or doubled, and the session is back soon
//! after it.
//!
//! Control: a network that never gets well again: what was accepted does not arrive.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::Protection;
use crate::judge::{PEOPLE, Readable, judge};
use crate::kills::{PACE, as_accepted, pass};
use crate::proxy::{Network, Proxy};
use crate::random::Random;
use crate::senders::Senders;
use crate::support::{DEADLINE, Daemon, Lab};
use crate::tally::Tally;

const OUTAGES: u64 = 6;
/// An outage lasts this long at most; a silent one until it is noticed.
const OUTAGE_MS: u64 = 1_500;
/// One silent outage in so many lasts until the daemon has noticed it.
const NOTICED_IN: u64 = 12;
const NOTICED_MAX: Duration = Duration::from_secs(60);
const LOOK_MS: u64 = 20;
/// The longest pause before the next connection. As shipped five minutes, and connections that log
/// in and break within 30 s, as here, come to that: the server is to see few logins.
const BACKOFF_CAP: &str = "backoff_cap = \"10s\"";
/// That, twice, and a login.
const BACK_MAX: Duration = Duration::from_secs(30);

pub(crate) fn round(random: &mut Random, protection: Protection, tally: &mut Tally) {
    let mut lab = Lab::new();
    lab.people(&PEOPLE);
    let server = lab.sim.endpoint.split('/').nth(2).unwrap().to_owned();
    let proxy = Proxy::start(&server);
    lab.sim.endpoint = lab.sim.endpoint.replace(&server, &proxy.address().to_string());
    let config = lab.config_with_session(PACE, BACKOFF_CAP);
    let mut daemon = Daemon::start(&config, &lab.socket());
    lab.pair(&daemon);
    if protection == Protection::Off {
        return never_well_again(&lab, &daemon, &proxy, tally);
    }
    let chats = PEOPLE.map(str::to_owned);
    let senders = Senders::start(&lab.socket(), &chats, random);
    for _ in 0..OUTAGES {
        outage(&mut daemon, &proxy, random, tally);
    }
    let accepted = senders.stop();
    judge(&lab, &daemon, (&accepted, Readable::AtOnce), tally);
}

fn choose(random: &mut Random) -> Network {
    match random.below(6) {
        0 => Network::Resets,
        1 => Network::BlackHole,
        2 => Network::HalfOpen,
        3 => Network::Trickle,
        4 => Network::Latency(random.below(400)),
        _ => Network::CutAfter(random.index(4_000)),
    }
}

fn outage(daemon: &mut Daemon, proxy: &Proxy, random: &mut Random, tally: &mut Tally) {
    let network = choose(random);
    proxy.set(network);
    tally.broken += 1;
    let silent = matches!(network, Network::BlackHole | Network::HalfOpen);
    if silent && random.below(NOTICED_IN) == 0 {
        let noticed = until(daemon, false, NOTICED_MAX + DEADLINE);
        tally.count("silent outages until noticed", 1);
        tally.largest("longest until noticed s", noticed.as_secs());
        if noticed > NOTICED_MAX {
            tally.wrong(format!("{network:?} was not noticed within {noticed:?}"));
        }
    } else {
        pass(daemon, random.below(OUTAGE_MS));
    }
    // What is under way when it gets well may be beyond help: that is noticed, too.
    proxy.set(Network::Resets);
    until(daemon, false, NOTICED_MAX + DEADLINE);
    proxy.set(Network::Good);
    let back = until(daemon, true, NOTICED_MAX + DEADLINE);
    tally.largest("longest until back ms", back.as_millis().try_into().unwrap());
    if back > BACK_MAX {
        tally.wrong(format!("{network:?}: not back within {back:?}"));
    }
}

/// Waits until the session is connected, or is not, at most this long; as long as that took.
pub(crate) fn until(daemon: &mut Daemon, connected: bool, at_most: Duration) -> Duration {
    let started = Instant::now();
    let is_so = |daemon: &Daemon| (daemon.status()["session"]["state"] == "connected") == connected;
    while !is_so(daemon) && started.elapsed() < at_most {
        pass(daemon, LOOK_MS);
    }
    started.elapsed()
}

fn never_well_again(lab: &Lab, daemon: &Daemon, proxy: &Proxy, tally: &mut Tally) {
    proxy.set(Network::Resets);
    let id = daemon.send(PEOPLE[0], "never");
    let accepted = [as_accepted(daemon, &id, PEOPLE[0])];
    // It waits, and would be waited for.
    daemon.call("queue.clear", json!({})).unwrap();
    crate::judge::arrivals(lab, (&accepted, Readable::AtOnce), tally);
}
