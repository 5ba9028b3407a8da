//! `react`, `edit` and `revoke`.

use super::send::read_text;
use crate::cli::{EditArgs, ReactArgs, RevokeArgs};
use crate::error::CommandError;
use crate::output::Output;
use crate::render::{self, Clock};
use tetherd_api::client::Client;
use tetherd_api::{EditParams, ReactParams, RevokeParams, SendResult, call};

pub(super) async fn react(
    args: ReactArgs,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError> {
    let ReactArgs { message, emoji, key } = args;
    let params = ReactParams { message, emoji: emoji.into(), key: key.map(Into::into) };
    super::print(call::MessageReact, &params, client, out, accepted).await
}

pub(super) async fn edit(
    args: EditArgs,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError> {
    let EditArgs { id, text, key } = args;
    let text = if text == "-" { read_text(std::io::stdin().lock())? } else { text };
    let params = EditParams { id, text: text.into(), key: key.map(Into::into) };
    super::print(call::MessageEdit, &params, client, out, accepted).await
}

pub(super) async fn revoke(
    args: RevokeArgs,
    client: &Client,
    out: &mut Output,
) -> Result<(), CommandError> {
    let RevokeArgs { id, key } = args;
    let params = RevokeParams { id, key: key.map(Into::into) };
    super::print(call::MessageRevoke, &params, client, out, accepted).await
}

fn accepted(sent: &SendResult, clock: &Clock) -> String {
    format!("{}\n", render::accepted(sent, clock))
}
