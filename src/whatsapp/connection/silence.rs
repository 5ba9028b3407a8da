//! A line that went silent. The library asks the server for a sign of life within 45 s of the last
//! one, and gives it 20 s. Here it is asked for one sooner and given less time, because messages
//! wait meanwhile, and those that leave do not arrive.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use whatsapp_rust::Client;
use whatsapp_rust::wacore::iq::keepalive::KeepaliveSpec;
use whatsapp_rust::wacore::iq::spec::IqSpec as _;

use crate::whatsapp::transport::Trace;

/// A server that has said nothing for this long is asked.
const QUIET_MAX: Duration = Duration::from_secs(30);
/// It answers, or says something else, within this time.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// Ends once the server was asked and has said nothing since.
pub(super) async fn begun<F: Future<Output = ()>>(trace: &Trace, ask: impl Fn() -> F) {
    loop {
        let quiet_until = trace.heard_at() + QUIET_MAX;
        if Instant::now() < quiet_until {
            sleep_until(quiet_until).await;
            continue;
        }
        let asked = Instant::now();
        let _ = timeout(ANSWER_TIME_MAX, ask()).await;
        if trace.heard_at() < asked {
            // It could not even be asked, perhaps: something may come all the same.
            sleep_until(asked + ANSWER_TIME_MAX).await;
        }
        if trace.heard_at() < asked {
            return;
        }
    }
}

/// Asks as the library does, and waits for the answer.
pub(super) async fn ask(client: &Client) {
    let question = KeepaliveSpec::with_timeout(ANSWER_TIME_MAX).build_iq();
    let _ = client.send_iq(question).await;
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_asked_once_and_given_up_after_ten_seconds() {
        let (trace, asked) = (Trace::default(), AtomicU32::new(0));
        let started = Instant::now();
        begun(&trace, || async {
            asked.fetch_add(1, Ordering::Relaxed);
            pending().await
        })
        .await;
        assert_eq!(started.elapsed(), QUIET_MAX + ANSWER_TIME_MAX);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_cannot_be_asked_has_its_time_all_the_same() {
        let trace = Trace::default();
        let started = Instant::now();
        begun(&trace, || async {}).await;
        assert_eq!(started.elapsed(), QUIET_MAX + ANSWER_TIME_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_answers_is_not_given_up() {
        let trace = Trace::default();
        let answers = begun(&trace, || async {
            sleep(ANSWER_TIME_MAX / 2).await;
            trace.heard();
        });
        assert!(timeout(QUIET_MAX * 100, answers).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_speaks_is_not_asked() {
        let trace = Trace::default();
        let speaks = async {
            loop {
                sleep(QUIET_MAX / 2).await;
                trace.heard();
            }
        };
        let unasked = begun(&trace, || async { panic!("asked, though it spoke") });
        tokio::select! {
            () = speaks => {}
            () = unasked => panic!("given up"),
            () = sleep(QUIET_MAX * 100) => {}
        }
    }
}
