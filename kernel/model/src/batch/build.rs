//! Encodes small batches: markers, internal logs, messages that came in another form, tests.

use bytes::{BufMut, Bytes, BytesMut};

use super::header::{BATCH_HEADER_LEN, BatchError, VerifiedBatch};
use super::inflate::{Codec, deflate};
use crate::position::{LogEpoch, Offset};

/// One record to be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NewRecord<'a> {
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// Key, if any.
    pub key: Option<&'a [u8]>,
    /// Value, if any.
    pub value: Option<&'a [u8]>,
    /// Headers, in order.
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

/// What a batch says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSpec {
    /// First offset; a log that assigns offsets replaces it.
    pub base_offset: Offset,
    /// Epoch of the leader; replaced likewise.
    pub leader_epoch: LogEpoch,
    /// Compression of the records.
    pub codec: Codec,
    /// The batch belongs to a transaction.
    pub transactional: bool,
    /// The batch is a transaction marker.
    pub control: bool,
    /// Idempotent producer, or −1.
    pub producer_id: i64,
    /// Its epoch, or −1.
    pub producer_epoch: i16,
    /// Sequence number of the first record, or −1.
    pub base_sequence: i32,
}

impl Default for BatchSpec {
    fn default() -> Self {
        Self {
            base_offset: Offset(0),
            leader_epoch: LogEpoch(-1),
            codec: Codec::None,
            transactional: false,
            control: false,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
        }
    }
}

impl BatchSpec {
    /// Encodes `records` at consecutive offsets.
    ///
    /// # Errors
    ///
    /// [`BatchError::Length`] when there is no record, or more than a batch can hold.
    pub fn encode(&self, records: &[NewRecord<'_>]) -> Result<VerifiedBatch, BatchError> {
        let too_large = |_| BatchError::Length(i32::MAX);
        let count = i32::try_from(records.len()).map_err(too_large)?;
        let first = records.first().ok_or(BatchError::Length(0))?;
        let base_timestamp = first.timestamp_ms;
        let max_timestamp = records.iter().map(|record| record.timestamp_ms).max().unwrap_or(base_timestamp);
        let mut plain = BytesMut::new();
        for (delta, record) in (0_i32..).zip(records) {
            put_record(&mut plain, record, base_timestamp, delta);
        }
        let stored = deflate(self.codec, &plain).map_err(|_| BatchError::Length(i32::MAX))?;
        let length = i32::try_from(stored.len() + BATCH_HEADER_LEN - 12).map_err(too_large)?;

        let mut checked = BytesMut::with_capacity(stored.len() + 40);
        checked.put_i16(self.attributes());
        checked.put_i32(count - 1);
        checked.put_i64(base_timestamp);
        checked.put_i64(max_timestamp);
        checked.put_i64(self.producer_id);
        checked.put_i16(self.producer_epoch);
        checked.put_i32(self.base_sequence);
        checked.put_i32(count);
        checked.put_slice(&stored);

        let mut out = BytesMut::with_capacity(stored.len() + BATCH_HEADER_LEN);
        out.put_i64(self.base_offset.as_i64());
        out.put_i32(length);
        out.put_i32(self.leader_epoch.0);
        out.put_i8(2);
        out.put_u32(crc32c::crc32c(&checked));
        out.put_slice(&checked);
        VerifiedBatch::take(&mut Bytes::from(out))
    }

    fn attributes(&self) -> i16 {
        let mut attributes = i16::from(self.codec.number());
        if self.transactional {
            attributes |= 0x10;
        }
        if self.control {
            attributes |= 0x20;
        }
        attributes
    }
}

fn put_record(out: &mut BytesMut, record: &NewRecord<'_>, base_timestamp_ms: i64, offset_delta: i32) {
    let mut body = BytesMut::new();
    body.put_i8(0);
    put_varlong(&mut body, record.timestamp_ms.wrapping_sub(base_timestamp_ms));
    put_varlong(&mut body, offset_delta.into());
    put_nullable(&mut body, record.key);
    put_nullable(&mut body, record.value);
    put_length(&mut body, record.headers.len());
    for (key, value) in record.headers {
        put_nullable(&mut body, Some(key));
        put_nullable(&mut body, *value);
    }
    put_length(out, body.len());
    out.put_slice(&body);
}

pub(super) fn put_nullable(out: &mut BytesMut, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varlong(out, -1),
        Some(bytes) => {
            put_length(out, bytes.len());
            out.put_slice(bytes);
        }
    }
}

pub(super) fn put_length(out: &mut BytesMut, length: usize) {
    put_varlong(out, i64::try_from(length).unwrap_or(i64::MAX));
}

/// Zigzag, seven bits a byte. The short form of a 32-bit number is the same as that of a 64-bit one.
pub(super) fn put_varlong(out: &mut BytesMut, value: i64) {
    let mut raw = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while raw > 0x7f {
        let [low, ..] = raw.to_le_bytes();
        out.put_u8(low | 0x80);
        raw >>= 7;
    }
    let [low, ..] = raw.to_le_bytes();
    out.put_u8(low);
}
