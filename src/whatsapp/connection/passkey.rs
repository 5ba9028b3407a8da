//! The passkey of a pairing: hands the library what a browser signed, and keeps the library
//! and its connection as they are meanwhile. Never decides what to answer or when.
//!
//! Three things of the library stand in the way, and are worked around from outside:
//! - It disconnects when its QR codes end, 160 s after the first: it is given more of them, which
//!   nobody is shown.
//! - A minute after a code was typed it gives that up and makes a new secret: the code is
//!   cancelled at once, when the proof is derived already and before the new secret counts.
//! - It sends the proof only if it knows an account: `client_builder` gives it a placeholder.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use whatsapp_rust::passkey::{Assertion, PasskeyError};
use whatsapp_rust::wacore_binary::{Jid, Server, marshal};
use whatsapp_rust::{NodeBuilder, OwnedNodeRef, pair};

use super::Connection;
use tetherd_core::action::PasskeyAnswer;
use tetherd_core::event::{PasskeyFault, PasskeyReport, SessionEvent};

/// One step with the passkey, in front of whose end the core ends the run: it knows for how
/// long the request stands.
const STEP_TIME_MAX: Duration = Duration::from_secs(660);
/// The server's answer to one step.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);
/// References of QR codes: 60 s, then 20 s each. They outlast what lies between two reports of
/// the library, the request and the phone's answer to it.
const REFERENCES: usize = 72;

const _: () = assert!(60 + 20 * (REFERENCES as u64 - 1) > 2 * STEP_TIME_MAX.as_secs());

impl Connection<'_> {
    /// The pairing has come to another step with the passkey.
    pub(super) async fn passkey_step(&mut self, report: &PasskeyReport) {
        if let PasskeyReport::Wanted { .. } = report {
            tracing::info!("the phone asks for a passkey");
            self.client.cancel_pair_code().await;
        }
        self.passkey = true;
        self.deadline = Some(Instant::now() + STEP_TIME_MAX);
        if let Some(node) = references() {
            pair::handle_iq(&self.client, node.get()).await;
        }
    }

    /// The server's answer is an event like any other.
    pub(super) fn answer_passkey(&mut self, answer: PasskeyAnswer) {
        self.deadline = Some(Instant::now() + STEP_TIME_MAX);
        let (client, events) = (Arc::clone(&self.client), self.events.clone());
        let assertion = Assertion {
            credential_id: answer.credential_id.0,
            assertion_json: answer.assertion.0.into_bytes(),
        };
        self.spawn(async move {
            let sent = timeout(ANSWER_TIMEOUT, client.send_passkey_response(assertion)).await;
            let sent = sent.unwrap_or(Err(PasskeyError::Cancelled)).map_err(|error| fault(&error));
            // Nobody listens any more: then nobody waits for it either.
            let _ = events.send(SessionEvent::Passkey(PasskeyReport::Answered(sent))).await;
        });
    }

    pub(super) fn confirm_passkey(&mut self) {
        self.deadline = Some(Instant::now() + STEP_TIME_MAX);
        let (client, events) = (Arc::clone(&self.client), self.events.clone());
        self.spawn(async move {
            let sent = timeout(ANSWER_TIMEOUT, client.send_passkey_confirmation()).await;
            let sent = sent.unwrap_or(Err(PasskeyError::Cancelled)).map_err(|error| fault(&error));
            let _ = events.send(SessionEvent::Passkey(PasskeyReport::Confirmed(sent))).await;
        });
    }
}

/// What a server sends that gives out QR codes. Without an id: nothing is answered.
fn references() -> Option<OwnedNodeRef> {
    let reference = || NodeBuilder::new("ref").bytes(b"none".as_slice()).build();
    let children: Vec<_> = (0..REFERENCES).map(|_| reference()).collect();
    let iq = NodeBuilder::new("iq")
        .attr("from", Jid::new("", Server::Pn))
        .attr("type", "set")
        .attr("xmlns", "md")
        .children([NodeBuilder::new("pair-device").children(children).build()])
        .build();
    // Without the byte for its compression.
    let bytes = marshal(&iq).ok()?.get(1..)?.to_vec();
    OwnedNodeRef::new(bytes).ok()
}

fn fault(error: &PasskeyError) -> PasskeyFault {
    match refusal(&error.to_string()) {
        Some(code) => PasskeyFault::Refused { code },
        None => PasskeyFault::Unanswered,
    }
}

/// The server's code, which the library keeps in the error's text only.
pub(crate) fn refusal(error: &str) -> Option<u32> {
    let (_, rest) = error.split_once("server error response: code=")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}
