//! Builds the library's client for one connection: small, silent, and without a will
//! of its own to reconnect.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use whatsapp_rust::cache_config::{
    CacheConfig, CacheEntryConfig, CacheStore, CacheStores, MsgSecretPolicy,
};
use whatsapp_rust::store::commands::DeviceCommand;
use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust::types::events::Subscription;
use whatsapp_rust::wacore::net::HttpClient;
use whatsapp_rust::wacore::store::device::DevicePropsOverride;
use whatsapp_rust::{Client, Jid, RawNodeLease, Server, TokioRuntime};

use crate::inbox::Inbox;
use crate::whatsapp::KeyStoreError;
use crate::whatsapp::connection::pairing::Purpose;
use crate::whatsapp::events::names::PLACEHOLDER;
use crate::whatsapp::events::queue::EventQueue;
use crate::whatsapp::events::translate::Me;
use crate::whatsapp::incoming::InboxHook;
use crate::whatsapp::incoming::asked_again::{Requests, Unsaved};
use crate::whatsapp::incoming::usernames::StatedUsernames;
use crate::whatsapp::media::http::MediaHttp;
use crate::whatsapp::outgoing::sent_stanzas::SentStanzas;
use crate::whatsapp::session_task::SessionContext;
use crate::whatsapp::storage::SENT_SECONDS;
use crate::whatsapp::transport::{Factory, Trace};
use tetherd_api::PairFailure;
use tetherd_core::event::EndReason;

/// One-time keys kept on the server. Each stranger's first message takes one; the
/// server asks for more in time. The library's default is 812.
const PRE_KEYS: usize = 60;
/// Every change of the device's state is written as it happens; this is only how
/// often the library looks again, and an idle session has nothing to write.
const SAVER_INTERVAL: Duration = Duration::from_secs(3600);

/// A client that has not connected yet, and the ways to watch it.
pub(crate) struct Built {
    pub(crate) client: Arc<Client>,
    /// What it knows and keeps.
    pub(crate) manager: Arc<PersistenceManager>,
    pub(crate) queue: Arc<EventQueue>,
    /// Whom its stanzas are for.
    pub(crate) sent: Arc<SentStanzas>,
    pub(crate) trace: Arc<Trace>,
    /// Who asks for a message again.
    pub(crate) requests: Option<Arc<Requests>>,
    pub(crate) subscriptions: Vec<Subscription>,
    /// Has every stanza reported, for what the library does not report itself.
    pub(crate) stanzas: RawNodeLease,
    /// Ends every exchange with a media host.
    pub(crate) halt: watch::Sender<bool>,
    /// Fetches files from the media hosts, piece by piece.
    pub(crate) files: Arc<dyn HttpClient>,
}

/// Builds it, or says how the connection ends before it began.
pub(crate) async fn client(
    context: &SessionContext,
    purpose: &Purpose,
) -> Result<Built, EndReason> {
    let store_failed = || EndReason::Lost { what: "the key store failed".to_owned() };
    let manager = PersistenceManager::new(context.keys.backend()).await.map_err(|error| {
        tracing::error!(%error, "the session's keys cannot be read");
        store_failed()
    })?;
    let manager = Arc::new(manager);
    match (manager.get_device_snapshot().is_registered(), purpose.pairs()) {
        (true, false) | (false, true) => {}
        (false, false) => return Err(EndReason::logged_out(None)),
        (true, true) => {
            return Err(EndReason::PairingFailed { why: PairFailure::AlreadyPaired });
        }
    }
    let history = history_is_wanted(context, purpose).await.map_err(|error| {
        tracing::error!(%error, "the session's keys cannot be read");
        store_failed()
    })?;
    present(&manager, context, purpose).await;
    let trace = Arc::new(Trace::default());
    let (keys, unsaved) = (Arc::clone(&context.keys), Arc::<Unsaved>::default());
    let requests = Arc::clone(&unsaved);
    let factory = Factory::new(
        context.endpoint.clone(),
        Arc::clone(&context.connector),
        context.config.connect_timeout,
        Arc::clone(&trace),
        Arc::new(move || {
            let (keys, requests) = (Arc::clone(&keys), Arc::clone(&requests));
            async move {
                requests.none().await;
                keys.is_good()
            }
            .boxed()
        }),
    );
    let (halt, halted) = watch::channel(false);
    let media = MediaHttp::new(Arc::clone(&context.connector), halted);
    let files = media.clone().streaming();
    let builder = Client::builder()
        .with_runtime(TokioRuntime)
        .with_persistence_manager(Arc::clone(&manager))
        .with_transport_factory(factory)
        .with_http_client(media)
        .with_version_override(context.config.version)
        .with_cache_config(small_caches(context.keys.lid_cache()))
        .with_skip_history_sync(!history)
        .with_wanted_pre_key_count(PRE_KEYS)
        .with_background_saver_interval(SAVER_INTERVAL);
    let usernames = Arc::<StatedUsernames>::default();
    let inbox = context.inbound.inbox.clone().filter(Inbox::is_on);
    let keeps_messages = inbox.is_some();
    let builder = match inbox {
        Some(inbox) => {
            let usernames = Arc::clone(&usernames);
            builder.with_inbound_durability_hook(InboxHook { inbox, usernames })
        }
        None => builder,
    };
    let built = builder.build().await.map_err(|error| {
        tracing::error!(%error, "the client cannot be built");
        store_failed()
    })?;
    let client = built.into_client();
    client.enable_auto_reconnect.store(false, Ordering::Relaxed);
    let known = Arc::clone(&manager);
    let sent = Arc::<SentStanzas>::default();
    let queue = EventQueue::new(move || Me::of(&known), Arc::clone(&sent));
    let mut subscriptions = vec![client.subscribe_handler(queue.clone())];
    if keeps_messages {
        subscriptions.push(client.subscribe_handler(usernames));
    }
    let requests = match context.keys.asked_again() {
        Some(kept) => {
            Some(Requests::new(&client, &manager, kept, unsaved).await.map_err(|error| {
                tracing::error!(%error, "the requests for messages cannot be read");
                store_failed()
            })?)
        }
        None => None,
    };
    if let Some(requests) = &requests {
        subscriptions.push(client.subscribe_handler(requests.clone()));
    }
    let stanzas = client.acquire_raw_node_forwarding();
    let files = Arc::new(files);
    Ok(Built { client, manager, queue, sent, trace, requests, subscriptions, stanzas, halt, files })
}

/// Whether this connection reads the history that the phone sends, which it does once, after
/// pairing: it holds the privacy tokens of the account's contacts.
async fn history_is_wanted(
    context: &SessionContext,
    purpose: &Purpose,
) -> Result<bool, KeyStoreError> {
    if purpose.pairs() {
        context.keys.want_history().await?;
    }
    context.keys.wants_history()
}

/// How the phone lists this device is fixed when it pairs.
async fn present(manager: &PersistenceManager, context: &SessionContext, purpose: &Purpose) {
    if purpose.pairs() {
        let props = DevicePropsOverride::new().with_os(context.config.device_name.clone());
        manager.process_command(DeviceCommand::SetDeviceProps(props)).await;
        // WhatsApp Web proves to the phone that it has seen the code, on first links too; the
        // library only if it knows an account. The pairing puts the real one here.
        let placeholder = Jid::new(PLACEHOLDER, Server::Lid);
        manager.process_command(DeviceCommand::SetLid(Some(placeholder))).await;
    }
    if let Some(name) = &context.config.push_name
        && manager.get_device_snapshot().push_name != *name
    {
        manager.process_command(DeviceCommand::SetPushName(name.clone())).await;
    }
}

/// One account that mostly sends, a few messages a minute.
fn small_caches(lid_pn_cache: Option<Arc<dyn CacheStore>>) -> CacheConfig {
    let hour = Some(Duration::from_secs(3600));
    CacheConfig {
        group_cache: CacheEntryConfig::new(hour, 32),
        // One entry for each member of a group that is written to.
        device_registry_cache: CacheEntryConfig::new(hour, 1_100),
        message_retry_counts: CacheEntryConfig::new(hour, 128),
        undecryptable_dispatched: CacheEntryConfig::new(hour, 128),
        pdo_pending_requests: CacheEntryConfig::new(Some(Duration::from_secs(30)), 32),
        pdo_requested: CacheEntryConfig::new(Some(Duration::from_secs(24 * 3600)), 128),
        // Who lacks a group's key is corrected in the storage, past this cache.
        sender_key_devices_cache: CacheEntryConfig::new(hour, 0),
        session_recreate_history: CacheEntryConfig::new(hour, 64),
        // Only what the library notes besides the mappings: which of them it has stored. The
        // mappings themselves are asked of the storage.
        lid_pn_cache: CacheEntryConfig::new(hour, 256),
        cache_stores: CacheStores { lid_pn_cache, ..CacheStores::default() },
        session_locks_capacity: 2_000,
        chat_lanes_capacity: 256,
        group_distribution_locks_capacity: 64,
        resend_rate_limiter_capacity: 64,
        sent_message_ttl_secs: SENT_SECONDS.unsigned_abs(),
        // Polls and edits of others mean nothing to us: nothing is kept for them.
        msg_secret_policy: MsgSecretPolicy::Disabled,
        seed_msg_secrets_from_history: false,
        ..CacheConfig::default()
    }
}
