//! `pair`: shows the code, redraws it when it is replaced, guides through a passkey, ends when
//! the pairing does. What it asks for can be given from another terminal too.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::send::read_text;
use crate::cli::PairArgs;
use crate::error::CommandError;
use crate::output::Output;
use crate::passkey::{self, Lines, Pasted};
use crate::{qr, render};
use tetherd_api::call;
use tetherd_api::client::{Client, ClientError, Events};
use tetherd_api::{
    ErrorKind, Event, PairEnd, PairOffer, PairParams, PasskeyConfirmParams, PasskeyParams,
    Redacted, Time,
};

/// Shows offers, each in the place of the one before.
#[derive(Default)]
struct Screen {
    shown: Option<PairOffer>,
    lines: usize,
}

/// A pairing that is followed.
struct Pairing<'a> {
    client: &'a Client,
    events: Events,
    screen: Screen,
    /// Stdin, once something is asked.
    input: Option<Lines>,
    pasted: Pasted,
    /// What came while a call was under way.
    seen: Vec<Event>,
}

pub(crate) async fn run(
    args: PairArgs,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError> {
    // Before the call: no code and no ending may be missed.
    let events = client.subscribe().await?;
    let (screen, pasted, seen) = (Screen::default(), Pasted::default(), Vec::new());
    let mut pairing = Pairing { client, events, screen, input: None, pasted, seen };
    if let Some(path) = args.passkey_answer {
        pairing.answer(passkey::parse(&read(&path)?)?, out).await?;
    } else if let Some(code) = args.passkey_confirm {
        pairing.confirm(&code, out).await?;
    } else {
        pairing.start(args.code, args.anyway, out).await?;
    }
    pairing.follow(out).await
}

fn read(path: &Path) -> Result<String, CommandError> {
    if path.as_os_str() == "-" {
        return read_text(std::io::stdin().lock());
    }
    std::fs::read_to_string(path)
        .map_err(|error| CommandError::BadInput(format!("cannot read {}: {error}", path.display())))
}

impl Pairing<'_> {
    async fn start(
        &mut self,
        phone: Option<String>,
        anyway: bool,
        out: &mut Output,
    ) -> Result<(), CommandError> {
        let params = PairParams { phone: phone.map(Into::into), anyway };
        // What came before the reply is of an earlier pairing, or is repeated in the reply.
        let call = super::ask(self.client, call::SessionPair, &params);
        let (pair, wire) = super::call_while_reading(call, &mut self.events, drop).await?;
        if out.json() {
            out.json_line(&wire)?;
        }
        self.offer(pair.offer, out)
    }

    /// Until the pairing ends.
    async fn follow(mut self, out: &mut Output) -> Result<(), CommandError> {
        loop {
            out.flush()?;
            let event = match self.seen.is_empty() {
                false => self.seen.remove(0),
                true => tokio::select! {
                    frame = self.events.next() => frame?.event,
                    line = next_line(&mut self.input) => {
                        self.line(line, out).await?;
                        continue;
                    }
                },
            };
            let Event::Pairing { offer, ended } = event else { continue };
            // The call has answered it, or a connection that is new repeats it.
            if ended.is_none() && offer == self.screen.shown {
                continue;
            }
            if out.json() {
                out.json_line(&json!({ "offer": offer, "ended": ended }))?;
            }
            if let Some(offer) = offer {
                self.offer(offer, out)?;
            }
            if let Some(end) = ended {
                return finish(&end, out);
            }
        }
    }

    fn offer(&mut self, offer: PairOffer, out: &mut Output) -> Result<(), CommandError> {
        if asks(&offer) && self.input.is_none() {
            self.input = Some(Lines::stdin());
        }
        if !out.json() {
            self.screen.show(&offer, out)?;
        }
        self.screen.shown = Some(offer);
        out.flush()
    }

    /// Somebody typed or pasted something.
    async fn line(&mut self, line: Option<String>, out: &mut Output) -> Result<(), CommandError> {
        let Some(line) = line else {
            self.input = None;
            return Ok(());
        };
        match self.screen.shown.clone() {
            Some(PairOffer::Passkey { .. }) => match self.pasted.line(&line) {
                Ok(None) => Ok(()),
                Ok(Some(response)) => match self.answer(response, out).await {
                    Err(error) if again(&error) => say_again(&error),
                    done => done,
                },
                Err(error) => say_again(&error),
            },
            Some(PairOffer::PasskeyCode { code, confirm: true, .. }) => match line.trim() {
                "y" | "Y" | "yes" => self.confirm(&code, out).await,
                "n" | "N" | "no" => Err(CommandError::No(String::from(
                    "not confirmed: refuse on the phone too; `tetherctl pair --code` or a new \
                     scan starts over",
                ))),
                _ => Ok(()),
            },
            Some(PairOffer::PasskeyCode { .. } | PairOffer::Qr { .. } | PairOffer::Code { .. })
            | None => Ok(()),
        }
    }

    async fn answer(
        &mut self,
        response: Map<String, Value>,
        out: &mut Output,
    ) -> Result<(), CommandError> {
        let params = PasskeyParams { response: Redacted(response) };
        let call = super::ask(self.client, call::SessionPasskey, &params);
        let seen = &mut self.seen;
        super::call_while_reading(call, &mut self.events, |event| keep(seen, event)).await?;
        done("the server has taken the passkey; the phone goes on", out)
    }

    async fn confirm(&mut self, code: &str, out: &mut Output) -> Result<(), CommandError> {
        let params = PasskeyConfirmParams { code: code.into() };
        let call = super::ask(self.client, call::SessionPasskeyConfirm, &params);
        let seen = &mut self.seen;
        super::call_while_reading(call, &mut self.events, |event| keep(seen, event)).await?;
        done("confirmed; the phone links this device once it is confirmed there too", out)
    }
}

/// Only what is about the pairing is of interest.
fn keep(seen: &mut Vec<Event>, event: Event) {
    if matches!(event, Event::Pairing { .. }) {
        seen.push(event);
    }
}

fn done(what: &str, out: &mut Output) -> Result<(), CommandError> {
    if out.json() { Ok(()) } else { out.line(what) }
}

fn asks(offer: &PairOffer) -> bool {
    matches!(offer, PairOffer::Passkey { .. } | PairOffer::PasskeyCode { confirm: true, .. })
}

/// Waits for a line; for ever where nothing is asked.
async fn next_line(input: &mut Option<Lines>) -> Option<String> {
    match input {
        Some(lines) => lines.next().await,
        None => std::future::pending().await,
    }
}

/// Whether another answer may be right.
fn again(error: &CommandError) -> bool {
    let CommandError::Client(ClientError::Rpc(error)) = error else { return false };
    matches!(
        error.data.kind,
        ErrorKind::PasskeyMalformed
            | ErrorKind::PasskeyWrongOrigin
            | ErrorKind::PasskeyWrongChallenge
            | ErrorKind::PasskeyWrongCredential
            | ErrorKind::PasskeyRefused
    )
}

fn say_again(error: &CommandError) -> Result<(), CommandError> {
    use std::io::Write as _;
    let sentence = error.sentence().unwrap_or_default();
    writeln!(std::io::stderr(), "tetherctl: {sentence}")?;
    Ok(())
}

fn finish(end: &PairEnd, out: &mut Output) -> Result<(), CommandError> {
    let sentence = render::pair_end(end);
    match end {
        PairEnd::Paired { .. } if out.json() => Ok(()),
        PairEnd::Paired { .. } => out.line(&sentence),
        PairEnd::TimedOut {} => Err(CommandError::No(format!(
            "{sentence}; start again with `tetherctl pair` (a phone that says it has too many \
             linked devices must first unlink one of them)"
        ))),
        PairEnd::Failed { .. } => Err(CommandError::No(sentence)),
    }
}

impl Screen {
    fn show(&mut self, offer: &PairOffer, out: &mut Output) -> Result<(), CommandError> {
        if self.shown.as_ref() == Some(offer) {
            return Ok(());
        }
        let text = draw(offer, out)?;
        if out.terminal() && self.lines > 0 {
            // Up to where the last code began, and clear from there.
            out.text(&format!("\x1b[{}A\x1b[J", self.lines))?;
        }
        // What is typed below a question moves the screen on.
        self.lines = if asks(offer) { 0 } else { text.lines().count() };
        out.text(&text)
    }
}

fn draw(offer: &PairOffer, out: &Output) -> Result<String, CommandError> {
    let until = |at: Time| out.clock().until(at);
    Ok(match offer {
        PairOffer::Qr { qr, expires_at } => {
            let drawing = qr::draw(qr, out.colour())
                .map_err(|error| CommandError::BadInput(error.to_string()))?;
            let raw = if out.terminal() { String::new() } else { format!("{}\n", qr.0) };
            format!(
                "{drawing}{raw}On the phone: Linked devices, Link a device, and scan this.\n\
                 It is replaced {}. Ctrl-C leaves; the pairing goes on until its codes run out.\n",
                until(*expires_at)
            )
        }
        PairOffer::Code { code, expires_at } => format!(
            "On the phone: Linked devices, Link a device, Link with phone number instead.\n\
             Type {}. It is taken until {}.\n",
            split(code),
            out.clock().local(*expires_at)
        ),
        PairOffer::Passkey { request, expires_at } => {
            passkey::guide(&request.0, &until(*expires_at))
        }
        PairOffer::PasskeyCode { code, confirm, .. } => {
            passkey::compare(&render::clean(code, false), *confirm)
        }
    })
}

/// `ABCD-EFGH`, as the phone shows it.
fn split(code: &str) -> String {
    match (code.get(..4), code.get(4..)) {
        (Some(head), Some(tail)) if code.len() == 8 => format!("{head}-{tail}"),
        _ => render::clean(code, false),
    }
}
