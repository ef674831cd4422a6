//! Every bound and default of the transaction coordinator.

use std::time::Duration;

/// Bounds and timings. The defaults of what Kafka also has are Kafka's (4.x broker configuration).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest time-out a producer may ask for (`transaction.max.timeout.ms`).
    pub timeout_max: Duration,
    /// How long an id is remembered that nobody uses (`transactional.id.expiration.ms`).
    pub expiration: Duration,
    /// How often ids are looked through for that.
    pub expiration_check: Duration,
    /// Ids looked at before other work gets its turn.
    pub expiry_per_turn: usize,
    /// Transactional ids of this shard. At the bound new ones are told to retry.
    pub transactions_max: usize,
    /// Partitions and groups of one transaction.
    pub participants_max: usize,
    /// Requests about one id that wait for the one before them.
    pub waiting_max: usize,
    /// Ids in one answer to a list or description.
    pub listed_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        Self {
            timeout_max: Duration::from_secs(15 * 60),
            expiration: 7 * 24 * HOUR,
            expiration_check: HOUR,
            expiry_per_turn: 256,
            transactions_max: 100_000,
            participants_max: 10_000,
            waiting_max: 1_024,
            listed_max: 100_000,
        }
    }
}
