//! What must hold for whatever a receiver of alerts is given. Entrances for contrib/fuzz; part
//! of no program.

use tetherd_api::Redacted;

use super::config::{AlertSource, Receiver, Words};
use super::message;
use super::template::{Expression, Template};
use crate::config::Config;
use crate::limits::RECEIVED_TEXT_CHARS_MAX;

/// Between the parts of an input.
const PART: &str = "\n---\n";
/// What is said after a template's own words failed.
const REMARK_CHARS_MAX: usize = 256;

/// A template, expressions for the key and for the end, and what is posted.
pub fn posts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.split(PART);
    let mut part = || parts.next().unwrap_or_default();
    let (template, key, resolved, body) = (part(), part(), part(), part());
    // Configurations have templates in them, too.
    let _ = toml::from_str::<Config>(text);
    let Ok(template) = Template::new(template) else { return };
    let fallback = Template::new("{{ status }}").ok();
    let words = Words { template, fallback };
    let webhook = AlertSource::Webhook {
        key: Expression::new(key).ok(),
        resolved: Expression::new(resolved).ok(),
    };
    for source in
        [webhook, AlertSource::Alertmanager, AlertSource::Grafana, AlertSource::UptimeKuma]
    {
        let receiver = Receiver {
            name: "alerts".into(),
            daemon: None,
            to: Redacted("+15550101".into()),
            source,
            words: words.clone(),
        };
        post(&receiver, body);
    }
}

/// What becomes a message is within its bounds, and the same post becomes the same.
fn post(receiver: &Receiver, body: &str) {
    let message = message(receiver, body.as_bytes());
    assert_eq!(super::message(receiver, body.as_bytes()), message);
    let Ok(Some(message)) = message else { return };
    let chars = message.text.as_ref().map_or(0, |text| text.chars().count());
    assert!((1..=RECEIVED_TEXT_CHARS_MAX + REMARK_CHARS_MAX).contains(&chars), "{chars}");
    assert!(message.text.is_none_or(|text| !text.contains('\0')));
    assert_eq!(message.key.is_some(), message.replace.is_some());
    assert!(message.key.is_none_or(|key| key.starts_with("receiver:alerts:")));
}
