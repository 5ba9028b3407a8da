//! `restore`.

use crate::cli::RestoreArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::render::messages;
use tetherd_api::RestoreParams;
use tetherd_api::call;
use tetherd_api::client::Client;

pub(crate) async fn run(args: RestoreArgs, client: &Client, out: &mut Out) -> Result<(), Failure> {
    let filter = args.filter.to_filter(&args.state, &args.ids);
    let params = RestoreParams { filter, dry_run: args.dry_run };
    let (result, wire) = super::ask(client, call::QueueRestore, &params).await?;
    if out.json() {
        out.json_line(&wire)?;
    } else if result.restored.is_empty() && result.no_place.is_empty() {
        out.line("nothing that matches can be brought back")?;
    } else if !result.restored.is_empty() {
        let would = if result.dry_run { "would be back" } else { "back where they were" };
        out.line(&format!("{would}: {}", super::ids(&result.restored)))?;
    }
    if !result.no_place.is_empty() {
        return Err(Failure::NotNow(format!(
            "there is no place for {}, which stay withdrawn; try again when some have left: {}",
            messages(result.no_place.len()),
            super::ids(&result.no_place)
        )));
    }
    Ok(())
}
