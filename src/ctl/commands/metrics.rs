//! `metrics`: the status as OpenMetrics, for node_exporter's textfile collector. A daemon that
//! does not answer is an answer: `tetherd_up` is 0.

use crate::error::CommandError;
use crate::output::Output;
use tetherd_api::call;
use tetherd_api::client::Client;
use tetherd_api::{ListParams, NoParams, Time};
use tetherd_metrics::{Known, oldest, text};

pub(crate) async fn run(
    client: Result<Client, CommandError>,
    daemon: &str,
    out: &mut Output,
) -> Result<(), CommandError> {
    let now = Time(out.clock().now_ms);
    let Ok(client) = client else {
        let known = Known { daemon, status: None, oldest: None };
        return out.text(&text(&[known], None, now, None));
    };
    let status = client.call(call::Status, &NoParams {}).await?;
    let live = client.call(call::QueueList, &ListParams::default()).await?;
    let known = Known { daemon, status: Some(&status), oldest: oldest(&live.messages) };
    out.text(&text(&[known], None, now, None))
}
