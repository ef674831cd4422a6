//! How fast clients write and read, and how long one has to wait that does so faster than its quota.
//!
//! Kafka's arithmetic, so that a client is held up as it was before: eleven samples of a second each, the rate over
//! at least ten of them, and a wait that brings the rate back to the quota (KIP-13; KIP-219 says who waits, and how).
//! Everybody whom a quota is shared with is metered together, over all connections of the process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::quotas::{Entity, QuotaKind};

/// Length of a sample.
const WINDOW: Duration = Duration::from_secs(1);
/// Samples that count.
const SAMPLES: u32 = 11;
/// Who can be metered at a time. Beyond, whoever was silent for longest is forgotten.
const METERED_MAX: usize = 10_000;

/// Whose rate it is: the realm, what is metered, and who shares it.
type Key = (String, QuotaKind, Entity);

/// The rates of everybody who has a quota.
#[derive(Debug, Default)]
pub struct Meters(Mutex<BTreeMap<Key, Rate>>);

impl Meters {
    /// Adds bytes, and says how long their client has to wait; `bytes_per_second` is its quota.
    #[must_use]
    pub fn note(&self, now: Duration, whose: Key, bytes_per_second: f64, bytes: usize) -> Duration {
        let mut rates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.len() >= METERED_MAX && !rates.contains_key(&whose) {
            forget_one(&mut rates);
        }
        let rate = rates.entry(whose).or_default();
        rate.add(now, as_float(bytes));
        rate.wait(now, bytes_per_second)
    }

    /// Takes back what was added at this time: it is not sent after all. `false`, and nothing is taken back, where
    /// nothing else was metered: what alone is more than the quota would never be sent.
    #[must_use]
    pub fn take_back(&self, now: Duration, whose: &Key, bytes: usize) -> bool {
        let mut rates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rate) = rates.get_mut(whose) else { return true };
        let others = rate.sum() > as_float(bytes);
        if others {
            rate.add(now, -as_float(bytes));
        }
        others
    }
}

/// Most bytes that one answer brings to a client with this quota: what it may read in all full samples.
#[must_use]
pub fn window_bytes(bytes_per_second: f64) -> usize {
    let bytes = bytes_per_second * f64::from(SAMPLES - 1);
    let whole = Duration::try_from_secs_f64(bytes).map_or(u64::MAX, |seconds| seconds.as_secs());
    usize::try_from(whole).unwrap_or(usize::MAX)
}

#[allow(clippy::cast_precision_loss, reason = "beyond 2^53 bytes in one request nobody counts single ones")]
fn as_float(bytes: usize) -> f64 {
    bytes as f64
}

fn forget_one(rates: &mut BTreeMap<Key, Rate>) {
    let oldest = rates.iter().min_by_key(|(_, rate)| rate.last()).map(|(key, _)| key.clone());
    if let Some(key) = oldest {
        rates.remove(&key);
    }
}

/// Samples, oldest first: when each began, and what it holds.
#[derive(Debug, Default)]
struct Rate(VecDeque<(Duration, f64)>);

impl Rate {
    fn last(&self) -> Option<Duration> {
        self.0.back().map(|(began, _)| *began)
    }

    fn add(&mut self, now: Duration, amount: f64) {
        match self.0.back_mut().filter(|(began, _)| now < *began + WINDOW) {
            Some((_, sum)) => *sum += amount,
            None => self.0.push_back((now, amount)),
        }
        while self.0.front().is_some_and(|(began, _)| now >= *began + WINDOW * SAMPLES) {
            self.0.pop_front();
        }
    }

    fn sum(&self) -> f64 {
        self.0.iter().map(|(_, sum)| sum).sum()
    }

    /// How long until the rate is the quota again, if nothing comes meanwhile.
    fn wait(&self, now: Duration, per_second: f64) -> Duration {
        let Some((began, _)) = self.0.front() else { return Duration::ZERO };
        let passed = now.saturating_sub(*began);
        let full = u32::try_from(passed.as_secs()).unwrap_or(u32::MAX);
        let seconds = (passed + WINDOW * (SAMPLES - 1).saturating_sub(full)).as_secs_f64();
        let over = self.sum() / seconds - per_second;
        if over <= 0.0 || per_second <= 0.0 {
            return Duration::ZERO;
        }
        let wait = Duration::try_from_secs_f64(over / per_second * seconds).unwrap_or(WAIT_MAX);
        wait.min(WAIT_MAX)
    }
}

/// Longest wait: as many milliseconds as an answer can tell.
const WAIT_MAX: Duration = Duration::from_millis(i32::MAX as u64);

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(name: &str) -> Key {
        let entity = Entity::from([("client-id".to_owned(), Some(name.to_owned()))]);
        (String::new(), QuotaKind::Produce, entity)
    }

    fn at(ms: u64) -> Duration {
        Duration::from_secs(1000) + Duration::from_millis(ms)
    }

    /// Kafka's own example (ClientQuotaManagerTest): a quota of 500 bytes a second, 10 seconds of 400, then 2300 at
    /// once in the middle of a second: 2100 bytes too many over 10.5 seconds.
    #[test]
    fn the_wait_is_kafkas() {
        let meters = Meters::default();
        for second in 0..10 {
            let wait = meters.note(at(second * 1000), whose("a"), 500.0, 400);
            assert_eq!(wait, Duration::ZERO, "second {second}");
        }
        // 4000 in ten seconds, and 2300 more in the sample that began 500 ms ago at the latest.
        let wait = meters.note(at(10_500), whose("a"), 500.0, 2300);
        assert_eq!(wait.as_millis(), 2100);
        assert_eq!(
            meters.note(at(10_500), whose("b"), 500.0, 2300),
            Duration::ZERO,
            "others are not held up"
        );
    }

    #[test]
    fn after_the_wait_nothing_is_owed_and_what_is_not_sent_does_not_count() {
        let meters = Meters::default();
        let wait = meters.note(at(0), whose("a"), 100.0, 2000);
        assert_eq!(wait.as_millis(), 10_000);
        assert!(!meters.take_back(at(0), &whose("a"), 2000), "alone it has to be sent");
        assert!(meters.note(at(0), whose("a"), 100.0, 3000) > wait);
        assert!(meters.take_back(at(0), &whose("a"), 3000));
        assert_eq!(meters.note(at(0), whose("a"), 100.0, 0), wait, "as if they had never been");
        assert_eq!(meters.note(at(11_001), whose("a"), 100.0, 1000), Duration::ZERO);
    }

    #[test]
    fn who_was_silent_for_longest_is_forgotten() {
        let meters = Meters::default();
        for number in 0..=METERED_MAX {
            let _no_wait = meters.note(at(number as u64), whose(&number.to_string()), 1e9, 1);
        }
        let rates = meters.0.lock().unwrap();
        assert_eq!(rates.len(), METERED_MAX);
        assert!(!rates.contains_key(&whose("0")));
    }

    #[test]
    fn no_quota_is_too_small_or_too_large() {
        let meters = Meters::default();
        assert_eq!(meters.note(at(0), whose("a"), f64::MIN_POSITIVE, usize::MAX), WAIT_MAX);
        assert_eq!(window_bytes(f64::MAX), usize::MAX);
        assert_eq!(window_bytes(0.01), 0);
        assert_eq!(window_bytes(1000.0), 10_000);
    }
}
