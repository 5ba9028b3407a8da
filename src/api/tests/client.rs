//! The client against a daemon that behaves in unusual ways.

use std::os::unix::net::UnixListener as StdUnixListener;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::call;
use crate::client::{CALL_DEADLINE, Client, ClientError, ConnectError, EVENTS_BYTES_MAX};
use crate::{FRAME_BYTES_MAX, NoParams, SendParams};

const NONE: NoParams = NoParams {};
const VERSION_2: &[u8] =
    b"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"name\":\"x\",\"version\":\"1\",\"protocol\":9,\"sim\":false,\"later\":1}}\n";

fn pair() -> (Client, BufReader<UnixStream>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Client::over(ours), BufReader::new(theirs))
}

#[tokio::test]
async fn no_daemon_is_told_apart_by_its_cause() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let missing = Client::connect(&path).await.unwrap_err();
    assert!(matches!(missing, ConnectError::NoSocket { .. }), "{missing}");
    drop(StdUnixListener::bind(&path).unwrap());
    let stale = Client::connect(&path).await.unwrap_err();
    assert!(matches!(stale, ConnectError::Refused { .. }), "{stale}");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_reply_ends_in_time_and_its_late_reply_is_nobodys() {
    let (client, mut daemon) = pair();
    let started = tokio::time::Instant::now();
    let error = client.call(call::Status, &NONE).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout(CALL_DEADLINE)), "{error}");
    assert!(started.elapsed() >= CALL_DEADLINE);
    let late = async {
        let mut line = String::new();
        for _ in 0..2 {
            daemon.read_line(&mut line).await.unwrap();
        }
        daemon.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n").await.unwrap();
        daemon.write_all(VERSION_2).await.unwrap();
    };
    let (version, ()) = tokio::join!(client.call(call::Version, &NONE), late);
    assert_eq!(version.unwrap().protocol, 9);
}

#[tokio::test]
async fn calls_are_pipelined_and_replies_find_their_callers() {
    let (client, mut daemon) = pair();
    let answering = tokio::spawn(async move {
        let mut line = String::new();
        for _ in 0..2 {
            daemon.read_line(&mut line).await.unwrap();
        }
        daemon.write_all(VERSION_2).await.unwrap();
        let refused = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1003,\"message\":\"no\",\"data\":{\"kind\":\"not_found\"}}}\n";
        daemon.write_all(refused).await.unwrap();
        daemon
    });
    let (first, second) =
        tokio::join!(client.call(call::Status, &NONE), client.call(call::Version, &NONE));
    assert!(matches!(first, Err(ClientError::Rpc(e)) if e.code == 1_003));
    assert_eq!(second.unwrap().protocol, 9, "unknown fields are passed over");
    drop(answering.await.unwrap());
    let closed = client.call(call::Status, &NONE).await.unwrap_err();
    assert!(matches!(closed, ClientError::Closed), "{closed}");
}

#[tokio::test]
async fn an_error_about_the_connection_is_every_callers_error() {
    let (client, mut daemon) = pair();
    let line = b"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1013,\"message\":\"too many\",\"data\":{\"kind\":\"too_many_connections\"}}}\n";
    daemon.write_all(line).await.unwrap();
    drop(daemon);
    for _ in 0..2 {
        let error = client.call(call::Status, &NONE).await.unwrap_err();
        assert!(matches!(&error, ClientError::Rpc(e) if e.code == 1_013), "{error}");
    }
}

#[tokio::test]
async fn a_request_that_fits_no_line_is_not_written() {
    let (client, _daemon) = pair();
    let client = client.with_deadline(Duration::from_secs(5));
    let params = SendParams::text("x", "x".repeat(FRAME_BYTES_MAX));
    let error = client.call(call::MessageSend, &params).await.unwrap_err();
    assert!(matches!(error, ClientError::Encode(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn invariant_10_events_that_nobody_reads_are_bounded_in_bytes() {
    const LONG: usize = 256 * 1024;
    let (client, mut daemon) = pair();
    let mut line = String::new();
    let answering = async {
        daemon.read_line(&mut line).await.unwrap();
        let reply = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"seq\":0}}\n";
        daemon.write_all(reply).await.unwrap();
    };
    let (events, ()) = tokio::join!(client.subscribe(), answering);
    let mut events = events.unwrap();
    let why = "x".repeat(LONG);
    let event = format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{{\"seq\":1,\"at\":\
         \"2026-01-31T08:30:00Z\",\"event\":\"pairing\",\"ended\":{{\"result\":\"failed\",\
         \"kind\":\"superseded\",\"why\":\"{why}\"}}}}}}\n"
    );
    let mut written = 0;
    while timeout(CALL_DEADLINE, daemon.write_all(event.as_bytes())).await.is_ok() {
        written += 1;
        assert!(written * LONG <= EVENTS_BYTES_MAX + 2 * FRAME_BYTES_MAX, "nobody reads them");
    }
    assert!((written + 1) * LONG > EVENTS_BYTES_MAX, "{written}");
    // What is read makes room for what comes.
    for _ in 0..written {
        events.next().await.unwrap();
    }
    daemon.write_all(b"\n").await.unwrap();
}
