//! `DeleteRecordsResponse`, versions 0-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `DeleteRecordsResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteRecordsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-2.
    pub throttle_time_ms: i32,
    /// `Topics`: `[]DeleteRecordsTopicResult`, versions 0-2.
    pub topics: Vec<DeleteRecordsTopicResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DeleteRecordsResponse {
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

impl Message for DeleteRecordsResponse {
    const NAME: &'static str = "DeleteRecordsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Response for DeleteRecordsResponse {
    const API: ApiKey = ApiKey::DeleteRecords;
}

/// Struct `DeleteRecordsPartitionResult`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteRecordsPartitionResult {
    /// `PartitionIndex`: `int32`, versions 0-2.
    pub partition_index: i32,
    /// `LowWatermark`: `int64`, versions 0-2.
    pub low_watermark: i64,
    /// `ErrorCode`: `int16`, versions 0-2.
    pub error_code: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DeleteRecordsPartitionResult {
    const BYTES_MIN: usize = 14;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            low_watermark: r.get(f)?,
            error_code: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.low_watermark.write(out, f)?;
        self.error_code.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `DeleteRecordsTopicResult`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteRecordsTopicResult {
    /// `Name`: `string`, versions 0-2.
    pub name: Str,
    /// `Partitions`: `[]DeleteRecordsPartitionResult`, versions 0-2.
    pub partitions: Vec<DeleteRecordsPartitionResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DeleteRecordsTopicResult {
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
