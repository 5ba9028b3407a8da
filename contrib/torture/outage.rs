//! Outages of half a minute and of minutes, with the pauses between attempts that a daemon has
//! when nobody sets them: the session is back soon after the network, at a price that is bounded,
//! and a connection that went silent is noticed. Nothing is lost or doubled.
//!
//! Control: the network stays away.

use std::time::{Duration, Instant};

use crate::Protection;
use crate::judge::{PEOPLE, Readable, judge};
use crate::kills::{PACE, as_accepted, pass};
use crate::network::until;
use crate::proxy::{Network, Proxy};
use crate::random::Random;
use crate::support::{Daemon, Lab};
use crate::tally::Tally;

/// After the network is back, the session is, within this time.
const BACK_MAX: Duration = Duration::from_secs(10);
/// A server that has said nothing for this long is asked for a sign of life.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// It has 10 s for its answer; the rest is for the connection's end, and this machine's.
const NOTICED_BESIDES: Duration = Duration::from_secs(15);
/// Attempts to connect in half a minute, and in each minute after it.
const ATTEMPTS_MAX: u64 = 40;
const ATTEMPTS_A_MINUTE_MAX: u64 = 20;
const HALF_A_MINUTE: Duration = Duration::from_secs(30);
/// What a test sets to save time, and a daemon has not.
const SET_BY_TESTS: &str = "backoff_first = \"100ms\"\nack_timeout = \"2s\"\n";

struct Outage {
    network: Network,
    time: Duration,
}

pub(crate) fn round(random: &mut Random, protection: Protection, tally: &mut Tally) {
    let mut lab = Lab::new();
    lab.people(&PEOPLE);
    let server = lab.sim.endpoint.split('/').nth(2).unwrap().to_owned();
    let proxy = Proxy::start(&server);
    lab.sim.endpoint = lab.sim.endpoint.replace(&server, &proxy.address().to_string());
    let config = lab.config(PACE);
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains(SET_BY_TESTS));
    std::fs::write(&config, text.replace(SET_BY_TESTS, "")).unwrap();
    let mut daemon = Daemon::start(&config, &lab.socket());
    lab.pair(&daemon);
    if protection == Protection::Off {
        proxy.set(Network::Resets);
        until(&mut daemon, false, BACK_MAX);
        return back(&mut daemon, &Network::Resets, tally);
    }
    let mut accepted = Vec::new();
    let minutes = |random: &mut Random| Duration::from_secs(120 + random.below(120));
    for outage in [
        Outage { network: Network::Resets, time: HALF_A_MINUTE },
        Outage { network: Network::BlackHole, time: HALF_A_MINUTE },
        Outage { network: Network::Resets, time: minutes(random) },
        Outage { network: Network::BlackHole, time: minutes(random) },
    ] {
        let nth = accepted.len();
        accepted.extend(PEOPLE.map(|person| {
            let id = daemon.send(person, &format!("before outage {nth}"));
            as_accepted(&daemon, &id, person)
        }));
        one(&mut daemon, &proxy, &outage, tally);
        // The next outage is not the last one going on, as it is soon after that.
        if !daemon.stop().success() {
            tally.wrong(format!("it did not end as it should: {}", daemon.log()));
        }
        daemon = Daemon::start(&config, &lab.socket());
        until(&mut daemon, true, BACK_MAX);
    }
    judge(&lab, &daemon, (&accepted, Readable::AtOnce), tally);
}

fn one(daemon: &mut Daemon, proxy: &Proxy, outage: &Outage, tally: &mut Tally) {
    let Outage { network, time } = outage;
    let (started, begun) = (Instant::now(), proxy.begun());
    proxy.set(*network);
    tally.broken += 1;
    let noticed = until(daemon, false, *time);
    if noticed < *time {
        tally.largest("longest until noticed ms", noticed.as_millis().try_into().unwrap());
    }
    if noticed > KEEPALIVE + NOTICED_BESIDES {
        tally.wrong(format!("{network:?}: not noticed within {noticed:?}"));
    }
    while let Some(left) = time.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        pass(daemon, left.min(Duration::from_secs(1)).as_millis().try_into().unwrap());
    }
    let attempts = proxy.begun() - begun;
    let minutes = time.saturating_sub(HALF_A_MINUTE).as_secs().div_ceil(60);
    tally.largest(most_attempts(*time), attempts);
    if attempts > ATTEMPTS_MAX + minutes * ATTEMPTS_A_MINUTE_MAX {
        tally.wrong(format!("{network:?}: {attempts} attempts to connect in {time:?}"));
    }
    proxy.set(Network::Good);
    back(daemon, network, tally);
}

fn most_attempts(time: Duration) -> &'static str {
    if time > HALF_A_MINUTE { "most attempts in minutes" } else { "most attempts in 30 s" }
}

fn back(daemon: &mut Daemon, after: &Network, tally: &mut Tally) {
    let back = until(daemon, true, BACK_MAX * 2);
    tally.largest("longest until back ms", back.as_millis().try_into().unwrap());
    if back > BACK_MAX {
        tally.wrong(format!("{after:?}: not back within {back:?}"));
    }
}
