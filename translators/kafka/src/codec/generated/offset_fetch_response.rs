//! `OffsetFetchResponse`, versions 1-10. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `OffsetFetchResponse`, versions 1-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchResponse {
    /// `ThrottleTimeMs`: `int32`, versions 3-10, ignorable.
    pub throttle_time_ms: i32,
    /// `Topics`: `[]OffsetFetchResponseTopic`, versions 1-7.
    pub topics: Vec<OffsetFetchResponseTopic>,
    /// `ErrorCode`: `int16`, versions 2-7, ignorable.
    pub error_code: i16,
    /// `Groups`: `[]OffsetFetchResponseGroup`, versions 8-10.
    pub groups: Vec<OffsetFetchResponseGroup>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for OffsetFetchResponse {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: if f.version >= 3 { r.get(f)? } else { 0 },
            topics: if f.version <= 7 { r.get(f)? } else { Vec::new() },
            error_code: if (2..=7).contains(&f.version) { r.get(f)? } else { 0 },
            groups: if f.version >= 8 { r.get(f)? } else { Vec::new() },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 3 {
            self.throttle_time_ms.write(out, f)?;
        }
        if f.version <= 7 {
            self.topics.write(out, f)?;
        } else {
            absent(self.topics.is_empty(), "Topics", f)?;
        }
        if (2..=7).contains(&f.version) {
            self.error_code.write(out, f)?;
        }
        if f.version >= 8 {
            self.groups.write(out, f)?;
        } else {
            absent(self.groups.is_empty(), "Groups", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for OffsetFetchResponse {
    const NAME: &'static str = "OffsetFetchResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=10;
    const FLEXIBLE_FROM: Option<i16> = Some(6);
}

impl Response for OffsetFetchResponse {
    const API: ApiKey = ApiKey::OffsetFetch;
}

/// Struct `OffsetFetchResponsePartition`, versions 1-7.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchResponsePartition {
    /// `PartitionIndex`: `int32`, versions 1-7.
    pub partition_index: i32,
    /// `CommittedOffset`: `int64`, versions 1-7.
    pub committed_offset: i64,
    /// `CommittedLeaderEpoch`: `int32`, versions 5-7, ignorable, default `-1`.
    pub committed_leader_epoch: i32,
    /// `Metadata`: `string`, versions 1-7, nullable.
    pub metadata: Option<Str>,
    /// `ErrorCode`: `int16`, versions 1-7.
    pub error_code: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for OffsetFetchResponsePartition {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            metadata: Some(Str::default()),
            error_code: 0,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for OffsetFetchResponsePartition {
    const BYTES_MIN: usize = 16;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            committed_offset: r.get(f)?,
            committed_leader_epoch: if f.version >= 5 { r.get(f)? } else { -1 },
            metadata: r.get_nullable(f, true)?,
            error_code: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.committed_offset.write(out, f)?;
        if f.version >= 5 {
            self.committed_leader_epoch.write(out, f)?;
        }
        write_nullable(self.metadata.as_ref(), true, "Metadata", out, f)?;
        self.error_code.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `OffsetFetchResponseTopic`, versions 1-7.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchResponseTopic {
    /// `Name`: `string`, versions 1-7.
    pub name: Str,
    /// `Partitions`: `[]OffsetFetchResponsePartition`, versions 1-7.
    pub partitions: Vec<OffsetFetchResponsePartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for OffsetFetchResponseTopic {
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

/// Struct `OffsetFetchResponsePartitions`, versions 8-10.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchResponsePartitions {
    /// `PartitionIndex`: `int32`, versions 8-10.
    pub partition_index: i32,
    /// `CommittedOffset`: `int64`, versions 8-10.
    pub committed_offset: i64,
    /// `CommittedLeaderEpoch`: `int32`, versions 8-10, ignorable, default `-1`.
    pub committed_leader_epoch: i32,
    /// `Metadata`: `string`, versions 8-10, nullable.
    pub metadata: Option<Str>,
    /// `ErrorCode`: `int16`, versions 8-10.
    pub error_code: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for OffsetFetchResponsePartitions {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            metadata: Some(Str::default()),
            error_code: 0,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for OffsetFetchResponsePartitions {
    const BYTES_MIN: usize = 20;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            committed_offset: r.get(f)?,
            committed_leader_epoch: r.get(f)?,
            metadata: r.get_nullable(f, true)?,
            error_code: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.committed_offset.write(out, f)?;
        self.committed_leader_epoch.write(out, f)?;
        write_nullable(self.metadata.as_ref(), true, "Metadata", out, f)?;
        self.error_code.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `OffsetFetchResponseTopics`, versions 8-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchResponseTopics {
    /// `Name`: `string`, versions 8-9, ignorable.
    pub name: Str,
    /// `TopicId`: `uuid`, versions 10, ignorable.
    pub topic_id: Uuid,
    /// `Partitions`: `[]OffsetFetchResponsePartitions`, versions 8-10.
    pub partitions: Vec<OffsetFetchResponsePartitions>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for OffsetFetchResponseTopics {
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

/// Struct `OffsetFetchResponseGroup`, versions 8-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchResponseGroup {
    /// `GroupId`: `string`, versions 8-10.
    pub group_id: Str,
    /// `Topics`: `[]OffsetFetchResponseTopics`, versions 8-10.
    pub topics: Vec<OffsetFetchResponseTopics>,
    /// `ErrorCode`: `int16`, versions 8-10.
    pub error_code: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for OffsetFetchResponseGroup {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get(f)?,
            topics: r.get(f)?,
            error_code: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        self.topics.write(out, f)?;
        self.error_code.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
