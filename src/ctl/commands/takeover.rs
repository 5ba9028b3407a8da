//! `takeover`.

use crate::failure::Failure;
use crate::out::Out;
use tetherd_api::call;
use tetherd_api::client::Client;

pub(crate) async fn run(client: &Client, out: &mut Out) -> Result<(), Failure> {
    super::command(call::SessionTakeover, "taking the session back", client, out).await
}
