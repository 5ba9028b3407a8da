//! `status`.

use crate::failure::Failure;
use crate::out::Out;
use crate::render;
use tetherd_api::NoParams;
use tetherd_api::call;
use tetherd_api::client::Client;

pub(crate) async fn run(client: &Client, out: &mut Out) -> Result<(), Failure> {
    let (status, wire) = super::ask(client, call::Status, &NoParams {}).await?;
    if out.json() {
        return out.json_line(&wire);
    }
    let clock = out.clock();
    out.text(&render::status(&status, &clock))
}
