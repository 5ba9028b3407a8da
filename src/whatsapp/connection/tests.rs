//! Orders of events that the network only brings about by chance.

use std::pin::pin;
use std::task::Poll;

use futures_util::poll;
use tetherd_net::connect::Connector;
use tetherd_net::ip_filter::IpFilter;
use tetherd_net::trust::Trust;
use whatsapp_rust::NodeBuilder;
use whatsapp_rust::store::commands::DeviceCommand;
use whatsapp_rust::wacore_binary::marshal;

use super::*;
use crate::liveness::Liveness;
use crate::whatsapp::tests::offline::Keys;
use crate::whatsapp::{Inbound, SessionConfig};

fn context() -> SessionContext {
    let trust = Arc::new(Trust::new(None).unwrap());
    SessionContext {
        config: SessionConfig::default(),
        endpoint: "wss://127.0.0.1/ws".parse().unwrap(),
        connector: Arc::new(Connector::new(trust, IpFilter::Any)),
        keys: Keys::new(),
        inbound: Inbound::default(),
        liveness: Liveness::unwatched(),
    }
}

#[tokio::test]
async fn a_restart_that_overtakes_the_pairing_waits_for_it() {
    let context = context();
    let purpose = Purpose::pairing(None);
    let built = client_builder::client(&context, &purpose).await.unwrap();
    let manager = Arc::clone(&built.manager);
    let queue = Arc::clone(&built.queue);
    let (events, mut published) = mpsc::channel(8);
    let (_orders, mut orders) = mpsc::channel(1);
    let mut connection = Connection::new(&context, purpose, &events, built);
    let mut runner = tokio::spawn(pending());
    // The library has signed the pairing, and not reported it.
    let account = "15550100:1@s.whatsapp.net".parse().unwrap();
    manager.process_command(DeviceCommand::SetId(Some(account))).await;
    let (server, mut stream_error) = oneshot::channel();
    let restart = NodeBuilder::new("stream:error").attr("code", "515").build();
    // Without the byte for its compression.
    let restart = marshal(&restart).unwrap()[1..].to_vec();
    server.send(Arc::new(OwnedNodeRef::new(restart).unwrap())).unwrap();
    {
        let mut attending = pin!(connection.attend(&mut orders, &mut runner, &mut stream_error));
        assert!(matches!(poll!(&mut attending), Poll::Pending));
        queue.push(ConnectionEvent::Report(SessionEvent::Paired {
            account: "15550100@s.whatsapp.net".into(),
        }));
        assert!(matches!(attending.await, Leave::Over));
    }
    assert!(matches!(published.recv().await, Some(SessionEvent::Paired { .. })));
    assert_eq!(connection.ending(Leave::Over).reason, EndReason::Restart);
    runner.abort();
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_server_no_longer_answers_ends() {
    let context = context();
    let purpose = Purpose::pairing(None);
    let built = client_builder::client(&context, &purpose).await.unwrap();
    let (events, _published) = mpsc::channel(8);
    let (_orders, mut orders) = mpsc::channel(1);
    let mut connection = Connection::new(&context, purpose, &events, built);
    (connection.ready, connection.deadline) = (true, None);
    let mut runner = tokio::spawn(pending());
    let (_server, mut stream_error) = oneshot::channel();
    let attending = connection.attend(&mut orders, &mut runner, &mut stream_error);
    let left = tokio::time::timeout(Duration::from_secs(41), attending).await;
    assert!(matches!(left, Ok(Leave::Over)));
    assert_eq!(connection.ending(Leave::Over).reason, ending::went_silent());
    runner.abort();
}
