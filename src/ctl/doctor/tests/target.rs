//! Target daemon is looked at.

use std::path::Path;

use crate::doctor::target::{Asked, Rule, Target, environment, resolve, sockets};
use tetherd_config::Environment;

const NOTHING: Asked<'_> = Asked { socket: None, config: None };
const USERS: &str = "/run/user/1000/tetherd/control.sock";
const SYSTEMS: &str = "/run/tetherd/control.sock";

fn user() -> Environment {
    Environment {
        home: Some("/home/u".into()),
        xdg_runtime_dir: Some("/run/user/1000".into()),
        ..Environment::default()
    }
}

/// With these sockets listened at, and these paths there.
fn of(asked: Asked<'_>, env: &Environment, listens: &[&str], there: &[&str]) -> Target {
    let is_in = |list: &[&str], path: &Path| list.iter().any(|known| Path::new(known) == path);
    resolve(asked, env, |path| is_in(listens, path), |path| is_in(there, path))
}

#[test]
fn the_daemon_that_listens_is_looked_at_the_user_s_own_first() {
    assert_eq!(of(NOTHING, &user(), &[USERS, SYSTEMS], &[]), Target::User);
    assert_eq!(of(NOTHING, &user(), &[SYSTEMS], &["/home/u/.local/state/tetherd"]), Target::System);
}

#[test]
fn where_none_listens_it_is_the_one_that_left_traces_and_on_a_fresh_machine_the_user_s() {
    assert_eq!(of(NOTHING, &user(), &[], &["/home/u/.local/state/tetherd"]), Target::User);
    assert_eq!(of(NOTHING, &user(), &[], &["/etc/tetherd/tetherd.toml"]), Target::System);
    assert_eq!(of(NOTHING, &user(), &[], &[]), Target::User);
    // Without a session there is no place for a socket of one's own.
    assert_eq!(of(NOTHING, &Environment::default(), &[], &[]), Target::System);
    assert_eq!(of(NOTHING, &Environment::system(), &[], &[]), Target::System);
}

#[test]
fn what_is_named_tells_the_instance_or_was_started_by_hand() {
    let config = |path| Asked { config: Some(Path::new(path)), socket: None };
    let socket = |path| Asked { socket: Some(Path::new(path)), config: None };
    let office = Target::Instance("office".to_owned());
    for (asked, target) in [
        (config("/etc/tetherd/tetherd.toml"), Target::System),
        (config("/etc/tetherd/office.toml"), office.clone()),
        (config("/srv/t.toml"), Target::User),
        (socket(SYSTEMS), Target::System),
        (socket("/run/tetherd-office/control.sock"), office.clone()),
        (socket("/tmp/s"), Target::User),
    ] {
        assert_eq!(of(asked, &Environment::system(), &[], &[]), target, "{asked:?}");
    }
    let env = environment(&office, &user());
    assert_eq!(env.config_file(), Some(("/etc/tetherd/office.toml".into(), true)));
    assert_eq!(env.state_dir(), Some("/var/lib/tetherd-office".into()));
    assert_eq!(env.socket_path(), Some("/run/tetherd-office/control.sock".into()));
    assert_eq!(office.unit().as_deref(), Some("tetherd@office"));
}

#[test]
fn the_sockets_are_tetherctl_s_own_and_the_configured_one_where_it_is_another() {
    let user = user();
    let at = |asked, target: &Target, path| sockets(asked, &user, target, Some(Path::new(path)));
    assert_eq!(
        at(NOTHING, &Target::User, USERS),
        [(USERS.into(), Rule::User), (SYSTEMS.into(), Rule::System)]
    );
    assert_eq!(at(NOTHING, &Target::User, "/srv/s")[2], ("/srv/s".into(), Rule::Configured));
    let config = Asked { config: Some(Path::new("/srv/t.toml")), socket: None };
    assert_eq!(at(config, &Target::User, "/srv/s"), [("/srv/s".into(), Rule::Configured)]);
    let both = Asked { socket: Some(Path::new("/tmp/s")), ..config };
    assert_eq!(at(both, &Target::User, "/srv/s"), [("/tmp/s".into(), Rule::Named)]);
}
