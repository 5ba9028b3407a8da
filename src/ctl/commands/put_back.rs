//! `restore` and `retry`: withdrawn and parked messages go back to where they were.

use serde_json::Value;

use super::{ask, ids};
use crate::cli::{RestoreArgs, RetryArgs};
use crate::error::CommandError;
use crate::output::Output;
use crate::render::messages;
use tetherd_api::client::Client;
use tetherd_api::{MessageId, RestoreParams, RetryParams, call};

pub(super) async fn restore(
    args: RestoreArgs,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError> {
    let filter = args.filter.to_filter(&args.state, &args.ids);
    let params = RestoreParams { filter, dry_run: args.dry_run };
    let (result, wire) = ask(client, call::QueueRestore, &params).await?;
    let words = Words {
        back: if result.dry_run { "would be back" } else { "back where they were" },
        nothing: "nothing that matches can be brought back",
        no_place: "there is no place for",
        stay: "stay withdrawn",
    };
    report(&result.restored, &result.no_place, words, &wire, out)
}

pub(super) async fn retry(
    args: RetryArgs,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError> {
    let filter = args.filter.to_filter(&[], &args.ids);
    let params = RetryParams { filter, anyway: args.anyway, dry_run: args.dry_run };
    let (result, wire) = ask(client, call::QueueRetry, &params).await?;
    let words = Words {
        back: if result.dry_run { "would be back in the queue" } else { "back in the queue" },
        nothing: "no parked message matches",
        no_place: "the queue has no place for",
        stay: "stay parked",
    };
    report(&result.requeued, &result.no_place, words, &wire, out)
}

struct Words {
    back: &'static str,
    nothing: &'static str,
    no_place: &'static str,
    stay: &'static str,
}

fn report(
    back: &[MessageId],
    no_place: &[MessageId],
    words: Words,
    wire: &Value,
    out: &mut Output,
) -> Result<(), CommandError> {
    if out.json() {
        out.json_line(wire)?;
    } else if !back.is_empty() {
        out.line(&format!("{}: {}", words.back, ids(back)))?;
    } else if no_place.is_empty() {
        out.line(words.nothing)?;
    }
    if no_place.is_empty() {
        return Ok(());
    }
    Err(CommandError::NotNow(format!(
        "{} {}, which {}; try again when some have left: {}",
        words.no_place,
        messages(no_place.len()),
        words.stay,
        ids(no_place)
    )))
}
