//! `DescribeShareGroupOffsetsResponse`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `DescribeShareGroupOffsetsResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeShareGroupOffsetsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-1.
    pub throttle_time_ms: i32,
    /// `Groups`: `[]DescribeShareGroupOffsetsResponseGroup`, versions 0-1.
    pub groups: Vec<DescribeShareGroupOffsetsResponseGroup>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeShareGroupOffsetsResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            groups: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.groups.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeShareGroupOffsetsResponse {
    const NAME: &'static str = "DescribeShareGroupOffsetsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for DescribeShareGroupOffsetsResponse {
    const API: ApiKey = ApiKey::DescribeShareGroupOffsets;
}

/// Struct `DescribeShareGroupOffsetsResponsePartition`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeShareGroupOffsetsResponsePartition {
    /// `PartitionIndex`: `int32`, versions 0-1.
    pub partition_index: i32,
    /// `StartOffset`: `int64`, versions 0-1.
    pub start_offset: i64,
    /// `LeaderEpoch`: `int32`, versions 0-1.
    pub leader_epoch: i32,
    /// `Lag`: `int64`, versions 1, ignorable, default `-1`.
    pub lag: i64,
    /// `ErrorCode`: `int16`, versions 0-1.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0-1, nullable.
    pub error_message: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeShareGroupOffsetsResponsePartition {
    fn default() -> Self {
        Self {
            partition_index: 0,
            start_offset: 0,
            leader_epoch: 0,
            lag: -1,
            error_code: 0,
            error_message: None,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribeShareGroupOffsetsResponsePartition {
    const BYTES_MIN: usize = 20;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            start_offset: r.get(f)?,
            leader_epoch: r.get(f)?,
            lag: if f.version >= 1 { r.get(f)? } else { -1 },
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.start_offset.write(out, f)?;
        self.leader_epoch.write(out, f)?;
        if f.version >= 1 {
            self.lag.write(out, f)?;
        }
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `DescribeShareGroupOffsetsResponseTopic`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeShareGroupOffsetsResponseTopic {
    /// `TopicName`: `string`, versions 0-1.
    pub topic_name: Str,
    /// `TopicId`: `uuid`, versions 0-1.
    pub topic_id: Uuid,
    /// `Partitions`: `[]DescribeShareGroupOffsetsResponsePartition`, versions 0-1.
    pub partitions: Vec<DescribeShareGroupOffsetsResponsePartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeShareGroupOffsetsResponseTopic {
    const BYTES_MIN: usize = 19;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topic_name: r.get(f)?,
            topic_id: r.get(f)?,
            partitions: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic_name.write(out, f)?;
        self.topic_id.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `DescribeShareGroupOffsetsResponseGroup`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeShareGroupOffsetsResponseGroup {
    /// `GroupId`: `string`, versions 0-1.
    pub group_id: Str,
    /// `Topics`: `[]DescribeShareGroupOffsetsResponseTopic`, versions 0-1.
    pub topics: Vec<DescribeShareGroupOffsetsResponseTopic>,
    /// `ErrorCode`: `int16`, versions 0-1.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0-1, nullable.
    pub error_message: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeShareGroupOffsetsResponseGroup {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get(f)?,
            topics: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        self.topics.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
