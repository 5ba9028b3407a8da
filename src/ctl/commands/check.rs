//! `check`: who is on the network, from the command line or from lines of stdin.

use std::io::{IsTerminal, Read, Write};

use futures_util::StreamExt;
use serde_json::Value;

use super::send::plain_text;
use crate::cli::CheckArgs;
use crate::error::CommandError;
use crate::output::Output;
use tetherd_api::call;
use tetherd_api::client::Client;
use tetherd_api::number::{parse_number, parse_username};
use tetherd_api::{CHECK_NUMBERS_MAX, CheckParams, CheckResult, CheckedNumber, Presence};

/// Requests under way at a time. The daemon asks the network at a pace of its own, and a
/// request that waits too long for its turn is answered with `unknown`.
const REQUESTS_AT_ONCE: usize = 2;
/// Most bytes from stdin.
const STDIN_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bad lines that are reported one by one.
const BAD_LINES_REPORTED_MAX: usize = 20;

/// How often each answer was given.
#[derive(Default)]
struct Count {
    on_network: usize,
    not_on_network: usize,
    unknown: usize,
}

pub(crate) async fn run(
    args: CheckArgs,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError> {
    let (numbers, bad) = gather(args.numbers)?;
    let total = numbers.len();
    let batches: Vec<Vec<String>> =
        numbers.chunks(CHECK_NUMBERS_MAX).map(<[String]>::to_vec).collect();
    let progress = batches.len() > 1 && std::io::stderr().is_terminal();
    let ask = |numbers: Vec<String>| async move {
        let numbers = numbers.into_iter().map(Into::into).collect();
        let params = CheckParams { numbers, fresh: args.fresh };
        super::ask(client, call::PhoneCheck, &params).await
    };
    let mut replies = futures_util::stream::iter(batches).map(ask).buffered(REQUESTS_AT_ONCE);
    let mut count = Count::default();
    while let Some(reply) = replies.next().await {
        let (result, wire) = reply?;
        print(&result, &wire, &mut count, out)?;
        // Whoever reads along sees each batch as it comes.
        out.flush()?;
        if progress {
            show_progress(count.total(), total)?;
        }
    }
    count.verdict(bad)
}

impl Count {
    fn total(&self) -> usize {
        self.on_network + self.not_on_network + self.unknown
    }

    fn add(&mut self, number: &CheckedNumber) {
        match number.answer {
            Presence::OnNetwork => self.on_network += 1,
            Presence::NotOnNetwork => self.not_on_network += 1,
            Presence::Unknown => self.unknown += 1,
        }
    }

    /// A no counts before what is not known, and that before what could not be asked.
    fn verdict(&self, bad: usize) -> Result<(), CommandError> {
        let total = self.total();
        if self.not_on_network > 0 {
            let absent = self.not_on_network;
            Err(CommandError::No(format!("{absent} of {total} checked are not on the network")))
        } else if self.unknown > 0 {
            let unknown = self.unknown;
            Err(CommandError::NotNow(format!(
                "{unknown} of {total} checked are unknown; what is known is remembered, so asking \
                 again asks only for the rest"
            )))
        } else if bad > 0 {
            Err(CommandError::BadInput(format!("{bad} could not be read as numbers")))
        } else {
            Ok(())
        }
    }
}

/// The numbers to ask for, and how many could not be read.
fn gather(given: Vec<String>) -> Result<(Vec<String>, usize), CommandError> {
    let from_stdin = given.is_empty() || given == ["-"];
    if !from_stdin {
        return sort_out(given.iter().map(String::as_str).zip(1..), "argument");
    }
    let stdin = std::io::stdin();
    if given.is_empty() && stdin.is_terminal() {
        let what = "give numbers, or lines with numbers on stdin";
        return Err(CommandError::NeedsInput(what));
    }
    let mut bytes = Vec::new();
    stdin.lock().take(STDIN_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > STDIN_BYTES_MAX {
        return Err(CommandError::BadInput("stdin is longer than 16 MiB; split it".to_owned()));
    }
    let bytes = plain_text(bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim).zip(1..);
    let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    sort_out(lines, "line")
}

/// Bad ones are reported and left out.
fn sort_out<'t>(
    given: impl Iterator<Item = (&'t str, usize)>,
    place: &str,
) -> Result<(Vec<String>, usize), CommandError> {
    let (mut numbers, mut bad) = (Vec::new(), 0);
    let mut stderr = std::io::stderr();
    for (text, at) in given {
        let parsed = match parse_username(text) {
            Some(username) => username.map(drop),
            None => parse_number(text).map(drop),
        };
        let Err(error) = parsed else {
            numbers.push(text.to_owned());
            continue;
        };
        bad += 1;
        if bad <= BAD_LINES_REPORTED_MAX {
            writeln!(stderr, "tetherctl: {place} {at}: {error}; left out")?;
        }
    }
    if bad > BAD_LINES_REPORTED_MAX {
        writeln!(stderr, "tetherctl: and {} more", bad - BAD_LINES_REPORTED_MAX)?;
    }
    Ok((numbers, bad))
}

fn print(
    result: &CheckResult,
    wire: &Value,
    count: &mut Count,
    out: &mut Output,
) -> Result<(), CommandError> {
    for (place, number) in result.numbers.iter().enumerate() {
        count.add(number);
        if out.json() {
            out.json_line(wire.pointer(&format!("/numbers/{place}")).unwrap_or(&Value::Null))?;
            continue;
        }
        let address = number.address.as_deref();
        let address = address.map(|address| format!("messages go to its address {address}"));
        let more = number.why.clone().or(address).map_or_else(String::new, |it| format!("  {it}"));
        out.line(&format!("{}  {}{more}", number.number.0, number.answer.name()))?;
    }
    Ok(())
}

/// One line that is written over and over, and gone at the end.
fn show_progress(done: usize, total: usize) -> Result<(), CommandError> {
    let mut stderr = std::io::stderr();
    if done < total {
        write!(stderr, "\r\x1b[Kchecked {done} of {total}")?;
    } else {
        write!(stderr, "\r\x1b[K")?;
    }
    Ok(stderr.flush()?)
}
