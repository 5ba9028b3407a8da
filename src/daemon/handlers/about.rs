//! `version` and `rpc.discover`: what this daemon is, and what it understands.

use tetherd_api::{Error, ErrorKind, OPENRPC, PROTOCOL_VERSION, Reply, Signature, Version, call};
use tetherd_version as version;

pub(super) fn version() -> Reply {
    call::Version::reply(Version {
        name: "tetherd".to_string(),
        version: version::NUMBER.to_string(),
        revision: version::revision(),
        protocol: PROTOCOL_VERSION,
        sim: cfg!(feature = "sim"),
    })
}

pub(super) fn contract() -> Result<Reply, Error> {
    serde_json::from_str(OPENRPC).map(call::RpcDiscover::reply).map_err(|error| {
        tracing::error!(%error, "the committed OpenRPC document is not JSON");
        Error::new(ErrorKind::InternalError, "a bug in tetherd: its contract cannot be read")
    })
}
