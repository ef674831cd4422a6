//! Commits on their way to other shards: each applied there exactly once, in order.
//!
//! Entries are numbered per receiver from 1. The receiver writes the number down in the same commit, so a
//! repeated delivery is recognised; the sender repeats until it has heard that an entry was applied.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kernel_model::Commit;
use kernel_model::position::{Seq, ShardId};

/// An entry that waits to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Receiving shard.
    pub to: ShardId,
    /// Its number among the entries for that shard, from 1.
    pub position: u64,
    /// What is to be applied there.
    pub commit: Commit,
}

/// Entries for one receiver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Position of the last entry that was queued.
    pub(crate) last: u64,
    /// Position of the last entry that was removed.
    pub(crate) trimmed: u64,
    /// From `trimmed + 1` on, each with the commit that queued it.
    pub(crate) entries: VecDeque<(Seq, Commit)>,
    /// Last position that was handed to the driver.
    handed: u64,
    /// When to hand everything out again.
    repeat_at: Option<Duration>,
    /// Last position that the receiver reported as applied.
    pub(crate) applied: u64,
}

/// All queues of a shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outbox {
    pub(crate) queues: BTreeMap<ShardId, Queue>,
}

impl Outbox {
    /// Queues a commit; answers its position.
    pub(crate) fn push(&mut self, to: ShardId, seq: Seq, commit: Commit) -> u64 {
        let queue = self.queues.entry(to).or_default();
        queue.last += 1;
        queue.entries.push_back((seq, commit));
        queue.last
    }

    /// Entries up to `position` were applied: they go.
    pub(crate) fn trim(&mut self, to: ShardId, position: u64) {
        let queue = self.queues.entry(to).or_default();
        while queue.trimmed < position && queue.entries.pop_front().is_some() {
            queue.trimmed += 1;
        }
        queue.handed = queue.handed.max(queue.trimmed);
        queue.applied = queue.applied.max(queue.trimmed);
    }

    /// The entry at a position, if it waits.
    pub(crate) fn get(&self, to: ShardId, position: u64) -> Option<&Commit> {
        let queue = self.queues.get(&to)?;
        let index = usize::try_from(position.checked_sub(queue.trimmed + 1)?).ok()?;
        queue.entries.get(index).map(|(_, commit)| commit)
    }

    /// Puts back the positions of a checkpoint.
    pub(crate) fn restore(&mut self, to: ShardId, last: u64, trimmed: u64) {
        let queue = self.queues.entry(to).or_default();
        (queue.last, queue.trimmed, queue.applied, queue.handed) = (last, trimmed, trimmed, trimmed);
    }

    /// Number of entries that wait, over all receivers.
    pub(crate) fn len(&self) -> usize {
        self.queues.values().map(|queue| queue.entries.len()).sum()
    }

    /// Next entry to deliver whose commit is durable.
    pub(crate) fn next(&mut self, durable: Seq, elapsed: Duration, repeat: Duration) -> Option<OutboxEntry> {
        self.queues.iter_mut().find_map(|(&to, queue)| {
            let position = queue.handed.max(queue.applied) + 1;
            let index = usize::try_from(position.checked_sub(queue.trimmed + 1)?).ok()?;
            let (_, commit) = queue.entries.get(index).filter(|(seq, _)| *seq <= durable)?;
            queue.handed = position;
            queue.repeat_at.get_or_insert(elapsed.saturating_add(repeat));
            Some(OutboxEntry { to, position, commit: commit.clone() })
        })
    }

    /// The receiver has applied entries up to `position`; answers what can be trimmed.
    pub(crate) fn applied(&mut self, to: ShardId, position: u64) -> bool {
        let Some(queue) = self.queues.get_mut(&to) else { return false };
        let position = position.min(queue.last);
        if position <= queue.applied {
            return false;
        }
        queue.applied = position;
        queue.repeat_at = None;
        true
    }

    /// Hands out again what was handed out and not reported in time.
    pub(crate) fn repeat_due(&mut self, elapsed: Duration) {
        for queue in self.queues.values_mut() {
            if queue.repeat_at.is_some_and(|at| at <= elapsed) {
                queue.handed = queue.applied;
                queue.repeat_at = None;
            }
        }
    }

    /// When `repeat_due` is next due.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.queues.values().filter_map(|queue| queue.repeat_at).min()
    }
}
