//! `AddPartitionsToTxnResponse`, versions 0-5. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, absent};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `AddPartitionsToTxnResponse`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-5.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 4-5, ignorable.
    pub error_code: i16,
    /// `ResultsByTransaction`: `[]AddPartitionsToTxnResult`, versions 4-5.
    pub results_by_transaction: Vec<AddPartitionsToTxnResult>,
    /// `ResultsByTopicV3AndBelow`: `[]AddPartitionsToTxnTopicResult`, versions 0-3.
    pub results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AddPartitionsToTxnResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: if f.version >= 4 { r.get(f)? } else { 0 },
            results_by_transaction: if f.version >= 4 { r.get(f)? } else { Vec::new() },
            results_by_topic_v3_and_below: if f.version <= 3 { r.get(f)? } else { Vec::new() },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        if f.version >= 4 {
            self.error_code.write(out, f)?;
        }
        if f.version >= 4 {
            self.results_by_transaction.write(out, f)?;
        } else {
            absent(self.results_by_transaction.is_empty(), "ResultsByTransaction", f)?;
        }
        if f.version <= 3 {
            self.results_by_topic_v3_and_below.write(out, f)?;
        } else {
            absent(self.results_by_topic_v3_and_below.is_empty(), "ResultsByTopicV3AndBelow", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for AddPartitionsToTxnResponse {
    const NAME: &'static str = "AddPartitionsToTxnResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: Option<i16> = Some(3);
}

impl Response for AddPartitionsToTxnResponse {
    const API: ApiKey = ApiKey::AddPartitionsToTxn;
}

/// Struct `AddPartitionsToTxnPartitionResult`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnPartitionResult {
    /// `PartitionIndex`: `int32`, versions 0-5.
    pub partition_index: i32,
    /// `PartitionErrorCode`: `int16`, versions 0-5.
    pub partition_error_code: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AddPartitionsToTxnPartitionResult {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            partition_error_code: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.partition_error_code.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `AddPartitionsToTxnTopicResult`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnTopicResult {
    /// `Name`: `string`, versions 0-5.
    pub name: Str,
    /// `ResultsByPartition`: `[]AddPartitionsToTxnPartitionResult`, versions 0-5.
    pub results_by_partition: Vec<AddPartitionsToTxnPartitionResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AddPartitionsToTxnTopicResult {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            results_by_partition: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.results_by_partition.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `AddPartitionsToTxnResult`, versions 4-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnResult {
    /// `TransactionalId`: `string`, versions 4-5.
    pub transactional_id: Str,
    /// `TopicResults`: `[]AddPartitionsToTxnTopicResult`, versions 4-5.
    pub topic_results: Vec<AddPartitionsToTxnTopicResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AddPartitionsToTxnResult {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            transactional_id: r.get(f)?,
            topic_results: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.transactional_id.write(out, f)?;
        self.topic_results.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
