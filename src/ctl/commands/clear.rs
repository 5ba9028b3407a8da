//! `clear`: shows what would be withdrawn, asks, withdraws.

use crate::cli::ClearArgs;
use crate::error::CommandError;
use crate::output::Output;
use crate::render::{chat, clean, messages};
use tetherd_api::call;
use tetherd_api::client::Client;
use tetherd_api::{ClearParams, ClearResult, Filter};

/// Most examples shown to people.
const EXAMPLES_SHOWN_MAX: usize = 10;

/// What to do where nobody can be asked.
const LOOK_FIRST: &str = "look with --dry-run, then add --yes";

pub(crate) async fn run(
    args: ClearArgs,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError> {
    let filter = args.filter.to_filter(&args.state, &args.id);
    if args.dry_run {
        return clear(filter, true, client, out).await.map(drop);
    }
    if !args.yes {
        if out.json() {
            return Err(CommandError::NeedsYes(LOOK_FIRST));
        }
        let found = clear(filter.clone(), true, client, out).await?;
        if found == 0 {
            return Ok(());
        }
        super::confirm(&format!("Withdraw {}?", messages(found)), LOOK_FIRST, out)?;
        // The examples have just been read.
        let params = ClearParams { filter, dry_run: false };
        let (result, _) = super::ask(client, call::QueueClear, &params).await?;
        let clock = out.clock();
        out.text(&summary(&result, 0))?;
        return out.text(&super::way_back(result.undo_until, &clock));
    }
    clear(filter, false, client, out).await.map(drop)
}

async fn clear(
    filter: Filter,
    dry_run: bool,
    client: &Client,
    out: &mut Output,
) -> Result<usize, CommandError> {
    let params = ClearParams { filter, dry_run };
    let (result, wire) = super::ask(client, call::QueueClear, &params).await?;
    if out.json() {
        out.json_line(&wire)?;
    } else {
        let clock = out.clock();
        out.text(&summary(&result, EXAMPLES_SHOWN_MAX))?;
        out.text(&super::way_back(result.undo_until, &clock))?;
    }
    Ok(result.cleared)
}

fn summary(result: &ClearResult, examples: usize) -> String {
    let count = messages(result.cleared);
    let mut text = match (result.cleared, result.dry_run) {
        (0, _) => String::from("no message matches\n"),
        (_, true) => format!("{count} would be withdrawn:\n"),
        (_, false) if examples == 0 => format!("{count} withdrawn\n"),
        (_, false) => format!("{count} withdrawn:\n"),
    };
    for example in result.examples.iter().take(examples) {
        let (to, preview) = (chat(&example.to), clean(&example.preview, false));
        text.push_str(&format!("  {} {to} {preview}\n", example.id));
    }
    let more = result.cleared.saturating_sub(result.examples.len().min(examples));
    if more > 0 && examples > 0 {
        text.push_str(&format!("  and {more} more\n"));
    }
    if !result.in_flight.is_empty() {
        let ids = super::ids(&result.in_flight);
        text.push_str(&format!("already on their way, and left alone: {ids}\n"));
    }
    text
}
