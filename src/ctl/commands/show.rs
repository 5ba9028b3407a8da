//! `show`: one message, whole.

use crate::cli::ShowArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::render;
use tetherd_api::GetParams;
use tetherd_api::call;
use tetherd_api::client::Client;

pub(crate) async fn run(args: ShowArgs, client: &Client, out: &mut Out) -> Result<(), Failure> {
    let params = GetParams { id: args.id, wa_id: args.wa_id, key: args.key };
    let (message, wire) = super::ask(client, call::MessageGet, &params).await?;
    if out.json() {
        return out.json_line(&wire);
    }
    let clock = out.clock();
    out.text(&render::message(&message, &clock))
}
