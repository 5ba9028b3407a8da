//! Where nothing is ever connected to, however it is written and however it is reached.

use std::net::IpAddr;
use std::sync::Arc;

use super::{PUBLIC, TestNetwork, fetch, fetcher, redirect, serve};
use crate::fetch::{FetchError, TextLink, Verdict};

/// Hosts that are addresses, or name one: `{port}` is where somebody listens.
const WRITTEN: [&str; 66] = [
    "http://127.0.0.1:{port}/",
    "http://127.0.0.1./",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://127.255.255.254:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://0x7f.0x0.0x0.0x1:{port}/",
    "http://127.0.0.0x1:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://１２７.０.０.１:{port}/",
    "http://127。0。0。1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0.1.2.3:{port}/",
    "http://10.0.0.1:{port}/",
    "http://10.255.255.255:{port}/",
    "http://167772161:{port}/",
    "http://012.0.0.1:{port}/",
    "http://100.64.0.1:{port}/",
    "http://100.127.255.255:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://169.254.0.1:{port}/",
    "http://172.16.0.1:{port}/",
    "http://172.31.255.255:{port}/",
    "http://192.168.0.1:{port}/",
    "http://192.168.257:{port}/",
    "http://0xc0a80001:{port}/",
    "http://192.0.0.8:{port}/",
    "http://192.0.2.1:{port}/",
    "http://192.88.99.1:{port}/",
    "http://198.18.0.1:{port}/",
    "http://198.19.255.255:{port}/",
    "http://198.51.100.1:{port}/",
    "http://203.0.113.1:{port}/",
    "http://224.0.0.1:{port}/",
    "http://239.255.255.255:{port}/",
    "http://240.0.0.1:{port}/",
    "http://255.255.255.255:{port}/",
    "http://[::]:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::ffff:1.1.1.1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::ffff:0:127.0.0.1]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://[fec0::1]:{port}/",
    "http://[fc00::1]:{port}/",
    "http://[fd12:3456::1]:{port}/",
    "http://[ff02::1]:{port}/",
    "http://[100::1]:{port}/",
    "http://[2001::1]:{port}/",
    "http://[2001:db8::1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[64:ff9b::a9fe:a9fe]:{port}/",
    "http://[64:ff9b:1::101:101]:{port}/",
    "http://[5f00::1]:{port}/",
];

/// Names, and where they lead.
const NAMED: [(&str, &str); 10] = [
    ("localhost", "127.0.0.1"),
    ("localhost.", "127.0.0.1"),
    ("localhost6", "::1"),
    ("inside.example", "10.1.2.3"),
    ("meta.example", "169.254.169.254"),
    ("mapped.example", "::ffff:192.168.1.1"),
    ("nat.example", "100.100.100.100"),
    ("local.example", "fe80::1"),
    ("unique.example", "fd00::1"),
    ("xn--bcher-kva.example", "192.168.1.1"),
];

/// What is no address of the web at all.
const MALFORMED: [&str; 8] = [
    "http://256.0.0.1/",
    "http://1.2.3.4.5/",
    "http://[::1/",
    "http://user:secret@files.example/",
    "http://files.example:22/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "unix:/run/x.sock",
];

fn all_urls(port: u16) -> Vec<String> {
    let written = WRITTEN.iter().map(|url| url.replace("{port}", &port.to_string()));
    let named = NAMED.iter().map(|(name, _)| format!("http://{name}:{port}/"));
    written.chain(named).chain(MALFORMED.iter().map(|url| (*url).to_owned())).collect()
}

fn network(server: Option<std::net::SocketAddr>) -> TestNetwork {
    let mut network = TestNetwork { server, ..TestNetwork::default() };
    for (name, address) in NAMED {
        network.names.insert(name, vec![address.parse().unwrap()]);
    }
    network.names.insert("files.example", vec![PUBLIC]);
    network
}

/// Somebody on loopback who would notice.
struct Witness(std::net::TcpListener);

impl Witness {
    fn new() -> Witness {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Witness(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn saw_nothing(&self) {
        let error = self.0.accept().expect_err("somebody connected");
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[tokio::test]
async fn no_connection_is_made_to_what_is_not_the_public_internet() {
    let witness = Witness::new();
    let network = Arc::new(network(None));
    let fetcher = fetcher(&network);
    let urls = all_urls(witness.port());
    assert!(urls.len() >= 60);
    for url in &urls {
        let fault = fetch(&fetcher, url, 1_000).await.expect_err(url);
        let expected = [
            FetchError::RefusedAddress,
            FetchError::BadAddress,
            FetchError::Credentials,
            FetchError::RefusedPort,
            FetchError::NotHttps,
        ];
        assert!(expected.contains(&fault), "{url}: {fault:?}");
        assert_eq!(network.connects(), [], "{url}");
        if let Ok(link) = url::Url::parse(url)
            && matches!(link.scheme(), "http" | "https")
        {
            let link = TextLink { readings: vec![link], complete: true };
            let verdict = fetcher.check_links(&[link], None).await.verdict;
            assert!(matches!(verdict, Verdict::Doubtful(_)), "{url}: {verdict:?}");
        }
        assert_eq!(network.connects(), [], "{url}, as a link");
    }
    witness.saw_nothing();
}

#[tokio::test]
async fn no_redirect_leads_there_either() {
    let witness = Witness::new();
    let (server, _) = serve(|line| {
        let to = line.split_once("/to?").map_or("", |(_, rest)| rest.split(' ').next().unwrap());
        let bytes: Vec<u8> = (0..to.len() / 2)
            .map(|i| u8::from_str_radix(&to[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        redirect(&String::from_utf8(bytes).unwrap())
    })
    .await;
    let network = Arc::new(network(Some(server)));
    let fetcher = fetcher(&network);
    let mut hops = 0;
    for url in all_urls(witness.port()) {
        let hex: String = url.bytes().map(|byte| format!("{byte:02x}")).collect();
        let from = format!("http://files.example/to?{hex}");
        fetch(&fetcher, &from, 1_000).await.expect_err(&url);
        hops += 1;
        let connects = network.connects();
        assert_eq!(connects.len(), hops, "{url}");
        assert!(connects.iter().all(|address| address.ip() == PUBLIC), "{url}: {connects:?}");
    }
    witness.saw_nothing();
}

#[tokio::test]
async fn of_a_names_addresses_only_the_public_ones_are_tried() {
    let (server, _) = serve(|_| super::ok("hello")).await;
    let mut network = network(Some(server));
    let inside: IpAddr = "10.0.0.1".parse().unwrap();
    network.names.insert("mixed.example", vec![inside, "127.0.0.1".parse().unwrap(), PUBLIC]);
    let network = Arc::new(network);
    let fetcher = fetcher(&network);
    assert_eq!(fetch(&fetcher, "http://mixed.example/", 100).await.unwrap(), b"hello");
    assert!(network.connects().iter().all(|address| address.ip() == PUBLIC));
}
