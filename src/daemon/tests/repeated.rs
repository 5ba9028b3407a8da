//! A file that is sent again under a key that is known.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::support::message;
use crate::daemon::auth::{Access, Caller};
use crate::daemon::call_memory::CallMemory;
use crate::daemon::engine_handle::{EngineCall, EngineHandle, Query};
use crate::daemon::handlers::{Handled, handle};
use crate::daemon::server::Service;
use crate::daemon::turns::Turns;
use crate::spool::Spool;
use crate::spool::tests::LIMITS;
use tetherd_api::{
    Call, FileParams, Reply, SendParams, SendResult, Signature as _, State, Tier, call,
};
use tetherd_core::files::Room;

const CALLER: Caller = Caller { uid: 1, tier: Tier::Send };

#[tokio::test]
async fn a_known_key_is_answered_under_a_full_spool_and_stores_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path(), LIMITS).unwrap();
    let most = std::io::Read::take(std::io::repeat(1), LIMITS.document_max);
    let _most = spool.take(most, LIMITS.document_max).await.unwrap();
    let used = spool.used();
    let (engine, mut calls) = EngineHandle::channel();
    let access = Access::own_user_only();
    let memory = CallMemory::default();
    let turns = Turns::default();
    let service = Service { engine, access, inbox: None, spool: Some(spool), memory, turns };
    let answering = tokio::spawn(async move {
        let EngineCall::Room { key, reply } = calls.recv().await.unwrap() else { panic!("room") };
        assert_eq!(key.as_deref(), Some("k"));
        reply.send(Ok(Room::KeyKnown)).unwrap();
        let Some(EngineCall::Query { query, reply }) = calls.recv().await else { panic!("query") };
        assert!(matches!(query, Query::Repeated { key, .. } if key == "k"));
        let result =
            SendResult { message: message(7, State::Queued), duplicate: true, replaces: None };
        reply.send(Ok(call::MessageSend::reply(result))).unwrap();
    });
    let content = STANDARD.encode(vec![1; 20_000]);
    let file = Some(FileParams { base64: Some(content.into()), ..FileParams::default() });
    let params = SendParams { to: "+15550100".into(), file, ..SendParams::default() }.key("k");
    let call = Call::MessageSend(Box::new(params));
    let handled = handle(&service, CALLER, call, Default::default()).await.unwrap();
    let Handled::Reply(Reply::MessageSend(sent)) = handled else { panic!("{handled:?}") };
    assert!(sent.duplicate);
    assert_eq!(service.spool.as_ref().unwrap().used(), used);
    answering.await.unwrap();
}
