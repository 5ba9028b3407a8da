//! A passkey that the phone asks for, as `pair` guides through it: what to paste into the
//! browser, and what comes back on stdin. Never shows more of a secret than its owner needs.

use std::io::BufRead as _;

use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::error::CommandError;
use tetherd_api::{PASSKEY_BYTES_MAX, PASSKEY_PAGE, passkey_snippet};

/// Lines of stdin that wait to be read.
const LINES_MAX: usize = 16;

/// What to do about the request; `until` says how long there is.
pub(crate) fn guide(request: &Map<String, Value>, until: &str) -> String {
    format!(
        "\nThe phone asks for a passkey. The time for it ends {until}.\n\n\
         1. Keep WhatsApp open on the phone. If it offers to create a passkey, create it.\n\
         2. On a computer, open {PASSKEY_PAGE} in a browser (you need not log in there),\n   \
         then its developer tools (F12) and the console.\n\
         3. Paste this line there and press Enter. A browser may want \"allow pasting\" typed first.\n   \
         It asks for the passkey, or shows a QR code to scan with the phone's camera.\n\n\
         {}\n\n\
         4. Copy the line that the console prints, from {{ to }}, paste it here and press Enter.\n   \
         Or save it, and in another terminal: tetherctl pair --passkey-answer FILE\n",
        passkey_snippet(request)
    )
}

/// What to do about the code.
pub(crate) fn compare(code: &str, confirm: bool) -> String {
    if !confirm {
        return format!(
            "\nThe phone links this device now. If it shows a code, it must be {code}: confirm it \
             there.\n"
        );
    }
    format!(
        "\nThe phone shows a code. It must be {code}. Confirm it on the phone, and here:\n\
         type yes if they are the same, or no.\n\
         Or in another terminal: tetherctl pair --passkey-confirm {code}\n"
    )
}

/// What a person or a program has given, as JSON.
pub(crate) fn parse(text: &str) -> Result<Map<String, Value>, CommandError> {
    let refuse = |_| {
        CommandError::BadInput(String::from(
            "this is not the JSON that the browser's console printed; copy the whole line, from \
             { to }",
        ))
    };
    serde_json::from_str(text.trim()).map_err(refuse)
}

/// Stdin, line by line, while other things go on.
#[derive(Debug)]
pub(crate) struct Lines(mpsc::Receiver<String>);

impl Lines {
    /// From a thread of its own: nothing else can wait for a terminal and for events at once.
    pub(crate) fn stdin() -> Lines {
        let (sender, lines) = mpsc::channel(LINES_MAX);
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Lines(lines)
    }

    /// The next one; none: stdin has ended. Cancelling the wait loses nothing.
    pub(crate) async fn next(&mut self) -> Option<String> {
        self.0.recv().await
    }
}

/// An answer that may come in several lines.
#[derive(Debug, Default)]
pub(crate) struct Pasted(String);

impl Pasted {
    /// Takes a line. The answer, once it is whole; an error starts over.
    pub(crate) fn line(&mut self, line: &str) -> Result<Option<Map<String, Value>>, CommandError> {
        self.0.push_str(line);
        self.0.push('\n');
        if self.0.trim().is_empty() {
            self.0.clear();
            return Ok(None);
        }
        let whole = serde_json::from_str::<Value>(self.0.trim());
        if self.0.len() <= PASSKEY_BYTES_MAX && whole.as_ref().is_err_and(serde_json::Error::is_eof)
        {
            return Ok(None);
        }
        parse(&std::mem::take(&mut self.0)).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("no object: {value}") };
        object
    }

    #[test]
    fn an_answer_may_come_in_lines_and_what_is_none_starts_over() {
        let mut pasted = Pasted::default();
        assert_eq!(pasted.line("").unwrap(), None);
        assert_eq!(pasted.line("{").unwrap(), None);
        assert_eq!(pasted.line("\"id\":1}").unwrap(), Some(object(json!({ "id": 1 }))));
        assert!(pasted.line("yes").is_err());
        assert_eq!(pasted.line("{}").unwrap(), Some(Map::new()));
        let long = format!("{{\"a\":\"{}", "x".repeat(PASSKEY_BYTES_MAX));
        assert!(pasted.line(&long).is_err());
    }
}
