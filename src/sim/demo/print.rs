//! What the demonstration prints: one line for each thing that happens.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;

use tokio::time::Instant;

use tetherd_api::{Event, MessageId, State};

/// Prints a line. A reader that has gone away has seen enough.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Says what this is, and how to look into it from outside.
pub(super) fn opening(socket: &Path, window_s: u64) {
    line("tetherd against a simulated WhatsApp server, phone and recipients, on this machine.");
    line(&format!(
        "Time lapse: 5 messages leave per {window_s} s here; per 120 s outside of this demonstration."
    ));
    line("From a second terminal, in this folder:");
    let (tetherctl, socket) = (tetherctl(), socket.display());
    line(&format!("  {tetherctl} --socket {socket} status"));
    line(&format!("  {tetherctl} --socket {socket} send +15550111 'hello'"));
    line("");
}

/// How to call `tetherctl`: next to this program, or built first.
fn tetherctl() -> String {
    let sibling = std::env::current_exe().ok().map(|path| path.with_file_name("tetherctl"));
    match sibling {
        Some(path) if path.exists() => path.display().to_string(),
        Some(_) | None => "cargo run -q --features sim --bin tetherctl --".to_owned(),
    }
}

/// Prints events as they come, each message's change once.
pub(super) struct Printer {
    started: Instant,
    states: HashMap<MessageId, State>,
    session: &'static str,
}

impl Printer {
    pub(super) fn new() -> Printer {
        Printer { started: Instant::now(), states: HashMap::new(), session: "" }
    }

    /// Something that a person or the network does.
    pub(super) fn scene(&self, text: &str) {
        line(&format!("{:>6.1} s  * {text}", self.started.elapsed().as_secs_f32()));
    }

    /// How many messages the server has taken, as far as was reported.
    pub(super) fn left(&self) -> usize {
        self.states.values().filter(|state| has_left(**state)).count()
    }

    /// Whether the server has taken this one.
    pub(super) fn has_left(&self, id: MessageId) -> bool {
        self.states.get(&id).is_some_and(|state| has_left(*state))
    }

    pub(super) fn event(&mut self, event: &Event) {
        let text = match event {
            Event::Incoming { .. } | Event::Gap { .. } => return,
            Event::Message { message } => {
                let before = self.states.insert(message.id, message.state);
                if before == Some(message.state) {
                    return;
                }
                let attempts = match (message.state, message.attempts) {
                    (State::Sending, 2..) => format!(" (attempt {})", message.attempts),
                    _ => String::new(),
                };
                let (id, state) = (message.id.to_string(), message.state.name());
                format!("{id:<4} {state:<9} {}{attempts}", message.preview.0)
            }
            Event::Status { status } => {
                let state = status.session.state.name();
                if state == self.session {
                    return;
                }
                self.session = state;
                format!("session: {state}")
            }
            Event::SnapshotEnd {} | Event::Pairing { .. } => return,
        };
        line(&format!("{:>6.1} s    {text}", self.started.elapsed().as_secs_f32()));
    }
}

fn has_left(state: State) -> bool {
    matches!(state, State::Sent | State::Delivered | State::Read)
}
