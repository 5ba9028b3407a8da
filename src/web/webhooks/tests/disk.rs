//! What a webhook has on disk: a place that cannot be written, a caller who goes away meanwhile,
//! a feed that begins anew, and a secret elsewhere.

use std::time::Duration;

use super::*;

/// Longer than the wait that the receiver asks for.
const HOURS: Duration = Duration::from_secs(3 * 60 * 60);

/// No place can be written while this is there.
struct Full(PathBuf);

impl Full {
    fn of(lab: &Lab) -> Full {
        let path = lab.path().with_extension("new");
        std::fs::create_dir(&path).unwrap();
        Full(path)
    }

    fn end(self) {
        std::fs::remove_dir(self.0).unwrap();
    }
}

async fn nothing_comes(receiver: &Receiver, time: Duration) {
    assert!(tokio::time::timeout(time, receiver.next()).await.is_err());
}

#[tokio::test]
async fn a_caller_who_goes_away_interrupts_no_write() {
    let receiver = Receiver::start().await;
    let lab = Lab::new(&receiver.url());
    let webhooks = lab.start();
    let worker = webhooks.get("shop").unwrap();
    tokio::select! {
        biased;
        done = worker.act(Act::Pause) => panic!("{done:?}"),
        () = std::future::ready(()) => {}
    }
    worker.change(|_| {}).await.unwrap();
    assert_eq!((worker.place().switch, lab.place().switch), (Switch::Paused, Switch::Paused));
}

#[tokio::test(start_paused = true)]
async fn an_event_is_not_posted_again_before_its_failure_is_written() {
    let receiver = Receiver::start().await;
    let lab = Lab::new(&receiver.url());
    let webhooks = lab.start();
    let worker = webhooks.get("shop").unwrap();
    let got = receiver.next().await;
    let full = Full::of(&lab);
    got.answer("503 Service Unavailable\r\nretry-after: 4000").await;
    nothing_comes(&receiver, HOURS).await;
    let standing = worker.standing();
    assert_eq!((standing.state, standing.failures), (State::Blocked, 1));
    assert!(standing.trouble.unwrap().contains("cannot be kept"));
    assert_eq!(lab.place().pending.unwrap().failures, 0);
    let refused = worker.act(Act::Pause).await.unwrap_err();
    assert!(refused.message.contains("cannot be kept"), "{refused}");
    assert_eq!(worker.standing().failures, 1);

    full.end();
    let got = receiver.next().await;
    assert_eq!((worker.standing().state, lab.place()), (State::Retrying, worker.place()));
    let full = Full::of(&lab);
    got.answer("410 Gone").await;
    nothing_comes(&receiver, HOURS).await;
    assert_eq!(worker.standing().state, State::Disabled);
    full.end();
    nothing_comes(&receiver, HOURS).await;
    assert_eq!((lab.place().switch, lab.place()), (worker.place().switch, worker.place()));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_was_delivered_is_not_posted_again_while_the_disk_is_full() {
    let receiver = Receiver::start().await;
    let lab = Lab::new(&receiver.url());
    let _webhooks = lab.start();
    let got = receiver.next().await;
    let full = Full::of(&lab);
    got.answer("200 OK").await;
    nothing_comes(&receiver, HOURS).await;
    assert!(lab.place().pending.is_some());
    full.end();
    nothing_comes(&receiver, HOURS).await;
    assert_eq!((lab.place().pending, lab.place().after), (None, Some(7)));
}

#[tokio::test(start_paused = true)]
async fn what_failed_before_somebody_enables_it_counts_no_more() {
    let receiver = Receiver::start().await;
    let lab = Lab::new(&receiver.url());
    let webhooks = lab.start();
    let worker = webhooks.get("shop").unwrap();
    for failures in 1..=12 {
        receiver.next().await.answer("500 Internal Server Error").await;
        lab.until(&webhooks, |place| place.pending.as_ref().unwrap().failures == failures).await;
    }
    receiver.next().await.answer("410 Gone").await;
    lab.until(&webhooks, |place| place.switch != Switch::On).await;
    worker.act(Act::Enable).await.unwrap();
    let standing = worker.standing();
    assert_eq!((standing.state, standing.failures), (State::Active, 0));
    receiver.next().await.answer("500 Internal Server Error").await;
    let failed = Instant::now();
    let got = receiver.next().await;
    assert!(failed.elapsed() <= FIRST * 2, "{:?}", failed.elapsed());
    drop(got);
}

#[test]
fn a_new_secret_outside_the_state_directory_needs_a_file_that_is_there() {
    let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (file, link) = (elsewhere.path().join("file"), elsewhere.path().join("link"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let mut settings: Settings =
        toml::from_str("name = \"shop\"\nurl = \"https://hooks.example/\"").unwrap();
    let found = file_for_new_secret(&settings, state.path()).unwrap();
    assert_eq!(found, state.path().join("webhooks/shop/secret"));
    settings.secret_file = Some(link.clone());
    let error = file_for_new_secret(&settings, state.path()).unwrap_err();
    assert!(matches!(error, SecretError::Outside), "{error}");
    std::fs::write(&file, "").unwrap();
    new_secret(&file_for_new_secret(&settings, state.path()).unwrap()).unwrap();
    assert!(link.is_symlink());
    assert!(secret::Secrets::read(&link).is_ok());
}
