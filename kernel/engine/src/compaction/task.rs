//! A piece of a pass: bytes in, keys or rewritten batches out. It runs beside its shard.

use bytes::Bytes;
use kernel_model::VerifiedBatch;
use kernel_model::commit::Op;
use kernel_model::error::KernelError;
use kernel_model::position::{LogId, Offset};
use kernel_model::reply::Chunk;

use super::rules::{Outcome, Rules};

/// What a task does with its batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Gathers their keys.
    Keys,
    /// Removes what newer records supersede.
    Rewrite,
}

/// A piece of work for whoever drives the shard. [`run`](Self::run) it on a thread that may block, and hand the result
/// back.
#[derive(Debug)]
pub struct CompactionTask {
    pub(crate) stage: Stage,
    pub(crate) chunks: Vec<Chunk>,
    /// Where the batches begin, and where what is asked for ends.
    pub(crate) from: Offset,
    pub(crate) until: Offset,
    /// Memory that keys may take.
    pub(crate) key_bytes_max: usize,
    pub(crate) rules: Box<Rules>,
}

/// What a task has found.
#[derive(Debug)]
pub struct CompactionDone {
    pub(crate) rules: Box<Rules>,
    pub(crate) found: Result<Found, KernelError>,
}

/// See [`CompactionDone`].
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// End of the last batch that was gone through.
    pub(crate) reached: Offset,
    /// No more keys fit.
    pub(crate) is_full: bool,
    pub(crate) replacements: Vec<Replacement>,
    /// Bytes gone through.
    pub(crate) read_bytes: u64,
    pub(crate) removed_records: u64,
    /// Batches whose records cannot be read. They stay as they are.
    pub(crate) unreadable: u64,
}

/// A batch that changes.
#[derive(Debug, Clone)]
pub(crate) struct Replacement {
    pub(crate) base_offset: Offset,
    pub(crate) end_offset: Offset,
    crc: u32,
    bytes: u64,
    batch: Option<Bytes>,
}

impl Replacement {
    /// As an operation on `log`.
    pub(crate) fn into_op(self, log: LogId) -> Op {
        let Self { base_offset, crc, bytes, batch, .. } = self;
        Op::LogReplace { log, base_offset, crc, bytes, batch }
    }

    /// Bytes that it brings.
    pub(crate) fn len(&self) -> usize {
        self.batch.as_ref().map_or(0, Bytes::len)
    }
}

impl CompactionTask {
    /// Does the work. It may read from disk, and takes time in proportion to what its batches inflate to.
    #[must_use]
    pub fn run(mut self) -> CompactionDone {
        let found = self.work();
        CompactionDone { rules: self.rules, found }
    }

    fn work(&mut self) -> Result<Found, KernelError> {
        let mut found = Found { reached: self.from, ..Found::default() };
        for chunk in std::mem::take(&mut self.chunks) {
            let mut bytes = match chunk {
                Chunk::Hot(bytes) => bytes,
                Chunk::Cold(cold) => cold.source.read(cold.position, cold.len)?,
            };
            while !bytes.is_empty() {
                let batch = VerifiedBatch::take(&mut bytes)
                    .map_err(|error| KernelError::Damaged(error.to_string()))?;
                if found.is_full {
                    return Ok(found);
                }
                // A batch of which a part is not to be looked at stays whole.
                if batch.header().end_offset() > self.until {
                    found.reached = self.until;
                    return Ok(found);
                }
                self.go_through(&batch, &mut found)?;
            }
        }
        Ok(found)
    }

    fn go_through(&mut self, batch: &VerifiedBatch, found: &mut Found) -> Result<(), KernelError> {
        let header = batch.header();
        found.read_bytes += header.size as u64;
        match self.stage {
            Stage::Keys => {
                found.unreadable += u64::from(!self.rules.note(batch));
                // The batch that goes beyond the bound is in: every pass gets on by one batch at least.
                found.is_full = self.rules.keys.bytes() > self.key_bytes_max;
            }
            Stage::Rewrite => {
                let broken = |error: kernel_model::batch::BatchError| KernelError::Damaged(error.to_string());
                let verdict = self.rules.judge(batch).map_err(broken)?;
                found.removed_records += verdict.removed;
                let left = match verdict.outcome {
                    Outcome::Same => None,
                    Outcome::Less(left) => Some(Some(left.bytes().clone())),
                    Outcome::Gone => Some(None),
                };
                found.replacements.extend(left.map(|batch| Replacement {
                    base_offset: header.base_offset,
                    end_offset: header.end_offset(),
                    crc: header.crc,
                    bytes: header.size as u64,
                    batch,
                }));
            }
        }
        found.reached = header.end_offset();
        Ok(())
    }
}
