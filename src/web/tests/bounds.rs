//! Clients that take too much: of memory, of places, of time. In virtual time: where the
//! front waits for nothing else, its clock goes on to its next limit.

use tether_web::limits::{
    CONNECTIONS_MAX, HEADERS_MAX, PART_HEAD_BYTES_MAX, PARTS_MAX, UPLOAD_BYTES_MAX,
};
use tetherd_api::{FRAME_BYTES_MAX, Tier};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Answer, Front};

/// Reads until the front closes; what it said.
async fn to_the_end(stream: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_cut_off_and_others_are_served() {
    let front = Front::start().await;
    let mut slow = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        let mut stream = front.connect().await;
        stream.write_all(b"GET /login HTTP/1.1\r\nhost: ").await.unwrap();
        slow.push(stream);
    }
    // Every place is taken; they are free once their time is over.
    assert_eq!(front.ask("GET /openapi.json", &[], "").await.status, 200);
    for stream in &mut slow {
        let answer = to_the_end(stream).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_nothing_is_closed() {
    let front = Front::start().await;
    let mut stream = front.connect().await;
    let request = format!("GET /openapi.json HTTP/1.1\r\nhost: {}\r\n\r\n", front.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(to_the_end(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let front = Front::start().await;
    let token = format!("Bearer {}", front.token(Tier::Read));
    let headers = [("authorization", token.as_str()), ("content-length", "100")];
    let answer = front.ask("POST /v1/status", &headers, "{").await;
    assert_eq!((answer.status, answer.kind().as_str()), (408, "too_slow"));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_does_not_come_is_not_waited_for() {
    let front = Front::start().await;
    let token = format!("Bearer {}", front.token(Tier::Send));
    let kind = "multipart/form-data; boundary=b";
    let headers =
        [("authorization", token.as_str()), ("content-length", "100000"), ("content-type", kind)];
    let part = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nabc";
    let answer = front.ask("POST /v1/message.send", &headers, part).await;
    assert_eq!((answer.status, answer.kind().as_str()), (408, "too_slow"));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let front = Front::start().await;
    let many: Vec<String> = (0..HEADERS_MAX + 1).map(|n| format!("x-{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "y")).collect();
    let long = "y".repeat(64 * 1024);
    for (headers, path) in [
        (many, "/login".to_owned()),
        (vec![("x-long", long.as_str())], "/login".to_owned()),
        (vec![], format!("/{long}")),
    ] {
        let answer = front.ask(&format!("GET {path}"), &headers, "").await;
        // The connection may be gone before the answer was read.
        assert!(matches!(answer.status, 431 | 414 | 0), "{}", answer.status);
    }
    assert_eq!(front.ask("GET /openapi.json", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let front = Front::start().await;
    let token = format!("Bearer {}", front.token(Tier::Admin));
    let ten_gib = (10u64 << 30).to_string();
    let ask = async |kind: &str, path: &str| {
        let mut stream = front.connect().await;
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: {token}\r\n\
             content-type: {kind}\r\ncontent-length: {ten_gib}\r\nconnection: close\r\n\r\n",
            front.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        // Not one byte of the body is sent.
        Answer::read(&mut stream).await
    };
    const { assert!(UPLOAD_BYTES_MAX < 10 << 30) };
    let file = ask("multipart/form-data; boundary=b", "/v1/message.send").await;
    assert_eq!((file.status, file.kind().as_str()), (413, "file_too_large"));
    let json = ask("application/json", "/v1/message.send").await;
    assert_eq!((json.status, json.kind().as_str()), (413, "frame_too_long"));
}

#[tokio::test]
async fn a_body_that_is_larger_than_announced_limits_is_cut_off() {
    let front = Front::with(|config| config.uploads.max_bytes = 10).await;
    let token = format!("Bearer {}", front.token(Tier::Send));
    let body = format!(
        "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n{}\r\n--b--\r\n",
        "x".repeat(11)
    );
    let headers =
        [("authorization", token.as_str()), ("content-type", "multipart/form-data; boundary=b")];
    let answer = front.ask("POST /v1/message.send", &headers, &body).await;
    assert_eq!((answer.status, answer.kind().as_str()), (413, "file_too_large"));
}

/// Sends a message in parts, without saying how long it is.
async fn send_parts(front: &Front, body: &str) -> (u16, String) {
    let token = format!("Bearer {}", front.token(Tier::Send));
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", "multipart/form-data; boundary=b"),
        ("transfer-encoding", "chunked"),
    ];
    let body = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let answer = front.ask("POST /v1/message.send", &headers, &body).await;
    (answer.status, answer.kind())
}

/// A part of a form, with a head that has one line more.
fn part(name: &str, line: &str, text: &str) -> String {
    let disposition = format!("content-disposition: form-data; name=\"{name}\"");
    format!("--b\r\n{disposition}\r\nx-line: {line}\r\n\r\n{text}\r\n")
}

#[tokio::test]
async fn what_a_form_s_parts_take_of_memory_is_bounded() {
    let front = Front::start().await;
    let end = "--b--\r\n";
    let too_long = (413, "frame_too_long".to_owned());
    // Parts that have no content.
    let small = |count: usize| part("x", "", "").repeat(count) + end;
    assert_eq!(send_parts(&front, &small(PARTS_MAX + 1)).await, too_long);
    assert_eq!(send_parts(&front, &small(PARTS_MAX)).await.0, 400);
    // Their names.
    let name = "n".repeat(PART_HEAD_BYTES_MAX / 2);
    let names = part(&name, "", "").repeat(FRAME_BYTES_MAX / name.len() + 1);
    assert_eq!(send_parts(&front, &(names + end)).await, too_long);
}

#[tokio::test]
async fn what_lies_between_a_form_s_parts_is_bounded() {
    let front = Front::with(|config| config.uploads.max_bytes = 10).await;
    let twice = "x".repeat(PART_HEAD_BYTES_MAX * 2);
    let too_long = (413, "frame_too_long".to_owned());
    // What comes before the first part, and a part's head.
    let before = format!("{twice}\r\n{}--b--\r\n", part("x", "", ""));
    assert_eq!(send_parts(&front, &before).await, too_long);
    assert_eq!(send_parts(&front, &(part("x", &twice, "") + "--b--\r\n")).await, too_long);
    // And all of them.
    let line = "x".repeat(PART_HEAD_BYTES_MAX / 2);
    let heads = part("x", &line, "").repeat(FRAME_BYTES_MAX / line.len() + 1);
    let answer = send_parts(&front, &(heads + "--b--\r\n")).await;
    assert_eq!(answer, (413, "file_too_large".to_owned()));
}
