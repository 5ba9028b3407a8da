//! What the server does to streams that stand, and says about them: methods of [`Sim`] under
//! the names `stream.*` of the control socket. Decides nothing else.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::wacore::time::now_secs;

use super::Sim;
use super::control::{Failure, params};
use super::error::SimError;
use super::nodes::server;
use super::world::{LinkId, World};

/// How the server ends streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Streams {
    /// Each stream ends after so many seconds; 0: it does not. For connections that begin
    /// from then on.
    pub recycle_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    account: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientExpiration {
    account: Option<String>,
    in_s: i64,
}

/// A call of the control socket.
pub(super) async fn call(sim: &Sim, method: &str, given: Value) -> Result<Value, Failure> {
    match method {
        "stream.client_expiration" => {
            let ClientExpiration { account, in_s } = params(given)?;
            let clients = sim.stream_client_expiration(account.as_deref(), in_s).await?;
            Ok(json!({ "clients": clients }))
        }
        "stream.end" => {
            let Whose { account } = params(given)?;
            Ok(json!({ "closed": sim.stream_end(account.as_deref()).await? }))
        }
        _ => Err(Failure::NoMethod),
    }
}

/// Ends a stream in order. Clients are to log in again.
pub(super) fn end(world: &mut World, link: LinkId) {
    world.say(link, NodeBuilder::new("xmlstreamend").build());
    world.hang_up(link);
}

impl Sim {
    /// The streams of this account, or of all, end in order.
    pub async fn stream_end(&self, account: Option<&str>) -> Result<usize, SimError> {
        self.each_link(account, end).await
    }

    /// Clients learn until when the server takes their version (WhatsApp Web's
    /// `ClientExpirationRequest`: a date in seconds).
    pub async fn stream_client_expiration(
        &self,
        account: Option<&str>,
        in_s: i64,
    ) -> Result<usize, SimError> {
        self.each_link(account, |world, link| {
            let expiration =
                NodeBuilder::new("client_expiration").attr("t", now_secs().saturating_add(in_s));
            let ib = NodeBuilder::new("ib").attr("from", server());
            world.say(link, ib.children([expiration.build()]).build());
        })
        .await
    }
}
