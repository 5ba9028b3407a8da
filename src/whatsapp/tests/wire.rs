//! The transport and the HTTP client against small servers on loopback.

use std::future::ready;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tetherd_net::connect::Connector;
use tetherd_net::ip_filter::IpFilter;
use tetherd_net::trust::Trust;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use whatsapp_rust::anyhow;
use whatsapp_rust::wacore::net::{
    DisconnectReason, HttpClient, HttpRequest, Transport, TransportEvent, TransportFactory,
};

use crate::whatsapp::media::http::MediaHttp;
use crate::whatsapp::tests::offline::PATIENCE;
use crate::whatsapp::transport::{CanKeep, Factory, Progress, Trace};

/// A listener with a certificate for 127.0.0.1, and the trust in it.
pub(super) struct Host {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    connector: Arc<Connector>,
    ca: tempfile::NamedTempFile,
}

impl Host {
    pub(super) async fn new() -> Host {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let mut ca = tempfile::NamedTempFile::new().unwrap();
        ca.write_all(made.cert.pem().as_bytes()).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        Host {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
            connector: {
                let trust = Arc::new(Trust::new(Some(ca.path().to_owned())).unwrap());
                Arc::new(Connector::new(trust, IpFilter::Any))
            },
            ca,
        }
    }

    pub(super) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/ws/chat", self.listener.local_addr().unwrap())
    }

    pub(super) fn ca_file(&self) -> std::path::PathBuf {
        self.ca.path().to_owned()
    }

    pub(super) async fn accept(&self) -> TlsStream<TcpStream> {
        let (tcp, _) = self.listener.accept().await.unwrap();
        self.acceptor.accept(tcp).await.unwrap()
    }

    fn factory(&self, trace: &Arc<Trace>) -> Factory {
        self.factory_while(trace, Arc::new(|| ready(true).boxed()))
    }

    fn factory_while(&self, trace: &Arc<Trace>, can_keep: CanKeep) -> Factory {
        let endpoint = self.url("wss").parse().unwrap();
        let limit = Duration::from_secs(10);
        Factory::new(endpoint, self.connector.clone(), limit, trace.clone(), can_keep)
    }

    fn https(&self) -> MediaHttp {
        // Never halted: its sender lives on.
        let (halt, halted) = watch::channel(false);
        std::mem::forget(halt);
        MediaHttp::new(self.connector.clone(), halted)
    }

    async fn answer_http(&self, answer: String) {
        let mut stream = self.accept().await;
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        // The client may hang up in the middle of a body that is too long.
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

#[tokio::test]
async fn nothing_leaves_once_nothing_can_be_kept() {
    let host = Host::new().await;
    let good = Arc::new(AtomicBool::new(true));
    let is_good = Arc::clone(&good);
    let can_keep = Arc::new(move || ready(is_good.load(Ordering::Relaxed)).boxed());
    let factory = host.factory_while(&Arc::default(), can_keep);
    let serve = async {
        let mut socket = tokio_tungstenite::accept_async(host.accept().await).await.unwrap();
        let message = socket.next().await.unwrap().unwrap();
        assert_eq!(message, Message::Binary(Bytes::from("kept")));
        assert!(!matches!(socket.next().await, Some(Ok(Message::Binary(_)))), "it left");
    };
    let talk = async {
        let (line, _events) = factory.create_transport().await.unwrap();
        line.send(Bytes::from("kept")).await.unwrap();
        good.store(false, Ordering::Relaxed);
        assert!(line.send(Bytes::from("refused")).await.is_err());
        line.disconnect().await;
    };
    timeout(PATIENCE, async { tokio::join!(serve, talk) }).await.unwrap();
}

#[tokio::test]
#[expect(clippy::result_large_err, reason = "the callback's type is the websocket library's")]
async fn one_frame_is_one_message_and_the_browsers_headers_are_there() {
    let host = Host::new().await;
    let trace = Arc::new(Trace::default());
    let factory = host.factory(&trace);
    let serve = async {
        let check = |request: &Request, response: Response| {
            assert_eq!(request.headers()["origin"], "https://web.whatsapp.com");
            assert!(request.headers().contains_key("user-agent"));
            Ok(response)
        };
        let stream = host.accept().await;
        let mut socket = tokio_tungstenite::accept_hdr_async(stream, check).await.unwrap();
        for expected in ["one", "two"] {
            let message = socket.next().await.unwrap().unwrap();
            assert_eq!(message, Message::Binary(Bytes::from(expected)));
        }
        socket.send(Message::Binary(Bytes::from("three"))).await.unwrap();
        socket.close(None).await.unwrap();
    };
    let talk = async {
        let (line, events) = factory.create_transport().await.unwrap();
        line.send(Bytes::from("one")).await.unwrap();
        line.send(Bytes::from("two")).await.unwrap();
        let data = events.recv().await.unwrap();
        assert!(matches!(data, TransportEvent::DataReceived(data) if data == "three"));
        let end = events.recv().await.unwrap();
        assert!(matches!(end, TransportEvent::Disconnected(DisconnectReason::ServerClose { .. })));
        line.disconnect().await;
        line.disconnect().await;
        assert!(line.send(Bytes::from("four")).await.is_err());
    };
    timeout(PATIENCE, async { tokio::join!(serve, talk) }).await.unwrap();
}

#[tokio::test]
async fn a_send_that_a_server_does_not_take_ends_with_the_line() {
    let host = Host::new().await;
    let trace = Arc::new(Trace::default());
    let factory = host.factory(&trace);
    let (opened, socket) = tokio::join!(factory.create_transport(), async {
        tokio_tungstenite::accept_async(host.accept().await).await.unwrap()
    });
    let (line, _events) = opened.unwrap();
    // More than the kernel's buffers take: this can only end with the line.
    let frame = Bytes::from(vec![0; 16 * 1024 * 1024]);
    let sending = tokio::spawn({
        let line: Arc<dyn Transport> = line.clone();
        async move { line.send(frame).await }
    });
    tokio::task::yield_now().await;
    line.disconnect().await;
    let sent = timeout(PATIENCE, sending).await.unwrap().unwrap();
    assert!(sent.is_err());
    drop(socket);
}

#[tokio::test]
async fn what_is_no_websocket_and_whom_nobody_vouches_for_is_told_apart() {
    let host = Host::new().await;
    let trace = Arc::new(Trace::default());
    let factory = host.factory(&trace);
    let answer = "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n".to_owned();
    let (opened, ()) = tokio::join!(factory.create_transport(), host.answer_http(answer));
    assert!(opened.is_err());
    assert!(matches!(trace.progress(), Progress::Failed(what) if what.contains("503")));

    let other = Host::new().await;
    let endpoint = host.url("wss").parse().unwrap();
    let (limit, can_keep) = (Duration::from_secs(10), Arc::new(|| ready(true).boxed()));
    let wrong = Factory::new(endpoint, other.connector.clone(), limit, trace.clone(), can_keep);
    let refused = async {
        let (tcp, _) = host.listener.accept().await.unwrap();
        assert!(host.acceptor.accept(tcp).await.is_err());
    };
    let (opened, ()) = tokio::join!(wrong.create_transport(), refused);
    assert!(opened.is_err());
    assert!(matches!(
        trace.progress(),
        Progress::Failed(what) if what.contains("certificate does not verify")
    ));
}

#[tokio::test]
async fn any_status_is_an_answer() {
    let host = Host::new().await;
    let https = host.https();
    for status in [200, 404, 500] {
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nhi");
        let request = HttpRequest::get(host.url("https"));
        let (got, ()) = tokio::join!(https.execute(request), host.answer_http(answer));
        let got = got.unwrap();
        assert_eq!((got.status_code, got.body.as_slice()), (status, b"hi".as_slice()));
    }
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_an_error() {
    let host = Host::new().await;
    let https = host.https().limited(|limits| limits.body_bytes_max = 1000);
    let body = "x".repeat(1001);
    let answer = format!("HTTP/1.1 200 X\r\ncontent-length: 1001\r\n\r\n{body}");
    let request = HttpRequest::post(host.url("https")).with_body("ask");
    let (got, ()) = tokio::join!(https.execute(request), host.answer_http(answer));
    assert!(got.unwrap_err().to_string().contains("1000 bytes"));
}

/// Answers one request after its whole head, and reads the body piece by piece.
async fn take_upload(host: &Host, pause: impl Future<Output = ()>) -> usize {
    let mut stream = host.accept().await;
    let mut read = Vec::new();
    while !read.windows(4).any(|window| window == b"\r\n\r\n") {
        stream.read_buf(&mut read).await.unwrap();
    }
    let head = String::from_utf8_lossy(&read).to_lowercase();
    assert!(head.contains("content-length: 3000000"), "{head}");
    pause.await;
    let end = read.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let mut bytes = read.len() - end;
    let mut chunk = vec![0; 64 * 1024];
    while bytes < 3_000_000 {
        bytes += stream.read(&mut chunk).await.unwrap();
    }
    stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    let _ = stream.shutdown().await;
    bytes
}

fn upload(https: MediaHttp, url: String) -> tokio::task::JoinHandle<anyhow::Result<u16>> {
    let body = std::io::repeat(7).take(3_000_000);
    tokio::task::spawn_blocking(move || {
        let answer = https.execute_upload(HttpRequest::post(url), Box::new(body), 3_000_000)?;
        Ok(answer.status_code)
    })
}

#[tokio::test]
async fn an_upload_streams_from_its_reader_with_its_length() {
    let host = Host::new().await;
    let sending = upload(host.https(), host.url("https"));
    let (sent, taken) = tokio::join!(sending, take_upload(&host, async {}));
    assert_eq!((sent.unwrap().unwrap(), taken), (200, 3_000_000));
}

#[tokio::test]
async fn an_upload_that_stalls_ends_and_one_whose_session_ends_breaks_off() {
    let host = Host::new().await;
    let https = host.https().limited(|limits| limits.stall = Duration::from_millis(300));
    let sending = upload(https, host.url("https"));
    let stuck = take_upload(&host, std::future::pending());
    let error = tokio::select! {
        sent = sending => sent.unwrap().unwrap_err().to_string(),
        _ = stuck => panic!("nothing was to be taken"),
    };
    assert!(error.contains("no byte moved"), "{error}");

    let (halt, halted) = watch::channel(false);
    let sending = upload(MediaHttp::new(host.connector.clone(), halted), host.url("https"));
    let stuck = take_upload(&host, async {
        halt.send_replace(true);
        std::future::pending().await
    });
    let error = tokio::select! {
        sent = sending => sent.unwrap().unwrap_err().to_string(),
        _ = stuck => panic!("nothing was to be taken"),
    };
    assert!(error.contains("connection has ended"), "{error}");
}

#[tokio::test]
async fn a_download_streams_to_its_reader() {
    let host = Host::new().await;
    let body = "x".repeat(200_000);
    let answer = format!("HTTP/1.1 200 X\r\ncontent-length: 200000\r\n\r\n{body}");
    let (https, url) = (host.https().streaming(), host.url("https"));
    assert!(https.supports_streaming());
    let reading = tokio::task::spawn_blocking(move || {
        let mut answer = https.execute_streaming(HttpRequest::get(url)).unwrap();
        let mut got = String::new();
        answer.body.read_to_string(&mut got).unwrap();
        (answer.status_code, got)
    });
    let (got, ()) = tokio::join!(reading, host.answer_http(answer));
    assert!(got.unwrap() == (200, body));

    // A body that ends early is no whole body.
    let answer = "HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nhi".to_owned();
    let (https, url) = (host.https().streaming(), host.url("https"));
    let reading = tokio::task::spawn_blocking(move || {
        let mut answer = https.execute_streaming(HttpRequest::get(url)).unwrap();
        answer.body.read_to_end(&mut Vec::new()).is_err()
    });
    let (failed, ()) = tokio::join!(reading, host.answer_http(answer));
    assert!(failed.unwrap());
}

#[tokio::test]
async fn http_without_encryption_is_refused() {
    let host = Host::new().await;
    let https = host.https();
    assert!(https.execute(HttpRequest::get(host.url("http"))).await.is_err());
}

#[cfg(feature = "sim")]
#[tokio::test]
async fn a_media_host_elsewhere_is_refused_by_a_simulator_build() {
    let host = Host::new().await;
    let https = host.https();
    let request = HttpRequest::get("https://mmg.whatsapp.net/file");
    let error = https.execute(request).await.unwrap_err().to_string();
    assert!(error.contains("this machine only"), "{error}");
}
