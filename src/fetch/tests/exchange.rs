//! What comes of answers, good and bad.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{TestNetwork, fetch, fetcher, ok, redirect, serve, status};
use crate::fetch::{FetchError, Verdict, find_links};

const FILE: &str = "http://files.example/file";

async fn against(
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> (Result<Vec<u8>, FetchError>, Vec<String>) {
    let (server, asked) = serve(answer).await;
    let network = Arc::new(TestNetwork::to(server));
    let fetched = fetch(&fetcher(&network), FILE, 10).await;
    let asked = asked.lock().unwrap().clone();
    (fetched, asked)
}

#[tokio::test]
async fn a_file_is_fetched_whole_and_says_who_asks() {
    let (fetched, asked) = against(|_| ok("0123456789")).await;
    assert_eq!(fetched.unwrap(), b"0123456789");
    let asked = asked[0].to_lowercase();
    assert!(asked.starts_with("get /file http/1.1\r\n"), "{asked}");
    for header in
        ["host: files.example\r\n", "user-agent: tetherd/", "accept-encoding: identity\r\n"]
    {
        assert!(asked.contains(header), "{asked}");
    }
    for header in ["cookie", "authorization", "referer"] {
        assert!(!asked.contains(header), "{asked}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_answer_has_a_name() {
    for (answer, fault) in [
        (status(404), FetchError::Status(404)),
        (status(503), FetchError::Status(503)),
        (status(304), FetchError::Status(304)),
        (ok(""), FetchError::Empty),
        (ok("01234567890"), FetchError::TooLarge),
        ("HTTP/1.1 200 OK\r\n\r\n01234567890".to_owned(), FetchError::TooLarge),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n0123".to_owned(), FetchError::ConnectionLost),
        (
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx".to_owned(),
            FetchError::Encoded,
        ),
        ("SSH-2.0-x\r\n\r\n".to_owned(), FetchError::NotHttp),
        ("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n".to_owned(), FetchError::BadRedirect),
        (redirect("http://[::"), FetchError::BadRedirect),
        (redirect("/file"), FetchError::TooManyRedirects),
        (String::new(), FetchError::Stalled),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n01...".to_owned(), FetchError::Stalled),
    ] {
        let shown = answer.clone();
        let (fetched, _) = against(move |_| answer.clone()).await;
        assert_eq!(fetched, Err(fault), "{shown:?}");
    }
    let huge = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\nx", "x".repeat(300_000));
    assert!(against(move |_| huge.clone()).await.0.is_err());
}

#[tokio::test]
async fn three_redirects_are_followed_and_a_fourth_is_not() {
    let hop = |line: &str, last: usize| {
        let n: usize =
            line.split("/file").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap_or(0);
        if n == last { ok("there") } else { redirect(&format!("/file{}", n + 1)) }
    };
    let (fetched, asked) = against(move |line| hop(line, 3)).await;
    assert_eq!(fetched.unwrap(), b"there");
    assert_eq!(asked.len(), 4);
    let (fetched, asked) = against(move |line| hop(line, 4)).await;
    assert_eq!(fetched, Err(FetchError::TooManyRedirects));
    assert_eq!(asked.len(), 4);
}

#[tokio::test]
async fn nothing_that_listens_or_answers_is_told_apart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    let mut network = TestNetwork::to(gone);
    network.names.insert("later.example", Vec::new());
    let fetcher = fetcher(&Arc::new(network));
    assert_eq!(fetch(&fetcher, FILE, 10).await, Err(FetchError::ConnectionRefused));
    assert_eq!(fetch(&fetcher, "http://no.example/", 10).await, Err(FetchError::UnknownHost));
    assert_eq!(fetch(&fetcher, "http://later.example/", 10).await, Err(FetchError::NoResolver));
    // No TLS there: that is not a matter of time.
    let (server, _) = serve(|_| ok("x")).await;
    let fetcher = super::fetcher(&Arc::new(TestNetwork::to(server)));
    let listening = tokio::time::timeout(Duration::from_secs(20), async {
        fetch(&fetcher, "https://files.example/", 10).await
    });
    assert!(listening.await.unwrap().is_err());
}

async fn checked(
    text: &str,
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> (Verdict, Vec<String>) {
    let (server, asked) = serve(answer).await;
    let network = Arc::new(TestNetwork::to(server));
    let checked = fetcher(&network).check_links(&find_links(text), None).await;
    let line = |request: &String| request.split(" HTTP").next().unwrap_or_default().to_owned();
    let asked = asked.lock().unwrap().iter().map(line).collect();
    (checked.verdict, asked)
}

async fn verdict(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> (Verdict, usize) {
    let (verdict, asked) = checked(FILE, answer).await;
    (verdict, asked.len())
}

#[tokio::test]
async fn a_link_is_judged_by_its_head_or_else_by_its_first_byte() {
    assert_eq!(verdict(|_| status(200)).await, (Verdict::Good, 1));
    assert_eq!(verdict(|_| status(403)).await, (Verdict::Good, 1));
    assert_eq!(verdict(|_| status(404)).await, (Verdict::Broken(FetchError::Status(404)), 2));
    assert_eq!(verdict(|_| status(410)).await, (Verdict::Broken(FetchError::Status(410)), 2));
    assert_eq!(verdict(|_| status(500)).await, (Verdict::Doubtful(FetchError::Status(500)), 1));
    let no_head = |line: &str| if line.starts_with("HEAD") { status(405) } else { status(206) };
    assert_eq!(verdict(no_head).await, (Verdict::Good, 2));
}

/// Answers `/file` only.
fn only_the_file(line: &str) -> String {
    let path = line.split(' ').nth(1).unwrap_or_default();
    if path == "/file" { status(200) } else { status(404) }
}

#[tokio::test]
async fn a_link_that_works_is_good_whatever_follows_it() {
    for text in [
        "see “http://files.example/file”",
        "http://files.example/file…",
        "http://files.example/file\u{200b}",
        "~http://files.example/file~",
        "http://files.example/file;http://files.example/other",
        "http://files.example/file.Danke",
        "http://files.example/file看看",
    ] {
        let (verdict, asked) = checked(text, only_the_file).await;
        assert_eq!(verdict, Verdict::Good, "{text}: {asked:?}");
    }
    let root = |line: &str| if line.contains(" / ") { status(200) } else { status(404) };
    for text in ["http://files.example’s page", "http://files.example看看"] {
        assert_eq!(checked(text, root).await.0, Verdict::Good, "{text}");
    }
}

#[tokio::test]
async fn a_link_that_works_in_no_reading_is_broken() {
    let broken = Verdict::Broken(FetchError::Status(404));
    for text in ["“http://files.example/no”", "(http://files.example/no).", "http://files.example/"]
    {
        assert_eq!(checked(text, only_the_file).await.0, broken, "{text}");
    }
    let too_many = "http://files.example/a!b!c!d!e!f";
    let doubtful = Verdict::Doubtful(FetchError::Status(404));
    assert_eq!(checked(too_many, only_the_file).await.0, doubtful);
    let no_host = Verdict::Broken(FetchError::UnknownHost);
    assert_eq!(checked("“http://no.example”", only_the_file).await.0, no_host);
    for private in ["http://printer.local/", "http://intranet/", "http://x.onion/"] {
        let doubtful = Verdict::Doubtful(FetchError::UnknownHost);
        assert_eq!(checked(private, only_the_file).await.0, doubtful, "{private}");
    }
}

#[test]
fn a_certificate_proves_nothing() {
    let url = url::Url::parse("https://files.example/").unwrap();
    assert_eq!(Verdict::of(FetchError::Tls, &url), Verdict::Doubtful(FetchError::Tls));
}

#[tokio::test]
async fn the_address_that_was_asked_is_named() {
    let (server, _) = serve(only_the_file).await;
    let fetcher = fetcher(&Arc::new(TestNetwork::to(server)));
    let checked = fetcher.check_links(&find_links("“http://files.example/no”"), None).await;
    assert_eq!(checked.url.unwrap().as_str(), "http://files.example/no");
}

#[tokio::test]
async fn the_worst_link_counts_and_answers_are_kept() {
    let (server, asked) = serve(|_| status(200)).await;
    let mut network = TestNetwork::to(server);
    network.names.insert("later.example", Vec::new());
    let network = Arc::new(network);
    let fetcher = fetcher(&network);
    let links = find_links("http://files.example http://later.example http://no.example");
    let worst = Verdict::Broken(FetchError::UnknownHost);
    assert_eq!(fetcher.check_links(&links, None).await.verdict, worst);
    let doubtful = Verdict::Doubtful(FetchError::NoResolver);
    assert_eq!(fetcher.check_links(&links[..2], None).await.verdict, doubtful);
    assert_eq!(fetcher.check_links(&links, None).await.verdict, worst);
    assert_eq!(asked.lock().unwrap().len(), 1);
    fetcher.check_links(&links, Some(Instant::now())).await;
    assert_eq!(asked.lock().unwrap().len(), 2, "asked afresh");
}

#[tokio::test]
async fn texts_with_the_same_link_share_one_answer_also_at_the_same_time() {
    let (server, asked) = serve(|_| status(200)).await;
    let fetcher = fetcher(&Arc::new(TestNetwork::to(server)));
    let links = find_links("http://files.example/once?token=x");
    for afresh in [false, true] {
        asked.lock().unwrap().clear();
        let since = afresh.then(Instant::now);
        let checks = (0..20).map(|_| fetcher.check_links(&links, since));
        for checked in futures_util::future::join_all(checks).await {
            assert_eq!(checked.verdict, Verdict::Good);
        }
        assert_eq!(asked.lock().unwrap().len(), 1, "{afresh}");
    }
}
