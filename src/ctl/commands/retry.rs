//! `retry`.

use crate::cli::RetryArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::render::messages;
use tetherd_api::RetryParams;
use tetherd_api::call;
use tetherd_api::client::Client;

pub(crate) async fn run(args: RetryArgs, client: &Client, out: &mut Out) -> Result<(), Failure> {
    let params =
        RetryParams { filter: args.filter.to_filter(&[], &args.ids), dry_run: args.dry_run };
    let (result, wire) = super::ask(client, call::QueueRetry, &params).await?;
    if out.json() {
        out.json_line(&wire)?;
    } else if result.requeued.is_empty() && result.no_place.is_empty() {
        out.line("no parked message matches")?;
    } else if !result.requeued.is_empty() {
        let would = if result.dry_run { "would be back in the queue" } else { "back in the queue" };
        out.line(&format!("{would}: {}", super::ids(&result.requeued)))?;
    }
    if !result.no_place.is_empty() {
        return Err(Failure::NotNow(format!(
            "the queue has no place for {}, which stay parked; try again when some have left: {}",
            messages(result.no_place.len()),
            super::ids(&result.no_place)
        )));
    }
    Ok(())
}
