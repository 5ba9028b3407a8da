//! `pair`: shows the code, redraws it when it is replaced, ends when the pairing does.

use serde_json::json;

use crate::error::CommandError;
use crate::output::Output;
use crate::{qr, render};
use tetherd_api::call;
use tetherd_api::client::Client;
use tetherd_api::{Event, PairEnd, PairOffer, PairParams, Time};

/// Shows offers, each in the place of the one before.
#[derive(Default)]
struct Screen {
    shown: Option<PairOffer>,
    lines: usize,
}

pub(crate) async fn run(
    phone: Option<String>,
    anyway: bool,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError> {
    // Before the call: no code and no ending may be missed.
    let mut events = client.subscribe().await?;
    let params = PairParams { phone: phone.map(Into::into), anyway };
    // What came before the reply is of an earlier pairing, or is repeated in the reply.
    let call = super::ask(client, call::SessionPair, &params);
    let (pair, wire) = super::call_while_reading(call, &mut events, drop).await?;
    let mut screen = Screen::default();
    if out.json() {
        out.json_line(&wire)?;
    } else {
        screen.show(pair.offer, out)?;
    }
    out.flush()?;
    loop {
        let frame = events.next().await?;
        match frame.event {
            Event::Pairing { offer, ended } => {
                if out.json() {
                    out.json_line(&json!({ "offer": offer, "ended": ended }))?;
                } else if let Some(offer) = offer {
                    screen.show(offer, out)?;
                }
                out.flush()?;
                if let Some(end) = ended {
                    return finish(&end, out);
                }
            }
            Event::Status { .. }
            | Event::Message { .. }
            | Event::Incoming { .. }
            | Event::Gap { .. }
            | Event::SnapshotEnd {} => {}
        }
    }
}

fn finish(end: &PairEnd, out: &mut Output) -> Result<(), CommandError> {
    let sentence = render::pair_end(end);
    match end {
        PairEnd::Paired { .. } if out.json() => Ok(()),
        PairEnd::Paired { .. } => out.line(&sentence),
        PairEnd::TimedOut {} => {
            Err(CommandError::No(format!("{sentence}; start again with `tetherctl pair`")))
        }
        PairEnd::Failed { .. } => Err(CommandError::No(sentence)),
    }
}

impl Screen {
    fn show(&mut self, offer: PairOffer, out: &mut Output) -> Result<(), CommandError> {
        if self.shown.as_ref() == Some(&offer) {
            return Ok(());
        }
        let text = draw(&offer, out)?;
        if out.terminal() && self.lines > 0 {
            // Up to where the last code began, and clear from there.
            out.text(&format!("\x1b[{}A\x1b[J", self.lines))?;
        }
        self.lines = text.lines().count();
        self.shown = Some(offer);
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
    })
}

/// `ABCD-EFGH`, as the phone shows it.
fn split(code: &str) -> String {
    match (code.get(..4), code.get(4..)) {
        (Some(head), Some(tail)) if code.len() == 8 => format!("{head}-{tail}"),
        _ => render::clean(code, false),
    }
}
