//! `TxnOffsetCommitRequest`, versions 0-6. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::TxnOffsetCommitResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Uuid, Wire,
};

/// Message `TxnOffsetCommitRequest`, versions 0-6.
#[derive(Debug, Clone, PartialEq)]
pub struct TxnOffsetCommitRequest {
    /// `TransactionalId`: `string`, versions 0-6.
    pub transactional_id: Str,
    /// `GroupId`: `string`, versions 0-6.
    pub group_id: Str,
    /// `ProducerId`: `int64`, versions 0-6.
    pub producer_id: i64,
    /// `ProducerEpoch`: `int16`, versions 0-6.
    pub producer_epoch: i16,
    /// `GenerationIdOrMemberEpoch`: `int32`, versions 3-6, default `-1`.
    pub generation_id_or_member_epoch: i32,
    /// `MemberId`: `string`, versions 3-6.
    pub member_id: Str,
    /// `GroupInstanceId`: `string`, versions 3-6, nullable.
    pub group_instance_id: Option<Str>,
    /// `Topics`: `[]TxnOffsetCommitRequestTopic`, versions 0-6.
    pub topics: Vec<TxnOffsetCommitRequestTopic>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for TxnOffsetCommitRequest {
    fn default() -> Self {
        Self {
            transactional_id: Str::default(),
            group_id: Str::default(),
            producer_id: 0,
            producer_epoch: 0,
            generation_id_or_member_epoch: -1,
            member_id: Str::default(),
            group_instance_id: None,
            topics: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for TxnOffsetCommitRequest {
    const BYTES_MIN: usize = 18;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            transactional_id: r.get(f)?,
            group_id: r.get(f)?,
            producer_id: r.get(f)?,
            producer_epoch: r.get(f)?,
            generation_id_or_member_epoch: if f.version >= 3 { r.get(f)? } else { -1 },
            member_id: if f.version >= 3 { r.get(f)? } else { Str::default() },
            group_instance_id: if f.version >= 3 { r.get_nullable(f, true)? } else { None },
            topics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.transactional_id.write(out, f)?;
        self.group_id.write(out, f)?;
        self.producer_id.write(out, f)?;
        self.producer_epoch.write(out, f)?;
        if f.version >= 3 {
            self.generation_id_or_member_epoch.write(out, f)?;
        } else {
            absent(self.generation_id_or_member_epoch == -1, "GenerationIdOrMemberEpoch", f)?;
        }
        if f.version >= 3 {
            self.member_id.write(out, f)?;
        } else {
            absent(self.member_id.is_empty(), "MemberId", f)?;
        }
        if f.version >= 3 {
            write_nullable(self.group_instance_id.as_ref(), true, "GroupInstanceId", out, f)?;
        } else {
            absent(self.group_instance_id.is_none(), "GroupInstanceId", f)?;
        }
        self.topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for TxnOffsetCommitRequest {
    const NAME: &'static str = "TxnOffsetCommitRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;
    const FLEXIBLE_FROM: Option<i16> = Some(3);
}

impl Request for TxnOffsetCommitRequest {
    const API: ApiKey = ApiKey::TxnOffsetCommit;
    type Response = TxnOffsetCommitResponse;
}

/// Struct `TxnOffsetCommitRequestPartition`, versions 0-6.
#[derive(Debug, Clone, PartialEq)]
pub struct TxnOffsetCommitRequestPartition {
    /// `PartitionIndex`: `int32`, versions 0-6.
    pub partition_index: i32,
    /// `CommittedOffset`: `int64`, versions 0-6.
    pub committed_offset: i64,
    /// `CommittedLeaderEpoch`: `int32`, versions 2-6, ignorable, default `-1`.
    pub committed_leader_epoch: i32,
    /// `CommittedMetadata`: `string`, versions 0-6, nullable.
    pub committed_metadata: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for TxnOffsetCommitRequestPartition {
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

impl Wire for TxnOffsetCommitRequestPartition {
    const BYTES_MIN: usize = 14;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            committed_offset: r.get(f)?,
            committed_leader_epoch: if f.version >= 2 { r.get(f)? } else { -1 },
            committed_metadata: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.committed_offset.write(out, f)?;
        if f.version >= 2 {
            self.committed_leader_epoch.write(out, f)?;
        }
        write_nullable(self.committed_metadata.as_ref(), true, "CommittedMetadata", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TxnOffsetCommitRequestTopic`, versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TxnOffsetCommitRequestTopic {
    /// `Name`: `string`, versions 0-5, ignorable.
    pub name: Str,
    /// `TopicId`: `uuid`, versions 6, ignorable.
    pub topic_id: Uuid,
    /// `Partitions`: `[]TxnOffsetCommitRequestPartition`, versions 0-6.
    pub partitions: Vec<TxnOffsetCommitRequestPartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TxnOffsetCommitRequestTopic {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: if f.version <= 5 { r.get(f)? } else { Str::default() },
            topic_id: if f.version >= 6 { r.get(f)? } else { Uuid::ZERO },
            partitions: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version <= 5 {
            self.name.write(out, f)?;
        }
        if f.version >= 6 {
            self.topic_id.write(out, f)?;
        }
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
