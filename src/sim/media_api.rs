//! Settings of the media host, and files that people send: methods of [`Sim`], and
//! the same on the control socket.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Sim;
use super::api::{Composed, DEFAULT_ACCOUNT, address, send_out};
use super::content::SentFile;
use super::control::{Failure, params};
use super::error::SimError;
use super::media::{MediaChange, MediaSettings, MediaStats};
use super::people::digits;

impl Sim {
    /// Changes how the media host behaves.
    pub async fn media_set(&self, change: MediaChange) -> MediaSettings {
        let mut world = self.shared.change().await;
        world.media.apply(change);
        world.media.settings
    }

    /// What has happened at the media host.
    pub async fn media_stats(&self) -> MediaStats {
        self.shared.look().await.media.stats
    }

    /// Waits until the media host's counts are as wanted, and returns them.
    pub async fn media_wait(
        &self,
        wanted: impl Fn(&MediaStats) -> bool,
        within: Duration,
    ) -> Result<MediaStats, SimError> {
        self.wait(|world| wanted(&world.media.stats).then_some(world.media.stats), within).await
    }

    /// Somebody sends a file to an account, or to a group.
    pub async fn recipient_send_file(
        &self,
        number: &str,
        to: Option<&str>,
        file: &SentFile,
    ) -> Result<Composed, SimError> {
        let to = address(to.unwrap_or(DEFAULT_ACCOUNT))?;
        let mut world = self.shared.change().await;
        let message = file.message(&world.media.files).ok_or(SimError::BadFile)?;
        let nodes = world.people.write(number, &to, &message).await;
        send_out(&mut world, nodes)
    }

    /// The phone itself sends a file to somebody; its companions get copies.
    pub async fn phone_send_file(
        &self,
        account: Option<&str>,
        to: &str,
        file: &SentFile,
    ) -> Result<Composed, SimError> {
        let user = digits(account.unwrap_or(DEFAULT_ACCOUNT))?;
        let to = address(to)?;
        let mut world = self.shared.change().await;
        let message = file.message(&world.media.files).ok_or(SimError::BadFile)?;
        let nodes = world.people.write(&user, &to, &message).await;
        send_out(&mut world, nodes)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    #[serde(default)]
    begun: u64,
    #[serde(default)]
    uploads: u64,
    #[serde(default)]
    stalled: u64,
    #[serde(default)]
    bytes: u64,
    #[serde(default = "a_minute")]
    within_s: u64,
}

fn a_minute() -> u64 {
    60
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendFile {
    number: Option<String>,
    account: Option<String>,
    to: Option<String>,
    file: SentFile,
}

pub(super) async fn call(sim: &Sim, method: &str, given: Value) -> Result<Value, Failure> {
    match method {
        "media.set" => Ok(json!(sim.media_set(params::<MediaChange>(given)?).await)),
        "media.stats" => Ok(json!(sim.media_stats().await)),
        "media.wait" => {
            let Wait { begun, uploads, stalled, bytes, within_s } = params(given)?;
            let enough = |stats: &MediaStats| {
                stats.begun >= begun
                    && stats.uploads >= uploads
                    && stats.stalled >= stalled
                    && stats.bytes >= bytes
            };
            Ok(json!(sim.media_wait(enough, Duration::from_secs(within_s)).await?))
        }
        "media.send" => {
            let SendFile { number, account, to, file } = params(given)?;
            Ok(json!(match number {
                Some(number) => sim.recipient_send_file(&number, to.as_deref(), &file).await?,
                None => {
                    let to = to.ok_or(SimError::BadAddress)?;
                    sim.phone_send_file(account.as_deref(), &to, &file).await?
                }
            }))
        }
        _ => Err(Failure::NoMethod),
    }
}
