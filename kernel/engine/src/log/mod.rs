//! One log: its ends, and the tables that its batches fill.
//!
//! ```text
//!  start            high          confirmed                 end
//!    │ final, durable │ final        │ provisional (mirrored) │
//!    └────────────────┴──────────────┴────────────────────────┘
//! ```
//!
//! In a log that the kernel leads a batch is final as it is appended: `confirmed == end`. In a mirrored one it
//! is final when the feed confirms it; until then it waits in `tail`, without effect on any table, so that
//! a truncation has nothing to take back. `high` follows `confirmed` as commits become durable.

pub(crate) mod epochs;
pub(crate) mod meta;
pub(crate) mod mirror;
pub(crate) mod parked;
pub(crate) mod producers;
pub(crate) mod spans;
#[cfg(test)]
mod tests;
pub(crate) mod transactions;

use std::collections::VecDeque;

use kernel_model::batch::{Marker, chain_next};
use kernel_model::commit::{LogConfig, LogKind};
use kernel_model::position::{LogEpoch, Offset, Seq};
use kernel_model::reply::LogInfo;
use kernel_model::request::ReadLimit;

use epochs::Epochs;
use meta::BatchMeta;
use producers::Producers;
use spans::Spans;
use transactions::Transactions;

/// No log goes beyond this: offsets are stored as signed numbers, and sums of them must not wrap.
pub(crate) const OFFSET_MAX: Offset = Offset(1 << 62);

/// State of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) config: LogConfig,
    pub(crate) epoch: LogEpoch,
    pub(crate) start: Offset,
    pub(crate) end: Offset,
    pub(crate) confirmed: Offset,
    pub(crate) high: Offset,
    /// Confirmed position after each commit that is not durable yet.
    pub(crate) unreleased: VecDeque<(Seq, Offset)>,
    /// Stored and not final, in order (mirrored logs only).
    pub(crate) tail: VecDeque<BatchMeta>,
    /// Up to here the feed has shown what the source holds. Not kept over a restart: the feed shows again.
    pub(crate) shown: Offset,
    pub(crate) epochs: Epochs,
    pub(crate) producers: Producers,
    pub(crate) transactions: Transactions,
    pub(crate) spans: Spans,
    pub(crate) chain: u64,
    pub(crate) records: u64,
    /// Compaction has gone through everything below.
    pub(crate) cleaned: Offset,
}

impl Log {
    pub(crate) fn new(config: LogConfig, start: Offset) -> Self {
        Self {
            config,
            epoch: LogEpoch(0),
            start,
            end: start,
            confirmed: start,
            high: start,
            unreleased: VecDeque::new(),
            tail: VecDeque::new(),
            shown: start,
            epochs: Epochs::default(),
            producers: Producers::default(),
            transactions: Transactions::default(),
            spans: Spans::default(),
            chain: 0,
            records: 0,
            cleaned: start,
        }
    }

    pub(crate) fn is_mirrored(&self) -> bool {
        self.config.kind == LogKind::Mirrored
    }

    /// Replaces the settings; a new epoch begins at the end.
    pub(crate) fn configure(&mut self, config: &LogConfig, epoch: Option<LogEpoch>) {
        let was_mirrored = self.is_mirrored();
        self.config = config.clone();
        if let Some(epoch) = epoch {
            self.epoch = self.epoch.max(epoch);
            if !self.is_mirrored() {
                self.epochs.begin(epoch, self.end);
            }
        }
        if !was_mirrored && self.is_mirrored() {
            self.shown = self.confirmed;
        }
    }

    /// Takes a stored batch. It continues the log: `end <= base_offset`.
    pub(crate) fn append(&mut self, batch: BatchMeta) {
        self.end = batch.end_offset;
        if self.is_mirrored() {
            self.tail.push_back(batch);
        } else {
            self.finish(&batch);
            self.confirmed = self.end;
        }
    }

    /// What a confirmation up to `position` reaches: never past the end, and never into a batch.
    pub(crate) fn confirmable(&self, position: Offset) -> Offset {
        let cut = self.tail.iter().find(|batch| batch.end_offset > position).map(|batch| batch.base_offset);
        cut.map_or(position, |base| position.min(base)).min(self.end).max(self.confirmed)
    }

    /// Makes the tail final up to `position`.
    pub(crate) fn confirm(&mut self, position: Offset) {
        let position = self.confirmable(position);
        while let Some(batch) = self.tail.pop_front_if(|batch| batch.end_offset <= position) {
            self.finish(&batch);
        }
        self.confirmed = position;
        self.shown = self.shown.max(position);
    }

    /// Drops the tail from `to` on.
    pub(crate) fn truncate(&mut self, to: Offset) {
        while self.tail.pop_back_if(|batch| batch.end_offset > to).is_some() {}
        self.end = to.max(self.confirmed);
        self.shown = self.shown.min(self.end);
    }

    /// Removes everything below `start`. A mirrored log whose source begins past its end begins anew there.
    pub(crate) fn trim(&mut self, start: Offset) {
        self.hide(start);
        self.spans.trim(self.start);
    }

    /// Begins at `start`; what lies below is still stored.
    pub(crate) fn hide(&mut self, start: Offset) {
        self.start = self.start.max(start);
        if self.start > self.confirmed {
            self.tail.retain(|batch| batch.base_offset >= start);
            self.end = self.end.max(start);
            self.confirmed = self.start;
            self.shown = self.shown.max(start);
        }
        self.high = self.high.max(self.start);
        self.epochs.trim(self.start);
        self.transactions.trim(self.start);
    }

    /// A batch has become final: the one place where tables learn of it.
    fn finish(&mut self, batch: &BatchMeta) {
        self.epochs.begin(batch.epoch, batch.base_offset);
        self.epoch = self.epoch.max(batch.epoch);
        if batch.is_control() {
            self.finish_control(batch);
        } else if batch.producer_id >= 0 {
            let was_open = self.open_from(batch.producer_id);
            self.producers.record(batch);
            if was_open.is_none() && batch.is_transactional() {
                self.transactions.begin(batch.producer_id, batch.base_offset);
            }
        }
        self.spans.add(batch, self.config.compaction.as_ref());
        self.chain = chain_next(self.chain, batch.base_offset, batch.fingerprint());
        self.records += u64::from(batch.record_count);
    }

    /// Compaction has left `left` bytes of the batch at `base` (`None`: the batch is gone).
    pub(crate) fn replace(&mut self, base: Offset, bytes: u64, left: Option<u64>) {
        self.spans.resize(base, bytes, left.unwrap_or(0));
        if left.is_none() {
            self.transactions.forget(base);
        }
    }

    /// Compaction has gone through everything below `to`.
    pub(crate) fn cleaned_to(&mut self, to: Offset) {
        self.cleaned = self.cleaned.max(to);
        self.spans.join(self.cleaned, self.config.compaction.as_ref());
    }

    fn finish_control(&mut self, batch: &BatchMeta) {
        let Some(marker) = batch.marker else { return };
        if let Some(first) = self.producers.end_transaction(batch) {
            let last = batch.end_offset.0.saturating_sub(1);
            self.transactions.end(batch.producer_id, first, Offset(last), marker == Marker::Abort);
        }
    }

    /// First offset of a producer's open transaction.
    pub(crate) fn open_from(&self, producer_id: i64) -> Option<Offset> {
        self.producers.by_id.get(&producer_id).and_then(|producer| producer.open_from)
    }

    /// Notes what the commit `seq`, which touched this log, made final.
    pub(crate) fn submitted(&mut self, seq: Seq) {
        self.unreleased.push_back((seq, self.confirmed));
    }

    /// Commits up to `seq` are durable. Answers whether readers see more than before.
    pub(crate) fn release(&mut self, seq: Seq) -> bool {
        let before = (self.high, self.stable());
        while let Some((_, confirmed)) = self.unreleased.pop_front_if(|(at, _)| *at <= seq) {
            self.high = self.high.max(confirmed);
        }
        self.transactions.release(self.high);
        before != (self.high, self.stable())
    }

    /// Everything that was recovered is durable.
    pub(crate) fn recovered(&mut self, now_ms: i64) {
        self.producers.recovered(now_ms);
        self.unreleased.clear();
        self.high = self.confirmed;
        self.shown = self.confirmed;
        self.transactions.release(self.high);
    }

    /// Last stable offset.
    pub(crate) fn stable(&self) -> Offset {
        self.transactions.stable(self.high).max(self.start)
    }

    /// End of what a reader sees.
    pub(crate) fn readable_end(&self, limit: ReadLimit) -> Offset {
        match limit {
            ReadLimit::Durable => self.high,
            ReadLimit::Stable => self.stable(),
            ReadLimit::Stored => self.end,
        }
    }

    /// Bytes stored, final or not.
    pub(crate) fn bytes(&self) -> u64 {
        self.spans.bytes() + self.tail.iter().map(|batch| batch.size).sum::<u64>()
    }

    pub(crate) fn describe(&self) -> LogInfo {
        let tail_max = self.tail.iter().map(|batch| batch.max_timestamp_ms).max();
        LogInfo {
            config: self.config.clone(),
            start: self.start,
            start_epoch: self.epochs.at(self.start).unwrap_or(self.epoch),
            end: self.end,
            durable_end: self.high,
            stable_end: self.stable(),
            epoch: self.epoch,
            bytes: self.bytes(),
            max_timestamp_ms: self.spans.max_timestamp_ms().max(tail_max),
            chain: self.chain,
            records: self.records,
        }
    }
}
