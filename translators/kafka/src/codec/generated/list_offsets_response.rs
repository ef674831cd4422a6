//! `ListOffsetsResponse`, versions 1-11. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, absent};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `ListOffsetsResponse`, versions 1-11.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListOffsetsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 2-11, ignorable.
    pub throttle_time_ms: i32,
    /// `Topics`: `[]ListOffsetsTopicResponse`, versions 1-11.
    pub topics: Vec<ListOffsetsTopicResponse>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ListOffsetsResponse {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: if f.version >= 2 { r.get(f)? } else { 0 },
            topics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 2 {
            self.throttle_time_ms.write(out, f)?;
        }
        self.topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ListOffsetsResponse {
    const NAME: &'static str = "ListOffsetsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=11;
    const FLEXIBLE_FROM: Option<i16> = Some(6);
}

impl Response for ListOffsetsResponse {
    const API: ApiKey = ApiKey::ListOffsets;
}

/// Struct `ListOffsetsPartitionResponse`, versions 1-11.
#[derive(Debug, Clone, PartialEq)]
pub struct ListOffsetsPartitionResponse {
    /// `PartitionIndex`: `int32`, versions 1-11.
    pub partition_index: i32,
    /// `ErrorCode`: `int16`, versions 1-11.
    pub error_code: i16,
    /// `Timestamp`: `int64`, versions 1-11, default `-1`.
    pub timestamp: i64,
    /// `Offset`: `int64`, versions 1-11, default `-1`.
    pub offset: i64,
    /// `LeaderEpoch`: `int32`, versions 4-11, default `-1`.
    pub leader_epoch: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ListOffsetsPartitionResponse {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            timestamp: -1,
            offset: -1,
            leader_epoch: -1,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for ListOffsetsPartitionResponse {
    const BYTES_MIN: usize = 22;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            error_code: r.get(f)?,
            timestamp: r.get(f)?,
            offset: r.get(f)?,
            leader_epoch: if f.version >= 4 { r.get(f)? } else { -1 },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.error_code.write(out, f)?;
        self.timestamp.write(out, f)?;
        self.offset.write(out, f)?;
        if f.version >= 4 {
            self.leader_epoch.write(out, f)?;
        } else {
            absent(self.leader_epoch == -1, "LeaderEpoch", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `ListOffsetsTopicResponse`, versions 1-11.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListOffsetsTopicResponse {
    /// `Name`: `string`, versions 1-11.
    pub name: Str,
    /// `Partitions`: `[]ListOffsetsPartitionResponse`, versions 1-11.
    pub partitions: Vec<ListOffsetsPartitionResponse>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ListOffsetsTopicResponse {
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
