//! `OffsetDeleteResponse`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::{ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, Wire};

/// Message `OffsetDeleteResponse`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteResponse {
    /// `ErrorCode`: `int16`, versions 0.
    pub error_code: i16,
    /// `ThrottleTimeMs`: `int32`, versions 0, ignorable.
    pub throttle_time_ms: i32,
    /// `Topics`: `[]OffsetDeleteResponseTopic`, versions 0.
    pub topics: Vec<OffsetDeleteResponseTopic>,
}

impl Wire for OffsetDeleteResponse {
    const BYTES_MIN: usize = 10;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { error_code: r.get(f)?, throttle_time_ms: r.get(f)?, topics: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        self.throttle_time_ms.write(out, f)?;
        self.topics.write(out, f)?;
        Ok(())
    }
}

impl Message for OffsetDeleteResponse {
    const NAME: &'static str = "OffsetDeleteResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = None;
}

impl Response for OffsetDeleteResponse {
    const API: ApiKey = ApiKey::OffsetDelete;
}

/// Struct `OffsetDeleteResponsePartition`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteResponsePartition {
    /// `PartitionIndex`: `int32`, versions 0.
    pub partition_index: i32,
    /// `ErrorCode`: `int16`, versions 0.
    pub error_code: i16,
}

impl Wire for OffsetDeleteResponsePartition {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { partition_index: r.get(f)?, error_code: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.error_code.write(out, f)?;
        Ok(())
    }
}

/// Struct `OffsetDeleteResponseTopic`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteResponseTopic {
    /// `Name`: `string`, versions 0.
    pub name: Str,
    /// `Partitions`: `[]OffsetDeleteResponsePartition`, versions 0.
    pub partitions: Vec<OffsetDeleteResponsePartition>,
}

impl Wire for OffsetDeleteResponseTopic {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { name: r.get(f)?, partitions: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.partitions.write(out, f)?;
        Ok(())
    }
}
