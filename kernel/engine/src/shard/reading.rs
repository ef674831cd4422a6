//! Reads: batches, positions by time, keys.

use bytes::Bytes;
use kernel_model::batch::{BatchHeader, Records as BatchRecords, VerifiedBatch, record_bytes};
use kernel_model::error::KernelError;
use kernel_model::position::{LogEpoch, LogId, Offset};
use kernel_model::reply::{Aborted, Chunk, Found, Records};
use kernel_model::request::ReadLimit;

use super::Shard;
use super::append::check_epoch;
use crate::log::Log;
use crate::store::FoundBatch;

/// Inflated size of one batch that a lookup by time goes through.
const INFLATED_BYTES_MAX: usize = 128 << 20;

impl Shard {
    pub(super) fn read(
        &self,
        id: LogId,
        from: Offset,
        bytes_max: usize,
        at_least_one: bool,
        limit: ReadLimit,
        epoch: Option<LogEpoch>,
    ) -> Result<Records, KernelError> {
        let log = self.log(id)?;
        check_epoch(log, epoch)?;
        let held = limit == ReadLimit::Stored && self.holds.keeps(id, from);
        if (from < log.start && !held) || from > log.end {
            return Err(KernelError::OffsetOutOfRange { start: log.start, end: log.readable_end(limit) });
        }
        let end = log.readable_end(limit);
        let bytes_max = bytes_max.min(self.limits.read_bytes_max);
        let chunks =
            if from < end { self.store.read(id, from, end, bytes_max, at_least_one)? } else { Vec::new() };
        let aborted = match limit {
            ReadLimit::Stable => aborted(log, from, end, &chunks),
            ReadLimit::Durable | ReadLimit::Stored => Vec::new(),
        };
        Ok(Records { chunks, start: log.start, durable_end: log.high, stable_end: log.stable(), aborted })
    }

    pub(super) fn find_by_time(
        &self,
        id: LogId,
        timestamp_ms: Option<i64>,
        limit: ReadLimit,
    ) -> Result<Option<Found>, KernelError> {
        let log = self.log(id)?;
        let end = log.readable_end(limit);
        let Some(batch) = self.store.find_by_time(id, timestamp_ms, end)? else { return Ok(None) };
        let wanted = timestamp_ms.unwrap_or(batch.max_timestamp_ms);
        let found = first_at(&batch, wanted, log.start)?;
        Ok(found.map(|(offset, timestamp_ms)| Found { offset, timestamp_ms, epoch: batch.epoch }))
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KernelError> {
        let entry = self.store.get(key)?;
        let live = entry.filter(|entry| entry.expires_ms.is_none_or(|at| at > self.now.wall_ms));
        Ok(live.map(|entry| entry.value))
    }

    pub(super) fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        pairs_max: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, KernelError> {
        let pairs_max = pairs_max.min(self.limits.scan_pairs_max);
        let mut pairs = Vec::new();
        let mut after = after.map(Bytes::copy_from_slice);
        // Expired keys are passed over, so a page may need more than one look.
        while pairs.len() < pairs_max {
            let wanted = pairs_max - pairs.len();
            let page = self.store.scan(prefix, after.as_deref(), wanted)?;
            let full = page.len() == wanted;
            after = page.last().map(|(key, _)| key.clone());
            let live =
                page.into_iter().filter(|(_, entry)| entry.expires_ms.is_none_or(|at| at > self.now.wall_ms));
            pairs.extend(live.map(|(key, entry)| (key, entry.value)));
            if !full {
                break;
            }
        }
        Ok(pairs)
    }
}

/// Aborted transactions that overlap what is returned. Where the end of that is not known without reading from
/// disk, the list goes up to the end of what could be read: longer than needed, never shorter.
fn aborted(log: &Log, from: Offset, end: Offset, chunks: &[Chunk]) -> Vec<Aborted> {
    if log.transactions.aborted.is_empty() || chunks.is_empty() {
        return Vec::new();
    }
    let mut to = from;
    for chunk in chunks {
        match chunk {
            Chunk::Hot(bytes) => to = to.max(end_of(bytes).unwrap_or(end)),
            Chunk::Cold(_) => return log.transactions.aborted_in(from, end),
        }
    }
    log.transactions.aborted_in(from, to.min(end))
}

/// Where the last batch of a run ends.
fn end_of(mut run: &[u8]) -> Option<Offset> {
    let mut end = None;
    while !run.is_empty() {
        let header = BatchHeader::decode(run).ok()?;
        end = Some(header.end_offset());
        run = run.get(header.size..)?;
    }
    end
}

/// The first record of a batch at or above `start` whose timestamp is at least `wanted`, with its timestamp.
fn first_at(batch: &FoundBatch, wanted: i64, start: Offset) -> Result<Option<(Offset, i64)>, KernelError> {
    let bytes = match &batch.chunk {
        Chunk::Hot(bytes) => bytes.clone(),
        Chunk::Cold(cold) => cold.source.read(cold.position, cold.len)?,
    };
    let mut rest = bytes;
    let whole = VerifiedBatch::take(&mut rest).map_err(|error| KernelError::Damaged(error.to_string()))?;
    let header = whole.header();
    let front = Some((header.base_offset.max(start), header.max_timestamp_ms));
    if header.is_append_stamped() {
        return Ok(front);
    }
    // Records that cannot be read are the producer's affair: the batch's front misses nothing.
    let Ok(records) = record_bytes(&whole, INFLATED_BYTES_MAX) else { return Ok(front) };
    for record in BatchRecords::new(&records, header.record_count) {
        let Ok(record) = record else { return Ok(front) };
        let offset = header.base_offset.plus(u64::try_from(record.offset_delta).unwrap_or(0));
        let timestamp_ms = header.base_timestamp_ms.saturating_add(record.timestamp_delta);
        if offset >= start && timestamp_ms >= wanted {
            return Ok(Some((offset, timestamp_ms)));
        }
    }
    Ok(None)
}
