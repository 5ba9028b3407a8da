//! Addresses of incoming messages' files, which need no token: each is good for one file and for
//! a while, and is signed. The key is made anew at each start.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use ring::hmac;
use tetherd_api::{Error, ErrorKind, Method};

use super::Caller;
use crate::front::Shared;
use crate::rest::{named, refuse};
use crate::{clock, files};

/// For how long an address is good, in milliseconds.
const GOOD_FOR_MS: i64 = 24 * 60 * 60 * 1_000;

/// Makes and checks them.
pub(super) struct Links {
    key: hmac::Key,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Links(..)")
    }
}

impl Links {
    pub(super) fn new() -> Result<Links, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Links { key: hmac::Key::new(hmac::HMAC_SHA256, &key) })
    }

    fn path(&self, daemon: &str, cursor: u64, until_ms: i64) -> String {
        let signature = hmac::sign(&self.key, signed(daemon, cursor, until_ms).as_bytes());
        format!("/file/{daemon}/{cursor}/{until_ms}/{}", hex::encode(signature))
    }

    fn check(&self, daemon: &str, cursor: u64, until_ms: i64, signature: &str) -> bool {
        let content = signed(daemon, cursor, until_ms);
        let fits = |given: Vec<u8>| hmac::verify(&self.key, content.as_bytes(), &given).is_ok();
        clock::now().0 < until_ms && hex::decode(signature).is_ok_and(fits)
    }
}

/// A daemon's name has no colon.
fn signed(daemon: &str, cursor: u64, until_ms: i64) -> String {
    format!("{daemon}:{cursor}:{until_ms}")
}

impl Caller {
    /// Where the file of an incoming message can be had.
    pub(super) fn file_link(&self, cursor: u64) -> String {
        let until_ms = clock::now().0 + GOOD_FOR_MS;
        self.origin.clone() + &self.front.compat.links.path(&self.daemon.name, cursor, until_ms)
    }
}

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/file/{daemon}/{cursor}/{until}/{signature}", get(download))
}

async fn download(
    State(front): State<Shared>,
    Path((daemon, cursor, until_ms, signature)): Path<(String, u64, i64, String)>,
) -> Response {
    if !front.compat.links.check(&daemon, cursor, until_ms, &signature) {
        return StatusCode::NOT_FOUND.into_response();
    }
    fetch(&front, &daemon, cursor).await.unwrap_or_else(|error| refuse(&error))
}

async fn fetch(front: &Shared, daemon: &str, cursor: u64) -> Result<Response, Error> {
    let params = serde_json::json!({ "cursor": cursor });
    let asked = named(front, daemon)?.exchange(Method::InboxFile.name(), &params, &[]).await;
    let (value, fds) = asked.map_err(|error| error.into_contract())?;
    let none = || Error::new(ErrorKind::FileGone, "the daemon passed no file");
    files::download(fds.into_iter().next().ok_or_else(none)?, &value["file"], true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_good_for_one_file_and_for_a_while() {
        let links = Links::new().unwrap();
        let until = clock::now().0 + 60_000;
        let signature = |path: String| path.rsplit_once('/').unwrap().1.to_owned();
        let good = signature(links.path("main", 7, until));
        assert!(links.check("main", 7, until, &good));
        assert!(!links.check("main", 8, until, &good));
        assert!(!links.check("other", 7, until, &good));
        assert!(!links.check("main", 7, until + 1, &good));
        assert!(!links.check("main", 7, until, "") && !links.check("main", 7, until, "zz"));
        assert!(!Links::new().unwrap().check("main", 7, until, &good));
        let past = clock::now().0 - 1;
        assert!(!links.check("main", 7, past, &signature(links.path("main", 7, past))));
    }
}
