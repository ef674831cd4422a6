//! What the engine keeps of a batch once its bytes are with the store.

use kernel_model::batch::{BatchError, BatchHeader, Marker};
use kernel_model::position::{LogEpoch, Offset};

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
            marker: Marker::of(header, bytes),
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

    /// What the batch is known by on both sides of a handover: see [`kernel_model::batch::fingerprint`].
    pub(crate) fn fingerprint(&self) -> u32 {
        self.marker.map_or(self.crc, |marker| marker.fingerprint(self.producer_id, self.producer_epoch))
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
