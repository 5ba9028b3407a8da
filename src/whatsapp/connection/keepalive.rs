//! Notices a connection whose server no longer answers. The library pings an idle server as well,
//! up to 45 s after it last sent anything, and waits 20 s for the answer (`keepalive.rs` of 0.7.0).
//! This is sooner, because messages wait meanwhile, and those that leave do not arrive.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use whatsapp_rust::Client;
use whatsapp_rust::wacore::iq::keepalive::KeepaliveSpec;
use whatsapp_rust::wacore::iq::spec::IqSpec as _;

use crate::whatsapp::transport::Trace;

/// A server that has sent nothing for this long gets a ping.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// It answers, or sends something else, within this time.
const PONG_TIME_MAX: Duration = Duration::from_secs(10);

/// Returns once a ping stays without an answer, and the server has sent nothing else since.
pub(super) async fn until_unanswered<F: Future<Output = ()>>(trace: &Trace, ping: impl Fn() -> F) {
    loop {
        let idle_until = trace.received_at() + IDLE_MAX;
        if Instant::now() < idle_until {
            sleep_until(idle_until).await;
            continue;
        }
        let pinged = Instant::now();
        let _ = timeout(PONG_TIME_MAX, ping()).await;
        if trace.received_at() < pinged {
            // The ping may have failed at once, and something come all the same.
            sleep_until(pinged + PONG_TIME_MAX).await;
        }
        if trace.received_at() < pinged {
            return;
        }
    }
}

/// Sends the library's own ping and waits for the answer.
pub(super) async fn ping(client: &Client) {
    let ping = KeepaliveSpec::with_timeout(PONG_TIME_MAX).build_iq();
    let _ = client.send_iq(ping).await;
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_gets_one_ping_and_ten_seconds() {
        let (trace, pings) = (Trace::default(), AtomicU32::new(0));
        let started = Instant::now();
        until_unanswered(&trace, || async {
            pings.fetch_add(1, Ordering::Relaxed);
            pending().await
        })
        .await;
        assert_eq!(started.elapsed(), IDLE_MAX + PONG_TIME_MAX);
        assert_eq!(pings.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_ping_that_fails_at_once_leaves_the_same_time() {
        let trace = Trace::default();
        let started = Instant::now();
        until_unanswered(&trace, || async {}).await;
        assert_eq!(started.elapsed(), IDLE_MAX + PONG_TIME_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_answers_is_kept() {
        let trace = Trace::default();
        let answers = until_unanswered(&trace, || async {
            sleep(PONG_TIME_MAX / 2).await;
            trace.received();
        });
        assert!(timeout(IDLE_MAX * 100, answers).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_sends_something_else_than_the_answer_is_kept() {
        let trace = Trace::default();
        let sends = until_unanswered(&trace, || async {
            sleep(PONG_TIME_MAX / 2).await;
            trace.received();
            pending().await
        });
        assert!(timeout(IDLE_MAX * 100, sends).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_sends_gets_no_ping() {
        let trace = Trace::default();
        let sends = async {
            loop {
                sleep(IDLE_MAX / 2).await;
                trace.received();
            }
        };
        let idle = until_unanswered(&trace, || async { panic!("a ping, though the server sends") });
        tokio::select! {
            () = sends => {}
            () = idle => panic!("given up, though the server sends"),
            () = sleep(IDLE_MAX * 100) => {}
        }
    }
}
