//! What a log remembers of idempotent producers: enough to refuse gaps and to answer repeats.
//!
//! Judging and recording are apart. A batch is judged once, when it is offered to a log that the kernel
//! leads; it is recorded wherever it becomes final: at append, when the feed confirms it, and at replay.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kernel_model::error::KernelError;
use kernel_model::position::Offset;
use kernel_model::reply::ProducerInfo;

use super::meta::BatchMeta;

/// Batches per producer that a repeat is recognised among; clients keep at most this many in flight.
pub(crate) const REMEMBERED: usize = 5;

/// A batch of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) first_sequence: i32,
    pub(crate) last_sequence: i32,
    pub(crate) base_offset: Offset,
}

/// State of one producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    /// The newest batches of this epoch, oldest first.
    pub(crate) batches: VecDeque<Remembered>,
    pub(crate) last_timestamp_ms: i64,
    /// Wall clock when it was last heard of. Not stored: recovery counts as hearing of it. Records may carry
    /// timestamps of long ago, and their producer must not be forgotten between two retries.
    pub(crate) heard_ms: i64,
    /// First offset of its open transaction.
    pub(crate) open_from: Option<Offset>,
    /// Offset of its last marker. Not stored: a guard that it is compared with does not outlive the process.
    pub(crate) ended_at: Option<Offset>,
}

impl Producer {
    fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |batch| batch.last_sequence)
    }
}

/// What to do with an offered batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Append it.
    New,
    /// It is there already, at this offset.
    Duplicate(Offset),
}

/// All producers of one log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Producers {
    pub(crate) by_id: BTreeMap<i64, Producer>,
    /// Epoch and sequence of an unknown producer's first batch that could not be stored just now. Without
    /// this the batch behind it would be taken as its first, and the repeat refused for ever. Not kept over
    /// a restart.
    refused: BTreeMap<i64, (i16, i32)>,
    /// Wall clock of what is being recorded.
    now_ms: i64,
}

/// Unknown producers whose refused batches are remembered.
const REFUSED_MAX: usize = 4096;

/// Sequences wrap from `i32::MAX` to 0. With a plain increment the batch after the wrap would be refused.
fn follows(last: i32, next: i32) -> bool {
    if last == i32::MAX { next == 0 } else { next == last + 1 }
}

fn expired(producer: &Producer, wall_ms: i64, expiry: Duration) -> bool {
    let expiry_ms = i64::try_from(expiry.as_millis()).unwrap_or(i64::MAX);
    let last_ms = producer.last_timestamp_ms.max(producer.heard_ms);
    producer.open_from.is_none() && wall_ms.saturating_sub(last_ms) >= expiry_ms
}

impl Producers {
    /// Judges a batch against the table, without changing it.
    ///
    /// # Errors
    ///
    /// `ProducerFenced`, `SequenceOutOfOrder`, `SequenceForgotten`, or `TransactionOpen`.
    pub(crate) fn judge(
        &self,
        batch: &BatchMeta,
        wall_ms: i64,
        expiry: Duration,
    ) -> Result<Verdict, KernelError> {
        if batch.producer_id < 0 {
            return Ok(Verdict::New);
        }
        if batch.base_sequence < 0 || batch.producer_epoch < 0 {
            return Err(KernelError::Invalid("an idempotent batch needs an epoch and a sequence"));
        }
        // An unknown producer may begin anywhere: its earlier records may have expired.
        let Some(known) = self.by_id.get(&batch.producer_id).filter(|p| !expired(p, wall_ms, expiry)) else {
            return self.judge_first(batch);
        };
        if batch.producer_epoch < known.epoch {
            return Err(KernelError::ProducerFenced { current: known.epoch, found: batch.producer_epoch });
        }
        let verdict =
            if batch.producer_epoch > known.epoch { new_epoch(batch)? } else { same_epoch(known, batch)? };
        if verdict == Verdict::New && known.open_from.is_some() && !batch.is_transactional() {
            return Err(KernelError::TransactionOpen);
        }
        Ok(verdict)
    }

    fn judge_first(&self, batch: &BatchMeta) -> Result<Verdict, KernelError> {
        match self.refused.get(&batch.producer_id) {
            Some(&(epoch, expected)) if epoch == batch.producer_epoch && expected != batch.base_sequence => {
                Err(KernelError::SequenceOutOfOrder { expected, found: batch.base_sequence })
            }
            _ => Ok(Verdict::New),
        }
    }

    /// A batch that was judged new could not be stored.
    pub(crate) fn note_refused(&mut self, producer_id: i64, epoch: i16, sequence: i32) {
        if producer_id < 0 || self.by_id.contains_key(&producer_id) {
            return;
        }
        if self.refused.len() >= REFUSED_MAX {
            self.refused.pop_first();
        }
        let first = self.refused.entry(producer_id).or_insert((epoch, sequence));
        if first.0 < epoch {
            *first = (epoch, sequence);
        }
    }

    /// A copy of what is known of one producer.
    pub(crate) fn copy_to(&self, other: &mut Self, producer_id: i64) {
        if let Some(known) = self.by_id.get(&producer_id) {
            other.by_id.insert(producer_id, known.clone());
        }
        if let Some(&first) = self.refused.get(&producer_id) {
            other.refused.insert(producer_id, first);
        }
    }

    /// Hands in the wall clock for what is recorded from now on.
    pub(crate) fn set_clock(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
    }

    /// The table was recovered at `now_ms`.
    pub(crate) fn recovered(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
        self.by_id.values_mut().for_each(|producer| producer.heard_ms = now_ms);
    }

    /// Records a data batch that has become final.
    pub(crate) fn record(&mut self, batch: &BatchMeta) {
        if batch.producer_id < 0 || batch.is_control() {
            return;
        }
        let producer = self.enter(batch.producer_id, batch.producer_epoch);
        producer.last_timestamp_ms = batch.max_timestamp_ms;
        if batch.is_transactional() && producer.open_from.is_none() {
            producer.open_from = Some(batch.base_offset);
        }
        // Coordinators may write transactional batches that carry no sequence.
        if batch.base_sequence >= 0 {
            producer.batches.push_back(Remembered {
                first_sequence: batch.base_sequence,
                last_sequence: batch.last_sequence,
                base_offset: batch.base_offset,
            });
            if producer.batches.len() > REMEMBERED {
                producer.batches.pop_front();
            }
        }
    }

    /// Records a transaction marker; answers where the transaction that it ends began.
    pub(crate) fn end_transaction(&mut self, batch: &BatchMeta) -> Option<Offset> {
        let producer = self.enter(batch.producer_id, batch.producer_epoch);
        producer.last_timestamp_ms = batch.max_timestamp_ms;
        producer.ended_at = Some(batch.base_offset);
        producer.open_from.take()
    }

    /// Whether a transaction of this producer may begin under `guard`, which was the log's end once.
    pub(crate) fn guards(&self, producer_id: i64, guard: Offset) -> bool {
        self.by_id.get(&producer_id).and_then(|producer| producer.ended_at).is_none_or(|at| at < guard)
    }

    /// Newest epoch of a producer.
    pub(crate) fn epoch_of(&self, producer_id: i64) -> Option<i16> {
        self.by_id.get(&producer_id).map(|producer| producer.epoch)
    }

    fn enter(&mut self, id: i64, epoch: i16) -> &mut Producer {
        self.refused.remove(&id);
        let producer = self.by_id.entry(id).or_insert_with(|| Producer {
            epoch,
            batches: VecDeque::new(),
            last_timestamp_ms: i64::MIN,
            heard_ms: self.now_ms,
            open_from: None,
            ended_at: None,
        });
        producer.heard_ms = self.now_ms;
        if epoch > producer.epoch {
            producer.epoch = epoch;
            producer.batches.clear();
        }
        producer
    }

    /// Forgets producers that have been silent for `expiry`, and the longest silent ones above `max`.
    pub(crate) fn expire(&mut self, wall_ms: i64, expiry: Duration, max: usize) {
        self.by_id.retain(|_, producer| !expired(producer, wall_ms, expiry));
        if self.by_id.len() > max {
            let mut ages: Vec<(i64, i64)> = self
                .by_id
                .iter()
                .filter(|(_, producer)| producer.open_from.is_none())
                .map(|(&id, producer)| (producer.heard_ms, id))
                .collect();
            ages.sort_unstable();
            let excess = self.by_id.len() - max;
            for (_, id) in ages.into_iter().take(excess) {
                self.by_id.remove(&id);
            }
        }
    }

    /// The table as it is told to others.
    pub(crate) fn describe(&self, wall_ms: i64, expiry: Duration) -> Vec<ProducerInfo> {
        self.by_id
            .iter()
            .filter(|(_, producer)| !expired(producer, wall_ms, expiry))
            .map(|(&producer_id, producer)| ProducerInfo {
                producer_id,
                epoch: producer.epoch,
                last_sequence: producer.last_sequence(),
                last_timestamp_ms: producer.last_timestamp_ms,
                open_from: producer.open_from,
            })
            .collect()
    }
}

fn new_epoch(batch: &BatchMeta) -> Result<Verdict, KernelError> {
    if batch.base_sequence == 0 {
        Ok(Verdict::New)
    } else {
        Err(KernelError::SequenceOutOfOrder { expected: 0, found: batch.base_sequence })
    }
}

fn same_epoch(known: &Producer, batch: &BatchMeta) -> Result<Verdict, KernelError> {
    let repeat = known
        .batches
        .iter()
        .find(|b| b.first_sequence == batch.base_sequence && b.last_sequence == batch.last_sequence);
    if let Some(original) = repeat {
        return Ok(Verdict::Duplicate(original.base_offset));
    }
    let last = known.last_sequence();
    if follows(last, batch.base_sequence) {
        return Ok(Verdict::New);
    }
    let expected = if last == i32::MAX { 0 } else { last + 1 };
    Err(KernelError::SequenceOutOfOrder { expected, found: batch.base_sequence })
}
