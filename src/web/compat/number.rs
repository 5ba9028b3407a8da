//! Whether a number is on the network, for interfaces that know only yes and no.

use tetherd_api::{CheckParams, Error, ErrorKind, Presence, call};

use super::{Caller, jid};

/// Asks. What is not known is neither yes nor no: an error.
pub(super) async fn is_on_network(caller: &Caller, phone: &str) -> Result<bool, Error> {
    // A chat's name is taken too.
    let number = jid::to_contract(phone.trim_end_matches("@c.us"));
    let params = CheckParams { numbers: vec![number], fresh: false };
    let checked = caller.call(call::PhoneCheck, &params).await?.numbers.into_iter().next();
    let unknown = |why: Option<String>| {
        let sentence = why.unwrap_or_else(|| "the network said neither yes nor no".into());
        Error::new(ErrorKind::WrongState, sentence)
    };
    let checked = checked.ok_or_else(|| unknown(None))?;
    match checked.answer {
        Presence::OnNetwork => Ok(true),
        Presence::NotOnNetwork => Ok(false),
        Presence::Unknown => Err(unknown(checked.why)),
    }
}
