//! `heartbeat`.

use crate::cli::HeartbeatArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::phone;
use tetherd_api::HeartbeatParams;
use tetherd_api::call;
use tetherd_api::client::Client;

pub(crate) async fn run(
    args: HeartbeatArgs,
    client: &Client,
    out: &mut Out,
) -> Result<(), Failure> {
    let HeartbeatArgs { battery, charging, not_charging, network, at, source } = args;
    let params = HeartbeatParams {
        battery_percent: battery,
        charging: (charging || not_charging).then_some(charging),
        network,
        at,
        source,
    };
    let (status, wire) = super::ask(client, call::PhoneHeartbeat, &params).await?;
    if out.json() {
        return out.json_line(&wire);
    }
    let clock = out.clock();
    out.text(&phone::lines(&status, &clock))
}
