//! An administrator's program: looks at webhooks over HTTP, and does something with them.

use serde_json::Value;
use tetherd_api::Tier;

use crate::web::{Answer, Front};

/// The front's administrator.
pub(super) struct Admin<'a> {
    front: &'a Front,
    token: String,
}

impl<'a> Admin<'a> {
    pub(super) fn of(front: &'a Front) -> Admin<'a> {
        Admin { front, token: front.token(Tier::Admin) }
    }

    pub(super) fn ask(&self, request: &str, body: &str) -> Answer {
        let headers = [("authorization", format!("Bearer {}", self.token))];
        self.front.ask(request, &headers, body.as_bytes())
    }

    pub(super) fn standing(&self, name: &str) -> Value {
        let answer = self.ask("GET /v1/webhooks", "").json();
        let all = answer["webhooks"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap().clone()
    }

    /// Asks until a webhook stands as it should.
    pub(super) fn until(&self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let standing = self.standing(name);
            if fits(&standing) {
                return standing;
            }
        }
    }

    /// Waits until it follows the feed: what happens from then on is sent.
    pub(super) fn begun(&self, name: &str) -> u64 {
        self.until(name, |standing| !standing["after"].is_null())["after"].as_u64().unwrap()
    }

    pub(super) fn act(&self, name: &str, act: &str, body: &str) -> Answer {
        self.ask(&format!("POST /v1/webhooks/{name}/{act}"), body)
    }

    /// Waits until so many attempts of one event have failed, and has the next one made.
    pub(super) fn retry_after(&self, name: &str, failures: u64) -> Value {
        let standing = self.until(name, |standing| standing["failures"] == failures);
        assert_eq!(self.act(name, "retry", "").status, 200);
        standing
    }
}
