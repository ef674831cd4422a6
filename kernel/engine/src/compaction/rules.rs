//! What compaction does with one batch.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kernel_model::batch::{BatchError, Record, Records, emptied, filtered, record_bytes};
use kernel_model::position::Offset;
use kernel_model::reply::Aborted;
use kernel_model::{BatchHeader, VerifiedBatch};

use super::keys::Keys;
use crate::log::Log;

/// Bytes that one batch may inflate to. One that needs more is left as it is.
const INFLATED_BYTES_MAX: usize = 128 << 20;

/// Batches that say how far their producers are.
#[derive(Debug, Default)]
pub(crate) struct LastOfProducers {
    batches: BTreeSet<Offset>,
    /// Epoch of those whose last word is a marker.
    markers: BTreeMap<i64, i16>,
}

impl LastOfProducers {
    /// As the log knows its producers now. Those that write on meanwhile leave a batch too many.
    pub(crate) fn of(log: &Log) -> Self {
        let mut found = Self::default();
        for (&id, producer) in &log.producers.by_id {
            match producer.batches.back() {
                Some(last) => {
                    found.batches.insert(last.base_offset);
                }
                None => {
                    found.markers.insert(id, producer.epoch);
                }
            }
        }
        found
    }

    fn holds(&self, header: &BatchHeader) -> bool {
        let marker = || self.markers.get(&header.producer_id) == Some(&header.producer_epoch);
        header.producer_id >= 0
            && (self.batches.contains(&header.base_offset) || header.is_control() && marker())
    }
}

/// What a pass goes by.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) keys: Keys,
    /// Wall clock at the beginning of the pass.
    now_ms: i64,
    /// How long records without value and markers stay.
    deletes_stay_ms: u64,
    /// Aborted transactions that reach into the pass: per producer first offset and the marker's, ascending.
    aborted: BTreeMap<i64, Vec<(Offset, Offset)>>,
    last: LastOfProducers,
    /// Producers with something of a transaction whose marker has not been met yet.
    in_transaction: BTreeSet<i64>,
}

/// What becomes of a batch.
#[derive(Debug)]
pub(crate) enum Outcome {
    Same,
    Less(VerifiedBatch),
    Gone,
}

/// What becomes of a batch, and how many of its records are removed.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) removed: u64,
}

impl Verdict {
    const SAME: Self = Self { outcome: Outcome::Same, removed: 0 };
}

/// The records of a batch; `None` where they cannot be read. They are then left alone: nobody can say what goes.
fn plain(batch: &VerifiedBatch) -> Option<Bytes> {
    let plain = record_bytes(batch, INFLATED_BYTES_MAX).ok()?;
    Records::new(&plain, batch.header().record_count).all(|record| record.is_ok()).then_some(plain)
}

fn records<'a>(plain: &'a [u8], header: &BatchHeader) -> impl Iterator<Item = Record<'a>> + use<'a> {
    Records::new(plain, header.record_count).map_while(Result::ok)
}

fn offset_of(header: &BatchHeader, record: &Record<'_>) -> Offset {
    header.base_offset.plus(u64::try_from(record.offset_delta).unwrap_or(0))
}

impl Rules {
    /// Rules of a pass that begins at `now_ms`. `aborted` ascend by their markers.
    pub(crate) fn new(now_ms: i64, deletes_stay_ms: u64, aborted: &[Aborted], last: LastOfProducers) -> Self {
        let mut rules = Self { now_ms, deletes_stay_ms, last, ..Self::default() };
        for entry in aborted {
            let mine = rules.aborted.entry(entry.producer_id).or_default();
            mine.push((entry.first_offset, entry.last_offset));
        }
        rules
    }

    /// Notes the keys of a batch. Answers whether its records could be read.
    pub(crate) fn note(&mut self, batch: &VerifiedBatch) -> bool {
        let header = batch.header();
        if header.is_control() || self.is_aborted(header) {
            return true;
        }
        let Some(plain) = plain(batch) else { return false };
        for record in records(&plain, header) {
            if let Some(key) = record.key {
                self.keys.note(key, offset_of(header, &record));
            }
        }
        true
    }

    /// Judges a batch; batches come in order.
    ///
    /// # Errors
    ///
    /// What is left of it is no batch.
    pub(crate) fn judge(&mut self, batch: &VerifiedBatch) -> Result<Verdict, BatchError> {
        let header = batch.header();
        if header.is_control() {
            return self.judge_marker(batch);
        }
        if header.is_transactional() {
            self.in_transaction.insert(header.producer_id);
        }
        if self.is_aborted(header) {
            return Ok(self.without_records(batch));
        }
        if header.record_count == 0 {
            return Ok(self.without_records(batch));
        }
        let Some(plain) = plain(batch) else { return Ok(Verdict::SAME) };
        let keep: Vec<bool> = records(&plain, header).map(|record| self.keeps(header, &record)).collect();
        let kept = keep.iter().filter(|keep| **keep).count();
        if kept == 0 {
            return Ok(self.without_records(batch));
        }
        let mut deletes = records(&plain, header).zip(&keep).filter(|(record, _)| record.value.is_none());
        let horizon = header.delete_horizon_ms().is_none() && deletes.any(|(_, keep)| *keep);
        let horizon = horizon.then(|| self.horizon());
        if kept == keep.len() && horizon.is_none() {
            return Ok(Verdict::SAME);
        }
        let outcome = Outcome::Less(filtered(batch, &plain, &keep, horizon)?);
        Ok(Verdict { outcome, removed: (keep.len() - kept) as u64 })
    }

    fn keeps(&self, header: &BatchHeader, record: &Record<'_>) -> bool {
        let Some(key) = record.key else { return false };
        let stays = record.value.is_some() || !self.is_over(header);
        stays && self.keys.is_newest(key, offset_of(header, record))
    }

    /// A marker stays while something of its transaction is there, and for a while after that.
    fn judge_marker(&mut self, batch: &VerifiedBatch) -> Result<Verdict, BatchError> {
        let header = batch.header();
        let in_use = self.in_transaction.remove(&header.producer_id);
        if header.record_count == 0 || !in_use && self.is_over(header) {
            return Ok(self.without_records(batch));
        }
        if in_use || header.delete_horizon_ms().is_some() {
            return Ok(Verdict::SAME);
        }
        let Some(plain) = plain(batch) else { return Ok(Verdict::SAME) };
        let keep: Vec<bool> = records(&plain, header).map(|_| true).collect();
        Ok(Verdict {
            outcome: Outcome::Less(filtered(batch, &plain, &keep, Some(self.horizon()))?),
            removed: 0,
        })
    }

    fn without_records(&self, batch: &VerifiedBatch) -> Verdict {
        let header = batch.header();
        let removed = u64::from(header.record_count);
        let outcome = match (self.last.holds(header), removed) {
            (true, 0) => Outcome::Same,
            (true, _) => Outcome::Less(emptied(batch)),
            (false, _) => Outcome::Gone,
        };
        Verdict { outcome, removed }
    }

    fn horizon(&self) -> i64 {
        self.now_ms.saturating_add_unsigned(self.deletes_stay_ms)
    }

    /// Whether the delete horizon of a batch has passed.
    fn is_over(&self, header: &BatchHeader) -> bool {
        header.delete_horizon_ms().is_some_and(|horizon_ms| horizon_ms <= self.now_ms)
    }

    fn is_aborted(&self, header: &BatchHeader) -> bool {
        let at = header.base_offset;
        let mine = self.aborted.get(&header.producer_id).filter(|_| header.is_transactional());
        mine.is_some_and(|mine| {
            // A producer has one transaction at a time, so they do not overlap.
            let ends_after = mine.partition_point(|(_, marker)| *marker < at);
            mine.get(ends_after).is_some_and(|(first, _)| *first <= at)
        })
    }
}
