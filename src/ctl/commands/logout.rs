//! `logout`.

use crate::failure::Failure;
use crate::out::Out;
use tetherd_api::call;
use tetherd_api::client::Client;

pub(crate) async fn run(yes: bool, client: &Client, out: &mut Out) -> Result<(), Failure> {
    if !yes {
        let question = "Unlink this device from the phone? Sending needs a new pairing then.";
        super::confirm(question, "add --yes", out)?;
    }
    super::command(call::SessionLogout, "logged out: pair again with `tetherctl pair`", client, out)
        .await
}
