//! A webhook against a receiver on loopback, in virtual time. The event lies on disk from before,
//! as after a restart, so no daemon is needed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::HeaderMap;
use standardwebhooks::Webhook as Reference;
use tempfile::TempDir;
use tetherd_api::{FeedPlace, Redacted, Time};
use tetherd_net::connect::{Network, ResolveError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::attempt::Outcome;
use super::place::{Event, Mark, Pending, Switch};
use super::schedule::{FIRST, LONGEST};
use super::*;

mod disk;
mod tls;

/// What a receiver got, and the connection on which it is answered.
struct Got {
    stream: TcpStream,
    headers: HeaderMap,
    body: String,
}

impl Got {
    fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    async fn answer(mut self, head: &str) {
        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n");
        self.stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// A receiver that answers when the test says so.
struct Receiver(TcpListener);

impl Receiver {
    async fn start() -> Receiver {
        Receiver(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn url(&self) -> String {
        format!("http://{}/hook?s=1", self.0.local_addr().unwrap())
    }

    async fn next(&self) -> Got {
        let (mut stream, _) = self.0.accept().await.unwrap();
        let mut bytes = Vec::new();
        let head = loop {
            let mut piece = [0; 1024];
            let count = stream.read(&mut piece).await.unwrap();
            bytes.extend_from_slice(&piece[..count]);
            let end = bytes.windows(4).position(|part| part == b"\r\n\r\n");
            if let Some(end) = end {
                break end;
            }
        };
        let text = String::from_utf8(bytes).unwrap();
        let (lines, rest) = text.split_at(head);
        assert!(lines.starts_with("POST /hook?s=1 HTTP/1.1\r\n"), "{lines}");
        let mut headers = HeaderMap::new();
        for (name, value) in lines.lines().filter_map(|line| line.split_once(": ")) {
            let name: axum::http::HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
        let mut body = rest.as_bytes()[4..].to_vec();
        while body.len() < length {
            let mut piece = vec![0; length - body.len()];
            let count = stream.read(&mut piece).await.unwrap();
            body.extend_from_slice(&piece[..count]);
        }
        Got { stream, headers, body: String::from_utf8(body).unwrap() }
    }
}

fn event(seq: u64) -> Event {
    let body = format!("{{\"type\":\"message.changed\",\"data\":{{\"seq\":{seq}}}}}");
    Event {
        id: format!("msg_{seq}"),
        at: Time(1_000),
        body: Redacted(body),
        mark: Mark::Passed(seq),
    }
}

/// A front's webhooks, with one event that waits.
struct Lab {
    dir: TempDir,
    config: Config,
    secret: String,
}

impl Lab {
    fn new(url: &str) -> Lab {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "name = \"shop\"\nurl = {url:?}\nallow_addresses = [\"127.0.0.0/8\"]\ndaemon = \"main\"\n"
        );
        let settings: Settings = toml::from_str(&text).unwrap();
        let daemons = BTreeMap::from([("main".to_owned(), dir.path().join("none.sock"))]);
        let mut config = Config { daemons, webhooks: vec![settings], ..Config::default() };
        config.tokens.file = Some(dir.path().join("tokens"));
        let secret = new_secret(&secret_file(&config.webhooks[0], dir.path())).unwrap();
        let lab = Lab { dir, config, secret };
        let mut place = Place::default();
        place.begin(FeedPlace { feed: None, seq: 4 }, BTreeSet::new());
        place.pending = Some(Pending::new(event(7)));
        place.write(&lab.path()).unwrap();
        lab
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("webhooks/shop/main.json")
    }

    fn start(&self) -> Webhooks {
        let counts = Counts::default();
        let daemons = Daemons::start(&self.config.daemons, &counts);
        Webhooks::start(&self.config, &daemons, &counts).unwrap()
    }

    fn place(&self) -> Place {
        Place::read(&self.path()).unwrap()
    }

    /// Waits until a webhook stands as is asked, on disk too.
    async fn until(&self, webhooks: &Webhooks, fits: impl Fn(&Place) -> bool) -> Place {
        loop {
            let place = webhooks.get("shop").unwrap().place();
            if fits(&place) {
                assert_eq!(place, self.place());
                return place;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The same while time passes.
    async fn until_in_time(&self, webhooks: &Webhooks, fits: impl Fn(&Place) -> bool) -> Place {
        while !fits(&webhooks.get("shop").unwrap().place()) {
            tokio::time::advance(std::time::Duration::from_millis(500)).await;
        }
        self.place()
    }

    #[track_caller]
    fn verify(&self, got: &Got) {
        let reference = Reference::new(&self.secret).unwrap();
        reference.verify(got.body.as_bytes(), &got.headers).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_fails_is_asked_for_days_with_the_same_event() {
    let receiver = Receiver::start().await;
    let lab = Lab::new(&receiver.url());
    let webhooks = lab.start();
    let began = Instant::now();
    let mut waits = Vec::new();
    let mut last = began;
    for failures in 1..=20 {
        let got = receiver.next().await;
        lab.verify(&got);
        assert_eq!((got.id(), &*got.body), ("msg_7", &*event(7).body.0));
        waits.push(last.elapsed());
        last = Instant::now();
        if failures % 2 == 0 {
            // Killed while it answers.
            drop(got);
        } else {
            got.answer("500 Internal Server Error").await;
        }
        lab.until(&webhooks, |place| place.pending.as_ref().unwrap().failures == failures).await;
        let standing = webhooks.get("shop").unwrap().standing();
        assert_eq!((standing.state, standing.failures), (State::Retrying, failures));
    }
    assert!(began.elapsed() > schedule::FAILING_AFTER, "{:?}", began.elapsed());
    assert!(waits[1] >= FIRST * 4 / 5 && waits[1] <= FIRST * 2, "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= LONGEST * 6 / 5 + FIRST), "{waits:?}");
    receiver.next().await.answer("204 No Content").await;
    let place = lab.until(&webhooks, |place| place.pending.is_none()).await;
    assert_eq!(place.after, Some(7));
    assert_eq!(webhooks.get("shop").unwrap().standing().state, State::Active);
}

#[tokio::test(start_paused = true)]
async fn gone_disables_it_over_restarts_until_somebody_enables_it() {
    let receiver = Receiver::start().await;
    let lab = Lab::new(&receiver.url());
    let webhooks = lab.start();
    receiver.next().await.answer("410 Gone").await;
    lab.until(&webhooks, |place| place.switch != Switch::On).await;
    drop(webhooks);
    let webhooks = lab.start();
    let worker = webhooks.get("shop").unwrap();
    assert_eq!(worker.standing().state, State::Disabled);
    assert_eq!(worker.standing().last_error.unwrap().status, Some(410));
    worker.act(Act::Retry).await.unwrap();
    let week = std::time::Duration::from_secs(7 * 24 * 60 * 60);
    assert!(tokio::time::timeout(week, receiver.next()).await.is_err());
    worker.act(Act::Enable).await.unwrap();
    receiver.next().await.answer("200 OK").await;
    assert_eq!(lab.until(&webhooks, |place| place.pending.is_none()).await.after, Some(7));

    worker.act(Act::Pause).await.unwrap();
    drop(webhooks);
    assert_eq!(lab.start().get("shop").unwrap().standing().state, State::Paused);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_a_failure_and_a_receiver_is_asked_when_it_says() {
    let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
    let lab = Lab::new(&receiver.url());
    let webhooks = lab.start();
    let head = format!("301 Moved Permanently\r\nlocation: {}", elsewhere.url());
    receiver.next().await.answer(&head).await;
    let place = lab.until(&webhooks, |place| place.pending.as_ref().unwrap().failures == 1).await;
    assert_eq!(place.pending.unwrap().last.unwrap().code, "redirect");
    let got = tokio::select! {
        got = receiver.next() => got,
        _ = elsewhere.next() => panic!("the redirect was followed"),
    };
    let asked = Instant::now();
    got.answer("503 Service Unavailable\r\nretry-after: 4000").await;
    let got = receiver.next().await;
    let waited = asked.elapsed().as_secs();
    assert!((3_999..4_100).contains(&waited), "{waited}");

    // Somebody who has mended the receiver need not wait.
    got.answer("503 Service Unavailable\r\nretry-after: 999999999").await;
    lab.until(&webhooks, |place| place.pending.as_ref().unwrap().failures == 3).await;
    let asked = Instant::now();
    webhooks.get("shop").unwrap().act(Act::Retry).await.unwrap();
    receiver.next().await.answer("200 OK").await;
    assert!(asked.elapsed().as_secs() < 10, "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_never_answers_or_never_ends_its_answer_is_not_waited_for() {
    let receiver = Receiver::start().await;
    let lab = Lab::new(&receiver.url());
    let webhooks = lab.start();
    let silent = receiver.next().await;
    let place =
        lab.until_in_time(&webhooks, |place| place.pending.as_ref().unwrap().failures == 1).await;
    assert_eq!(place.pending.unwrap().last.unwrap().code, "timeout");
    drop(silent);
    let mut endless = receiver.next().await;
    endless.stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nand so on").await.unwrap();
    assert_eq!(lab.until_in_time(&webhooks, |place| place.pending.is_none()).await.after, Some(7));
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_moved_meanwhile_stays_where_it_was_moved_to() {
    let receiver = Receiver::start().await;
    let lab = Lab::new(&receiver.url());
    let webhooks = lab.start();
    let got = receiver.next().await;
    let worker = webhooks.get("shop").unwrap();
    let refused = worker.act(Act::Replay(2)).await.unwrap_err();
    assert!(refused.message.contains("is not known"), "{refused}");
    worker.change(|place| place.replay(2)).await.unwrap();
    got.answer("200 OK").await;
    let week = std::time::Duration::from_secs(7 * 24 * 60 * 60);
    assert!(tokio::time::timeout(week, receiver.next()).await.is_err());
    assert_eq!((lab.place().after, lab.place().pending), (Some(2), None));
}

#[tokio::test(start_paused = true)]
async fn without_a_secret_nothing_is_sent_and_what_is_no_place_is_left_alone() {
    let receiver = Receiver::start().await;
    let lab = Lab::new(&receiver.url());
    let secret = secret_file(&lab.config.webhooks[0], lab.dir.path());
    std::fs::remove_file(&secret).unwrap();
    let webhooks = lab.start();
    let hour = std::time::Duration::from_secs(3_600);
    assert!(tokio::time::timeout(hour, receiver.next()).await.is_err());
    let standing = webhooks.get("shop").unwrap().standing();
    assert_eq!(standing.state, State::Blocked);
    let trouble = standing.trouble.unwrap();
    assert!(trouble.contains("tether-web webhook new-secret"), "{trouble}");
    let lab = Lab { secret: new_secret(&secret).unwrap(), ..lab };
    let got = receiver.next().await;
    lab.verify(&got);
    drop(webhooks);

    std::fs::write(lab.path(), "{").unwrap();
    let counts = Counts::default();
    let daemons = Daemons::start(&lab.config.daemons, &counts);
    let error = Webhooks::start(&lab.config, &daemons, &counts).unwrap_err();
    assert!(matches!(error, StartError::Place { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(lab.path()).unwrap(), "{");
}

#[tokio::test]
async fn authorities_that_cannot_be_read_stop_the_start() {
    let mut lab = Lab::new("https://hooks.example/");
    lab.config.webhooks[0].ca_file = Some(lab.dir.path().join("none.pem"));
    let counts = Counts::default();
    let daemons = Daemons::start(&lab.config.daemons, &counts);
    let error = Webhooks::start(&lab.config, &daemons, &counts).unwrap_err();
    assert!(matches!(error, StartError::Trust { .. }), "{error}");
}

/// A name that leads to the public internet first, and then to this machine.
struct Rebound {
    lookups: AtomicUsize,
    connects: AtomicUsize,
}

#[async_trait::async_trait]
impl Network for Rebound {
    async fn lookup(&self, _: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let first = self.lookups.fetch_add(1, Ordering::Relaxed) == 0;
        let private: [IpAddr; 3] =
            ["127.0.0.1", "10.0.0.1", "::ffff:127.0.0.1"].map(|text| text.parse().unwrap());
        Ok(if first { vec!["1.1.1.1".parse().unwrap()] } else { private.to_vec() })
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        assert_eq!(address.ip(), "1.1.1.1".parse::<IpAddr>().unwrap());
        self.connects.fetch_add(1, Ordering::Relaxed);
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_connected_to() {
    let network = Arc::new(Rebound { lookups: 0.into(), connects: 0.into() });
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    new_secret(&secret).unwrap();
    let secrets = secret::Secrets::read(&secret).unwrap();
    let text = "name = \"shop\"\nurl = \"https://hooks.example/s3cret\"\n";
    let poster = Poster::new(&toml::from_str(text).unwrap(), network.clone()).unwrap();
    for code in ["connect", "refused_address", "refused_address"] {
        let Outcome::Failed(trouble, None) = poster.post(&event(1), &secrets, Time(0)).await else {
            panic!("it was delivered");
        };
        assert_eq!(trouble.code, code);
        let text = format!("{trouble:?}{poster:?}{secrets:?}");
        assert!(!text.contains("s3cret") && !text.contains("10.0.0"), "{text}");
    }
    assert_eq!(network.connects.load(Ordering::Relaxed), 1);
    for url in
        ["https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/", "https://0x7f.1/"]
    {
        let settings: Settings = toml::from_str(&format!("name = \"a\"\nurl = {url:?}")).unwrap();
        let poster = Poster::new(&settings, network.clone()).unwrap();
        let Outcome::Failed(trouble, None) = poster.post(&event(1), &secrets, Time(0)).await else {
            panic!("it was delivered");
        };
        assert_eq!(trouble.code, "refused_address", "{url}");
    }
}
