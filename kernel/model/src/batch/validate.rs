//! What a log that the kernel leads demands of a batch before it is appended. A mirrored batch is taken as
//! its source took it.

use super::header::VerifiedBatch;
use super::inflate::{InflateError, record_bytes};
use super::record::{Record, RecordError, Records};

/// What is demanded beyond a right checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Most bytes that compressed records may inflate to.
    pub inflated_bytes_max: usize,
    /// Every record needs a key (the log will be compacted).
    pub keys_required: bool,
    /// Bounds on the producer's timestamps; `None` when the log stamps records itself.
    pub timestamps: Option<TimestampBounds>,
}

/// How far a record's timestamp may lie from the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampBounds {
    /// Wall clock in milliseconds.
    pub now_ms: i64,
    /// How far before it.
    pub before_max_ms: i64,
    /// How far after it.
    pub after_max_ms: i64,
}

/// Why a batch may not be appended. The producer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The batch holds no record.
    #[error("the batch holds no record")]
    Empty,
    /// Record count and last offset delta disagree.
    #[error("{count} records where the offsets say {offsets}")]
    Count {
        /// Record count of the header.
        count: u32,
        /// Last offset delta plus one.
        offsets: u64,
    },
    /// Markers are written by the coordinator of a transaction, not by producers.
    #[error("producers may not write control batches")]
    Control,
    /// A producer id without epoch or sequence number, or the other way round.
    #[error("producer id, epoch and sequence do not belong together")]
    Producer,
    /// The producer claims that the log stamped the batch.
    #[error("the batch claims to be stamped by the log")]
    StampedByLog,
    /// The records cannot be inflated.
    #[error(transparent)]
    Inflate(#[from] InflateError),
    /// The records cannot be read.
    #[error("record {index}: {error}")]
    Record {
        /// Which, from 0.
        index: u32,
        /// Why.
        error: RecordError,
    },
    /// A record's offset delta is not its place in the batch.
    #[error("record {index} has offset delta {found}")]
    OffsetDelta {
        /// Which, from 0.
        index: u32,
        /// Its offset delta.
        found: i32,
    },
    /// A record without a key where keys are required.
    #[error("record {index} has no key")]
    KeyMissing {
        /// Which, from 0.
        index: u32,
    },
    /// A record's timestamp lies too far from the clock.
    #[error("record {index} has timestamp {found_ms}, out of bounds")]
    Timestamp {
        /// Which, from 0.
        index: u32,
        /// Its timestamp.
        found_ms: i64,
    },
}

impl Fault {
    /// The record that is at fault, from 0, where it is one record's.
    #[must_use]
    pub fn record_index(&self) -> Option<u32> {
        match self {
            Self::Record { index, .. }
            | Self::OffsetDelta { index, .. }
            | Self::KeyMissing { index }
            | Self::Timestamp { index, .. } => Some(*index),
            Self::Empty
            | Self::Count { .. }
            | Self::Control
            | Self::Producer
            | Self::StampedByLog
            | Self::Inflate(_) => None,
        }
    }
}

/// A timestamp that says "none".
const NO_TIMESTAMP: i64 = -1;

/// Judges a producer's batch, every record included. Returns the largest timestamp of its records: its header
/// may say another.
///
/// # Errors
///
/// The first [`Fault`] found.
pub fn validate(batch: &VerifiedBatch, rules: &Rules) -> Result<i64, Fault> {
    check_header(batch, rules)?;
    let header = batch.header();
    let plain = record_bytes(batch, rules.inflated_bytes_max)?;
    let mut max_timestamp_ms = i64::MIN;
    for (index, record) in (0_u32..).zip(Records::new(&plain, header.record_count)) {
        let record = record.map_err(|error| Fault::Record { index, error })?;
        check_record(&record, index, header.base_timestamp_ms, rules)?;
        let timestamp_ms = header.base_timestamp_ms.saturating_add(record.timestamp_delta);
        max_timestamp_ms = max_timestamp_ms.max(timestamp_ms);
    }
    Ok(max_timestamp_ms)
}

/// Every record that is refused for its timestamp or for want of a key, at most `max` of them. Empty where the batch as a
/// whole is at fault.
#[must_use]
pub fn refused_records(batch: &VerifiedBatch, rules: &Rules, max: usize) -> Vec<Fault> {
    let Ok(plain) = record_bytes(batch, rules.inflated_bytes_max) else { return Vec::new() };
    let header = batch.header();
    let records = (0_u32..).zip(Records::new(&plain, header.record_count));
    let faults =
        records.map_while(|(index, record)| Some((index, record.ok()?))).filter_map(|(index, record)| {
            let fault = check_record(&record, index, header.base_timestamp_ms, rules).err()?;
            matches!(fault, Fault::Timestamp { .. } | Fault::KeyMissing { .. }).then_some(fault)
        });
    faults.take(max).collect()
}

fn check_header(batch: &VerifiedBatch, rules: &Rules) -> Result<(), Fault> {
    let header = batch.header();
    if header.record_count == 0 {
        return Err(Fault::Empty);
    }
    let offsets = u64::from(header.last_offset_delta) + 1;
    if u64::from(header.record_count) != offsets {
        return Err(Fault::Count { count: header.record_count, offsets });
    }
    if header.is_control() {
        return Err(Fault::Control);
    }
    let named = header.producer_id >= 0;
    if named && (header.base_sequence < 0 || header.producer_epoch < 0) || !named && header.is_transactional()
    {
        return Err(Fault::Producer);
    }
    if header.is_append_stamped() && rules.timestamps.is_some() {
        return Err(Fault::StampedByLog);
    }
    Ok(())
}

fn check_record(record: &Record<'_>, index: u32, base_timestamp_ms: i64, rules: &Rules) -> Result<(), Fault> {
    if u32::try_from(record.offset_delta) != Ok(index) {
        return Err(Fault::OffsetDelta { index, found: record.offset_delta });
    }
    if rules.keys_required && record.key.is_none() {
        return Err(Fault::KeyMissing { index });
    }
    let Some(bounds) = rules.timestamps else { return Ok(()) };
    let found_ms = base_timestamp_ms.saturating_add(record.timestamp_delta);
    let age = bounds.now_ms.saturating_sub(found_ms);
    if found_ms != NO_TIMESTAMP && (age > bounds.before_max_ms || age.saturating_neg() > bounds.after_max_ms)
    {
        return Err(Fault::Timestamp { index, found_ms });
    }
    Ok(())
}
