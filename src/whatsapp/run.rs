//! One connection: builds a library client for it, runs that for exactly one
//! connection, and finds out why it ended. Everything that was in flight is answered
//! before the end is.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep_until, timeout};
use whatsapp_rust::futures::channel::oneshot;
use whatsapp_rust::types::events::Subscription;
use whatsapp_rust::wacore::net::HttpClient;
use whatsapp_rust::{Client, NodeFilter, OwnedNodeRef};

use crate::whatsapp::Order;
use crate::whatsapp::build::{self, Built};
use crate::whatsapp::check::Checks;
use crate::whatsapp::client::Means;
use crate::whatsapp::flights::Flights;
use crate::whatsapp::pairing::{Kind, Step};
use crate::whatsapp::tap::{Overflow, Tap};
use crate::whatsapp::translate::{Report, Seen};
use crate::whatsapp::transport::{Progress, Trace};
use crate::whatsapp::uploads::Uploads;
use tetherd_core::event::{EndReason, SessionEvent};
use tetherd_core::timelock::REACHOUT_TIMELOCK;

mod asides;
mod orders;

/// The request to unlink this device.
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(10);
/// The library's orderly end: it waits for its own tasks and flushes its state.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(12);
/// The library's loop, after it was told to end.
const RUNNER_GRACE: Duration = Duration::from_millis(500);

/// How a connection ended.
pub(crate) struct Ending {
    pub(crate) reason: EndReason,
    /// The order that ended it, if it is to be carried out now.
    pub(crate) next: Option<Order>,
}

/// Makes a connection and stays with it to its end. Reports everything but the end.
pub(crate) async fn connection(
    means: &Means,
    kind: Kind,
    events: &mpsc::Sender<SessionEvent>,
    orders: &mut mpsc::Receiver<Order>,
) -> Ending {
    match build::client(means, &kind).await {
        Ok(built) => Run::new(means, kind, events, built).until_end(orders).await,
        Err(reason) => Ending { reason, next: None },
    }
}

/// The state of a connection.
struct Run<'a> {
    means: &'a Means,
    kind: Kind,
    events: &'a mpsc::Sender<SessionEvent>,
    client: Arc<Client>,
    tap: Arc<Tap>,
    trace: Arc<Trace>,
    // Dropping it ends the reports.
    _subscription: Subscription,
    files: Arc<dyn HttpClient>,
    ready: bool,
    offered: bool,
    paired: bool,
    deadline: Option<Instant>,
    flights: Flights,
    uploads: Uploads,
    checks: Checks,
    helpers: Vec<AbortHandle>,
    /// When the server was last asked about messages to new contacts.
    asked_timelock: Option<Instant>,
    /// What the server said about the end.
    verdict: Option<EndReason>,
    /// What the line's end looked like.
    gone: Option<EndReason>,
}

/// Why the loop is left.
enum Leave {
    /// There is a reason, or the library has stopped.
    Over,
    /// By this order; none: nobody gives orders or listens any more.
    Ordered(Option<Order>),
}

impl<'a> Run<'a> {
    fn new(
        means: &'a Means,
        kind: Kind,
        events: &'a mpsc::Sender<SessionEvent>,
        built: Built,
    ) -> Run<'a> {
        let Built { client, manager, tap, trace, subscription, halt, files } = built;
        let spool = means.config.spool.clone();
        Run {
            means,
            kind,
            events,
            client,
            tap,
            trace,
            _subscription: subscription,
            files,
            ready: false,
            offered: false,
            paired: false,
            deadline: Some(Instant::now() + means.config.login_time_max()),
            flights: Flights::new(Arc::clone(&manager), means.config.sends_at_once),
            uploads: Uploads::new(manager, spool, halt),
            checks: Checks::default(),
            helpers: Vec::new(),
            asked_timelock: None,
            verdict: None,
            gone: None,
        }
    }

    async fn until_end(mut self, orders: &mut mpsc::Receiver<Order>) -> Ending {
        let client = Arc::clone(&self.client);
        let mut runner = tokio::spawn(async move { client.run().await });
        let mut stream_error = self.watch_stream_errors();
        let leave = self.attend(orders, &mut runner, &mut stream_error).await;
        // Whatever was said before the end still counts.
        if let Ok(Some(node)) = stream_error.try_recv() {
            self.stream_error(&node);
        }
        self.tear_down(&leave, runner).await;
        while let Some(Ok(seen)) = self.tap.try_next() {
            self.seen_late(seen).await;
        }
        let mut reports = self.flights.land_all().await;
        reports.extend(self.uploads.land_all().await);
        for report in reports {
            self.tell(report).await;
        }
        self.ending(leave)
    }

    /// The loop of the connection's life.
    async fn attend(
        &mut self,
        orders: &mut mpsc::Receiver<Order>,
        runner: &mut JoinHandle<()>,
        stream_error: &mut oneshot::Receiver<Arc<OwnedNodeRef>>,
    ) -> Leave {
        loop {
            let tap = Arc::clone(&self.tap);
            let leave = tokio::select! {
                seen = tap.next() => self.seen(seen).await,
                Some(report) = self.flights.landed() => self.tell(report).await,
                Some(report) = self.uploads.landed() => self.tell(report).await,
                Some(report) = self.checks.next() => self.tell(report).await,
                node = &mut *stream_error => {
                    *stream_error = self.watch_stream_errors();
                    node.ok().and_then(|node| self.stream_error(&node))
                }
                order = orders.recv() => self.order(order).await,
                () = self.means.pulse.asked() => {
                    self.means.pulse.answer().await;
                    None
                }
                () = reached(self.deadline) => {
                    self.verdict = Some(self.kind.timed_out(self.offered, self.paired));
                    Some(Leave::Over)
                }
                _ = &mut *runner => Some(Leave::Over),
            };
            if let Some(leave) = leave {
                return leave;
            }
        }
    }

    /// The library reports only some stream errors as events, and 515, 429 and 503 are
    /// not among them.
    fn watch_stream_errors(&self) -> oneshot::Receiver<Arc<OwnedNodeRef>> {
        self.client.wait_for_node(NodeFilter::tag("stream:error"))
    }

    fn stream_error(&mut self, node: &OwnedNodeRef) -> Option<Leave> {
        let code = node.get().get_attr("code").and_then(|code| code.as_str().parse::<u32>().ok());
        let reason = match code? {
            515 => EndReason::Restart,
            code @ (429 | 500..=514 | 517..=599) => EndReason::Refused { code },
            _ => return None,
        };
        self.verdict.get_or_insert(reason);
        Some(Leave::Over)
    }

    async fn seen(&mut self, seen: Result<Seen, Overflow>) -> Option<Leave> {
        let seen = match seen {
            Ok(seen) => seen,
            Err(Overflow) => {
                tracing::error!("more was reported than could be taken: ending the connection");
                let what = "more was reported than could be taken".to_owned();
                self.verdict.get_or_insert(EndReason::Lost { what });
                return Some(Leave::Over);
            }
        };
        match self.kind.step(seen) {
            Ok(step) => self.step(step).await,
            Err(Seen::Report(report)) => self.report(report).await,
            Err(Seen::Ready) => self.connected().await,
            Err(Seen::Named) => {
                self.set_unavailable();
                None
            }
            Err(Seen::End(reason)) => {
                self.verdict.get_or_insert(reason);
                Some(Leave::Over)
            }
            Err(Seen::Gone(reason)) => {
                self.gone.get_or_insert(reason);
                Some(Leave::Over)
            }
            Err(Seen::Offer(_) | Seen::CodeRefresh { .. } | Seen::QrExhausted) => None,
        }
    }

    /// After the end only facts count: nothing is begun any more.
    async fn seen_late(&mut self, seen: Seen) {
        match seen {
            Seen::Report(report) => drop(self.tell(report.into()).await),
            Seen::End(reason) => {
                self.verdict.get_or_insert(reason);
            }
            Seen::Gone(reason) => {
                self.gone.get_or_insert(reason);
            }
            Seen::Ready
            | Seen::Named
            | Seen::Offer(_)
            | Seen::CodeRefresh { .. }
            | Seen::QrExhausted => {}
        }
    }

    async fn step(&mut self, step: Step) -> Option<Leave> {
        match step {
            Step::Wait => None,
            Step::Show(offer, wait) => {
                self.offered = true;
                self.deadline = Some(Instant::now() + wait);
                self.tell(SessionEvent::Offer(offer)).await
            }
            Step::RequestCode => {
                self.request_code();
                None
            }
            Step::End(reason) => {
                self.verdict.get_or_insert(reason);
                Some(Leave::Over)
            }
        }
    }

    async fn report(&mut self, report: Report) -> Option<Leave> {
        if let Report::Paired { .. } = report {
            tracing::info!("paired");
            self.paired = true;
            self.deadline = Some(Instant::now() + self.means.config.login_timeout);
        }
        if let Report::Ack { error: Some(REACHOUT_TIMELOCK), .. } = report {
            self.ask_timelock();
        }
        self.tell(report.into()).await
    }

    async fn connected(&mut self) -> Option<Leave> {
        let Some(account) = self.client.pn() else {
            tracing::error!("logged in without an account");
            return None;
        };
        tracing::info!("connected");
        self.ready = true;
        self.means.inbound.line.up(&self.client, Arc::clone(&self.files));
        self.deadline = None;
        self.set_unavailable();
        self.tell(SessionEvent::Connected { account: account.to_non_ad().to_string() }).await
    }

    async fn tell(&self, event: SessionEvent) -> Option<Leave> {
        match self.events.send(event).await {
            Ok(()) => None,
            Err(_) => Some(Leave::Ordered(None)),
        }
    }

    /// Ends the library's client for good: it flushes its state to the key store.
    async fn tear_down(&mut self, leave: &Leave, mut runner: JoinHandle<()>) {
        self.means.inbound.line.down();
        self.flights.ground();
        self.uploads.halt();
        for helper in self.helpers.drain(..) {
            helper.abort();
        }
        if matches!(leave, Leave::Ordered(Some(Order::Logout)))
            && self.ready
            && timeout(LOGOUT_TIMEOUT, self.client.logout()).await.is_err()
        {
            tracing::warn!("the server did not confirm in time that this device is unlinked");
        }
        if timeout(CLOSE_TIMEOUT, self.client.disconnect()).await.is_err() {
            tracing::warn!("the connection did not close in time");
        }
        if !runner.is_finished() && timeout(RUNNER_GRACE, &mut runner).await.is_err() {
            runner.abort();
        }
        self.save_device().await;
    }

    /// The library saves in a task of its own, and does not wait for a save that this has
    /// begun already. The next connection starts with what lies there.
    async fn save_device(&self) {
        let device = self.flights.manager().get_device_snapshot().to_serializable();
        if let Err(error) = self.means.keys.save(&device).await {
            tracing::warn!(%error, "the session's state was not saved at the connection's end");
        }
    }

    fn ending(self, leave: Leave) -> Ending {
        match leave {
            Leave::Ordered(next) => Ending {
                reason: EndReason::Closed,
                next: next.filter(|order| !matches!(order, Order::Close)),
            },
            Leave::Over => {
                let reason = self.verdict.or(self.gone);
                let reason = reason.unwrap_or_else(|| from_progress(self.trace.progress()));
                Ending { reason, next: None }
            }
        }
    }
}

/// The library ended without a word: how far the line came tells why.
fn from_progress(progress: Progress) -> EndReason {
    let unreachable = |what: &str| EndReason::Unreachable { what: what.to_owned() };
    match progress {
        Progress::None => unreachable("the connection was not made"),
        Progress::Failed(what) => EndReason::Unreachable { what },
        Progress::Open => unreachable("the server does not answer the handshake"),
        // The library saw the server's key and certificates and hung up over them.
        Progress::Answered { presents_key: true } => EndReason::Untrusted,
        // It resumed with a key that it knows, and the answer did not fit. The next try
        // starts afresh and looks at the certificates.
        Progress::Answered { presents_key: false } => unreachable("the server's key has changed"),
        Progress::Past => EndReason::Lost { what: "the connection went silent".to_owned() },
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
