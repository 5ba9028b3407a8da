//! Another client than ours against the simulator: Baileys, as it is on npm. The simulator is a
//! server for every client, and what only ours is tested with would be a server for ours.
//!
//! Left out, and it says so, where there is no node, or no folder with Baileys in its
//! `node_modules`, which `TETHERD_BAILEYS` names (see CONTRIBUTING.md).

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{SimServer, lacks_client};

#[test]
fn baileys_does_with_the_simulator_what_it_does_with_the_network() {
    if let Some(why) = lacks_client("TETHERD_BAILEYS") {
        return eprintln!("skipped: {why}");
    }
    let folder = tempfile::tempdir().unwrap();
    let sim = SimServer::start(folder.path());
    let output = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/baileys.mjs"))
        .args([std::env::var_os("TETHERD_BAILEYS").unwrap(), (&sim.ready).into()])
        .env("NODE_EXTRA_CA_CERTS", &sim.ca_file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert_eq!(out.lines().last(), Some("done"), "{out}\n{err}");
}
