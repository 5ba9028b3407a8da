//! `why`: the socket's `explain`.

use crate::explain;
use crate::failure::Failure;
use crate::out::Out;
use tetherd_api::NoParams;
use tetherd_api::call;
use tetherd_api::client::Client;

pub(crate) async fn run(all: bool, client: &Client, out: &mut Out) -> Result<(), Failure> {
    let (explanation, wire) = super::ask(client, call::Explain, &NoParams {}).await?;
    if out.json() {
        return out.json_line(&wire);
    }
    let clock = out.clock();
    out.text(&explain::explanation(&explanation, all, &clock))
}
