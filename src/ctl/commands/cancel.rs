//! `cancel`.

use crate::cli::CancelArgs;
use crate::error::CommandError;
use crate::output::Output;
use tetherd_api::call;
use tetherd_api::client::Client;
use tetherd_api::{CancelParams, CancelResult, State};

pub(crate) async fn run(
    args: CancelArgs,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError> {
    let named = !args.ids.is_empty();
    let filter = args.filter.to_filter(&args.state, &[]);
    let params = CancelParams { ids: args.ids, filter, dry_run: args.dry_run };
    let (result, wire) = super::ask(client, call::QueueCancel, &params).await?;
    if out.json() {
        out.json_line(&wire)?;
    } else {
        let clock = out.clock();
        out.text(&summary(&result, named))?;
        out.text(&super::way_back(result.undo_until, &clock))?;
    }
    if !result.not_found.is_empty() {
        let ids = super::ids(&result.not_found);
        return Err(CommandError::NotFound(format!("no such message: {ids}")));
    }
    // By conditions: it was not asked for by name, and stands in the summary.
    if !result.not_cancelled.is_empty() && named {
        return Err(CommandError::No(format!("not withdrawn: {}", left(&result))));
    }
    Ok(())
}

fn left(result: &CancelResult) -> String {
    let each = result.not_cancelled.iter();
    each.map(|left| format!("{} is {}", left.id, left.state)).collect::<Vec<_>>().join(", ")
}

fn summary(result: &CancelResult, named: bool) -> String {
    let mut text = String::new();
    if !result.cancelled.is_empty() {
        let would = if result.dry_run { "would be withdrawn" } else { "withdrawn" };
        text.push_str(&format!("{would}: {}\n", super::ids(&result.cancelled)));
    } else if !named {
        text.push_str("nothing that matches can be withdrawn\n");
    }
    if named {
        return text;
    }
    let on_their_way: Vec<_> = result
        .not_cancelled
        .iter()
        .filter(|left| matches!(left.state, State::Sending | State::Unknown))
        .map(|left| left.id)
        .collect();
    if !on_their_way.is_empty() {
        let ids = super::ids(&on_their_way);
        text.push_str(&format!("already on their way, and left alone: {ids}\n"));
    }
    text
}
