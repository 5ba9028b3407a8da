//! `queue`: the list, page by page.

use serde_json::{Value, json};

use crate::cli::QueueArgs;
use crate::error::CommandError;
use crate::output::Output;
use crate::render;
use tetherd_api::call;
use tetherd_api::client::Client;
use tetherd_api::{LIST_ENTRIES_MAX, ListParams, Message, MessageId};

pub(crate) async fn run(
    args: QueueArgs,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError> {
    let wanted = args.limit.unwrap_or(usize::MAX);
    let filter = args.filter.to_filter(&args.state, &[]);
    let mut messages: Vec<Message> = Vec::new();
    let mut on_the_wire: Vec<Value> = Vec::new();
    let mut after: Option<MessageId> = None;
    let total = loop {
        let limit = (wanted - messages.len()).min(LIST_ENTRIES_MAX);
        let params = ListParams { filter: filter.clone(), after, limit: Some(limit) };
        let (page, mut wire) = super::ask(client, call::QueueList, &params).await?;
        if let Some(Value::Array(list)) = wire.get_mut("messages").map(Value::take) {
            on_the_wire.extend(list);
        }
        messages.extend(page.messages);
        // A page that does not move on would be asked for again and again.
        let moves_on = page.next.is_some() && page.next > after;
        if !moves_on || messages.len() >= wanted {
            break page.total;
        }
        after = page.next;
    };
    if out.json() {
        return out.json_line(&json!({ "messages": on_the_wire, "total": total }));
    }
    if messages.is_empty() {
        return out.line("no messages");
    }
    let clock = out.clock();
    out.text(&render::queue(&messages, &clock))?;
    if messages.len() < total {
        out.line(&format!("{} of {total} shown", messages.len()))?;
    }
    Ok(())
}
