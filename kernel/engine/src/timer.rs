//! Durable timers: late, never early, at least once.
//!
//! A timer that has come due is fired, and fired again after a while, until a commit cancels or moves it. A
//! restart forgets only that it was fired.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use kernel_model::time::Now;

/// One timer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Timer {
    pub(crate) deadline_ms: i64,
    pub(crate) action: Bytes,
}

/// All timers of a shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Timers {
    pub(crate) by_key: BTreeMap<Bytes, Timer>,
    waiting: BTreeSet<(i64, Bytes)>,
    /// Fired and not cancelled: when to fire again, monotonic.
    fired: BTreeMap<Bytes, Duration>,
}

impl Timers {
    /// Sets or moves a timer.
    pub(crate) fn set(&mut self, key: Bytes, deadline_ms: i64, action: Bytes) {
        self.cancel(&key);
        self.waiting.insert((deadline_ms, key.clone()));
        self.by_key.insert(key, Timer { deadline_ms, action });
    }

    /// Removes a timer.
    pub(crate) fn cancel(&mut self, key: &Bytes) {
        if let Some(old) = self.by_key.remove(key) {
            self.waiting.remove(&(old.deadline_ms, key.clone()));
            self.fired.remove(key);
        }
    }

    /// Takes note that up to `max` due timers fire now; answers keys and actions, earliest first.
    pub(crate) fn fire(&mut self, now: Now, repeat: Duration, max: usize) -> Vec<(Bytes, Bytes)> {
        let again: Vec<Bytes> =
            self.fired.iter().filter(|(_, at)| **at <= now.elapsed).map(|(key, _)| key.clone()).collect();
        for key in again {
            self.fired.remove(&key);
            if let Some(timer) = self.by_key.get(&key) {
                self.waiting.insert((timer.deadline_ms, key));
            }
        }
        let mut due = Vec::new();
        while due.len() < max {
            let Some((deadline_ms, key)) = self.waiting.pop_first() else { break };
            if deadline_ms > now.wall_ms {
                self.waiting.insert((deadline_ms, key));
                break;
            }
            if let Some(timer) = self.by_key.get(&key) {
                due.push((key.clone(), timer.action.clone()));
            }
            self.fired.insert(key, now.deadline(repeat));
        }
        due
    }

    /// Whether every timer waits or has fired, once.
    pub(crate) fn is_consistent(&self) -> bool {
        let listed = self.waiting.iter().map(|(_, key)| key).chain(self.fired.keys());
        self.waiting.len() + self.fired.len() == self.by_key.len()
            && listed.into_iter().all(|key| self.by_key.contains_key(key))
    }

    /// When `fire` is next due, on the monotonic clock, as both clocks stand `now`.
    pub(crate) fn next_due(&self, now: Now) -> Option<Duration> {
        let waiting = self.waiting.first().map(|(deadline_ms, _)| until(now, *deadline_ms));
        let again = self.fired.values().min().copied();
        waiting.into_iter().chain(again).min()
    }
}

/// A wall-clock deadline on the monotonic clock, if the wall clock does not jump.
pub(crate) fn until(now: Now, deadline_ms: i64) -> Duration {
    let left = u64::try_from(deadline_ms.saturating_sub(now.wall_ms)).unwrap_or(0);
    now.elapsed.saturating_add(Duration::from_millis(left))
}
