//! `events`: a line for each.

use crate::ctl::failure::Failure;
use crate::ctl::out::Out;
use crate::ctl::render;
use tetherd_api::Event;
use tetherd_api::client::Client;

pub(crate) async fn run(after: Option<u64>, client: &Client, out: &mut Out) -> Result<(), Failure> {
    let (mut events, _) = client.subscribe_after(after).await?;
    loop {
        let frame = events.next().await?;
        if out.json() {
            out.json_line(&frame)?;
        } else {
            let clock = out.clock();
            out.line(&render::event(&frame, &clock))?;
        }
        out.flush()?;
        if matches!(frame.event, Event::Lagged {}) {
            return Err(Failure::Lagged);
        }
    }
}
