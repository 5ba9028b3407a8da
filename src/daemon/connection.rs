//! One connection: lines in, replies and events out. Owns its bounds: requests in flight, lines waiting
//! to be written, the time a slow peer gets. Never looks into a request.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use crate::daemon::auth::Caller;
use crate::daemon::descriptors::{Descriptors, FDS_PENDING_MAX};
use crate::daemon::event_stream;
use crate::daemon::handlers::{self, Handled};
use crate::daemon::server::{Service, stopped};
use crate::shares::Share;
use tetherd_api::fds::{FdReader, Passed, write_line};
use tetherd_api::frame::{Id, Request, encode_error, encode_reply, parse_request};
use tetherd_api::framing::{LineReader, ReadLineError};
use tetherd_api::{Call, Error, ErrorKind, FRAME_BYTES_MAX, IDLE_TIME_MAX, Method};
use tetherd_api::{FDS_PER_LINE_MAX, IN_FLIGHT_MAX, LINE_TIME_MAX, WRITE_TIME_MAX};

/// Lines waiting to be written.
const OUTGOING_MAX: usize = IN_FLIGHT_MAX;

/// [`FDS_PER_LINE_MAX`], as the semaphore counts.
const LINE_FDS: u32 = 4;

const _: () = assert!(LINE_FDS as usize == FDS_PER_LINE_MAX);

/// A line to be written. A reply holds its request's place and memory until it is.
pub(crate) struct Outgoing {
    pub(crate) line: Vec<u8>,
    /// Goes with the line.
    pub(crate) fds: Vec<OwnedFd>,
    /// Its reader may take any time: it holds up itself only.
    pub(crate) is_event: bool,
    pub(crate) held: Option<Held>,
}

/// What a request holds until its reply is written.
pub(crate) struct Held {
    _memory: Option<Share>,
    _permit: Option<OwnedSemaphorePermit>,
}

/// What the tasks of one connection share.
#[derive(Clone)]
struct Shared {
    service: Arc<Service>,
    caller: Caller,
    outgoing: mpsc::Sender<Outgoing>,
    /// Turns true when the peer has sent its last line.
    ending: watch::Receiver<bool>,
}

/// How one of the connection's tasks ended.
enum Ended {
    Answered,
    NotSubscribed,
    SubscriptionOver,
}

/// Serves one connection to its end.
pub(crate) async fn serve(
    stream: UnixStream,
    caller: Caller,
    service: Arc<Service>,
    stop: watch::Receiver<bool>,
) {
    let (from, to) = stream.into_split();
    let (outgoing, queued) = mpsc::channel(OUTGOING_MAX);
    let writing = write_all(to, queued);
    tokio::pin!(writing);
    tokio::select! {
        // The peer is gone or does not read. What it asked for goes on in the engine.
        _ = &mut writing => return,
        () = converse(from, caller, service, outgoing, stop) => {}
    }
    // Nobody adds to the queue any more: it is written, and ends.
    let _ = writing.await;
}

async fn converse(
    from: OwnedReadHalf,
    caller: Caller,
    service: Arc<Service>,
    outgoing: mpsc::Sender<Outgoing>,
    mut stop: watch::Receiver<bool>,
) {
    let (end, ending) = watch::channel(false);
    let user = caller.uid;
    let mut conversation = Conversation {
        shared: Shared { service: Arc::clone(&service), caller, outgoing, ending },
        tasks: JoinSet::new(),
        subscribed: false,
    };
    let mut lines = LineReader::new(FdReader::new(from), FRAME_BYTES_MAX, Some(LINE_TIME_MAX));
    let permits = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let fd_room = Arc::new(Semaphore::new(FDS_PENDING_MAX));
    let (mut permit, mut room) = (None, None);
    let mut idle_until = Instant::now() + IDLE_TIME_MAX;
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            Some(ended) = conversation.tasks.join_next() => {
                if conversation.is_over_after(ended) {
                    break;
                }
                idle_until = Instant::now() + IDLE_TIME_MAX;
            }
            // A subscription is a task, and so is a request that is worked on.
            () = sleep_until(idle_until), if conversation.tasks.is_empty() => {
                conversation.say(&Id::Null, &idle_too_long(), permit);
                break;
            }
            free = Arc::clone(&permits).acquire_owned(), if permit.is_none() => {
                permit = free.ok();
                lines.restart_clock();
            }
            // For as many descriptors as the next line may have.
            free = Arc::clone(&fd_room).acquire_many_owned(LINE_FDS), if room.is_none() => {
                room = free.ok();
                // The time spent waiting for either was ours, not the peer's.
                lines.restart_clock();
            }
            line = lines.next(), if permit.is_some() && room.is_some() => match line {
                Ok(Some(line)) => {
                    service.turns.asked(user);
                    let passed = lines.source_mut().take_passed();
                    let taken = async {
                        conversation.take(line, passed, &mut room, permit.take()).await;
                        if lines.has_started_line() {
                            service.turns.wait(user).await;
                        }
                    };
                    tokio::select! {
                        () = stopped(&mut stop) => break,
                        () = taken => idle_until = Instant::now() + IDLE_TIME_MAX,
                    }
                }
                Ok(None) | Err(ReadLineError::Io(_)) => break,
                Err(ReadLineError::TooLong(error)) => {
                    conversation.say(&Id::Null, &frame_too_long(&error.to_string()), permit);
                    break;
                }
                Err(ReadLineError::TooSlow(_)) => {
                    conversation.say(&Id::Null, &too_slow(), permit);
                    break;
                }
            },
        }
    }
    // Requests that were taken are answered; a subscription ends.
    let _ = end.send(true);
    while conversation.tasks.join_next().await.is_some() {}
}

struct Conversation {
    shared: Shared,
    tasks: JoinSet<Ended>,
    subscribed: bool,
}

impl Conversation {
    /// Takes a request, once there is memory for it.
    async fn take(
        &mut self,
        line: Vec<u8>,
        passed: Passed,
        room: &mut Option<OwnedSemaphorePermit>,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let line_bytes = line.len();
        let parsed = parse_request(&line);
        drop(line);
        let request = match parsed {
            Ok(request) => request,
            Err(rejected) => return self.say(&rejected.id, &rejected.error, permit),
        };
        let Request { id, method, params } = request;
        let checked = Descriptors::of(passed, room)
            .and_then(|descriptors| Ok((self.check(&method)?, descriptors)));
        match checked {
            Ok((method, descriptors)) => {
                let shared = self.shared.clone();
                let memory = shared.service.memory.take(shared.caller.uid, line_bytes, method);
                let held = Held { _memory: memory.await, _permit: permit };
                let call = Call::decode(method, params.0);
                // It is large, and would be moved often on its way into the task.
                self.tasks.spawn(Box::pin(answer(id, method, call, descriptors, shared, held)));
            }
            Err(error) => {
                // A notification is never answered.
                if let Some(id) = &id {
                    self.say(id, &error, permit);
                }
            }
        }
    }

    fn check(&mut self, name: &str) -> Result<Method, Error> {
        let method = Method::find(name)?;
        self.shared.service.access.check(Some(self.shared.caller.tier), method)?;
        if method == Method::EventsSubscribe {
            if self.subscribed {
                let sentence = "this connection is subscribed already";
                return Err(Error::new(ErrorKind::WrongState, sentence));
            }
            self.subscribed = true;
        }
        Ok(method)
    }

    /// Says it from a task of its own: the conversation never waits for the peer to read.
    fn say(&mut self, id: &Id, error: &Error, permit: Option<OwnedSemaphorePermit>) {
        let line = encode_error(id, error);
        let held = Held { _memory: None, _permit: permit };
        let outgoing = self.shared.outgoing.clone();
        self.tasks.spawn(async move {
            let line = Outgoing { line, fds: Vec::new(), is_event: false, held: Some(held) };
            let _ = outgoing.send(line).await;
            Ended::Answered
        });
    }

    fn is_over_after(&mut self, ended: Result<Ended, JoinError>) -> bool {
        match ended {
            Ok(Ended::Answered) => false,
            Ok(Ended::NotSubscribed) => {
                self.subscribed = false;
                false
            }
            Ok(Ended::SubscriptionOver) => true,
            // Its caller would wait for ever.
            Err(_) => {
                tracing::error!("a request's task failed");
                true
            }
        }
    }
}

async fn answer(
    id: Option<Id>,
    method: Method,
    call: Result<Call, Error>,
    descriptors: Descriptors,
    shared: Shared,
    held: Held,
) -> Ended {
    let handled = match call {
        Ok(call) => handlers::handle(&shared.service, shared.caller, call, descriptors).await,
        Err(error) => Err(error),
    };
    tracing::debug!(method = method.name(), ok = handled.is_ok(), "a request was answered");
    let mut ended = Ended::Answered;
    let mut fds = Vec::new();
    let (line, subscription) = match handled {
        Ok(Handled::Reply(reply)) => (reply_line(id.as_ref(), Ok(&reply)), None),
        Ok(Handled::WithFile(reply, file)) => {
            fds.push(file);
            (reply_line(id.as_ref(), Ok(&reply)), None)
        }
        Ok(Handled::Subscription(reply, subscription)) => {
            (reply_line(id.as_ref(), Ok(&reply)), Some(subscription))
        }
        Err(error) => {
            if method == Method::EventsSubscribe {
                ended = Ended::NotSubscribed;
            }
            (reply_line::<()>(id.as_ref(), Err(&error)), None)
        }
    };
    if let Some(line) = line {
        let line = Outgoing { line, fds, is_event: false, held: Some(held) };
        let _ = shared.outgoing.send(line).await;
    }
    if let Some(subscription) = subscription {
        let tier = Some(shared.caller.tier);
        let forwarding =
            event_stream::forward(*subscription, tier, &shared.outgoing, shared.ending);
        Box::pin(forwarding).await;
        ended = Ended::SubscriptionOver;
    }
    ended
}

/// The reply as a line; none to a notification.
fn reply_line<R: serde::Serialize>(
    id: Option<&Id>,
    outcome: Result<&R, &Error>,
) -> Option<Vec<u8>> {
    let id = id?;
    Some(encode_reply(id, outcome).unwrap_or_else(|error| {
        tracing::error!(%error, "a reply cannot be written");
        let sentence = "the reply cannot be written; ask for less at once";
        encode_error(id, &Error::new(ErrorKind::InternalError, sentence))
    }))
}

async fn write_all(mut to: OwnedWriteHalf, mut queued: mpsc::Receiver<Outgoing>) -> io::Result<()> {
    while let Some(outgoing) = queued.recv().await {
        let Outgoing { line, fds, is_event, held } = outgoing;
        let writing = write_line(&mut to, &line, &fds);
        if is_event {
            writing.await?;
        } else {
            timeout(WRITE_TIME_MAX, writing).await??;
        }
        drop(held);
    }
    Ok(())
}

fn frame_too_long(sentence: &str) -> Error {
    Error::new(ErrorKind::FrameTooLong, format!("{sentence}; the connection closes"))
}

fn idle_too_long() -> Error {
    let seconds = IDLE_TIME_MAX.as_secs();
    let sentence = format!("nothing was asked for {seconds} s; the connection closes");
    Error::new(ErrorKind::TooSlow, sentence).remedy("connect again when there is something to ask")
}

fn too_slow() -> Error {
    let seconds = LINE_TIME_MAX.as_secs();
    let sentence = format!("a started line takes longer than {seconds} s; the connection closes");
    Error::new(ErrorKind::TooSlow, sentence)
}
