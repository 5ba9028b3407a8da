//! A message's record is flat: it has the fields of all states. Here they become those of
//! the state that the message is in, and back.

use super::super::{Convert, Damage, Record};
use super::{StoredMessage, StoredUndo};
use tetherd_api::State;
use tetherd_core::account_names::AccountNames;
use tetherd_core::draft::Draft;
use tetherd_core::queue::{Message, MessageState, Parked, Pending, Tries, Undo, Withdrawn};

impl Record for Message {
    type Stored = StoredMessage;

    fn to_stored(&self) -> StoredMessage {
        let message = self.clone();
        let (state, reason) = (message.state(), message.reason().cloned());
        let [sent_at, delivered_at, read_at] = message.reached_at();
        let undo = message.undo().map(|undo| StoredUndo {
            until_uptime_ms: undo.until_uptime_ms,
            state: undo.before.state().convert(),
            reason: undo.before.reason().cloned().convert(),
        });
        let (Pending { media, maybe_out }, tries) = pending(message.state);
        StoredMessage {
            id: message.id.convert(),
            wa_id: message.draft.wa_id.convert(),
            to: message.draft.to.convert(),
            address: message.address.convert(),
            kind: message.draft.kind.convert(),
            file: message.draft.file.convert(),
            media: media.convert(),
            source: message.draft.source.convert(),
            has_links: message.draft.has_links,
            account: message.account.as_ref().map(|account| account.jid.0.clone()),
            account_lid: message.account.and_then(|account| account.lid).convert(),
            links_asked: message.links_asked,
            token_retried: message.token_retried,
            link_warning: message.link_warning.convert(),
            link: message.draft.link.convert(),
            target: message.draft.target.convert(),
            mentions: message.draft.mentions.convert(),
            priority: message.draft.priority.convert(),
            not_before: message.draft.not_before,
            expires_at: message.draft.expires_at,
            edit_until: message.draft.edit_until,
            key: message.draft.key.convert(),
            digest: message.draft.digest.convert(),
            chars: message.chars,
            preview: message.preview.convert(),
            state: state.convert(),
            reason: reason.convert(),
            undo,
            order: message.order,
            attempts: message.attempts,
            streak: tries.streak,
            maybe_out,
            limited: tries.limited,
            resent: tries.resent,
            reached_nobody: tries.reached_nobody,
            accepted_at: message.accepted_at,
            changed_at: message.changed_at,
            changed_uptime_ms: message.changed_uptime_ms,
            sent_at,
            delivered_at,
            read_at,
        }
    }

    fn from_stored(stored: StoredMessage) -> Result<Message, Damage> {
        let pending = Pending { media: stored.media.convert(), maybe_out: stored.maybe_out };
        let tries = Tries {
            streak: stored.streak,
            limited: stored.limited,
            resent: stored.resent,
            reached_nobody: stored.reached_nobody,
        };
        let reason = stored.reason.convert();
        let [sent_at, delivered_at, read_at] =
            [stored.sent_at, stored.delivered_at, stored.read_at]
                .map(|at| at.ok_or(Damage::Content));
        let state = match stored.state.convert() {
            State::Preparing => MessageState::Preparing(pending),
            State::Queued => MessageState::Queued(pending, tries),
            State::Sending => MessageState::Sending(pending, tries),
            State::Unknown => MessageState::Unknown { media: pending.media, tries },
            State::Parked => {
                let reason = reason.ok_or(Damage::Content)?;
                MessageState::Parked(Parked { reason, pending })
            }
            State::Sent => MessageState::Sent { sent_at: sent_at? },
            State::Delivered => {
                MessageState::Delivered { sent_at: sent_at?, delivered_at: delivered_at? }
            }
            State::Read => MessageState::Read {
                sent_at: sent_at?,
                delivered_at: delivered_at?,
                read_at: read_at?,
            },
            State::Failed => MessageState::Failed { reason: reason.ok_or(Damage::Content)? },
            State::Expired => MessageState::Expired { reason },
            State::Cancelled => {
                MessageState::Cancelled { undo: stored.undo.and_then(|u| undo(u, pending, tries)) }
            }
        };
        let to: tetherd_core::ids::ChatId = stored.to.convert();
        Ok(Message {
            id: stored.id.convert(),
            // Until `Core` says otherwise.
            chat: to.clone(),
            draft: Draft {
                wa_id: stored.wa_id.convert(),
                to,
                kind: stored.kind.convert(),
                file: stored.file.convert(),
                source: stored.source.convert(),
                has_links: stored.has_links,
                link: stored.link.convert(),
                target: stored.target.convert(),
                mentions: stored.mentions.convert(),
                priority: stored.priority.convert(),
                not_before: stored.not_before,
                expires_at: stored.expires_at,
                edit_until: stored.edit_until,
                key: stored.key.convert(),
                digest: stored.digest.convert(),
            },
            address: stored.address.convert(),
            account: stored
                .account
                .map(|jid| AccountNames { jid: jid.into(), lid: stored.account_lid.convert() }),
            links_asked: stored.links_asked,
            token_retried: stored.token_retried,
            link_warning: stored.link_warning.convert(),
            chars: stored.chars,
            preview: stored.preview.convert(),
            state,
            order: stored.order,
            attempts: stored.attempts,
            accepted_at: stored.accepted_at,
            changed_at: stored.changed_at,
            changed_uptime_ms: stored.changed_uptime_ms,
        })
    }
}

/// What a message has that can still be sent.
fn pending(state: MessageState) -> (Pending, Tries) {
    match state {
        MessageState::Queued(pending, tries)
        | MessageState::Sending(pending, tries)
        | MessageState::Cancelled {
            undo: Some(Undo { before: Withdrawn::Queued(pending, tries), .. }),
        } => (pending, tries),
        MessageState::Unknown { media, tries } => (Pending { media, maybe_out: true }, tries),
        MessageState::Preparing(pending)
        | MessageState::Parked(Parked { pending, .. })
        | MessageState::Cancelled {
            undo:
                Some(Undo {
                    before:
                        Withdrawn::Preparing(pending) | Withdrawn::Parked(Parked { pending, .. }),
                    ..
                }),
        } => (pending, Tries::default()),
        MessageState::Sent { .. }
        | MessageState::Delivered { .. }
        | MessageState::Read { .. }
        | MessageState::Failed { .. }
        | MessageState::Expired { .. }
        | MessageState::Cancelled { undo: None } => (Pending::default(), Tries::default()),
    }
}

/// None: no message was ever cancelled there, and it stays cancelled.
fn undo(stored: StoredUndo, pending: Pending, tries: Tries) -> Option<Undo> {
    let before = match stored.state.convert() {
        State::Preparing => Withdrawn::Preparing(pending),
        State::Queued => Withdrawn::Queued(pending, tries),
        State::Parked => Withdrawn::Parked(Parked { reason: stored.reason.convert()?, pending }),
        State::Sending
        | State::Unknown
        | State::Sent
        | State::Delivered
        | State::Read
        | State::Failed
        | State::Expired
        | State::Cancelled => return None,
    };
    Some(Undo { until_uptime_ms: stored.until_uptime_ms, before })
}
