//! Whose daemon is looked at.

use std::path::Path;

use crate::doctor::subject::{Asked, Rule, Whose, environment, sockets, whose};
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
fn of(asked: Asked<'_>, env: &Environment, listens: &[&str], there: &[&str]) -> Whose {
    let is_in = |list: &[&str], path: &Path| list.iter().any(|known| Path::new(known) == path);
    whose(asked, env, |path| is_in(listens, path), |path| is_in(there, path))
}

#[test]
fn the_daemon_that_listens_is_looked_at_the_user_s_own_first() {
    assert_eq!(of(NOTHING, &user(), &[USERS, SYSTEMS], &[]), Whose::User);
    assert_eq!(of(NOTHING, &user(), &[SYSTEMS], &["/home/u/.local/state/tetherd"]), Whose::System);
}

#[test]
fn where_none_listens_it_is_the_one_that_left_traces_and_on_a_fresh_machine_the_user_s() {
    assert_eq!(of(NOTHING, &user(), &[], &["/home/u/.local/state/tetherd"]), Whose::User);
    assert_eq!(of(NOTHING, &user(), &[], &["/etc/tetherd/tetherd.toml"]), Whose::System);
    assert_eq!(of(NOTHING, &user(), &[], &[]), Whose::User);
    // Without a session there is no place for a socket of one's own.
    assert_eq!(of(NOTHING, &Environment::default(), &[], &[]), Whose::System);
    assert_eq!(of(NOTHING, &Environment::system(), &[], &[]), Whose::System);
}

#[test]
fn what_is_named_tells_the_instance_or_was_started_by_hand() {
    let config = |path| Asked { config: Some(Path::new(path)), socket: None };
    let socket = |path| Asked { socket: Some(Path::new(path)), config: None };
    let office = Whose::Instance("office".to_owned());
    for (asked, whose) in [
        (config("/etc/tetherd/tetherd.toml"), Whose::System),
        (config("/etc/tetherd/office.toml"), office.clone()),
        (config("/srv/t.toml"), Whose::User),
        (socket(SYSTEMS), Whose::System),
        (socket("/run/tetherd-office/control.sock"), office.clone()),
        (socket("/tmp/s"), Whose::User),
    ] {
        assert_eq!(of(asked, &Environment::system(), &[], &[]), whose, "{asked:?}");
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
    let at = |asked, whose: &Whose, path| sockets(asked, &user, whose, Some(Path::new(path)));
    assert_eq!(
        at(NOTHING, &Whose::User, USERS),
        [(USERS.into(), Rule::User), (SYSTEMS.into(), Rule::System)]
    );
    assert_eq!(at(NOTHING, &Whose::User, "/srv/s")[2], ("/srv/s".into(), Rule::Configured));
    let config = Asked { config: Some(Path::new("/srv/t.toml")), socket: None };
    assert_eq!(at(config, &Whose::User, "/srv/s"), [("/srv/s".into(), Rule::Configured)]);
    let both = Asked { socket: Some(Path::new("/tmp/s")), ..config };
    assert_eq!(at(both, &Whose::User, "/srv/s"), [("/tmp/s".into(), Rule::Named)]);
}
