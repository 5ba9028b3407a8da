//! `version`: this program's, and the daemon's if there is one.

use serde_json::json;

use crate::error::CommandError;
use crate::output::Output;
use tetherd_api::call;
use tetherd_api::client::Client;
use tetherd_api::{NoParams, PROTOCOL_VERSION};
use tetherd_version as version;

pub(crate) async fn run(
    client: Result<Client, CommandError>,
    out: &mut Output,
) -> Result<(), CommandError> {
    let revision = version::revision();
    if !out.json() {
        let built = built(revision.as_deref(), PROTOCOL_VERSION);
        out.line(&format!("tetherctl {} ({built})", version::NUMBER))?;
    }
    let (daemon, wire) = super::ask(&client?, call::Version, &NoParams {}).await?;
    if out.json() {
        let mut own = json!({
            "name": "tetherctl", "version": version::NUMBER, "protocol": PROTOCOL_VERSION
        });
        if let Some(revision) = revision {
            own["revision"] = revision.into();
        }
        return out.json_line(&json!({ "client": own, "daemon": wire }));
    }
    let built = built(daemon.revision.as_deref(), daemon.protocol);
    let sim = if daemon.sim { ", with the simulator: connects to loopback only" } else { "" };
    out.line(&format!("{} {} ({built}{sim})", daemon.name, daemon.version))
}

/// What a build was made from and what it speaks.
fn built(revision: Option<&str>, protocol: u32) -> String {
    match revision {
        Some(revision) => format!("revision {revision}, protocol {protocol}"),
        None => format!("protocol {protocol}"),
    }
}
