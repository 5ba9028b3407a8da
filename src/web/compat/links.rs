//! Addresses of incoming messages' files, which need no token: each is good for one file, for a
//! while, and as long as the token is there that asked for it, and is signed. The key is made anew
//! at each start.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use ring::hmac;
use tetherd_api::{Error, ErrorKind, Method};

use super::Caller;
use crate::auth::Token;
use crate::front::Shared;
use crate::rest::{named, refuse};
use crate::{clock, files};

/// For how long an address is good, in milliseconds.
const GOOD_FOR_MS: i64 = 24 * 60 * 60 * 1_000;

/// What a token is known by.
type Digest = [u8; 32];

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

    fn path(&self, link: &Link<'_>, token: &Digest) -> String {
        let Link { daemon, cursor, until_ms } = link;
        let signature = hex::encode(hmac::sign(&self.key, link.signed(token).as_bytes()));
        format!("/file/{daemon}/{cursor}/{until_ms}/{}/{signature}", name_of(token))
    }

    fn check(&self, link: &Link<'_>, tokens: &[Token], name: &str, signature: &str) -> bool {
        let Ok(given) = hex::decode(signature) else { return false };
        let fits = |token: &Token| {
            hmac::verify(&self.key, link.signed(&token.digest).as_bytes(), &given).is_ok()
        };
        let may = |token: &&Token| token.tier >= Method::InboxFile.tier();
        let mut named = tokens.iter().filter(|token| name_of(&token.digest) == name).filter(may);
        clock::now().0 < link.until_ms && named.any(fits)
    }
}

/// What an address is good for.
struct Link<'a> {
    daemon: &'a str,
    cursor: u64,
    until_ms: i64,
}

impl Link<'_> {
    /// A daemon's name has no colon.
    fn signed(&self, token: &Digest) -> String {
        format!("{}:{}:{}:{}", self.daemon, self.cursor, self.until_ms, hex::encode(token))
    }
}

/// By what an address names a token: enough to find it, and not its digest.
fn name_of(token: &Digest) -> String {
    hex::encode(&token[..8])
}

impl Caller {
    /// Where the file of an incoming message can be had.
    pub(super) fn file_link(&self, cursor: u64) -> String {
        let until_ms = clock::now().0 + GOOD_FOR_MS;
        let link = Link { daemon: &self.daemon.name, cursor, until_ms };
        self.origin.clone() + &self.front.compat.links.path(&link, self.program.digest())
    }
}

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/file/{daemon}/{cursor}/{until}/{token}/{signature}", get(download))
}

async fn download(
    State(front): State<Shared>,
    Path((daemon, cursor, until_ms, token, signature)): Path<(String, u64, i64, String, String)>,
) -> Response {
    let link = Link { daemon: &daemon, cursor, until_ms };
    let tokens = front.tokens.list().unwrap_or_default();
    if !front.compat.links.check(&link, &tokens, &token, &signature) {
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
    use tetherd_api::Tier;

    use super::*;
    use crate::auth::TokenFile;

    #[test]
    fn an_address_is_good_for_one_file_for_a_while_and_with_its_token() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::new(dir.path().join("tokens"));
        let secret = file.add("own", Tier::Read).unwrap().secret;
        file.add("other", Tier::Admin).unwrap();
        let (all, token) = (file.list().unwrap(), file.find(&secret).unwrap().digest);
        let links = Links::new().unwrap();
        let until = clock::now().0 + 60_000;
        let link = |daemon, cursor, until_ms| Link { daemon, cursor, until_ms };
        let signature = |link| {
            let path = links.path(&link, &token);
            path.rsplit_once('/').unwrap().1.to_owned()
        };
        let good = signature(link("main", 7, until));
        let check = |link, given: &str| links.check(&link, &all, &name_of(&token), given);
        assert!(check(link("main", 7, until), &good));
        assert!(!check(link("main", 8, until), &good));
        assert!(!check(link("other", 7, until), &good));
        assert!(!check(link("main", 7, until + 1), &good));
        assert!(!check(link("main", 7, until), "") && !check(link("main", 7, until), "zz"));
        let past = clock::now().0 - 1;
        assert!(!check(link("main", 7, past), &signature(link("main", 7, past))));

        let link = link("main", 7, until);
        assert!(!Links::new().unwrap().check(&link, &all, &name_of(&token), &good));
        let other = all.iter().find(|known| known.digest != token).unwrap();
        assert!(!links.check(&link, &all, &name_of(&other.digest), &good));
        file.remove("own").unwrap();
        assert!(!links.check(&link, &file.list().unwrap(), &name_of(&token), &good));
    }
}
