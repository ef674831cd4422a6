//! What the engine keeps of a batch once its bytes are with the store.

use kernel_model::batch::{BATCH_HEADER_LEN, BatchError, BatchHeader};
use kernel_model::position::{LogEpoch, Offset};

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    /// Aborted.
    Abort,
    /// Committed.
    Commit,
}

/// The facts of one batch that the log's tables are built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchMeta {
    pub(crate) base_offset: Offset,
    pub(crate) end_offset: Offset,
    pub(crate) size: u64,
    pub(crate) crc: u32,
    pub(crate) epoch: LogEpoch,
    pub(crate) attributes: i16,
    pub(crate) max_timestamp_ms: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) last_sequence: i32,
    pub(crate) record_count: u32,
    /// Of a control batch that ends a transaction.
    pub(crate) marker: Option<Marker>,
}

impl BatchMeta {
    /// Reads the facts of a whole batch whose checksum was found right.
    pub(crate) fn of(header: &BatchHeader, bytes: &[u8]) -> Self {
        Self {
            base_offset: header.base_offset,
            end_offset: header.end_offset(),
            size: header.size as u64,
            crc: header.crc,
            epoch: header.leader_epoch,
            attributes: header.attributes,
            max_timestamp_ms: header.max_timestamp_ms,
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            record_count: header.record_count,
            marker: if header.is_control() { marker(bytes) } else { None },
        }
    }

    /// Reads the facts of stored bytes.
    ///
    /// # Errors
    ///
    /// [`BatchError`] when they are no batch.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BatchError> {
        Ok(Self::of(&BatchHeader::decode(bytes)?, bytes))
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & 0x10 != 0
    }

    pub(crate) fn is_control(&self) -> bool {
        self.attributes & 0x20 != 0
    }

    /// The same batch at another offset and epoch.
    pub(crate) fn at(mut self, base_offset: Offset, epoch: LogEpoch) -> Self {
        let records = self.end_offset.0.saturating_sub(self.base_offset.0);
        self.base_offset = base_offset;
        self.end_offset = base_offset.plus(records);
        self.epoch = epoch;
        self
    }
}

/// Kind of a control batch's first record, whose key is a version and a type, 16 bits each (type 0 aborts, 1
/// commits). Control batches are never compressed. Other types end no transaction.
fn marker(batch: &[u8]) -> Option<Marker> {
    let mut input = batch.get(BATCH_HEADER_LEN..)?;
    varint(&mut input)?; // length
    input = input.get(1..)?; // attributes
    varint(&mut input)?; // timestamp delta
    varint(&mut input)?; // offset delta
    let key_len = usize::try_from(varint(&mut input)?).ok()?;
    let key = input.get(..key_len)?;
    match (key.get(2)?, key.get(3)?) {
        (0, 0) => Some(Marker::Abort),
        (0, 1) => Some(Marker::Commit),
        _ => None,
    }
}

/// A zigzag variable-length integer of at most ten bytes.
fn varint(input: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    None
}
