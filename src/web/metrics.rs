//! `GET /metrics`: what every daemon says of itself, what its feed has shown, and how webhooks
//! stand, as OpenMetrics. The names and the counting are `tetherd-metrics`'.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::join_all;
use tetherd_api::{NoParams, Tier, call};
use tetherd_metrics::Known;

use crate::auth::Program;
use crate::clock;
use crate::front::Shared;
use crate::rest::refuse;

const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers a scrape.
pub(crate) async fn show(State(front): State<Shared>, program: Program) -> Response {
    if let Err(error) = program.may(Tier::Read) {
        return refuse(&error);
    }
    let none = NoParams {};
    let asked = front.daemons.iter().map(|daemon| daemon.call(call::Status, &none));
    let answers = join_all(asked).await;
    let known: Vec<Known<'_>> = front
        .daemons
        .iter()
        .zip(&answers)
        .map(|(daemon, answer)| Known {
            daemon: &daemon.name,
            status: answer.as_ref().ok(),
            oldest: daemon.feed.oldest(),
        })
        .collect();
    front.webhooks.iter().for_each(|webhook| webhook.count());
    let text = tetherd_metrics::text(&known, Some(&front.counts), clock::now(), resident_bytes());
    ([(CONTENT_TYPE, HeaderValue::from_static(KIND))], text).into_response()
}

/// This process's memory.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1_024)
}
