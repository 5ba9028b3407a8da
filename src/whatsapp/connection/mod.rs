//! One connection: builds a library client for it, runs that for exactly one
//! connection, and finds out why it ended. Everything that was in flight is answered
//! before the end is.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep_until};
use whatsapp_rust::futures::channel::oneshot;
use whatsapp_rust::types::events::Subscription;
use whatsapp_rust::wacore::net::HttpClient;
use whatsapp_rust::{Client, NodeFilter, OwnedNodeRef, RawNodeLease};

use crate::whatsapp::Order;
use crate::whatsapp::client_builder::{self, Built};
use crate::whatsapp::connection::pairing::{PairingStep, Purpose};
use crate::whatsapp::contact_lookup::Lookups;
use crate::whatsapp::events::chat_activity;
use crate::whatsapp::events::names::account_names;
use crate::whatsapp::events::queue::{EventQueue, Overflow};
use crate::whatsapp::events::translate::ConnectionEvent;
use crate::whatsapp::incoming::asked_again::Requests;
use crate::whatsapp::incoming::peer_receipts;
use crate::whatsapp::incoming::privacy_tokens::Notified;
use crate::whatsapp::media::uploads::Uploads;
use crate::whatsapp::outgoing::sends::Sends;
use crate::whatsapp::session_task::SessionContext;
use crate::whatsapp::transport::Trace;
use tetherd_core::action::SessionCommand;
use tetherd_core::event::{EndReason, SessionEvent};

mod background;
mod commands;
mod ending;
mod keepalive;
pub(crate) mod pairing;
pub(crate) mod passkey;
#[cfg(test)]
mod tests;

/// The library's report of a pairing, after the server has restarted the stream for it.
const PAIRING_TIMEOUT: Duration = Duration::from_secs(10);

/// The library's report of a refusal of its own, after the server's answer to it.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// How a connection ended.
pub(crate) struct Ending {
    pub(crate) reason: EndReason,
    /// The order that ended it, if it is to be carried out now.
    pub(crate) next: Option<SessionCommand>,
}

/// Makes a connection and stays with it to its end. Reports everything but the end.
pub(crate) async fn run(
    context: &SessionContext,
    purpose: Purpose,
    events: &mpsc::Sender<SessionEvent>,
    orders: &mut mpsc::Receiver<Order>,
) -> Ending {
    match client_builder::client(context, &purpose).await {
        Ok(built) => Connection::new(context, purpose, events, built).until_end(orders).await,
        Err(reason) => Ending { reason, next: None },
    }
}

/// The state of a connection.
struct Connection<'a> {
    context: &'a SessionContext,
    purpose: Purpose,
    events: &'a mpsc::Sender<SessionEvent>,
    client: Arc<Client>,
    queue: Arc<EventQueue>,
    trace: Arc<Trace>,
    requests: Option<Arc<Requests>>,
    // Dropping them ends the reports.
    _subscriptions: (Vec<Subscription>, RawNodeLease),
    files: Arc<dyn HttpClient>,
    ready: bool,
    offered: bool,
    paired: bool,
    /// The phone asks for a passkey: codes are only the library's way of waiting.
    passkey: bool,
    /// The last part of the phone's history was read.
    history_read: bool,
    deadline: Option<Instant>,
    sends: Sends,
    uploads: Uploads,
    lookups: Lookups,
    background: Vec<AbortHandle>,
    /// When the server was last asked about messages to new contacts.
    asked_timelock: Option<Instant>,
    /// When it was last asked how many new chats there may be.
    asked_quota: Option<Instant>,
    /// The server's reason for the end.
    verdict: Option<EndReason>,
    /// How the transport ended.
    gone: Option<EndReason>,
}

/// Why the loop is left.
enum Leave {
    /// There is a reason, or the library has stopped.
    Over,
    /// By this order; none: nobody gives orders or listens any more.
    Ordered(Option<SessionCommand>),
}

impl<'a> Connection<'a> {
    fn new(
        context: &'a SessionContext,
        purpose: Purpose,
        events: &'a mpsc::Sender<SessionEvent>,
        built: Built,
    ) -> Connection<'a> {
        let Built { client, manager, queue, sent, trace, requests, stanzas, halt, files, .. } =
            built;
        let mut subscriptions = built.subscriptions;
        let spool = context.config.spool.clone();
        let (peers, receipts) = peer_receipts::watch(&client);
        let notified = Notified(context.keys.contact_tokens());
        subscriptions.extend([peers, client.subscribe_handler(Arc::new(notified))]);
        Connection {
            context,
            purpose,
            events,
            client,
            queue,
            trace,
            requests,
            _subscriptions: (subscriptions, stanzas),
            files,
            ready: false,
            offered: false,
            paired: false,
            passkey: false,
            history_read: false,
            deadline: Some(Instant::now() + context.config.login_time_max()),
            sends: Sends::new(Arc::clone(&manager), sent, context.config.sends_at_once),
            uploads: Uploads::new(manager, spool, halt),
            lookups: Lookups::default(),
            background: vec![tokio::spawn(receipts).abort_handle()],
            asked_timelock: None,
            asked_quota: None,
            verdict: None,
            gone: None,
        }
    }

    async fn until_end(mut self, orders: &mut mpsc::Receiver<Order>) -> Ending {
        let client = Arc::clone(&self.client);
        let mut runner = tokio::spawn(async move { client.run().await });
        let mut stream_error = self.watch_stream_errors();
        let leave = self.attend(orders, &mut runner, &mut stream_error).await;
        self.tear_down(&leave, runner).await;
        while let Some(Ok(seen)) = self.queue.try_next() {
            self.seen_late(seen).await;
        }
        let mut reports = self.sends.drain().await;
        reports.extend(self.uploads.drain().await);
        for report in reports {
            self.publish(report).await;
        }
        self.ending(leave)
    }

    /// The connection's loop.
    async fn attend(
        &mut self,
        orders: &mut mpsc::Receiver<Order>,
        runner: &mut JoinHandle<()>,
        stream_error: &mut oneshot::Receiver<Arc<OwnedNodeRef>>,
    ) -> Leave {
        let mut stopped = false;
        let tokens = self.context.keys.contact_tokens();
        let (client, trace) = (Arc::clone(&self.client), Arc::clone(&self.trace));
        let unanswered = keepalive::until_unanswered(&trace, || keepalive::ping(&client));
        let mut unanswered = pin!(unanswered);
        loop {
            let queue = Arc::clone(&self.queue);
            let leave = tokio::select! {
                seen = queue.next() => self.seen(seen).await,
                given = tokens.next() => self.publish(chat_activity::tokens(&given)).await,
                Some(report) = self.sends.next() => self.publish(report).await,
                Some(report) = self.uploads.next() => self.publish(report).await,
                Some(report) = self.lookups.next() => self.publish(report).await,
                node = &mut *stream_error => {
                    *stream_error = self.watch_stream_errors();
                    node.ok().and_then(|node| self.stream_error(&node))
                }
                order = orders.recv() => self.obey(order).await,
                () = self.context.liveness.asked() => {
                    self.context.liveness.answer().await;
                    None
                }
                () = &mut unanswered, if self.ready => {
                    self.verdict.get_or_insert_with(ending::went_silent);
                    return Leave::Over;
                }
                () = reached(self.deadline) => {
                    let reason = self.purpose.timed_out(self.offered, self.paired, self.passkey);
                    self.verdict.get_or_insert(reason);
                    return Leave::Over;
                }
                _ = &mut *runner, if !stopped => {
                    stopped = true;
                    Some(Leave::Over)
                }
            };
            let Some(leave) = leave else { continue };
            // What the server said before the end still counts.
            if let Ok(Some(node)) = stream_error.try_recv() {
                self.stream_error(&node);
            }
            let waits = self.awaits_pairing() || self.awaits_refusal();
            if !(matches!(leave, Leave::Over) && waits) {
                return leave;
            }
        }
    }

    /// The server restarts the stream once it has linked this device. The library signs the
    /// pairing, and reports it in a task of its own: the restart can overtake the report.
    fn awaits_pairing(&self) -> bool {
        self.purpose.pairs()
            && !self.paired
            && self.verdict == Some(EndReason::Restart)
            && self.sends.manager().get_device_snapshot().is_registered()
    }

    /// The server answers the library's refusal of a phone's signature by unlinking, which can
    /// overtake the library's report of its refusal.
    fn awaits_refusal(&self) -> bool {
        let unlinked = matches!(self.verdict, Some(EndReason::Trouble(_)));
        self.purpose.pairs() && self.offered && !self.paired && unlinked
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
        if self.awaits_pairing() {
            self.deadline = Some(Instant::now() + PAIRING_TIMEOUT);
        }
        Some(Leave::Over)
    }

    async fn seen(&mut self, seen: Result<ConnectionEvent, Overflow>) -> Option<Leave> {
        let seen = match seen {
            Ok(seen) => seen,
            Err(Overflow) => {
                tracing::error!("more was reported than could be taken: ending the connection");
                let what = "more was reported than could be taken".to_owned();
                self.verdict.get_or_insert(EndReason::Lost { what });
                return Some(Leave::Over);
            }
        };
        match self.purpose.step(seen) {
            Ok(_) if self.passkey => None,
            Ok(step) => self.step(step).await,
            Err(ConnectionEvent::Report(event)) => self.report(event).await,
            Err(ConnectionEvent::Ready) => self.connected().await,
            Err(ConnectionEvent::Named) => {
                self.set_unavailable();
                None
            }
            Err(ConnectionEvent::HistoryRead) => {
                self.end_history();
                None
            }
            Err(ConnectionEvent::End(reason)) => {
                pairing::conclude(&mut self.verdict, reason);
                if self.awaits_refusal() {
                    self.deadline = Some(Instant::now() + REFUSAL_TIMEOUT);
                }
                Some(Leave::Over)
            }
            Err(ConnectionEvent::Gone(reason)) => {
                self.gone(reason);
                Some(Leave::Over)
            }
            Err(
                ConnectionEvent::Offer(_)
                | ConnectionEvent::CodeRefresh { .. }
                | ConnectionEvent::QrExhausted,
            ) => None,
        }
    }

    /// After the end only facts count: nothing is begun any more.
    async fn seen_late(&mut self, seen: ConnectionEvent) {
        match seen {
            ConnectionEvent::Report(event) => drop(self.publish(event).await),
            ConnectionEvent::End(reason) => pairing::conclude(&mut self.verdict, reason),
            ConnectionEvent::Gone(reason) => self.gone(reason),
            ConnectionEvent::HistoryRead => self.history_read = true,
            ConnectionEvent::Ready
            | ConnectionEvent::Named
            | ConnectionEvent::Offer(_)
            | ConnectionEvent::CodeRefresh { .. }
            | ConnectionEvent::QrExhausted => {}
        }
    }

    /// The end of the transport can overtake the end of the stream, and says less.
    fn gone(&mut self, reason: EndReason) {
        if self.gone.is_none() || reason == EndReason::StreamEnded {
            self.gone = Some(reason);
        }
    }

    async fn step(&mut self, step: PairingStep) -> Option<Leave> {
        match step {
            PairingStep::Wait => None,
            PairingStep::Show(offer, wait) => {
                self.offered = true;
                self.deadline = Some(Instant::now() + wait);
                self.publish(SessionEvent::Offer(offer)).await
            }
            PairingStep::RequestCode => {
                self.request_code();
                None
            }
            PairingStep::End(reason) => {
                self.verdict.get_or_insert(reason);
                Some(Leave::Over)
            }
        }
    }

    async fn report(&mut self, event: SessionEvent) -> Option<Leave> {
        if let SessionEvent::Paired { .. } = event {
            tracing::info!("paired");
            self.paired = true;
            self.deadline = Some(Instant::now() + self.context.config.login_timeout);
            if self.verdict.is_some() {
                self.publish(event).await;
                return Some(Leave::Over);
            }
        }
        if let SessionEvent::Passkey(report) = &event {
            self.passkey_step(report).await;
        }
        if let SessionEvent::Ack { error: Some(code), .. } = event {
            self.ask_why(code);
        }
        self.publish(event).await
    }

    async fn connected(&mut self) -> Option<Leave> {
        let Some(account) = self.client.pn() else {
            tracing::error!("logged in without an account");
            return None;
        };
        tracing::info!("connected");
        self.ready = true;
        self.context.inbound.connection.set(&self.client, Arc::clone(&self.files));
        self.deadline = None;
        self.set_unavailable();
        self.fetch_props();
        self.answer_requests();
        let account = account_names(&account, self.client.lid().as_ref());
        self.publish(SessionEvent::Connected { account }).await
    }

    async fn publish(&self, event: SessionEvent) -> Option<Leave> {
        match self.events.send(event).await {
            Ok(()) => None,
            Err(_) => Some(Leave::Ordered(None)),
        }
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
