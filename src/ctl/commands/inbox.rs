//! `inbox`: what came in, page by page, and the file of one message.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::ctl::cli::{InboxArgs, InboxCommand};
use crate::ctl::failure::Failure;
use crate::ctl::out::Out;
use crate::ctl::render;
use crate::rpc::api::{
    Gap, INBOX_LIST_MAX, InboxFileParams, InboxListParams, InboxListResult, Incoming,
};
use crate::rpc::call;
use crate::rpc::client::Client;

/// How many are listed unless told otherwise.
const NEWEST: usize = 20;

pub(crate) async fn run(args: InboxArgs, client: &Client, out: &mut Out) -> Result<(), Failure> {
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
    out: &mut Out,
) -> Result<(), Failure> {
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
    listed.tell(out)
}

/// Where the newest so many begin.
async fn newest(count: usize, client: &Client) -> Result<(Option<u64>, usize), Failure> {
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

    fn tell(self, out: &mut Out) -> Result<(), Failure> {
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

async fn file(
    cursor: u64,
    output: Option<&Path>,
    client: &Client,
    out: &mut Out,
) -> Result<(), Failure> {
    let params = InboxFileParams { cursor, inline: true };
    let (result, _) = super::ask(client, call::InboxFile, &params).await?;
    let content = result.base64.as_deref().and_then(from_base64).unwrap_or_default();
    match output {
        Some(path) => {
            let mut file: File = OpenOptions::new().write(true).create_new(true).open(path)?;
            Ok(file.write_all(&content)?)
        }
        None => out.bytes(&content),
    }
}

/// With padding; none for anything else.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.as_bytes().chunks(4) {
        let padding = group.iter().rev().take_while(|byte| **byte == b'=').count();
        if group.len() != 4 || padding > 2 {
            return None;
        }
        let mut bits = 0_u32;
        for byte in group {
            bits = bits << 6 | u32::from(if *byte == b'=' { 0 } else { digit(*byte)? });
        }
        let three = bits.to_be_bytes();
        bytes.extend_from_slice(three.get(1..4 - padding)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_reads_with_its_padding_only() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo")] {
            assert_eq!(from_base64(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(from_base64("Zg="), None);
        assert_eq!(from_base64("Z!=="), None);
    }
}
