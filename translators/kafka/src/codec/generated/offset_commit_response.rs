//! `OffsetCommitResponse`, versions 2-10. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `OffsetCommitResponse`, versions 2-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetCommitResponse {
    /// `ThrottleTimeMs`: `int32`, versions 3-10, ignorable.
    pub throttle_time_ms: i32,
    /// `Topics`: `[]OffsetCommitResponseTopic`, versions 2-10.
    pub topics: Vec<OffsetCommitResponseTopic>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for OffsetCommitResponse {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: if f.version >= 3 { r.get(f)? } else { 0 },
            topics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 3 {
            self.throttle_time_ms.write(out, f)?;
        }
        self.topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for OffsetCommitResponse {
    const NAME: &'static str = "OffsetCommitResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 2..=10;
    const FLEXIBLE_FROM: Option<i16> = Some(8);
}

impl Response for OffsetCommitResponse {
    const API: ApiKey = ApiKey::OffsetCommit;
}

/// Struct `OffsetCommitResponsePartition`, versions 2-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetCommitResponsePartition {
    /// `PartitionIndex`: `int32`, versions 2-10.
    pub partition_index: i32,
    /// `ErrorCode`: `int16`, versions 2-10.
    pub error_code: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for OffsetCommitResponsePartition {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            error_code: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.error_code.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `OffsetCommitResponseTopic`, versions 2-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetCommitResponseTopic {
    /// `Name`: `string`, versions 2-9, ignorable.
    pub name: Str,
    /// `TopicId`: `uuid`, versions 10, ignorable.
    pub topic_id: Uuid,
    /// `Partitions`: `[]OffsetCommitResponsePartition`, versions 2-10.
    pub partitions: Vec<OffsetCommitResponsePartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for OffsetCommitResponseTopic {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: if f.version <= 9 { r.get(f)? } else { Str::default() },
            topic_id: if f.version >= 10 { r.get(f)? } else { Uuid::ZERO },
            partitions: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version <= 9 {
            self.name.write(out, f)?;
        }
        if f.version >= 10 {
            self.topic_id.write(out, f)?;
        }
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
