//! When a delivery that failed is tried again. Pure: randomness and time come in.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use tetherd_api::Time;

/// The wait after the first failure.
pub(super) const FIRST: Duration = Duration::from_secs(5);
/// How much longer each next wait is.
const FACTOR: u32 = 4;
/// The longest wait, and the longest that a receiver can ask for.
pub(super) const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);
/// After so long without a success a webhook is called failing. It is still tried, every
/// [`LONGEST`]: nothing is dropped.
pub(super) const FAILING_AFTER: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// By how much a wait is made longer or shorter at random, in percent, so that receivers that
/// come back are not asked by everybody at once.
const JITTER_PERCENT: u32 = 20;

const _: () = assert!(JITTER_PERCENT < 100);

/// The wait after so many failures, at least as long as the receiver asks for.
pub(super) fn wait(failures: u32, asked: Option<Duration>, random: u32) -> Duration {
    let doublings = FACTOR.saturating_pow(failures.saturating_sub(1).min(16));
    let plain = FIRST.saturating_mul(doublings).min(LONGEST);
    let percent = 100 - JITTER_PERCENT + random % (2 * JITTER_PERCENT + 1);
    let jittered = plain * percent / 100;
    jittered.max(asked.unwrap_or_default().min(LONGEST))
}

/// What `Retry-After` says: seconds, or a date.
pub(super) fn retry_after(value: &str, now: Time) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTimeParser::new().parse_timestamp(value.trim()).ok()?;
    let ms = at.as_millisecond().saturating_sub(now.0);
    Some(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_for_days_and_never_beyond_the_longest() {
        let middle = |failures| wait(failures, None, JITTER_PERCENT);
        let waits: Vec<u64> = (1..=9).map(|failures| middle(failures).as_secs()).collect();
        assert_eq!(waits, [5, 20, 80, 320, 1_280, 5_120, 20_480, 21_600, 21_600]);
        assert_eq!(middle(u32::MAX), LONGEST);
        let tried: u32 = (1..)
            .take_while(|count| (1..=*count).map(middle).sum::<Duration>() < FAILING_AFTER)
            .last()
            .unwrap();
        assert!((15..25).contains(&tried), "{tried}");
        for random in [0, 1, 40, 41, u32::MAX] {
            let one = wait(2, None, random);
            assert!((16..=24).contains(&one.as_secs()), "{random}: {one:?}");
        }
        assert_ne!(wait(2, None, 0), wait(2, None, 40));
    }

    #[test]
    fn a_receiver_is_asked_no_sooner_than_it_says_and_cannot_say_never() {
        let asked = |text: &str| retry_after(text, Time(1_445_412_420_000));
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(asked("Tue, 20 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        for none in ["", "soon", "-1", "1.5"] {
            assert_eq!(asked(none), None, "{none}");
        }
        assert_eq!(wait(1, asked("120"), 0), Duration::from_secs(120));
        assert_eq!(wait(1, asked("1"), 0), Duration::from_secs(4));
        assert_eq!(wait(1, asked("99999999999"), 0), LONGEST);
    }
}
