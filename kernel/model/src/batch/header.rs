//! The fixed header of a batch, its checks and its patches.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::position::{LogEpoch, Offset};

/// Bytes before the first record.
pub const BATCH_HEADER_LEN: usize = 61;
/// Bytes before the part that `batch length` counts.
const LENGTH_END: usize = 12;
/// First byte that the checksum covers.
const CHECKSUMMED: usize = 21;

/// Attribute bit: the base timestamp is a delete horizon.
pub(super) const DELETE_HORIZON: i16 = 0x40;

/// Why bytes are not a batch. The sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Shorter than its header or its declared length; more bytes may follow.
    #[error("batch is incomplete")]
    Incomplete,
    /// Declared length below the header's own.
    #[error("batch length {0} is impossible")]
    Length(i32),
    /// Another format than version 2.
    #[error("magic {0} is not supported")]
    Magic(i8),
    /// The checksum does not match.
    #[error("checksum mismatch")]
    Checksum,
    /// Negative base offset, last offset delta or record count.
    #[error("negative count or offset")]
    Negative,
}

/// The decoded header of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// First offset.
    pub base_offset: Offset,
    /// Size of the whole batch in bytes, header included.
    pub size: usize,
    /// Epoch of the leader that wrote it.
    pub leader_epoch: LogEpoch,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Codec, timestamp type, transactional and control bits.
    pub attributes: i16,
    /// Offset of the last record, relative to the first; kept by compaction.
    pub last_offset_delta: u32,
    /// Timestamp of the first record.
    pub base_timestamp_ms: i64,
    /// Greatest timestamp, or the append time when the log stamps.
    pub max_timestamp_ms: i64,
    /// Idempotent producer, or −1.
    pub producer_id: i64,
    /// Its epoch, or −1.
    pub producer_epoch: i16,
    /// Sequence number of the first record, or −1.
    pub base_sequence: i32,
    /// Number of records.
    pub record_count: u32,
}

impl BatchHeader {
    /// Decodes the header at the front of `bytes`, without its checksum being judged.
    ///
    /// # Errors
    ///
    /// [`BatchError::Incomplete`] when fewer than [`BATCH_HEADER_LEN`] bytes are there; the others when they
    /// are no batch.
    pub fn decode(bytes: &[u8]) -> Result<Self, BatchError> {
        if let Some(&magic) = bytes.get(16)
            && magic != 2
        {
            return Err(BatchError::Magic(magic.cast_signed()));
        }
        if bytes.len() < BATCH_HEADER_LEN {
            return Err(BatchError::Incomplete);
        }
        let mut buf = bytes;
        let base_offset = buf.get_i64();
        let length = buf.get_i32();
        let leader_epoch = LogEpoch(buf.get_i32());
        let _magic = buf.get_i8();
        let crc = buf.get_u32();
        let attributes = buf.get_i16();
        let last_offset_delta = buf.get_i32();
        let base_timestamp_ms = buf.get_i64();
        let max_timestamp_ms = buf.get_i64();
        let producer_id = buf.get_i64();
        let producer_epoch = buf.get_i16();
        let base_sequence = buf.get_i32();
        let record_count = buf.get_i32();
        let size = usize::try_from(length).map_err(|_| BatchError::Length(length))? + LENGTH_END;
        if size < BATCH_HEADER_LEN {
            return Err(BatchError::Length(length));
        }
        Ok(Self {
            base_offset: Offset::from_i64(base_offset).ok_or(BatchError::Negative)?,
            size,
            leader_epoch,
            crc,
            attributes,
            last_offset_delta: u32::try_from(last_offset_delta).map_err(|_| BatchError::Negative)?,
            base_timestamp_ms,
            max_timestamp_ms,
            producer_id,
            producer_epoch,
            base_sequence,
            record_count: u32::try_from(record_count).map_err(|_| BatchError::Negative)?,
        })
    }

    /// Offset after the last one of the batch.
    #[must_use]
    pub fn end_offset(&self) -> Offset {
        self.base_offset.plus(u64::from(self.last_offset_delta) + 1)
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes & 0x10 != 0
    }

    /// Whether the batch is a transaction marker.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes & 0x20 != 0
    }

    /// Whether timestamps are the log's instead of the producer's.
    #[must_use]
    pub fn is_append_stamped(&self) -> bool {
        self.attributes & 0x08 != 0
    }

    /// From when on compaction may remove the records without value, or the marker, in it. It stands where the base
    /// timestamp was; timestamps of records count from it.
    #[must_use]
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_timestamp_ms)
    }

    /// Compression codec: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd; others are not assigned.
    #[must_use]
    pub fn codec(&self) -> u8 {
        (self.attributes & 0x07).to_be_bytes()[1]
    }

    /// Sequence number of the last record; sequences wrap from `i32::MAX` to 0.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return -1;
        }
        let last = u64::from(self.base_sequence.cast_unsigned()) + u64::from(self.last_offset_delta);
        i32::try_from(last % (1 << 31)).unwrap_or(0)
    }
}

/// One whole batch whose checksum was found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedBatch {
    header: BatchHeader,
    bytes: Bytes,
}

impl VerifiedBatch {
    /// Takes the batch at the front of `input` and checks its checksum; `input` keeps what follows.
    ///
    /// # Errors
    ///
    /// See [`BatchError`]; `input` is left alone.
    pub fn take(input: &mut Bytes) -> Result<Self, BatchError> {
        let header = BatchHeader::decode(input)?;
        let body = input.get(CHECKSUMMED..header.size).ok_or(BatchError::Incomplete)?;
        if crc32c::crc32c(body) != header.crc {
            return Err(BatchError::Checksum);
        }
        Ok(Self { header, bytes: input.split_to(header.size) })
    }

    /// Its header.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch, header included.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same batch with what its records say of their largest timestamp, which its producer got wrong.
    #[must_use]
    pub fn with_max_timestamp(mut self, max_timestamp_ms: i64) -> Self {
        let mut copy = BytesMut::from(self.bytes.as_ref());
        set_max_timestamp(&mut copy, max_timestamp_ms);
        self.header.max_timestamp_ms = max_timestamp_ms;
        self.header.crc = copy.get(CHECKSUMMED..).map_or(0, crc32c::crc32c);
        self.bytes = copy.freeze();
        self
    }

    /// The same batch at another offset.
    #[must_use]
    pub fn at(mut self, base_offset: Offset) -> Self {
        let mut copy = BytesMut::from(self.bytes.as_ref());
        patch_header(&mut copy, base_offset, self.header.leader_epoch);
        self.header.base_offset = base_offset;
        self.bytes = copy.freeze();
        self
    }
}

/// Splits a run of whole batches, checking each one; a cut batch at the end is left in `input` (fetch
/// answers may end in one).
///
/// # Errors
///
/// See [`BatchError`]; never [`BatchError::Incomplete`].
pub fn split(input: &mut Bytes) -> Result<Vec<VerifiedBatch>, BatchError> {
    let mut batches = Vec::new();
    while !input.is_empty() {
        match VerifiedBatch::take(input) {
            Ok(batch) => batches.push(batch),
            Err(BatchError::Incomplete) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(batches)
}

/// Writes base offset and leader epoch into a batch's header; the checksum does not cover them. Shorter
/// input is left alone.
pub fn patch_header(batch: &mut [u8], base_offset: Offset, epoch: LogEpoch) {
    if let Some(mut front) = batch.get_mut(..16) {
        front.put_i64(base_offset.as_i64());
        if let Some(mut epoch_bytes) = batch.get_mut(12..16) {
            epoch_bytes.put_i32(epoch.0);
        }
    }
}

/// Marks a batch as stamped by the log at `append_time_ms` and renews its checksum. Shorter input is left
/// alone.
pub fn restamp(batch: &mut [u8], append_time_ms: i64) {
    if batch.len() < BATCH_HEADER_LEN {
        return;
    }
    if let Some(low) = batch.get_mut(22) {
        *low |= 0x08;
    }
    set_max_timestamp(batch, append_time_ms);
}

/// Sets the largest timestamp and renews the checksum.
fn set_max_timestamp(batch: &mut [u8], max_timestamp_ms: i64) {
    if let Some(mut field) = batch.get_mut(35..43) {
        field.put_i64(max_timestamp_ms);
    }
    let crc = batch.get(CHECKSUMMED..).map_or(0, crc32c::crc32c);
    if let Some(mut field) = batch.get_mut(17..21) {
        field.put_u32(crc);
    }
}
