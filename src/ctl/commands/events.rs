//! `events`: a line for each.

use std::path::PathBuf;

use super::follow::Follower;
use crate::failure::Failure;
use crate::out::Out;
use crate::render;
use tetherd_api::client::Client;

pub(crate) async fn run(
    after: Option<u64>,
    client: &Client,
    sockets: &[PathBuf],
    out: &mut Out,
) -> Result<(), Failure> {
    let mut events = Follower::new(client, sockets, after).await?;
    loop {
        let frame = events.next().await?;
        if out.json() {
            out.json_line(&frame)?;
        } else {
            let clock = out.clock();
            out.line(&render::event(&frame, &clock))?;
        }
        out.flush()?;
    }
}
