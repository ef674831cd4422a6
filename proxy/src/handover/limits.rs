//! Limits of a handover. Every wait has one.

use std::time::Duration;

/// How long and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandoverLimits {
    /// Most units in one handover: what one commit entry changes together. Also most groups that go back at the same
    /// time, each in a handover of its own.
    pub units_max: usize,
    /// Longest preparation; clients notice nothing of it.
    pub prepare_max: Duration,
    /// Longest preparation of groups that go back: their members are asked to join again, and have their own
    /// rebalance time-out for it (Java: five minutes).
    pub gather_max: Duration,
    /// Longest time that clients are held before the commit. Well below their request time-out (30 s).
    pub fence_max: Duration,
    /// How long preparation looks for a moment in which the feed lags by nothing, so that the fence need not wait
    /// for it. A partition that is never written in full quiet has none.
    pub calm_max: Duration,
    /// Records by which the feed may lag when the fence begins, once that has passed.
    pub lag_max_records: u64,
    /// How often something is asked again while members of a group are waited for.
    pub gather_poll_every: Duration,
    /// How often something is asked again.
    pub poll_every: Duration,
    /// How long an answer within the process may take before it is asked again.
    pub answer_max: Duration,
    /// How long a forwarder may take to answer before its lease is not renewed any more.
    pub forwarder_answer_max: Duration,
    /// Length of a lease to forward.
    pub lease: Duration,
    /// How long after its lease's end something that a forwarder sent may still reach legacy.
    pub send_max: Duration,
}

impl Default for HandoverLimits {
    fn default() -> Self {
        Self {
            units_max: 64,
            prepare_max: Duration::from_secs(30),
            gather_max: Duration::from_secs(330),
            gather_poll_every: Duration::from_millis(50),
            fence_max: Duration::from_secs(12),
            calm_max: Duration::from_secs(1),
            lag_max_records: 10_000,
            poll_every: Duration::from_millis(5),
            answer_max: Duration::from_secs(2),
            forwarder_answer_max: Duration::from_secs(1),
            lease: Duration::from_secs(3),
            send_max: Duration::from_secs(4),
        }
    }
}
