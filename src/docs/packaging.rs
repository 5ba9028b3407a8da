//! What the Debian package brings agrees with the code and with its own parts.

use std::path::Path;

use tetherd_config::{Config, Environment};

const CONFFILE: &str = include_str!("../../contrib/debian/tetherd.toml");
const SYSUSERS: &str = include_str!("../../systemd/sysusers.d/tetherd.conf");
const CHANGELOG: &str = include_str!("../../contrib/debian/changelog");
const COPYRIGHT: &str = include_str!("../../contrib/debian/copyright");
const LICENSE: &str = include_str!("../../LICENSE");

#[test]
fn the_installed_configuration_equals_the_defaults_but_for_the_groups_that_the_package_makes() {
    let path = Some(Path::new("/etc/tetherd/tetherd.toml"));
    let read = |text: &str| Config::from_text(text, path, &Environment::system()).unwrap();
    let mut config = read(CONFFILE).config;
    let groups = [config.socket.group_send.take(), config.socket.group_admin.take()];
    assert_eq!(config, Config::default());

    let made: Vec<_> = SYSUSERS
        .lines()
        .filter_map(|line| line.strip_prefix('g'))
        .filter_map(|rest| rest.split_whitespace().next().map(str::to_owned))
        .collect();
    assert_eq!(groups.map(Option::unwrap).to_vec(), made);

    // What is commented out is a key with its default, too.
    let uncommented = CONFFILE.replace("\n#group_read", "\ngroup_read");
    assert_ne!(uncommented, CONFFILE);
    assert_eq!(read(&uncommented).config, read(CONFFILE).config);
}

#[test]
fn the_package_s_changelog_begins_with_this_version() {
    let first = format!("tetherd ({}-1) ", tetherd_version::NUMBER);
    assert!(CHANGELOG.starts_with(&first), "contrib/debian/changelog does not begin with {first}");
}

#[test]
fn the_package_s_copyright_has_the_whole_licence() {
    let mut licence = String::from("License: AGPL-3.0-or-later\n");
    for line in LICENSE.trim_end().lines() {
        let line = if line.trim().is_empty() { "." } else { line };
        licence.push_str(&format!(" {line}\n"));
    }
    assert!(COPYRIGHT.contains(&licence));
}
