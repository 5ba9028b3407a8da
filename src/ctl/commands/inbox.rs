//! `inbox`: what came in, page by page, and the file of one message.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{InboxArgs, InboxCommand};
use crate::error::CommandError;
use crate::output::Output;
use crate::render;
use tetherd_api::call;
use tetherd_api::client::Client;
use tetherd_api::{
    Gap, INBOX_LIST_MAX, InboxFileParams, InboxListParams, InboxListResult, Incoming,
};

/// How many are listed by default.
const NEWEST: usize = 20;
/// A file goes to stdout in pieces of so many bytes.
const PIECE_BYTES: usize = 64 * 1024;

pub(crate) async fn run(
    args: InboxArgs,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError> {
    match args.command {
        Some(InboxCommand::File { cursor, output }) => {
            file(cursor, output.as_deref(), client, out).await
        }
        None => list(args.after, args.limit, client, out).await,
    }
}

async fn list(
    after: Option<u64>,
    limit: Option<usize>,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError> {
    let (mut after, wanted) = match after {
        Some(after) => (Some(after), limit.unwrap_or(usize::MAX)),
        None => newest(limit.unwrap_or(NEWEST), client).await?,
    };
    let mut listed = Listed::default();
    while listed.messages.len() < wanted {
        let limit = (wanted - listed.messages.len()).min(INBOX_LIST_MAX);
        let params = InboxListParams { after, limit: Some(limit) };
        let (page, wire) = super::ask(client, call::InboxList, &params).await?;
        let last = page.messages.last().map(|message| message.cursor);
        let next = last.or(page.gap.map(|gap| gap.to));
        listed.take(page, wire);
        // A page that does not move on would be asked for again and again.
        if next <= after || next.is_none_or(|next| next >= listed.newest) {
            break;
        }
        after = next;
    }
    listed.print(out)
}

/// Where the newest so many begin.
async fn newest(count: usize, client: &Client) -> Result<(Option<u64>, usize), CommandError> {
    let params = InboxListParams { after: None, limit: Some(1) };
    let (page, _) = super::ask(client, call::InboxList, &params).await?;
    let InboxListResult { messages, newest, .. } = page;
    let oldest = messages.first().map_or(newest, |message| message.cursor.saturating_sub(1));
    let back = newest.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
    Ok((Some(back.max(oldest)), count))
}

#[derive(Default)]
struct Listed {
    messages: Vec<Incoming>,
    on_the_wire: Vec<Value>,
    gaps: Vec<Gap>,
    newest: u64,
}

impl Listed {
    fn take(&mut self, page: InboxListResult, mut wire: Value) {
        if let Some(Value::Array(list)) = wire.get_mut("messages").map(Value::take) {
            self.on_the_wire.extend(list);
        }
        self.messages.extend(page.messages);
        self.gaps.extend(page.gap);
        self.newest = page.newest;
    }

    fn print(self, out: &mut Output) -> Result<(), CommandError> {
        let Listed { messages, on_the_wire, gaps, newest } = self;
        if out.json() {
            return out
                .json_line(&json!({ "messages": on_the_wire, "gaps": gaps, "newest": newest }));
        }
        for Gap { from, to } in gaps {
            out.line(&format!("incoming messages {from} to {to} are kept no more"))?;
        }
        if messages.is_empty() {
            return out.line("no messages");
        }
        let clock = out.clock();
        for message in &messages {
            let at = clock.local(message.sent_at);
            out.line(&format!("{at} {}", render::incoming_line(message)))?;
        }
        Ok(())
    }
}

/// The daemon hands over a descriptor of the file; it goes to stdout, or to a new file.
async fn file(
    cursor: u64,
    output: Option<&Path>,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError> {
    let params = InboxFileParams { cursor, inline: false };
    let (_, fds) = client.call_with_fds(call::InboxFile, &params, &[]).await?;
    let Some(fd) = fds.into_iter().next() else {
        let sentence = "the daemon answered without the file";
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, sentence).into());
    };
    let mut from = File::from(fd);
    match output {
        Some(path) => {
            let mut file: File = OpenOptions::new().write(true).create_new(true).open(path)?;
            std::io::copy(&mut from, &mut file)?;
            Ok(file.sync_all()?)
        }
        None => {
            let mut piece = vec![0; PIECE_BYTES];
            loop {
                match from.read(&mut piece)? {
                    0 => return Ok(()),
                    count => out.bytes(&piece[..count])?,
                }
            }
        }
    }
}
