//! Batches that were brought ahead of a mirrored log's end and wait until the hole before them closes.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel_model::VerifiedBatch;
use kernel_model::position::{LogId, Offset};

/// One request that waits.
#[derive(Debug)]
pub(crate) struct Waiting<K> {
    pub(crate) key: K,
    pub(crate) batches: Vec<VerifiedBatch>,
    pub(crate) deadline: Duration,
}

/// All waiting requests of a shard, by log and first offset. `K` names a request.
#[derive(Debug)]
pub(crate) struct Parked<K> {
    waiting: BTreeMap<(LogId, Offset, u64), Waiting<K>>,
    next: u64,
}

impl<K> Default for Parked<K> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), next: 0 }
    }
}

fn bytes_of(batches: &[VerifiedBatch]) -> usize {
    batches.iter().map(|batch| batch.bytes().len()).sum()
}

impl<K> Parked<K> {
    fn of(&self, log: LogId) -> impl Iterator<Item = (&(LogId, Offset, u64), &Waiting<K>)> {
        self.waiting.range((log, Offset(0), 0)..=(log, Offset(u64::MAX), u64::MAX))
    }

    /// Holds a request back; gives it back when the log's bounds are reached.
    pub(crate) fn park(
        &mut self,
        log: LogId,
        request: Waiting<K>,
        bytes_max: usize,
        batches_max: usize,
    ) -> Result<(), Waiting<K>> {
        let Some(first) = request.batches.first().map(|batch| batch.header().base_offset) else {
            return Err(request);
        };
        let bytes: usize = self.of(log).map(|(_, held)| bytes_of(&held.batches)).sum();
        let batches: usize = self.of(log).map(|(_, held)| held.batches.len()).sum();
        if bytes + bytes_of(&request.batches) > bytes_max || batches + request.batches.len() > batches_max {
            return Err(request);
        }
        self.waiting.insert((log, first, self.next), request);
        self.next += 1;
        Ok(())
    }

    /// Takes the first request of `log` that begins at or below `end`.
    pub(crate) fn take_ready(&mut self, log: LogId, end: Offset) -> Option<Waiting<K>> {
        let key = self.of(log).next().map(|(key, _)| *key).filter(|&(_, first, _)| first <= end)?;
        self.waiting.remove(&key)
    }

    /// Takes the requests whose time is over, with their logs.
    pub(crate) fn take_overdue(&mut self, elapsed: Duration) -> Vec<(LogId, Waiting<K>)> {
        self.waiting
            .extract_if(.., |_, held| held.deadline <= elapsed)
            .map(|((log, _, _), held)| (log, held))
            .collect()
    }

    /// Takes everything.
    pub(crate) fn take_all(&mut self) -> Vec<Waiting<K>> {
        std::mem::take(&mut self.waiting).into_values().collect()
    }

    /// When the next request's time is over.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.waiting.values().map(|held| held.deadline).min()
    }
}
