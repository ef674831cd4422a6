//! Offsets that groups commit within transactions: they count from the marker on that ends their transaction, if it
//! commits.
//!
//! A restart reads again from where no transaction was open: then nothing is missed, and what was committed meanwhile
//! comes again in the same order.

use std::collections::BTreeMap;

use bytes::Bytes;
use kernel_model::VerifiedBatch;
use kernel_model::batch::{Records, record_bytes};
use translator_kafka::coordinator::group::OffsetsRecord;

/// Most records of open transactions in one partition.
const RECORDS_MAX: usize = 200_000;
/// A marker is one small record.
const MARKER_BYTES_MAX: usize = 4_096;

/// More is open than can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// The open transactions of one partition.
#[derive(Debug, Default)]
pub(crate) struct OpenOffsets {
    by_producer: BTreeMap<i64, Vec<OffsetsRecord>>,
    records: usize,
    /// Behind the last place at which nothing was open.
    quiet: u64,
}

impl OpenOffsets {
    /// Begins anew at an offset.
    pub(crate) fn begin_at(&mut self, offset: u64) {
        *self = Self { quiet: offset, ..Self::default() };
    }

    /// A batch of an open transaction begins; its records follow.
    pub(crate) fn open(&mut self, producer_id: i64) {
        self.by_producer.entry(producer_id).or_default();
    }

    /// Keeps a record until its transaction ends.
    pub(crate) fn keep(&mut self, producer_id: i64, record: OffsetsRecord) -> Result<(), TooMany> {
        if self.records >= RECORDS_MAX {
            return Err(TooMany);
        }
        self.records += 1;
        self.by_producer.entry(producer_id).or_default().push(record);
        Ok(())
    }

    /// A marker: the records that count from now on.
    pub(crate) fn end(&mut self, batch: &VerifiedBatch) -> Vec<OffsetsRecord> {
        let Some(commits) = commits(batch) else { return Vec::new() };
        let records = self.by_producer.remove(&batch.header().producer_id).unwrap_or_default();
        self.records = self.records.saturating_sub(records.len());
        if commits { records } else { Vec::new() }
    }

    /// Everything below `end` has been read; where a restart has to begin.
    pub(crate) fn read_to(&mut self, end: u64) -> u64 {
        if self.by_producer.is_empty() {
            self.quiet = end;
        }
        self.quiet
    }
}

/// What a control batch says: a commit, an abort, or something else.
fn commits(batch: &VerifiedBatch) -> Option<bool> {
    let inflated: Bytes = record_bytes(batch, MARKER_BYTES_MAX).ok()?;
    let record = Records::new(&inflated, batch.header().record_count).next()?.ok()?;
    match record.key? {
        [0, 0, 0, 0, ..] => Some(false),
        [0, 0, 0, 1, ..] => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use kernel_model::batch::{BatchSpec, NewRecord};
    use translator_kafka::codec::Str;

    use super::*;

    fn marker(producer_id: i64, commit: bool) -> VerifiedBatch {
        let spec = BatchSpec { transactional: true, control: true, producer_id, ..BatchSpec::default() };
        let key = [0, 0, 0, u8::from(commit)];
        let record = NewRecord { timestamp_ms: 0, key: Some(&key), value: Some(&[0; 6]), headers: &[] };
        spec.encode(&[record]).unwrap()
    }

    fn record(group: &str) -> OffsetsRecord {
        OffsetsRecord::Unsupported { group: Some(Str::from(group)), key_version: 9 }
    }

    #[test]
    fn only_what_is_committed_counts_and_a_restart_begins_before_everything_open() {
        let mut open = OpenOffsets::default();
        open.begin_at(3);
        assert_eq!(open.read_to(5), 5);
        open.open(1);
        open.keep(1, record("a")).unwrap();
        open.keep(2, record("b")).unwrap();
        assert_eq!(open.read_to(9), 5);
        assert_eq!(open.end(&marker(1, true)), [record("a")]);
        assert_eq!(open.read_to(10), 5);
        assert_eq!(open.end(&marker(2, false)), []);
        assert_eq!(open.end(&marker(2, true)), []);
        assert_eq!((open.read_to(12), open.records), (12, 0));
    }
}
