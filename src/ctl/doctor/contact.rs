//! What the daemon itself says: asked with calls that change nothing.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::doctor::socket::Answer;
use crate::error::rpc_code;
use tetherd_api::call;
use tetherd_api::client::{Client, ClientError};
use tetherd_api::exit::ExitCode;
use tetherd_api::{ErrorKind, Explanation, Method, NoParams, Status, Tier, Version};

/// What was found out.
#[derive(Debug)]
pub(crate) struct Contact {
    /// The listener's process and user, as the kernel has them. Under systemd, systemd's.
    pub(crate) peer: Option<Peer>,
    pub(crate) answer: Answer,
    /// What the caller may do; none: nothing, or it is not known.
    pub(crate) tier: Option<Tier>,
    pub(crate) version: Option<Version>,
    pub(crate) status: Option<Status>,
    pub(crate) explanation: Option<Explanation>,
    /// What of the daemon's answers did not read.
    pub(crate) unread: Option<String>,
}

/// Who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// None: in another namespace.
    pub(crate) pid: Option<i32>,
    pub(crate) uid: u32,
}

impl Contact {
    /// Connects and asks. None: there is no connection after all.
    pub(crate) async fn make(path: &Path, limit: Duration) -> Option<Contact> {
        let mut contact = Contact {
            peer: None,
            answer: Answer::Late(limit.as_secs()),
            tier: None,
            version: None,
            status: None,
            explanation: None,
            unread: None,
        };
        let stream = match timeout(limit, UnixStream::connect(path)).await {
            Ok(stream) => stream.ok()?,
            Err(_) => return Some(contact),
        };
        contact.peer = stream
            .peer_cred()
            .ok()
            .map(|peer| Peer { pid: peer.pid().filter(|pid| *pid > 0), uid: peer.uid() });
        let client = Client::over(stream).with_deadline(limit);
        contact.ask(&client, limit).await;
        Some(contact)
    }

    async fn ask(&mut self, client: &Client, limit: Duration) {
        match client.call(call::Version, &NoParams {}).await {
            Ok(version) => {
                self.answer = Answer::Yes;
                self.tier = Some(Tier::Read);
                self.version = Some(version);
            }
            Err(error) => return self.not_told(&error, limit),
        }
        match client.call(call::Status, &NoParams {}).await {
            Ok(status) => self.status = Some(status),
            Err(error) => self.not_told(&error, limit),
        }
        match client.call(call::Explain, &NoParams {}).await {
            Ok(explanation) => self.explanation = Some(explanation),
            Err(error) => self.not_told(&error, limit),
        }
        // Nothing to check, and nothing to withdraw: only a caller who may ask gets another answer.
        let probes = [
            (Tier::Send, Method::PhoneCheck, json!({ "numbers": [] })),
            (Tier::Admin, Method::QueueClear, json!({ "dry_run": true })),
        ];
        for (tier, method, params) in probes {
            if allowed(&client.call_raw(method.name(), &params).await) {
                self.tier = Some(tier);
            }
        }
    }

    fn not_told(&mut self, error: &ClientError, limit: Duration) {
        match error {
            // It is a daemon, and it does not talk to us.
            ClientError::Rpc(error) if error.data.kind == ErrorKind::Denied => {
                self.answer = Answer::Yes;
            }
            ClientError::Rpc(error) => {
                let code = rpc_code(error.data.kind);
                let said = error.message.clone();
                if code == ExitCode::TempFail {
                    self.answer = Answer::Busy(said);
                } else if code == ExitCode::Protocol {
                    self.answer = Answer::Yes;
                    self.unread = Some(said);
                } else {
                    self.answer = Answer::Garbled(said);
                }
            }
            ClientError::Timeout(_) => self.answer = Answer::Late(limit.as_secs()),
            ClientError::Decode(error) => {
                self.answer = Answer::Yes;
                self.unread = Some(error.to_string());
            }
            ClientError::Closed => {
                self.answer = Answer::Garbled("it ended the connection".to_owned());
            }
            ClientError::Encode(_) | ClientError::Descriptor(_) => {
                self.answer = Answer::Garbled(error.to_string());
            }
        }
    }
}

/// An answer of any kind but "no, not you".
fn allowed(answer: &Result<Value, ClientError>) -> bool {
    match answer {
        Ok(_) => true,
        Err(ClientError::Rpc(error)) => error.data.kind == ErrorKind::InvalidParams,
        Err(
            ClientError::Timeout(_)
            | ClientError::Closed
            | ClientError::Encode(_)
            | ClientError::Descriptor(_)
            | ClientError::Decode(_),
        ) => false,
    }
}
