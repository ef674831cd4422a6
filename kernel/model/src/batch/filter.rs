//! What compaction leaves of a batch: the same batch with fewer records.
//!
//! First and last offset, producer, epochs, sequence, compression and the timestamps of the records that stay are kept;
//! length, count, largest timestamp and checksum follow what is left.

use bytes::{BufMut, Bytes, BytesMut};

use super::build::{put_length, put_nullable, put_varlong};
use super::header::{BATCH_HEADER_LEN, BatchError, BatchHeader, DELETE_HORIZON, VerifiedBatch};
use super::inflate::{Codec, deflate};
use super::record::{Record, Records};

/// What an empty batch says of its times.
const NO_TIMESTAMP: i64 = -1;

/// `batch` with those records of `plain` (what [`record_bytes`](super::record_bytes) gave for it) for which `keep` holds,
/// by their place from 0. `horizon_ms` becomes its delete horizon; without it the batch keeps its own, if it has one.
/// Without a record that stays it is [`emptied`].
///
/// # Errors
///
/// [`BatchError::Length`]: `plain` are not the records of the batch, or cannot be compressed.
pub fn filtered(
    batch: &VerifiedBatch,
    plain: &[u8],
    keep: &[bool],
    horizon_ms: Option<i64>,
) -> Result<VerifiedBatch, BatchError> {
    let header = batch.header();
    let base_timestamp_ms = horizon_ms.unwrap_or(header.base_timestamp_ms);
    let mut left = BytesMut::with_capacity(plain.len());
    let (mut count, mut max_timestamp_ms) = (0_i32, i64::MIN);
    for (record, keep) in Records::new(plain, header.record_count).zip(keep) {
        let record = record.map_err(|_| BatchError::Length(0))?;
        if *keep {
            let timestamp_ms = header.base_timestamp_ms.saturating_add(record.timestamp_delta);
            put_record(&mut left, &record, timestamp_ms.wrapping_sub(base_timestamp_ms));
            max_timestamp_ms = max_timestamp_ms.max(timestamp_ms);
            count += 1;
        }
    }
    if count == 0 {
        return Ok(emptied(batch));
    }
    let codec = Codec::from_number(header.codec()).ok_or(BatchError::Length(0))?;
    let stored = deflate(codec, &left).map_err(|_| BatchError::Length(i32::MAX))?;
    let attributes =
        if horizon_ms.is_some() { header.attributes | DELETE_HORIZON } else { header.attributes };
    // The log's own time of append stands for every record's.
    let max_timestamp_ms =
        if header.is_append_stamped() { header.max_timestamp_ms } else { max_timestamp_ms };
    let times = Times { base_ms: base_timestamp_ms, max_ms: max_timestamp_ms };
    assemble(header, attributes, times, count, &stored)
}

/// `batch` without its records: what remembers its offsets and its producer's sequence.
#[must_use]
pub fn emptied(batch: &VerifiedBatch) -> VerifiedBatch {
    let header = batch.header();
    let attributes = header.attributes & !(DELETE_HORIZON | 0x07);
    let times = Times { base_ms: NO_TIMESTAMP, max_ms: NO_TIMESTAMP };
    // A header of its own always is a batch.
    assemble(header, attributes, times, 0, &[]).unwrap_or_else(|_| batch.clone())
}

struct Times {
    base_ms: i64,
    max_ms: i64,
}

fn assemble(
    header: &BatchHeader,
    attributes: i16,
    times: Times,
    count: i32,
    records: &[u8],
) -> Result<VerifiedBatch, BatchError> {
    let too_large = |_| BatchError::Length(i32::MAX);
    let length = i32::try_from(records.len() + BATCH_HEADER_LEN - 12).map_err(too_large)?;
    let mut checked = BytesMut::with_capacity(records.len() + 40);
    checked.put_i16(attributes);
    checked.put_u32(header.last_offset_delta);
    checked.put_i64(times.base_ms);
    checked.put_i64(times.max_ms);
    checked.put_i64(header.producer_id);
    checked.put_i16(header.producer_epoch);
    checked.put_i32(header.base_sequence);
    checked.put_i32(count);
    checked.put_slice(records);

    let mut out = BytesMut::with_capacity(records.len() + BATCH_HEADER_LEN);
    out.put_i64(header.base_offset.as_i64());
    out.put_i32(length);
    out.put_i32(header.leader_epoch.0);
    out.put_i8(2);
    out.put_u32(crc32c::crc32c(&checked));
    out.put_slice(&checked);
    VerifiedBatch::take(&mut Bytes::from(out))
}

fn put_record(out: &mut BytesMut, record: &Record<'_>, timestamp_delta: i64) {
    let mut body = BytesMut::new();
    body.put_i8(0);
    put_varlong(&mut body, timestamp_delta);
    put_varlong(&mut body, record.offset_delta.into());
    put_nullable(&mut body, record.key);
    put_nullable(&mut body, record.value);
    put_length(&mut body, record.header_count());
    body.put_slice(record.stored_headers());
    put_length(out, body.len());
    out.put_slice(&body);
}
