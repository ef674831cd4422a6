//! `DescribeLogDirsResponse`, versions 1-5. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `DescribeLogDirsResponse`, versions 1-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeLogDirsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 1-5.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 3-5, ignorable.
    pub error_code: i16,
    /// `Results`: `[]DescribeLogDirsResult`, versions 1-5.
    pub results: Vec<DescribeLogDirsResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeLogDirsResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: if f.version >= 3 { r.get(f)? } else { 0 },
            results: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        if f.version >= 3 {
            self.error_code.write(out, f)?;
        }
        self.results.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeLogDirsResponse {
    const NAME: &'static str = "DescribeLogDirsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=5;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Response for DescribeLogDirsResponse {
    const API: ApiKey = ApiKey::DescribeLogDirs;
}

/// Struct `DescribeLogDirsPartition`, versions 1-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeLogDirsPartition {
    /// `PartitionIndex`: `int32`, versions 1-5.
    pub partition_index: i32,
    /// `PartitionSize`: `int64`, versions 1-5.
    pub partition_size: i64,
    /// `OffsetLag`: `int64`, versions 1-5.
    pub offset_lag: i64,
    /// `IsFutureKey`: `bool`, versions 1-5.
    pub is_future_key: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeLogDirsPartition {
    const BYTES_MIN: usize = 21;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            partition_size: r.get(f)?,
            offset_lag: r.get(f)?,
            is_future_key: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.partition_size.write(out, f)?;
        self.offset_lag.write(out, f)?;
        self.is_future_key.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `DescribeLogDirsTopic`, versions 1-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeLogDirsTopic {
    /// `Name`: `string`, versions 1-5.
    pub name: Str,
    /// `Partitions`: `[]DescribeLogDirsPartition`, versions 1-5.
    pub partitions: Vec<DescribeLogDirsPartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeLogDirsTopic {
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

/// Struct `DescribeLogDirsResult`, versions 1-5.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeLogDirsResult {
    /// `ErrorCode`: `int16`, versions 1-5.
    pub error_code: i16,
    /// `LogDir`: `string`, versions 1-5.
    pub log_dir: Str,
    /// `Topics`: `[]DescribeLogDirsTopic`, versions 1-5.
    pub topics: Vec<DescribeLogDirsTopic>,
    /// `TotalBytes`: `int64`, versions 4-5, ignorable, default `-1`.
    pub total_bytes: i64,
    /// `UsableBytes`: `int64`, versions 4-5, ignorable, default `-1`.
    pub usable_bytes: i64,
    /// `IsCordoned`: `bool`, versions 5, ignorable.
    pub is_cordoned: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeLogDirsResult {
    fn default() -> Self {
        Self {
            error_code: 0,
            log_dir: Str::default(),
            topics: Vec::new(),
            total_bytes: -1,
            usable_bytes: -1,
            is_cordoned: false,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribeLogDirsResult {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            log_dir: r.get(f)?,
            topics: r.get(f)?,
            total_bytes: if f.version >= 4 { r.get(f)? } else { -1 },
            usable_bytes: if f.version >= 4 { r.get(f)? } else { -1 },
            is_cordoned: if f.version >= 5 { r.get(f)? } else { false },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        self.log_dir.write(out, f)?;
        self.topics.write(out, f)?;
        if f.version >= 4 {
            self.total_bytes.write(out, f)?;
        }
        if f.version >= 4 {
            self.usable_bytes.write(out, f)?;
        }
        if f.version >= 5 {
            self.is_cordoned.write(out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
