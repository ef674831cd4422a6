//! Appends to logs that the kernel leads.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use kernel_model::VerifiedBatch;
use kernel_model::batch::restamp;
use kernel_model::commit::{Op, TimestampSource};
use kernel_model::error::KernelError;
use kernel_model::position::{LogEpoch, LogId, Offset};
use kernel_model::reply::{Appended, Reply};

use super::{RequestKey, Shard};
use crate::log::Log;
use crate::log::meta::BatchMeta;
use crate::log::producers::{Producers, Verdict};

/// What an append would write.
pub(super) struct Prepared {
    /// Batches with their offsets, as they will be stored.
    pub(super) ops: Vec<Op>,
    pub(super) appended: Appended,
    /// First offset and number of offsets of each new batch.
    pub(super) ranges: Vec<(Offset, u64)>,
}

impl Shard {
    pub(super) fn append(
        &mut self,
        from: RequestKey,
        log: LogId,
        batches: &[VerifiedBatch],
        epoch: Option<LogEpoch>,
    ) -> Result<(), KernelError> {
        check_epoch(self.log(log)?, epoch)?;
        let prepared = self.prepare_append(log, batches)?;
        // A repeat writes nothing and waits for the last commit, which is not before its original's.
        let seq = self.submit(prepared.ops).inspect_err(|_| self.note_refused(log, batches))?;
        self.reply_at(seq, from, Reply::Appended(prepared.appended));
        Ok(())
    }

    pub(super) fn append_transactional(
        &mut self,
        from: RequestKey,
        id: LogId,
        batch: &VerifiedBatch,
        guard: Option<Offset>,
    ) -> Result<(), KernelError> {
        let batches = std::slice::from_ref(batch);
        let prepared = self.prepare_append(id, batches);
        let log = self.log(id)?;
        let producer = batch.header().producer_id;
        // The open transaction is that of its own epoch. A batch of another would become part of it unasked.
        let is_its_own = log.producers.epoch_of(producer) == Some(batch.header().producer_epoch);
        let begins = batch.header().is_transactional() && (log.open_from(producer).is_none() || !is_its_own);
        // Before the sequence is judged: the batches before this one may wait for the same verification.
        let judged = match &prepared {
            Ok(prepared) => prepared.appended.duplicate,
            Err(KernelError::SequenceOutOfOrder { .. }) => false,
            Err(_) => true,
        };
        if begins && !judged && guard.is_none_or(|guard| !log.producers.guards(producer, guard)) {
            return Err(KernelError::TransactionUnverified { guard: log.end });
        }
        let prepared = prepared?;
        let seq = self.submit(prepared.ops).inspect_err(|_| self.note_refused(id, batches))?;
        self.reply_at(seq, from, Reply::Appended(prepared.appended));
        Ok(())
    }

    /// Batches were turned away for want of room: those behind them must not overtake.
    pub(super) fn note_refused(&mut self, log: LogId, batches: &[VerifiedBatch]) {
        if let Some(log) = self.state.logs.get_mut(&log) {
            for header in batches.iter().map(VerifiedBatch::header) {
                log.producers.note_refused(header.producer_id, header.producer_epoch, header.base_sequence);
            }
        }
    }

    /// Judges batches for a log and gives them offsets, without changing anything.
    pub(super) fn prepare_append(
        &self,
        id: LogId,
        batches: &[VerifiedBatch],
    ) -> Result<Prepared, KernelError> {
        let log = self.log(id)?;
        if log.is_mirrored() {
            return Err(KernelError::Mirrored);
        }
        if batches.is_empty() {
            return Err(KernelError::Invalid("an append without batches"));
        }
        let stamped = log.config.timestamps == TimestampSource::Append;
        let mut ops = Vec::with_capacity(batches.len());
        let mut ranges = Vec::with_capacity(batches.len());
        let mut end = log.end;
        let mut first = None;
        let mut seen = Seen::default();
        for batch in batches {
            let meta = BatchMeta::of(batch.header(), batch.bytes()).at(end, log.epoch);
            if meta.is_control() {
                return Err(KernelError::Invalid("clients write no control batches"));
            }
            match seen.judge(log, &meta, self.now.wall_ms, self.limits.producer_expiry)? {
                Verdict::Duplicate(original) => {
                    first.get_or_insert(original);
                }
                Verdict::New => {
                    first.get_or_insert(end);
                    ranges.push((end, meta.end_offset.0 - end.0));
                    let bytes =
                        if stamped { restamped(batch, self.now.wall_ms) } else { batch.bytes().clone() };
                    ops.push(Op::LogAppend { log: id, base_offset: end, epoch: log.epoch, batch: bytes });
                    end = meta.end_offset;
                }
            }
        }
        let appended = Appended {
            base_offset: first.unwrap_or(end),
            start: log.start,
            append_time_ms: stamped.then_some(self.now.wall_ms),
            duplicate: ops.is_empty(),
        };
        Ok(Prepared { ops, appended, ranges })
    }
}

fn restamped(batch: &VerifiedBatch, wall_ms: i64) -> Bytes {
    let mut copy = BytesMut::from(batch.bytes().as_ref());
    restamp(&mut copy, wall_ms);
    copy.freeze()
}

/// Refuses a caller whose idea of the leadership epoch is not the log's.
pub(super) fn check_epoch(log: &Log, epoch: Option<LogEpoch>) -> Result<(), KernelError> {
    match epoch {
        Some(epoch) if epoch < log.epoch => Err(KernelError::EpochFenced { current: log.epoch }),
        Some(epoch) if epoch > log.epoch => Err(KernelError::EpochUnknown { current: log.epoch }),
        _ => Ok(()),
    }
}

/// Producers as the batches of one request leave them, so that each is judged after the one before it.
#[derive(Default)]
struct Seen {
    producers: Producers,
    copied: BTreeSet<i64>,
}

impl Seen {
    fn judge(
        &mut self,
        log: &Log,
        batch: &BatchMeta,
        wall_ms: i64,
        expiry: std::time::Duration,
    ) -> Result<Verdict, KernelError> {
        let id = batch.producer_id;
        if id >= 0 && self.copied.insert(id) {
            log.producers.copy_to(&mut self.producers, id);
        }
        let verdict = self.producers.judge(batch, wall_ms, expiry)?;
        if verdict == Verdict::New {
            self.producers.record(batch);
        }
        Ok(verdict)
    }
}
