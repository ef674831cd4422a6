//! `TransactionLogValue`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, Str, TaggedField, Wire,
};

/// Message `TransactionLogValue`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct TransactionLogValue {
    /// `ProducerId`: `int64`, versions 0-1.
    pub producer_id: i64,
    /// `PreviousProducerId`: `int64`, versions 1, tag 0, default `-1`.
    pub previous_producer_id: i64,
    /// `NextProducerId`: `int64`, versions 1, tag 1, default `-1`.
    pub next_producer_id: i64,
    /// `ProducerEpoch`: `int16`, versions 0-1.
    pub producer_epoch: i16,
    /// `NextProducerEpoch`: `int16`, versions 1, tag 3, default `-1`.
    pub next_producer_epoch: i16,
    /// `TransactionTimeoutMs`: `int32`, versions 0-1.
    pub transaction_timeout_ms: i32,
    /// `TransactionStatus`: `int8`, versions 0-1.
    pub transaction_status: i8,
    /// `TransactionPartitions`: `[]PartitionsSchema`, versions 0-1, nullable.
    pub transaction_partitions: Option<Vec<PartitionsSchema>>,
    /// `TransactionLastUpdateTimestampMs`: `int64`, versions 0-1.
    pub transaction_last_update_timestamp_ms: i64,
    /// `TransactionStartTimestampMs`: `int64`, versions 0-1.
    pub transaction_start_timestamp_ms: i64,
    /// `ClientTransactionVersion`: `int16`, versions 1, tag 2.
    pub client_transaction_version: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for TransactionLogValue {
    fn default() -> Self {
        Self {
            producer_id: 0,
            previous_producer_id: -1,
            next_producer_id: -1,
            producer_epoch: 0,
            next_producer_epoch: -1,
            transaction_timeout_ms: 0,
            transaction_status: 0,
            transaction_partitions: Some(Vec::new()),
            transaction_last_update_timestamp_ms: 0,
            transaction_start_timestamp_ms: 0,
            client_transaction_version: 0,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for TransactionLogValue {
    const BYTES_MIN: usize = 33;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        let mut it = Self {
            producer_id: r.get(f)?,
            producer_epoch: r.get(f)?,
            transaction_timeout_ms: r.get(f)?,
            transaction_status: r.get(f)?,
            transaction_partitions: r.get_nullable(f, true)?,
            transaction_last_update_timestamp_ms: r.get(f)?,
            transaction_start_timestamp_ms: r.get(f)?,
            previous_producer_id: -1,
            next_producer_id: -1,
            client_transaction_version: 0,
            next_producer_epoch: -1,
            unknown_tagged: Vec::new(),
        };
        it.unknown_tagged = r.tags(f, |tag, r| {
            match tag {
                0 => it.previous_producer_id = r.get(f)?,
                1 => it.next_producer_id = r.get(f)?,
                2 => it.client_transaction_version = r.get(f)?,
                3 => it.next_producer_epoch = r.get(f)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.producer_id.write(out, f)?;
        self.producer_epoch.write(out, f)?;
        self.transaction_timeout_ms.write(out, f)?;
        self.transaction_status.write(out, f)?;
        write_nullable(self.transaction_partitions.as_ref(), true, "TransactionPartitions", out, f)?;
        self.transaction_last_update_timestamp_ms.write(out, f)?;
        self.transaction_start_timestamp_ms.write(out, f)?;
        let mut tags = Tags::default();
        if f.version >= 1 {
            tags.add(self.previous_producer_id != -1, 0, |out| self.previous_producer_id.write(out, f))?;
        } else {
            absent(self.previous_producer_id == -1, "PreviousProducerId", f)?;
        }
        if f.version >= 1 {
            tags.add(self.next_producer_id != -1, 1, |out| self.next_producer_id.write(out, f))?;
        } else {
            absent(self.next_producer_id == -1, "NextProducerId", f)?;
        }
        if f.version >= 1 {
            tags.add(self.client_transaction_version != 0, 2, |out| {
                self.client_transaction_version.write(out, f)
            })?;
        } else {
            absent(self.client_transaction_version == 0, "ClientTransactionVersion", f)?;
        }
        if f.version >= 1 {
            tags.add(self.next_producer_epoch != -1, 3, |out| self.next_producer_epoch.write(out, f))?;
        } else {
            absent(self.next_producer_epoch == -1, "NextProducerEpoch", f)?;
        }
        tags.write(&self.unknown_tagged, out, f)
    }
}

impl Message for TransactionLogValue {
    const NAME: &'static str = "TransactionLogValue";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(1);
}

impl CoordinatorRecord for TransactionLogValue {
    const RECORD_TYPE: i16 = 0;
}

/// Struct `PartitionsSchema`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartitionsSchema {
    /// `Topic`: `string`, versions 0-1.
    pub topic: Str,
    /// `PartitionIds`: `[]int32`, versions 0-1.
    pub partition_ids: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for PartitionsSchema {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { topic: r.get(f)?, partition_ids: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic.write(out, f)?;
        self.partition_ids.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
