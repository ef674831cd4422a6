//! Bounds of one shard. Every queue, buffer and loop of the engine takes its bound from here.

use std::time::Duration;

/// Bounds of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests that wait for durability at the same time.
    pub pending_replies_max: usize,
    /// Watches that wait at the same time.
    pub watches_max: usize,
    /// Logs that one watch may name.
    pub watch_logs_max: usize,
    /// Longest wait of a watch.
    pub watch_wait_max: Duration,
    /// Bytes of batches ahead of a mirrored log's end that are held back, per log.
    pub parked_bytes_max: usize,
    /// Batches ahead of a mirrored log's end that are held back, per log.
    pub parked_batches_max: usize,
    /// How long a batch that was brought ahead waits for the hole before it to close.
    pub parked_wait_max: Duration,
    /// Batches in the provisional tail of a mirrored log.
    pub tail_batches_max: usize,
    /// Messages that coordinators have not answered.
    pub messages_max: usize,
    /// Coordinator outputs handled in one turn.
    pub outputs_per_turn: usize,
    /// Operations in one commit.
    pub ops_max: usize,
    /// Objects of one kind (logs, views, cursors, routers) in the shard.
    pub objects_max: usize,
    /// Longest lease of a cursor's entries.
    pub lease_max: Duration,
    /// Entries in one lease.
    pub lease_entries_max: usize,
    /// Levels in a routing key or pattern.
    pub route_levels_max: usize,
    /// Steps of one trie match; a match that needs more is refused.
    pub route_steps_max: usize,
    /// Routes in one router.
    pub routes_max: usize,
    /// Live entries in one view.
    pub view_entries_max: u64,
    /// Entries that wait in the outbox, over all receivers.
    pub outbox_max: usize,
    /// Producers that a log remembers.
    pub producers_max: usize,
    /// How long an idempotent producer is remembered after its last batch, wall clock.
    pub producer_expiry: Duration,
    /// How often retention, expiry and producer expiry are looked at.
    pub housekeeping_every: Duration,
    /// How long after a shard was opened retention begins: followers say meanwhile what they still want.
    pub retention_after: Duration,
    /// Expired keys removed in one turn.
    pub expiries_per_turn: usize,
    /// Timers fired in one turn.
    pub timers_per_turn: usize,
    /// How long until a timer that fired is fired again, unless it was cancelled or moved.
    pub timer_repeat: Duration,
    /// How long until an unconfirmed outbox entry is handed out again.
    pub outbox_repeat: Duration,
    /// Keys returned by one scan.
    pub scan_pairs_max: usize,
    /// Bytes returned by one read.
    pub read_bytes_max: usize,
    /// Memory for the keys of one pass of compaction; a log with more keys takes several passes.
    pub compaction_keys_bytes_max: usize,
    /// About how many stored bytes one task of compaction goes through.
    pub compaction_task_bytes: usize,
    /// How long a log is left alone whose compaction has failed, or for which there was no room.
    pub compaction_retry: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pending_replies_max: 65_536,
            watches_max: 65_536,
            watch_logs_max: 65_536,
            watch_wait_max: Duration::from_secs(600),
            parked_bytes_max: 8 << 20,
            parked_batches_max: 1024,
            parked_wait_max: Duration::from_secs(30),
            tail_batches_max: 65_536,
            messages_max: 65_536,
            outputs_per_turn: 4096,
            ops_max: 65_536,
            objects_max: 1 << 20,
            lease_max: Duration::from_secs(24 * 3600),
            lease_entries_max: 4096,
            route_levels_max: 128,
            route_steps_max: 100_000,
            routes_max: 1 << 20,
            view_entries_max: 1 << 32,
            outbox_max: 65_536,
            producers_max: 100_000,
            producer_expiry: Duration::from_secs(24 * 3600),
            housekeeping_every: Duration::from_secs(1),
            retention_after: Duration::ZERO,
            expiries_per_turn: 1024,
            timers_per_turn: 1024,
            timer_repeat: Duration::from_secs(30),
            outbox_repeat: Duration::from_secs(1),
            scan_pairs_max: 10_000,
            read_bytes_max: 64 << 20,
            compaction_keys_bytes_max: 32 << 20,
            compaction_task_bytes: 1 << 20,
            compaction_retry: Duration::from_secs(10),
        }
    }
}
