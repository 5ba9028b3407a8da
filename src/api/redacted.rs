//! `Debug` of the wire's types that carry a text, a number or a key: it names the fields
//! that give nobody away. Decides nothing about what goes over the wire.

use std::fmt;

use crate as api;

macro_rules! redacted {
    ($($name:ident { $($shown:ident),* })*) => {$(
        impl fmt::Debug for api::$name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($shown), &self.$shown))*
                    .finish_non_exhaustive()
            }
        }
    )*};
}

redacted! {
    Message { id, wa_id, state, reason, kind, chars, attempts, accepted_at, changed_at, position }
    SessionStatus {
        state, since, detail, next_try_at, connections, replaced, replaced_last_hour, takeover_at,
        timelock_until
    }
    SendParams { expires_at, not_before, priority }
    FileParams { fd, kind }
    FileInfo { bytes, mime }
    Location {}
    ContactCard {}
    LinkPreview {}
    CheckParams { fresh }
    CheckedNumber { answer, checked_at, cached, why }
    Incoming { cursor, wa_id, from_me, sent_at, received_at, kind, file }
    InboxFileResult { file }
    GetParams { id, wa_id }
    Filter { states, reason, older_than_s, ids }
    ClearExample { id }
    PairParams {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_9_debug_of_what_carries_a_text_or_a_number_shows_neither() {
        let send = api::SendParams::text("+15550111", "zanzibar").key("order-7");
        let filter = api::Filter { to: Some("+15550111".into()), ..api::Filter::default() };
        let pair = api::PairParams { phone: Some("+15550111".into()) };
        let example = api::ClearExample {
            id: api::MessageId(7),
            to: "15550111@s.whatsapp.net".into(),
            preview: "zanzibar".into(),
        };
        let said = format!("{send:?} {filter:?} {pair:?} {example:?}");
        for secret in ["1555", "zanzibar", "order-7"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}
