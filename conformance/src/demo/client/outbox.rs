//! What a producer has not got acknowledged yet, partition by partition, and in which order it may be sent.
//!
//! ```text
//! values queue ──drain──► batch (waiting) ──send──► batch (flying) ──acknowledged──► gone
//!                               ▲                        │
//!                               └────── retriable ───────┘
//! ```
//!
//! A batch keeps its bytes and sequence numbers through every attempt. A waiting batch may be sent only when no later
//! batch of its partition is flying: the broker then meets sequence numbers in order, also after a failure in the
//! middle of several flying batches.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::Instant;

use super::batch::{self, Identity};
use crate::demo::spec::Codec;

/// Records in one batch, at most.
const BATCH_RECORDS_MAX: usize = 200;

/// A value that waits for its batch.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    /// Its number.
    pub(crate) seq: u64,
    /// When it was handed over, in ms since 1970.
    pub(crate) sent_ms: u64,
}

/// A batch that is not acknowledged yet.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// Tells it from every other batch of this producer.
    pub(crate) id: u64,
    /// Its bytes, the same in every attempt.
    pub(crate) bytes: Bytes,
    /// Its records.
    pub(crate) records: Vec<Pending>,
    /// When it was first due.
    pub(crate) since: Instant,
    flying: bool,
}

/// One partition's share.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Topic.
    pub(crate) topic: String,
    /// Partition.
    pub(crate) partition: i32,
    queue: VecDeque<Pending>,
    batches: VecDeque<Batch>,
    sequence: i32,
    not_before: Option<Instant>,
}

/// How batches are made.
#[derive(Debug, Clone)]
pub(crate) struct Packing {
    /// The producer's name.
    pub(crate) client: String,
    /// Who it is to the broker.
    pub(crate) identity: Identity,
    /// How it packs.
    pub(crate) codec: Codec,
    /// Batches of one partition on their way, at most.
    pub(crate) flying_max: usize,
}

impl Lane {
    /// An empty lane.
    pub(crate) fn new(topic: String, partition: i32) -> Self {
        Self {
            topic,
            partition,
            queue: VecDeque::new(),
            batches: VecDeque::new(),
            sequence: 0,
            not_before: None,
        }
    }

    /// Takes a value.
    pub(crate) fn push(&mut self, pending: Pending) {
        self.queue.push_back(pending);
    }

    /// Records not acknowledged.
    pub(crate) fn open(&self) -> usize {
        self.queue.len() + self.batches.iter().map(|batch| batch.records.len()).sum::<usize>()
    }

    /// The next batch to send, marked as flying, if there is one and it may go.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        ids: &mut u64,
        packing: &Packing,
    ) -> anyhow::Result<Option<Batch>> {
        if self.not_before.is_some_and(|until| now < until) {
            return Ok(None);
        }
        let flying = self.batches.iter().filter(|batch| batch.flying).count();
        if flying >= packing.flying_max {
            return Ok(None);
        }
        let Some(first) = self.batches.iter().position(|batch| !batch.flying) else {
            return self.drain(now, ids, packing);
        };
        if self.batches.iter().skip(first).any(|batch| batch.flying) {
            return Ok(None);
        }
        let batch = self.batches.get_mut(first);
        Ok(batch.map(|batch| {
            batch.flying = true;
            batch.clone()
        }))
    }

    fn drain(&mut self, now: Instant, ids: &mut u64, packing: &Packing) -> anyhow::Result<Option<Batch>> {
        let count = self.queue.len().min(BATCH_RECORDS_MAX);
        if count == 0 {
            return Ok(None);
        }
        let records: Vec<Pending> = self.queue.drain(..count).collect();
        let names: Vec<String> =
            records.iter().map(|record| batch::value_name(&packing.client, record.seq)).collect();
        let sequence = if packing.identity == Identity::NONE { -1 } else { self.sequence };
        let made_ms = records.first().map_or(0, |record| i64::try_from(record.sent_ms).unwrap_or(0));
        let bytes = batch::encode(&names, packing.identity, sequence, packing.codec, made_ms)?;
        self.sequence = self.sequence.wrapping_add(i32::try_from(count).unwrap_or(0));
        *ids += 1;
        let batch = Batch { id: *ids, bytes, records, since: now, flying: true };
        self.batches.push_back(batch.clone());
        Ok(Some(batch))
    }

    /// Takes a batch out: it is acknowledged, or given up.
    pub(crate) fn finish(&mut self, id: u64) -> Option<Batch> {
        let index = self.batches.iter().position(|batch| batch.id == id)?;
        self.batches.remove(index)
    }

    /// Whether older batches of this partition are still open: then an out-of-order answer is only their echo.
    pub(crate) fn has_older(&self, id: u64) -> bool {
        self.batches.front().is_some_and(|batch| batch.id < id)
    }

    /// Puts a batch back for another attempt, not before `not_before`.
    pub(crate) fn again(&mut self, id: u64, not_before: Option<Instant>) {
        if let Some(batch) = self.batches.iter_mut().find(|batch| batch.id == id) {
            batch.flying = false;
        }
        if not_before.is_some() {
            self.not_before = not_before;
        }
    }

    /// How long the oldest batch has been open.
    pub(crate) fn oldest(&self, now: Instant) -> std::time::Duration {
        self.batches.front().map_or_else(Default::default, |batch| now.saturating_duration_since(batch.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packing() -> Packing {
        Packing {
            client: "p".to_owned(),
            identity: Identity { id: 1, epoch: 0 },
            codec: Codec::None,
            flying_max: 5,
        }
    }

    fn lane_with_three_flying() -> (Lane, Vec<Batch>, u64) {
        let mut lane = Lane::new("t".to_owned(), 0);
        let mut ids = 0;
        let mut batches = Vec::new();
        for seq in 0..3 {
            lane.push(Pending { seq, sent_ms: 0 });
            batches.push(lane.next(Instant::now(), &mut ids, &packing()).unwrap().unwrap());
        }
        (lane, batches, ids)
    }

    #[tokio::test]
    async fn a_failed_batch_waits_for_later_ones_and_goes_again_with_the_same_bytes() {
        let (mut lane, batches, mut ids) = lane_with_three_flying();
        lane.again(batches[0].id, None);
        assert!(lane.next(Instant::now(), &mut ids, &packing()).unwrap().is_none());
        assert!(lane.has_older(batches[1].id));
        lane.again(batches[1].id, None);
        lane.again(batches[2].id, None);
        for expected in &batches {
            let sent = lane.next(Instant::now(), &mut ids, &packing()).unwrap().unwrap();
            assert_eq!((sent.id, &sent.bytes), (expected.id, &expected.bytes));
        }
        assert_eq!(lane.open(), 3);
    }

    #[tokio::test]
    async fn no_more_batches_fly_than_allowed() {
        let (mut lane, _, mut ids) = lane_with_three_flying();
        lane.push(Pending { seq: 3, sent_ms: 0 });
        let narrow = Packing { flying_max: 3, ..packing() };
        assert!(lane.next(Instant::now(), &mut ids, &narrow).unwrap().is_none());
        assert!(lane.next(Instant::now(), &mut ids, &packing()).unwrap().is_some());
    }
}
