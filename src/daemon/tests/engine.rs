//! The engine over its real store, in virtual time.

use std::time::Duration;

use nix::sys::stat::Mode;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::played::{Attempts, Running, Server, live, unchecked, until};
use super::support::{DEADLINE, state_dir};
use crate::daemon::engine::Control;
use crate::daemon::engine_handle::{EngineHandle, Query};
use crate::daemon::{VERIFY_TIME_MAX, open_in_time};
use crate::store::Store;
use crate::whatsapp::{Order, SessionHandle};
use tetherd_api::exit::ExitCode;
use tetherd_api::{ErrorKind, Reply, State};
use tetherd_core::action::SessionCommand;
use tetherd_core::event::{Request, SessionEvent};

const WINDOW_MS: u64 = 120_000;

/// When each attempt was made, after the first one.
fn times(attempts: &Attempts) -> Vec<u64> {
    let attempts = attempts.lock().unwrap();
    attempts.iter().map(|(at, _)| at - attempts[0].0).collect()
}

fn expected(count: u64) -> Vec<u64> {
    (0..count).map(|n| n / 5 * WINDOW_MS).collect()
}

#[tokio::test(start_paused = true)]
async fn twelve_messages_leave_exactly_as_the_rule_says() {
    let dir = state_dir();
    let attempts = Attempts::default();
    let running = Running::start(dir.path(), Server::Acks, &attempts).await;
    let mut events = live(&running).await;
    for chat in 0..12 {
        running.send(chat).await;
    }
    until(&mut events, State::Sent, 12).await;
    assert_eq!(times(&attempts), expected(12));
    running.kill().await;
}

#[tokio::test(start_paused = true)]
async fn restarts_neither_refill_the_window_nor_hold_it_up() {
    let dir = state_dir();
    let attempts = Attempts::default();
    let mut running = Running::start(dir.path(), Server::Acks, &attempts).await;
    let mut events = live(&running).await;
    for chat in 0..12 {
        running.send(chat).await;
    }
    // Each process lives for three messages.
    loop {
        let waiting = running.waiting().await;
        if waiting == 0 {
            break;
        }
        until(&mut events, State::Sent, waiting.min(3)).await;
        running.kill().await;
        running = Running::start(dir.path(), Server::Acks, &attempts).await;
        events = live(&running).await;
    }
    running.kill().await;
    let ids: Vec<u64> = attempts.lock().unwrap().iter().map(|(_, out)| out.id.0).collect();
    let mut unique = ids.clone();
    unique.dedup();
    assert_eq!(unique, (1..=12).collect::<Vec<u64>>());
    // Those that a kill cut off are attempted again, and that takes a slot too.
    assert_eq!(times(&attempts), expected(u64::try_from(ids.len()).unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_questions_holds_up_no_message() {
    const QUESTIONS: usize = 640;
    let dir = state_dir();
    let attempts = Attempts::default();
    let running = Running::start(dir.path(), Server::Acks, &attempts).await;
    let mut events = live(&running).await;
    for chat in 0..6 {
        running.send(chat).await;
    }
    until(&mut events, State::Sent, 5).await;

    // All of them wait when the sixth message's time has come.
    let questions = (0..QUESTIONS).map(|_| running.handle.query(Query::Status));
    let mut answers = futures_util::future::join_all(questions);
    assert!(futures_util::poll!(&mut answers).is_pending());
    tokio::time::advance(Duration::from_millis(WINDOW_MS)).await;
    let answers = answers.await;
    let Some(Ok(Reply::Status(last))) = answers.into_iter().next_back() else { panic!("a status") };
    assert_eq!(last.queue.queued, 0, "the sixth has left before the last question's answer");
    running.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_while_the_session_closes_is_kept_and_published() {
    let dir = state_dir();
    let attempts = Attempts::default();
    let running = Running::start(dir.path(), Server::AcksLate, &attempts).await;
    let mut events = live(&running).await;
    let id = running.send(1).await;
    until(&mut events, State::Sending, 1).await;
    running.control.send(Control::Drain).await.unwrap();
    running.control.send(Control::Leave).await.unwrap();
    until(&mut events, State::Sent, 1).await;
    running.engine.await.unwrap().unwrap();
    running.store.close();

    let running = Running::start(dir.path(), Server::Acks, &attempts).await;
    assert_eq!(running.state(id).await, State::Sent);
    running.kill().await;
    assert_eq!(attempts.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_at_the_end_is_unknown_and_goes_out_again_under_its_id() {
    let dir = state_dir();
    let attempts = Attempts::default();
    let running = Running::start(dir.path(), Server::Silent, &attempts).await;
    let mut events = live(&running).await;
    let id = running.send(1).await;
    until(&mut events, State::Sending, 1).await;
    running.control.send(Control::Drain).await.unwrap();
    running.control.send(Control::Leave).await.unwrap();
    until(&mut events, State::Unknown, 1).await;
    running.engine.await.unwrap().unwrap();
    running.store.close();

    let running = Running::start(dir.path(), Server::Acks, &attempts).await;
    // It may be sent before anybody has subscribed.
    let mut events = live(&running).await;
    while running.state(id).await != State::Sent {
        events.events.recv().await.unwrap();
    }
    running.kill().await;
    let attempts = attempts.lock().unwrap();
    assert_eq!((attempts.len(), &attempts[0].1.draft.wa_id), (2, &attempts[1].1.draft.wa_id));
}

#[tokio::test(start_paused = true)]
async fn who_calls_while_the_session_ends_gets_an_error_at_once_and_nothing_is_changed() {
    let dir = state_dir();
    let (handle, calls) = EngineHandle::channel();
    let (orders, mut inbox) = mpsc::channel::<Order>(64);
    let (events, session_events) = mpsc::channel(64);
    let (let_go, held) = oneshot::channel::<()>();
    let (closed, leaving) = oneshot::channel();
    let task = tokio::spawn(async move {
        while let Some(order) = inbox.recv().await {
            assert!(
                matches!(order.command, SessionCommand::Connect | SessionCommand::Close),
                "{order:?}"
            );
        }
        closed.send(()).unwrap();
        held.await.unwrap();
        drop(events);
    });
    let session = SessionHandle::played(orders, task);
    let running =
        Running::over(dir.path(), handle, calls, session, session_events, unchecked()).await;
    running.control.send(Control::Drain).await.unwrap();
    leaving.await.unwrap();
    let refused = timeout(DEADLINE, running.handle.change(Request::Pause)).await.unwrap();
    let refused = refused.unwrap_err();
    assert_eq!(refused.data.kind, ErrorKind::ShuttingDown);
    let_go.send(()).unwrap();
    running.engine.await.unwrap().unwrap();
    running.store.close();
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_session_events_holds_up_no_call() {
    const FLOOD: usize = 20_000;
    let dir = state_dir();
    let (handle, calls) = EngineHandle::channel();
    let (orders, mut inbox) = mpsc::channel(64);
    let (events, session_events) = mpsc::channel(FLOOD);
    let flood = events.clone();
    let task = tokio::spawn(async move {
        assert!(matches!(inbox.recv().await, Some(Order { command: SessionCommand::Connect, .. })));
        // More than the engine takes before it lets anybody else run.
        while flood.try_send(SessionEvent::Probed { left: true }).is_ok() {}
        while inbox.recv().await.is_some() {}
    });
    let session = SessionHandle::played(orders, task);
    let config = unchecked();
    let running = Running::over(dir.path(), handle, calls, session, session_events, config).await;
    while events.capacity() == FLOOD {
        tokio::task::yield_now().await;
    }
    running.handle.query(Query::Status).await.unwrap();
    assert!(events.capacity() < FLOOD, "the call was answered only after the flood");
    running.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_opens_ends_the_start() {
    let dir = state_dir();
    Store::open(dir.path()).unwrap().close();
    // Whoever reads it waits for a writer.
    let format = dir.path().join("store/format");
    std::fs::remove_file(&format).unwrap();
    nix::unistd::mkfifo(&format, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let opening = tokio::spawn(open_in_time(dir.path().to_owned(), None));
    tokio::task::yield_now().await;
    tokio::time::advance(VERIFY_TIME_MAX).await;
    let error = opening.await.unwrap().unwrap_err();
    assert_eq!(error.exit(), ExitCode::IoErr);
    assert!(error.to_string().contains("timed out"), "{error}");
    // Lets it go.
    drop(std::fs::File::options().write(true).open(&format).unwrap());
}
