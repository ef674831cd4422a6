//! `OffsetCommitRequest`, versions 2-10. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::OffsetCommitResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Uuid, Wire,
};

/// Message `OffsetCommitRequest`, versions 2-10.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetCommitRequest {
    /// `GroupId`: `string`, versions 2-10.
    pub group_id: Str,
    /// `GenerationIdOrMemberEpoch`: `int32`, versions 2-10, ignorable, default `-1`.
    pub generation_id_or_member_epoch: i32,
    /// `MemberId`: `string`, versions 2-10, ignorable.
    pub member_id: Str,
    /// `GroupInstanceId`: `string`, versions 7-10, nullable.
    pub group_instance_id: Option<Str>,
    /// `RetentionTimeMs`: `int64`, versions 2-4, ignorable, default `-1`.
    pub retention_time_ms: i64,
    /// `Topics`: `[]OffsetCommitRequestTopic`, versions 2-10.
    pub topics: Vec<OffsetCommitRequestTopic>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for OffsetCommitRequest {
    fn default() -> Self {
        Self {
            group_id: Str::default(),
            generation_id_or_member_epoch: -1,
            member_id: Str::default(),
            group_instance_id: None,
            retention_time_ms: -1,
            topics: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for OffsetCommitRequest {
    const BYTES_MIN: usize = 9;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get(f)?,
            generation_id_or_member_epoch: r.get(f)?,
            member_id: r.get(f)?,
            group_instance_id: if f.version >= 7 { r.get_nullable(f, true)? } else { None },
            retention_time_ms: if f.version <= 4 { r.get(f)? } else { -1 },
            topics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        self.generation_id_or_member_epoch.write(out, f)?;
        self.member_id.write(out, f)?;
        if f.version >= 7 {
            write_nullable(self.group_instance_id.as_ref(), true, "GroupInstanceId", out, f)?;
        } else {
            absent(self.group_instance_id.is_none(), "GroupInstanceId", f)?;
        }
        if f.version <= 4 {
            self.retention_time_ms.write(out, f)?;
        }
        self.topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for OffsetCommitRequest {
    const NAME: &'static str = "OffsetCommitRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 2..=10;
    const FLEXIBLE_FROM: Option<i16> = Some(8);
}

impl Request for OffsetCommitRequest {
    const API: ApiKey = ApiKey::OffsetCommit;
    type Response = OffsetCommitResponse;
}

/// Struct `OffsetCommitRequestPartition`, versions 2-10.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetCommitRequestPartition {
    /// `PartitionIndex`: `int32`, versions 2-10.
    pub partition_index: i32,
    /// `CommittedOffset`: `int64`, versions 2-10.
    pub committed_offset: i64,
    /// `CommittedLeaderEpoch`: `int32`, versions 6-10, ignorable, default `-1`.
    pub committed_leader_epoch: i32,
    /// `CommittedMetadata`: `string`, versions 2-10, nullable.
    pub committed_metadata: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for OffsetCommitRequestPartition {
    fn default() -> Self {
        Self {
            partition_index: 0,
            committed_offset: 0,
            committed_leader_epoch: -1,
            committed_metadata: Some(Str::default()),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for OffsetCommitRequestPartition {
    const BYTES_MIN: usize = 14;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            committed_offset: r.get(f)?,
            committed_leader_epoch: if f.version >= 6 { r.get(f)? } else { -1 },
            committed_metadata: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.committed_offset.write(out, f)?;
        if f.version >= 6 {
            self.committed_leader_epoch.write(out, f)?;
        }
        write_nullable(self.committed_metadata.as_ref(), true, "CommittedMetadata", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `OffsetCommitRequestTopic`, versions 2-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetCommitRequestTopic {
    /// `Name`: `string`, versions 2-9, ignorable.
    pub name: Str,
    /// `TopicId`: `uuid`, versions 10, ignorable.
    pub topic_id: Uuid,
    /// `Partitions`: `[]OffsetCommitRequestPartition`, versions 2-10.
    pub partitions: Vec<OffsetCommitRequestPartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for OffsetCommitRequestTopic {
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
