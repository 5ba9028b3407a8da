//! Trusted contact tokens, which two of the library's tasks write at once: the one
//! that receives them, and the one that has issued ours. Bounded: those that were touched
//! longest ago give way.
//!
//! The library keys a token by the contact's LID where it knows that, else by the number;
//! out of history it stores the tokens before it learns the LIDs. So what is asked for by a
//! LID may lie under its number.

use std::sync::Arc;

use whatsapp_rust::wacore::store::traits::{LidPnMappingEntry, TcTokenEntry};

use super::bounded::Bounded;
use super::contact_tokens::TokenOf;
use super::protocol::LID;
use super::{Result, SessionBackend, count, from_json, key, read_error, text, to_json};
use crate::store::{Batch, ReadError, View};

const TC_TOKEN: &str = "tc_token";

/// Most contacts whose tokens are kept: as many as chats are known.
pub(super) const TOKENS_MAX: usize = 20_000;

const TOKENS: Bounded = Bounded {
    area: TC_TOKEN,
    max: TOKENS_MAX,
    learnt: |value| {
        from_json(value).map_or(0, |entry: TcTokenEntry| {
            entry.token_timestamp.max(entry.sender_timestamp.unwrap_or(0))
        })
    },
};

type Read<T> = std::result::Result<T, ReadError>;

/// The number behind a LID.
fn number_of(get: impl FnOnce(&[u8]) -> Read<Option<Vec<u8>>>, user: &str) -> Read<Option<String>> {
    let mapping = get(&key(LID, user.as_bytes()))?;
    let mapping = mapping.map(|bytes| from_json::<LidPnMappingEntry>(&bytes)).transpose()?;
    Ok(mapping.map(|mapping| mapping.phone_number.to_string()))
}

fn stored(view: &View<'_>, user: &str) -> Read<Option<TcTokenEntry>> {
    let read = |user: &str| {
        view.get(&key(TC_TOKEN, user.as_bytes()))?.map(|bytes| from_json(&bytes)).transpose()
    };
    match read(user)? {
        Some(entry) => Ok(Some(entry)),
        None => match number_of(|record| view.get(record), user)? {
            Some(number) => read(&number),
            None => Ok(None),
        },
    }
}

impl SessionBackend {
    pub(super) fn tc_token(&self, user: &str) -> Result<Option<TcTokenEntry>> {
        if let Some(entry) = self.read_json(&key(TC_TOKEN, user.as_bytes()))? {
            return Ok(Some(entry));
        }
        let number = number_of(|record| self.store.get(record), user).map_err(read_error)?;
        number.map_or(Ok(None), |number| self.read_json(&key(TC_TOKEN, number.as_bytes())))
    }

    pub(super) async fn replace_tc_token(&self, user: &str, entry: &TcTokenEntry) -> Result<()> {
        let entry = entry.clone();
        self.change_tc_token(user, move |_| Some(entry)).await
    }

    pub(super) async fn remove_tc_token(&self, user: &str) -> Result<()> {
        self.remove(key(TC_TOKEN, user.as_bytes())).await
    }

    pub(super) fn tc_token_jids(&self) -> Result<Vec<String>> {
        self.list(&key(TC_TOKEN, &[]))?.into_iter().map(|(jid, _)| text(jid)).collect()
    }

    /// Ours was issued: only ever later, and never at the cost of theirs.
    pub(super) async fn touch_tc_token(&self, user: &str, issued: i64) -> Result<()> {
        self.change_tc_token(user, move |before| {
            Some(match before {
                Some(mut entry) => {
                    let before = entry.sender_timestamp;
                    entry.sender_timestamp = Some(before.map_or(issued, |at| at.max(issued)));
                    entry
                }
                None => TcTokenEntry {
                    token: Vec::new(),
                    token_timestamp: issued,
                    sender_timestamp: Some(issued),
                },
            })
        })
        .await
    }

    /// Theirs arrived: it replaces an older one, and leaves ours alone.
    pub(super) async fn receive_tc_token(
        &self,
        user: &str,
        token: &[u8],
        token_timestamp: i64,
    ) -> Result<()> {
        let token = token.to_vec();
        self.change_tc_token(user, move |before| {
            let is_stale = before.as_ref().is_some_and(|before| {
                !before.token.is_empty() && token_timestamp < before.token_timestamp
            });
            let sender_timestamp = before.and_then(|before| before.sender_timestamp);
            (!is_stale).then_some(TcTokenEntry { token, token_timestamp, sender_timestamp })
        })
        .await?;
        let number = number_of(|record| self.store.get(record), user).map_err(read_error)?;
        self.tokens.push(TokenOf { user: user.to_owned(), number, since: token_timestamp });
        Ok(())
    }

    async fn change_tc_token(
        &self,
        user: &str,
        change: impl FnOnce(Option<TcTokenEntry>) -> Option<TcTokenEntry> + Send + 'static,
    ) -> Result<()> {
        let (user, counts) = (user.to_owned(), Arc::clone(&self.counts));
        self.change(move |view| {
            let mut batch = Batch::new();
            if let Some(entry) = change(stored(view, &user)?) {
                for record in TOKENS.make_room(view, &counts.tc_tokens, 1)? {
                    batch.remove(record);
                }
                let value = to_json(&entry).map_err(|_| ReadError::Damaged)?;
                batch.put(key(TC_TOKEN, user.as_bytes()), value);
            }
            Ok((batch, ()))
        })
        .await
    }

    /// Removes those of which neither side is live any more.
    pub(super) async fn expire_tc_tokens(&self, token_cutoff: i64, sender: i64) -> Result<u32> {
        self.change(move |view| {
            let mut batch = Batch::new();
            let mut removed = 0;
            for record in view.scan(&key(TC_TOKEN, &[])) {
                let (record, value) = record?;
                let entry: TcTokenEntry = from_json(&value)?;
                let theirs = !entry.token.is_empty() && entry.token_timestamp >= token_cutoff;
                let ours = entry.sender_timestamp.is_some_and(|issued| issued >= sender);
                if !theirs && !ours {
                    batch.remove(record);
                    removed += 1;
                }
            }
            Ok((batch, count(removed)))
        })
        .await
    }
}
