//! `metrics`: the status as OpenMetrics, for node_exporter's textfile collector. A daemon that
//! does not answer is an answer: `tetherd_up` is 0.

use crate::error::CommandError;
use crate::output::Output;
use tetherd_api::client::{Client, ClientError};
use tetherd_api::{ListParams, Message, NoParams, Status, Time, call};
use tetherd_metrics::{Known, oldest, text};

pub(crate) async fn run(
    client: Result<Client, CommandError>,
    daemon: &str,
    out: &mut Output,
) -> Result<(), CommandError> {
    let now = Time(out.clock().now_ms);
    let asked = match client {
        Ok(client) => ask(&client).await,
        Err(error) => Err(error),
    };
    let (status, live) = match asked {
        Ok((status, live)) => (Some(status), live),
        Err(error) if is_silence(&error) => (None, Vec::new()),
        Err(error) => return Err(error),
    };
    let known = Known { daemon, status: status.as_ref(), oldest: oldest(&live) };
    out.text(&text(&[known], None, now, None))
}

async fn ask(client: &Client) -> Result<(Status, Vec<Message>), CommandError> {
    let status = client.call(call::Status, &NoParams {}).await?;
    let live = client.call(call::QueueList, &ListParams::default()).await?;
    Ok((status, live.messages))
}

/// No daemon, or one that does not answer. A caller without rights is something else.
fn is_silence(error: &CommandError) -> bool {
    matches!(
        error,
        CommandError::NoDaemon(_)
            | CommandError::Connect { .. }
            | CommandError::Client(ClientError::Timeout(_) | ClientError::Closed)
    )
}
