//! `version`: this program's, and the daemon's if there is one.

use serde_json::json;

use crate::ctl::failure::Failure;
use crate::ctl::out::Out;
use crate::rpc::api::{NoParams, PROTOCOL_VERSION};
use crate::rpc::call;
use crate::rpc::client::Client;

pub(crate) async fn run(client: Result<Client, Failure>, out: &mut Out) -> Result<(), Failure> {
    let own = env!("CARGO_PKG_VERSION");
    if !out.json() {
        out.line(&format!("tetherctl {own} (protocol {PROTOCOL_VERSION})"))?;
    }
    let (version, wire) = super::ask(&client?, call::Version, &NoParams {}).await?;
    if out.json() {
        let client = json!({ "name": "tetherctl", "version": own, "protocol": PROTOCOL_VERSION });
        return out.json_line(&json!({ "client": client, "daemon": wire }));
    }
    let sim = if version.sim { ", with the simulator: connects to loopback only" } else { "" };
    out.line(&format!("{} {} (protocol {}{sim})", version.name, version.version, version.protocol))
}
