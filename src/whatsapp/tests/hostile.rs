//! Servers that misbehave before a login: each ends the run, with a reason, in bounded
//! time, and the session takes the next order.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::whatsapp::SessionConfig;
use crate::whatsapp::tests::offline::{Bench, Keys, PATIENCE};
use crate::whatsapp::tests::wire::Host;
use tetherd_core::action::SessionCommand;
use tetherd_core::event::EndReason;

type Line = WebSocketStream<TlsStream<TcpStream>>;

async fn bench() -> (Host, Bench) {
    let host = Host::new().await;
    let config = SessionConfig {
        endpoint: host.url("wss"),
        ca_file: Some(host.ca_file()),
        ..SessionConfig::default()
    };
    (host, Bench::new(config, Keys::new()))
}

/// A line on which the client has said its hello.
async fn greeted(host: &Host) -> Line {
    let mut line = tokio_tungstenite::accept_async(host.accept().await).await.unwrap();
    let hello = line.next().await.unwrap().unwrap();
    assert!(hello.is_binary());
    line
}

fn frame(length: u32, payload: &[u8]) -> Message {
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(payload);
    Message::Binary(Bytes::from(bytes))
}

#[track_caller]
fn not_made(reason: &EndReason) {
    assert!(matches!(reason, EndReason::Unreachable { .. } | EndReason::Lost { .. }), "{reason:?}");
}

#[tokio::test]
async fn garbage_in_place_of_a_handshake_ends_the_run_each_time() {
    let (host, mut bench) = bench().await;
    let noise: Vec<u8> = (0_u32..600).map(|n| u8::try_from(n * 31 % 251).unwrap()).collect();
    for garbage in [
        frame(0, &[]),
        frame(5, b"hello"),
        frame(600, &noise),
        frame(0x00FF_FFFF, &noise),
        Message::Binary(Bytes::from(vec![0xFF; 4_096])),
        Message::Text("no handshake".into()),
    ] {
        bench.order(SessionCommand::Pair { phone: None });
        let serve = async {
            let mut line = greeted(&host).await;
            let _ = line.send(garbage).await;
            let _ = line.close(None).await;
            while let Some(Ok(_)) = line.next().await {}
        };
        let (reason, ()) = timeout(PATIENCE, async { tokio::join!(bench.ended(), serve) })
            .await
            .expect("the run goes on");
        not_made(&reason);
    }
    bench.handle.stop().await;
}

#[tokio::test]
async fn a_line_that_breaks_in_the_middle_of_a_frame_ends_the_run() {
    let (host, mut bench) = bench().await;
    bench.order(SessionCommand::Pair { phone: None });
    let serve = async {
        let mut line = greeted(&host).await;
        // A websocket message of a thousand bytes of which ten come.
        let stream = line.get_mut();
        stream.write_all(&[0x82, 126, 0x03, 0xE8]).await.unwrap();
        stream.write_all(&[0; 10]).await.unwrap();
        stream.shutdown().await.unwrap();
    };
    let (reason, ()) = timeout(PATIENCE, async { tokio::join!(bench.ended(), serve) })
        .await
        .expect("the run goes on");
    not_made(&reason);
    bench.handle.stop().await;
}

#[tokio::test]
async fn a_server_that_stalls_in_the_handshake_can_be_left() {
    let (host, mut bench) = bench().await;
    bench.order(SessionCommand::Pair { phone: None });
    let line = timeout(PATIENCE, greeted(&host)).await.unwrap();
    bench.order(SessionCommand::Close);
    assert_eq!(bench.ended().await, EndReason::Closed);
    drop(line);
    bench.handle.stop().await;
}

#[tokio::test]
async fn a_flood_before_the_handshake_ends_the_run() {
    let (host, mut bench) = bench().await;
    bench.order(SessionCommand::Pair { phone: None });
    let serve = async {
        let mut line = greeted(&host).await;
        for _ in 0..10_000 {
            if line.send(frame(3, b"abc")).await.is_err() {
                return;
            }
        }
        let _ = line.close(None).await;
    };
    let (reason, ()) = timeout(PATIENCE, async { tokio::join!(bench.ended(), serve) })
        .await
        .expect("the run goes on");
    not_made(&reason);
    bench.handle.stop().await;
}
