//! `DescribeProducersResponse`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `DescribeProducersResponse`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeProducersResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0.
    pub throttle_time_ms: i32,
    /// `Topics`: `[]TopicResponse`, versions 0.
    pub topics: Vec<TopicResponse>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeProducersResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            topics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeProducersResponse {
    const NAME: &'static str = "DescribeProducersResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for DescribeProducersResponse {
    const API: ApiKey = ApiKey::DescribeProducers;
}

/// Struct `ProducerState`, versions 0.
#[derive(Debug, Clone, PartialEq)]
pub struct ProducerState {
    /// `ProducerId`: `int64`, versions 0.
    pub producer_id: i64,
    /// `ProducerEpoch`: `int32`, versions 0.
    pub producer_epoch: i32,
    /// `LastSequence`: `int32`, versions 0, default `-1`.
    pub last_sequence: i32,
    /// `LastTimestamp`: `int64`, versions 0, default `-1`.
    pub last_timestamp: i64,
    /// `CoordinatorEpoch`: `int32`, versions 0.
    pub coordinator_epoch: i32,
    /// `CurrentTxnStartOffset`: `int64`, versions 0, default `-1`.
    pub current_txn_start_offset: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ProducerState {
    fn default() -> Self {
        Self {
            producer_id: 0,
            producer_epoch: 0,
            last_sequence: -1,
            last_timestamp: -1,
            coordinator_epoch: 0,
            current_txn_start_offset: -1,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for ProducerState {
    const BYTES_MIN: usize = 37;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            producer_id: r.get(f)?,
            producer_epoch: r.get(f)?,
            last_sequence: r.get(f)?,
            last_timestamp: r.get(f)?,
            coordinator_epoch: r.get(f)?,
            current_txn_start_offset: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.producer_id.write(out, f)?;
        self.producer_epoch.write(out, f)?;
        self.last_sequence.write(out, f)?;
        self.last_timestamp.write(out, f)?;
        self.coordinator_epoch.write(out, f)?;
        self.current_txn_start_offset.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `PartitionResponse`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartitionResponse {
    /// `PartitionIndex`: `int32`, versions 0.
    pub partition_index: i32,
    /// `ErrorCode`: `int16`, versions 0.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0, nullable.
    pub error_message: Option<Str>,
    /// `ActiveProducers`: `[]ProducerState`, versions 0.
    pub active_producers: Vec<ProducerState>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for PartitionResponse {
    const BYTES_MIN: usize = 9;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            active_producers: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.active_producers.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TopicResponse`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicResponse {
    /// `Name`: `string`, versions 0.
    pub name: Str,
    /// `Partitions`: `[]PartitionResponse`, versions 0.
    pub partitions: Vec<PartitionResponse>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopicResponse {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { name: r.get(f)?, partitions: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
