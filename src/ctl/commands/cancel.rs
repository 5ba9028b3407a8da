//! `cancel`.

use crate::ctl::failure::Failure;
use crate::ctl::out::Out;
use crate::rpc::api::{CancelParams, MessageId};
use crate::rpc::call;
use crate::rpc::client::Client;

pub(crate) async fn run(
    ids: Vec<MessageId>,
    client: &Client,
    out: &mut Out,
) -> Result<(), Failure> {
    let (result, wire) =
        super::ask(client, call::QueueCancel, &CancelParams { ids, ..CancelParams::default() })
            .await?;
    if out.json() {
        out.json_line(&wire)?;
    } else if !result.cancelled.is_empty() {
        out.line(&format!("withdrawn: {}", super::ids(&result.cancelled)))?;
    }
    if !result.not_found.is_empty() {
        let ids = super::ids(&result.not_found);
        return Err(Failure::NotFound(format!("no such message: {ids}")));
    }
    if !result.not_cancelled.is_empty() {
        let left: Vec<String> = result
            .not_cancelled
            .iter()
            .map(|left| format!("{} is {}", left.id, left.state))
            .collect();
        return Err(Failure::No(format!("not withdrawn: {}", left.join(", "))));
    }
    Ok(())
}
